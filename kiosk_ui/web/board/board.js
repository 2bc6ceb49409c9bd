// The hall board: draws what the daemon says. Knows numbers, windows and zones, never a person.
// ?zone=D  that zone only.   ?voice  speak the calls through this machine's loudspeaker.
import { h } from "../shared/dom.js";
import { icon } from "../shared/icons.js";
import { follow } from "../shared/stream.js";
import { Turns } from "./turns.js";
import { Voice } from "./voice.js";

const STALE_AFTER_MS = 10000;
const NOTICE_MS = 8000;
const LIST_LENGTH = 6;
const CROWDED_LIST_LENGTH = 8; // when so many were called at once that six would hide some
const MISSED_LENGTH = 8;
const MISSED_LENGTH_ONE_ZONE = 5;
const RECENT_LENGTH = 4; // calls on the page of the break
const MOST_WINDOWS = 24; // so many are named over lunch; of more only how many they are

const board = document.getElementById("board");
const live = document.getElementById("live");
const asked = new URLSearchParams(location.search);
const zone = asked.get("zone");
const voice = asked.has("voice") ? new Voice() : null;

let view = null;
let heardAt = 0;
let stale = true;
let staleTimer = 0;
let livedAt = 0;
let notice = 0;
let shown = 0;
let serverAhead = 0; // daemon's clock less this machine's, ms
let catchingUp = false;
const turns = new Turns(draw, voice && ((call, how) => voice.speak(call, how)));

function hear(next) {
  view = next;
  heardAt = performance.now();
  turns.silent = view.state === "emergency";
  // Old news comes only with the first view after a break.
  turns.hear(view.calls, catchingUp ? Date.now() + serverAhead : 0);
  catchingUp = false;
  draw();
}

/** The daemon says what time it is whenever the line is made; the clock of a board may be anything. */
function answered(headers) {
  catchingUp = true;
  const date = Date.parse(headers.get("date") ?? "");
  if (!Number.isNaN(date)) serverAhead = date - Date.now();
}

function lineLives() {
  livedAt = performance.now();
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
    view.date.zh ? h("span.date", {}, view.date.zh) : null,
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
  const length = turns.waiting.length >= LIST_LENGTH ? CROWDED_LIST_LENGTH : LIST_LENGTH;
  const before = newest(view.calls).filter((call) => call.event !== turns.current?.event).slice(0, length);
  return h(
    `section.list${length > LIST_LENGTH ? ".crowded" : ""}`,
    {},
    h("h2", {}, h("span", {}, "刚才叫过 ", h("small", {}, "Just called")), h("span", {}, "号 → 窗口")),
    h("ol", {}, before.map(drawCalled)),
  );
}

const drawCalled = (call) =>
  h(`li${color(call.zone)}`, {}, h("b.num", {}, call.number), h("i", {}, "→"), h("b.num", {}, call.window));

/** Of each number the call that counts: who was called again, or elsewhere, stands there once. */
function newest(calls) {
  const seen = new Set();
  return calls.filter((call) => !seen.has(call.number) && seen.add(call.number));
}

/** Minutes as people say them; a dash where nobody can say. */
function wait(minutes) {
  if (stale || minutes === null || minutes === undefined) return h("span.wait", {}, "—");
  if (minutes === 0) return h("span.wait", {}, "不用等");
  return h("span.wait.num", {}, String(minutes), h("small", {}, " 分钟"));
}

function drawZones() {
  if (zone && view.nexts.length) return drawLine();
  const row = (entry) =>
    h(
      `div.load${color(entry.zone)}`,
      {},
      h("i.letter", {}, entry.zone),
      h("span", {}, h("b", {}, entry.name.zh), h("small", {}, next(entry))),
      h("b.num.count", {}, stale ? "—" : String(entry.waiting)),
      wait(entry.wait_minutes),
    );
  return h(
    "section.zones",
    {},
    h("h2", {}, h("span", {}, "各区等候 ", h("small", {}, "Waiting")), h("span", {}, "人数"), h("span", {}, "约等")),
    view.zones.map(row),
  );
}

/** The next two numbers of a zone, or its English name where nobody waits or the hall does not want them shown. */
function next(entry) {
  if (stale || !entry.next.length) return entry.name.en;
  return ["快到了 ", ...entry.next.map((number) => h("b.num.next", {}, number))];
}

function drawLine() {
  const only = zoneOf(zone);
  const row = (entry) => h("li", {}, h("b.num", {}, entry.number), wait(entry.wait_minutes));
  return h(
    `section.zones.nexts${color(zone)}`,
    {},
    h("h2", {}, h("span", {}, only.name.zh, "　还有 ", h("b.num.count", {}, stale ? "—" : String(only.waiting)), " 人")),
    h("ol", {}, view.nexts.map(row)),
  );
}

