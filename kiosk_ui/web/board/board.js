// The hall board: draws what the daemon says. Knows numbers, windows and zones, never a person.
import { h } from "../shared/dom.js";
import { icon } from "../shared/icons.js";
import { follow } from "../shared/stream.js";
import { Turns } from "./turns.js";

const STALE_AFTER_MS = 10000;
const NOTICE_MS = 8000;
const LIST_LENGTH = 6;
const MISSED_LENGTH = 8;
const NOTICES = [
  { zh: "过号请到原窗口告诉工作人员，不用重新取号", en: "Missed? Tell the same window" },
  { zh: "请留意窗口屏和广播；需要帮助请到导办台", en: "Help: information desk" },
];

const board = document.getElementById("board");
const live = document.getElementById("live");
const zone = new URLSearchParams(location.search).get("zone");

let view = null;
let heardAt = 0;
let stale = true;
let staleTimer = 0;
let notice = 0;
let shown = 0;
const turns = new Turns(draw);

function hear(next) {
  view = next;
  heardAt = performance.now();
  turns.hear(view.calls);
  draw();
}

function lineLives() {
  clearTimeout(staleTimer);
  staleTimer = setTimeout(lineStale, STALE_AFTER_MS);
  if (stale) {
    stale = false;
    draw();
  }
}

function lineStale() {
  stale = true;
  draw();
}

// --- drawing ----------------------------------------------------------------------------------------------------------

const color = (code) => `.zone-${"ABCDE".includes(code) ? code : "other"}`;
const zoneOf = (code) => view.zones.find((entry) => entry.zone === code);

/** The daemon says the time when something changes; in between the board counts on. */
function clock() {
  const [hours, minutes] = view.clock.split(":").map(Number);
  const total = hours * 60 + minutes + Math.floor((performance.now() - heardAt) / 60000);
  return `${String(Math.floor(total / 60) % 24).padStart(2, "0")}:${String(total % 60).padStart(2, "0")}`;
}

function drawHead() {
  const only = zone && zoneOf(zone);
  return h(
    "header",
    {},
    h("strong", {}, view.hall.zh, view.hall.en ? h("small", {}, view.hall.en) : null),
    only ? h("span", {}, only.name.zh) : null,
    h("time.num", {}, clock()),
  );
}

function drawCall(call) {
  if (call === null) {
    return h("section.hero.waiting", {}, h("div.who", {}, "请等候叫号"), h("div.small", {}, "Please wait for your number"));
  }
  const place = zoneOf(call.zone);
  const fresh = turns.isNew && shown !== call.event;
  return h(
    `section.hero${color(call.zone)}${turns.isNew ? ".new" : ""}${fresh ? ".flash" : ""}`,
    { "data-number": call.number },
    h("div.who", {}, h("span", {}, "请"), h("b.num", {}, call.number), h("span", {}, "号")),
    h(
      "div.where",
      {},
      h("span", {}, "到"),
      h("b.num", {}, call.window),
      h("span", {}, "号窗口"),
      h("em", {}, h("i.letter", {}, call.zone), place ? h("span", {}, place.name.zh, h("small", {}, place.name.en)) : null),
    ),
    h("div.small", {}, call.announcement.en),
  );
}

function drawList() {
  const before = view.calls.filter((call) => call.event !== turns.current?.event).slice(0, LIST_LENGTH);
  const row = (call) =>
    h(`li${color(call.zone)}`, {}, h("b.num", {}, call.number), h("i", {}, "→"), h("b.num", {}, call.window));
  return h(
    "section.list",
    {},
    h("h2", {}, h("span", {}, "刚才叫过 ", h("small", {}, "Just called")), h("span", {}, "号 → 窗口")),
    h("ol", {}, before.map(row)),
  );
}

function drawZones() {
  const entries = zone ? view.zones.filter((entry) => entry.zone === zone) : view.zones;
  const row = (entry) =>
    h(
      `div.load${color(entry.zone)}`,
      {},
      h("i.letter", {}, entry.zone),
      h("span", {}, h("b", {}, entry.name.zh), h("small", {}, entry.name.en)),
      h("b.num.count", {}, stale ? "—" : String(entry.waiting)),
    );
  return h(
    "section.zones",
    {},
    h("h2", {}, h("span", {}, "各区等候 ", h("small", {}, "Waiting by zone")), h("span", {}, "人数")),
    entries.map(row),
  );
}

function drawFoot() {
  const missed = view.missed.slice(0, MISSED_LENGTH);
  const strip = h("div.missed", {}, h("b", {}, "过号 ", h("small", {}, "Missed")), missed.map((number) => h("span.num", {}, number)));
  return h("footer", {}, missed.length && !stale ? strip : null, drawNews());
}

/** What the foot says: that data is old, what is being called, or a piece of advice. */
function drawNews() {
  if (stale) {
    const warning = "数据更新中断，请留意窗口屏和广播 ";
    return h("p.notice", { role: "status" }, icon("alert"), warning, h("small", {}, "Updates stopped: watch the signs and listen"));
  }
  if (turns.isNew && view.day_open) return h("p.notice.spoken", {}, icon("voice"), turns.current.announcement.zh);
  const text = NOTICES[notice % NOTICES.length];
  return h("p.notice", {}, h("span", {}, text.zh, " ", h("small", {}, text.en)));
}

function drawClosed() {
  return h(
    "main.closed",
    {},
    h("div", {}, h("h1", {}, "现在不办公"), h("p", {}, "The hall is closed")),
    h("p.valid", {}, "当天已取的号，当天有效", h("small", {}, "Tickets are valid on the day they were taken")),
  );
}

function draw() {
  document.body.classList.toggle("stale", stale);
  if (view === null) {
    board.replaceChildren(
      h("main.closed", {}, h("div", {}, h("h1", {}, "正在连接…"), h("p", {}, "Connecting"))),
      h("footer", {}, h("p.notice", {}, icon("alert"), "请留意窗口屏和广播 ", h("small", {}, "Watch the window signs and listen"))),
    );
    return;
  }
  const body = view.day_open ? h("main", {}, drawCall(turns.current), drawList(), drawZones()) : drawClosed();
  const running = flashSeconds();
  board.replaceChildren(drawHead(), body, drawFoot());
  if (turns.isNew && turns.current.event !== shown) {
    shown = turns.current.event;
    live.textContent = turns.current.announcement.zh;
  } else if (running !== null) {
    goOnFlashing(running);
  }
}

/** A new view in the middle of a flash must not start it again, nor end it. */
function flashSeconds() {
  const animation = board.querySelector(".hero.flash")?.getAnimations()[0];
  return animation?.playState === "running" ? Number(animation.currentTime) : null;
}

function goOnFlashing(milliseconds) {
  const hero = board.querySelector(".hero.new");
  hero?.classList.add("flash");
  for (const animation of hero?.getAnimations({ subtree: true }) ?? []) animation.currentTime = milliseconds;
}

setInterval(() => {
  notice += 1;
  if (view !== null) draw();
}, NOTICE_MS);
draw();
follow(`/board/views${zone ? `?zone=${encodeURIComponent(zone)}` : ""}`, { hear, pulse: lineLives });