function drawFoot() {
  const missed = view.missed.slice(0, zone ? MISSED_LENGTH_ONE_ZONE : MISSED_LENGTH);
  const strip = h("div.missed", {}, h("b", {}, "过号 ", h("small", {}, "Missed")), missed.map((number) => h("span.num", {}, number)));
  return h("footer", {}, missed.length && !stale ? strip : null, drawNews());
}

/** What the foot says: that data is old, what is being called, or a notice in its turn. */
function drawNews() {
  if (stale) {
    const warning = `数据更新中断${age()}，请留意窗口屏和广播`;
    return h("p.notice", { role: "status" }, icon("alert"), warning, h("small", {}, "Updates stopped: watch the signs and listen"));
  }
  if (voice?.asleep) return h("p.notice", { role: "status" }, icon("voice"), "声音没有打开：请按一下键盘或屏幕 ", h("small", {}, "Sound is off: press a key"));
  if (isCalling()) return h("p.notice.spoken", {}, icon("voice"), turns.current.announcement.zh);
  const said = view.notices[notice % Math.max(1, view.notices.length)];
  return h("p.notice", {}, said ? h("span", {}, said.zh, " ", h("small", {}, said.en)) : null);
}

/** How long nothing has come, in whole minutes. */
function age() {
  const minutes = Math.floor((performance.now() - livedAt) / 60000);
  return minutes > 0 ? ` ${minutes} 分钟` : "";
}

function drawShut() {
  const lunch = view.state === "lunch";
  const title = lunch ? ["午间休息", "Lunch break"] : ["现在不办公", "The hall is closed"];
  const valid = lunch ? "已取的号全部有效" : "当天已取的号，当天有效";
  const recent = lunch ? newest(view.calls).filter((call) => !call.over).slice(0, RECENT_LENGTH) : [];
  const waiting = view.zones.filter((entry) => entry.waiting > 0);
  return h(
    `main.closed${lunch ? ".lunch" : ""}`,
    {},
    h("div", {}, h("h1", {}, title[0]), h("p", {}, title[1])),
    h("p.valid", {}, view.reopens.zh ? `${view.reopens.zh}　·　` : "", valid, h("small", {}, view.reopens.en ? `${view.reopens.en} · ` : "", lunch ? "All tickets stay valid" : "Tickets are valid on the day they were taken")),
    drawOpenWindows(view.open_windows),
    recent.length ? h("section.list.recent", {}, h("h2", {}, h("span", {}, "刚才叫过 ", h("small", {}, "Just called"))), h("ol", {}, recent.map(drawCalled))) : null,
    waiting.length ? h("p.waiting", {}, waiting.map((entry) => h("span", {}, entry.name.zh, " ", h("b.num", {}, String(entry.waiting)), " 人"))) : null,
  );
}

function drawOpenWindows(codes) {
  if (!codes.length) return null;
  if (codes.length > MOST_WINDOWS) {
    return h("p.open", {}, "照常办公　", h("b.num", {}, String(codes.length)), "　个窗口", h("small", {}, `${codes.length} windows are open`));
  }
  const named = codes.flatMap((code) => [h("b.num", {}, code), " "]);
  return h("p.open", {}, "照常办公　", named, "　号窗口", h("small", {}, "These windows are open"));
}

/** Who is called stands large, also over lunch, by a window that works then. */
const isCalling = () => turns.isNew && (view.state === "open" || view.state === "lunch");

function drawEmergency() {
  return h(
    "main.alarm",
    { role: "alert" },
    h("h1", {}, "请立即有序", h("wbr"), "离开大厅"),
    h("p", {}, "走最近的安全出口，不要乘电梯"),
    view.exits ? h("p.exit", {}, view.exits) : null,
    h("p.small", {}, "Leave the hall now, calmly. Use the nearest exit, not the lift."),
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
  document.body.classList.toggle("alarmed", view.state === "emergency");
  if (view.state === "emergency") {
    board.replaceChildren(drawEmergency());
    return;
  }
  const body = view.state === "open" || isCalling() ? h("main", {}, drawCall(turns.current), drawList(), drawZones()) : drawShut();
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
if (voice) {
  for (const touch of ["pointerdown", "keydown"]) addEventListener(touch, () => void voice.wake().then(draw));
}
follow(`/board/views${zone ? `?zone=${encodeURIComponent(zone)}` : ""}`, { hear, pulse: lineLives, answered });
