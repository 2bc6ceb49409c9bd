// Each page as elements, from the view alone. Every control carries its key, drawn like the key of the metal keypad.
import { Speech, h, zoneChip } from "../shared/dom.js";
import { icon, picture } from "../shared/icons.js";
import { LOST } from "./words.js";

/** Words of the frame, as the last view brought them. */
let WORDS = {};

const LETTERS = { 2: "ABC", 3: "DEF", 4: "GHI", 5: "JKL", 6: "MNO", 7: "PQRS", 8: "TUV", 9: "WXYZ" };
const CAPS = { ok: "○", correct: "←", cancel: "✕", help: "?" };
const TONES = {
  readfail: ["warn", "alert"],
  reader: ["warn", "card"],
  nopaper: ["warn", "print"],
  unsure: ["warn", "print"],
  unprinted: ["warn", "print"],
  cardleft: ["warn", "card"],
  timeout: ["warn", null],
  duplicate: ["info", "check"],
  missed: ["warn", "clock"],
  giveup: ["warn", "alert"],
  suspended: ["warn", "stop"],
  limit: ["warn", "stop"],
  closed: ["info", "clock"],
  help: ["info", "help"],
  maintenance: ["info", "stop"],
};
const BODIES = {
  idle: drawIdle,
  reader: drawReader,
  reading: () => [readerArt()],
  id: drawTyping,
  passport: drawTyping,
  behalf: drawTyping,
  phone: drawTyping,
  number: drawTyping,
  notice: drawTyping,
  pinyin: drawSearch,
  service: drawService,
  zones: drawRows,
  departments: drawRows,
  list: drawRows,
  guide: drawGuide,
  appointment: drawAppointment,
  return: drawReturn,
  confirm: drawCheck,
  printing: drawPrinting,
  done: drawDone,
  timeout: drawTimeout,
  cardleft: () => [readerArt()],
};

const ICONS = {
  idle: { 1: "passport", 2: "calendar", 3: "book", 4: "return", 5: "clock" },
  closed: { 3: "book" },
  service: { 7: "pin", 8: "window", 9: "search", 0: "help" },
  help: { 1: "help", 2: "text", 3: "contrast", 4: "voice", 5: "low", 6: "globe" },
};
const BAR = { large: "text", contrast: "contrast", voice: "voice", low: "low", language: "globe" };

/** Children of the page's root element. */
export function drawView(view) {
  const speech = new Speech(view.language, view.modes.large || view.modes.low);
  WORDS = view.words;
  const [tone, mark] = TONES[view.screen] ?? ["", null];
  const body = (BODIES[view.screen] ?? drawPlain)(view, speech);
  return [
    drawTop(view, speech),
    tone ? null : drawSteps(view.step, speech),
    h(
      `main.screen.s-${view.screen}${tone ? `.${tone}` : ""}`,
      {},
      h("div.question", {}, mark ? h("div.mark", {}, icon(mark)) : null, h("div", {}, drawTitle(view, speech))),
      h("div.body", {}, body),
    ),
    drawNavigation(view, speech),
    drawBar(view, speech),
  ].filter(Boolean);
}

/** The page that stands while the daemon cannot be reached. */
export function drawLost() {
  return [
    h(
      "main.screen.s-maintenance.info",
      {},
      h(
        "div.question",
        {},
        h("div.mark", {}, icon("stop")),
        h("div", {}, h("h1", {}, LOST.title.zh), h("p.other", { lang: "en" }, LOST.title.en)),
      ),
      h("div.body", {}, h("p.lead", {}, LOST.line.zh), h("p.other", { lang: "en" }, LOST.line.en)),
    ),
  ];
}

// --- frame ------------------------------------------------------------------------------------------------------------

function drawTop(view, speech) {
  return h(
    "header.top",
    {},
    h("strong", {}, speech.large(view.hall)),
    h("span", {}, speech.large(view.kiosk_name)),
    h("time.num", {}, view.clock),
  );
}

function drawSteps(step, speech) {
  if (!step) return null;
  const one = (words, index) => {
    const number = index + 1;
    const state = number < step ? ".done" : number === step ? ".now" : "";
    return h(
      `li${state}`,
      { "aria-current": number === step ? "step" : null },
      h("b.num", {}, number < step ? "✓" : String(number)),
      h("span", {}, speech.large(words)),
    );
  };
  return h("ol.steps", {}, [1, 2, 3, 4, 5].map((n) => WORDS[`step${n}`]).map(one));
}

function drawTitle(view, speech) {
  const small = speech.small(view.title);
  const lineSmall = speech.small(view.line);
  return [
    h("h1", {}, speech.large(view.title)),
    small ? h("p.other", {}, small) : null,
    view.line.zh ? h("p.lead", {}, speech.large(view.line), lineSmall ? h("small", {}, lineSmall) : null) : null,
  ];
}

function drawNavigation(view, speech) {
  const place = (key) => {
    const entry = view.keys.find((one) => one.key === key);
    if (entry) return control(`button.nav.nav-${key}`, entry, speech);
    // While typing, keys come and go with each digit; their places stay.
    if (!view.field) return null;
    return h(`span.nav.nav-${key}.absent`, {}, cap(key), speech.both(key === "ok" ? WORDS.next : WORDS.correct));
  };
  const keys = ["cancel", "correct", "ok"].map(place).filter(Boolean);
  return keys.length ? h("nav.navigation", {}, keys) : null;
}

/** Always the bottom row: help, and how the page is read. */
function drawBar(view, speech) {
  const help = view.keys.find((entry) => entry.key === "help");
  if (!help && !view.bar.length) return h("div.bar.empty", {});
  const one = (entry) =>
    h(
      `button.mode.mode-${entry.key}`,
      { "data-key": entry.key, "aria-pressed": entry.on === null ? null : String(entry.on) },
      icon(entry.key === "voice" && !entry.on ? "mute" : BAR[entry.key]),
      speech.both(entry.label, "span"),
    );
  return h(
    "footer.bar",
    {},
    help ? h("button.help", { "data-key": "help" }, icon("help"), speech.both(help.label)) : null,
    view.bar.map(one),
  );
}

function cap(key) {
  return h(`kbd.cap${CAPS[key] ? `.cap-${key}` : ""}`, { "aria-hidden": "true" }, CAPS[key] ?? key);
}

function control(kind, entry, speech) {
  return h(kind, { "data-key": entry.key }, cap(entry.key), speech.both(entry.label));
}

// --- parts ------------------------------------------------------------------------------------------------------------

function tile(entry, speech, kind = "button.tile", mark = null) {
  const words = speech.both(entry.label);
  if (entry.detail.zh) words.append(h("small.detail", {}, speech.large(entry.detail)));
  const state = entry.on === null ? null : h("em.state", {}, speech.large(entry.on ? WORDS.on : WORDS.off));
  return h(
    kind,
    { "data-key": entry.key, "aria-pressed": entry.on === null ? null : String(entry.on) },
    cap(entry.key),
    words,
    state,
    mark ? icon(mark) : null,
  );
}

function tiles(view, speech, columns = "") {
  if (!view.choices.length) return null;
  const marks = ICONS[view.screen] ?? {};
  return h(`div.tiles${columns}`, {}, view.choices.map((c) => tile(c, speech, "button.tile", marks[c.key])));
}

/** What stands below the main thing on a tall screen and beside it on a wide one. */
const aside = (...children) => h("div.side", {}, children);

function notices(view, speech) {
  return view.notices.map((text) => h("p.notice", { role: "status" }, icon("alert"), saidTwice(text, speech)));
}

function saidTwice(text, speech) {
  const small = speech.small(text);
  return h("span", {}, speech.large(text), small ? h("small", {}, small) : null);
}

function numberCard(view, speech) {
  const ticket = view.ticket;
  if (!ticket) return null;
  return h(
    `section.number${ticket.code.length ? ".coded" : ""}`,
    {},
    coded(ticket.code, speech),
    h("small", {}, speech.large(WORDS.your_number)),
    h("b.num", {}, ticket.number),
    h("span", {}, speech.large(ticket.item)),
    speech.small(ticket.item) ? h("small", {}, speech.small(ticket.item)) : null,
  );
}

/** A QR code with what it is for; nothing where there is none. */
function coded(rows, speech) {
  return rows.length ? h("figure", {}, qr(rows), h("figcaption", {}, speech.both(WORDS.scan_it, "span"))) : null;
}

/** A QR code from its rows, with the quiet zone that readers want. */
function qr(rows) {
  const quiet = 4;
  const side = rows.length + 2 * quiet;
  const dark = rows.flatMap((row, y) => [...row].flatMap((c, x) => (c === "#" ? [`M${x + quiet} ${y + quiet}h1v1h-1z`] : [])));
  return picture(`0 0 ${side} ${side}`, dark.join(""));
}

function whereTo(view, speech) {
  const ticket = view.ticket;
  if (!ticket) return null;
  const row = (name, words, value, detail) =>
    h("div", {}, h("dt", {}, icon(name), speech.large(words)), h("dd", {}, value, detail ? h("small", {}, detail) : null));
  const windows = speech.large(WORDS.window).replace("{windows}", ticket.windows);
  return h(
    "dl.facts",
    {},
    row("pin", WORDS.go_to, speech.large(ticket.zone), ticket.windows ? windows : ""),
    row(
      "people",
      WORDS.ahead,
      speech.large(WORDS.people).replace("{n}", ticket.waiting_ahead),
      ticket.expected.zh ? `${speech.large(WORDS.wait)} ${speech.large(ticket.expected)}` : "",
    ),
  );
}

function zoneLoads(view, speech) {
  if (!view.zones.length) return null;
  const one = (load) =>
    h("div", {}, zoneChip(load.zone), h("span", {}, speech.large(load.name)), h("b.num", {}, String(load.waiting)));
  const small = speech.small(WORDS.waiting_now);
  return h(
    "section.loads",
    {},
    h("h2", {}, speech.large(WORDS.waiting_now), small ? h("small", {}, small) : null),
    h("div.zones", {}, view.zones.map(one)),
  );
}

const ART = `<svg class="art" viewBox="20 30 600 262" aria-hidden="true">
  <path d="M70 232h500l40 52H30z" fill="#fff" opacity=".16"/><path d="M150 236h340l26 34H124z" fill="#fff" opacity=".9"/>
  <path d="M188 243h264l14 19H174z" class="lamp"/>
  <g class="cardmove"><rect x="206" y="52" width="228" height="144" rx="14" fill="#fff"/>
  <rect x="206" y="52" width="228" height="30" rx="14" fill="#d5e4f5"/><rect x="352" y="98" width="60" height="76" rx="6" fill="#b3c2d1"/>
  <circle cx="382" cy="124" r="14" fill="#fff"/><path d="M360 168c3-18 12-24 22-24s19 6 22 24z" fill="#fff"/>
  <path d="M228 106h96M228 130h80M228 154h64" stroke="#0a3f7d" stroke-width="9" stroke-linecap="round"/></g>
  <path class="arrow" d="M320 206v22M308 217l12 13 12-13" fill="none" stroke="#ffb000" stroke-width="9"
   stroke-linecap="round" stroke-linejoin="round"/></svg>`;

/** Our own picture, no data in it: the one place where markup is written as text. */
function readerArt(caption = null) {
  const hero = h("div.hero", {});
  hero.innerHTML = ART;
  if (caption) hero.append(caption);
  return hero;
}

// --- pages ------------------------------------------------------------------------------------------------------------

function drawPlain(view, speech) {
  const told = notices(view, speech);
  if (!view.ticket) return [...told, tiles(view, speech)];
  return [numberCard(view, speech), aside(whereTo(view, speech), ...told, tiles(view, speech))];
}

function drawIdle(view, speech) {
  return [
    readerArt(),
    aside(
      ...notices(view, speech),
      tiles(view, speech, ".first"),
      zoneLoads(view, speech),
      view.foot.zh ? h("p.foot", {}, speech.large(view.foot)) : null,
    ),
  ];
}

/** What is asked for most, then the roads to everything else. */
function drawService(view, speech) {
  const items = view.choices.filter((c) => c.zone);
  const roads = view.choices.filter((c) => !c.zone);
  const item = (entry) =>
    h(
      "button.tile.item",
      { "data-key": entry.key },
      cap(entry.key),
      (() => {
        const words = speech.both(entry.label);
        words.append(h("small.detail", {}, zoneChip(entry.zone), h("span", {}, speech.large(entry.detail))));
        return words;
      })(),
    );
  const road = (entry) => tile(entry, speech, "button.tile.road", ICONS.service[entry.key]);
  return [
    ...notices(view, speech),
    h("div.tiles.two", {}, items.map(item)),
    drawPager(view, speech),
    h("div.tiles.four", {}, roads.map(road)),
  ];
}

function drawReader(view, speech) {
  return [...notices(view, speech), tiles(view, speech), zoneLoads(view, speech)];
}

const LONG = new Set(["id", "behalf"]);

/** What has been typed, and how many places are left. */
function typedField(view) {
  const { shown, typed, length } = view.field;
  const open = length - typed;
  const lettered = view.letters;
  return h(
    `div.field.num${LONG.has(view.screen) ? ".long" : ""}${view.screen === "pinyin" ? ".keys" : ""}`,
    {},
    h("span.typed", {}, shown),
    open > 0 ? h("i.caret") : null,
    lettered ? null : h("span.rest", { "aria-hidden": "true" }, "–".repeat(open)),
  );
}

function keypad(view, speech) {
  const digit = (key) =>
    h(
      "button.digit",
      { "data-key": key },
      h("b.num", {}, key),
      view.letters && LETTERS[key] ? h("small", {}, LETTERS[key]) : null,
    );
  const starred = { id: "X", behalf: "X", passport: "A…Z", number: "A…Z" }[view.screen];
  const star = starred ? h("button.digit", { "data-key": "*" }, h("b.num", {}, starred), h("small", {}, "*")) : h("span");
  const correct = h(
    "button.digit",
    { "data-key": "correct" },
    icon("back"),
    h("small", {}, speech.large(WORDS.correct)),
  );
  return h("div.keypad", {}, ["1", "2", "3", "4", "5", "6", "7", "8", "9"].map(digit), star, digit("0"), correct);
}

function drawTyping(view, speech) {
  const skip = view.screen === "phone" ? tiles(view, speech) : null;
  return [
    ...view.facts.map(([hello, masked]) =>
      h("p.hello", {}, icon("check"), h("span", {}, speech.large(hello)), h("small.num", {}, masked.zh)),
    ),
    typedField(view),
    h("div.told", {}, view.notices.map((text) => h("p.hint", { role: "status" }, saidTwice(text, speech)))),
    skip,
    keypad(view, speech),
  ];
}

/** A label with the characters marked that were searched. */
function markedLabel(entry, speech) {
  const words = speech.both(entry.label);
  if (entry.matched && speech.language !== "en") {
    const [start, count] = entry.matched;
    const all = [...entry.label.zh];
    words.firstChild.replaceChildren(
      all.slice(0, start).join(""),
      h("mark", {}, all.slice(start, start + count).join("")),
      all.slice(start + count).join(""),
    );
  }
  return words;
}

function drawSearch(view, speech) {
  const picking = view.choices.length > 0 && !view.choices.some((c) => c.key.startsWith("pick"));
  const row = (entry) =>
    h(
      `button.row.hitrow${entry.suspended ? ".suspended" : ""}`,
      { "data-key": entry.key },
      picking ? cap(entry.key) : zoneChip(entry.zone, true),
      markedLabel(entry, speech),
      h(
        "span.end",
        {},
        h("small", {}, [`${speech.large(WORDS.number)} ${entry.letters}`, speech.large(entry.detail)].filter(Boolean).join("　")),
      ),
    );
  return [
    typedField(view),
    h("div.told", {}, view.notices.map((text) => h("p.hint", { role: "status" }, saidTwice(text, speech)))),
    h("div.rows.hits", {}, view.choices.map(row)),
    picking ? drawPager(view, speech) : null,
    picking ? null : keypad(view, speech),
  ];
}

function drawRows(view, speech) {
  const waiting = view.screen === "zones";
  const row = (entry) => {
    const kind = `button.row${entry.suspended ? ".suspended" : ""}`;
    const detail = speech.large(entry.detail);
    const wait = entry.wait.zh ? h("small", {}, speech.large(entry.wait)) : null;
    return h(
      kind,
      { "data-key": entry.key, "aria-disabled": entry.suspended ? "true" : null },
      cap(entry.key),
      waiting ? zoneChip(entry.zone, true) : null,
      speech.both(entry.label),
      detail || wait
        ? h("span.end", {}, entry.suspended ? icon("stop") : null, waiting ? icon("people") : null, h("span", {}, detail, wait))
        : null,
    );
  };
  return [...notices(view, speech), h("div.rows", {}, view.choices.map(row)), drawPager(view, speech)];
}

function drawPager(view, speech) {
  if (view.pages < 2) return null;
  const turn = (key) => {
    const entry = view.keys.find((k) => k.key === key);
    return entry ? control("button.turn", entry, speech) : h("span");
  };
  return h("div.pager", {}, turn("*"), h("span.num", {}, `${view.page} / ${view.pages}`), turn("#"));
}

function factLines(rows, speech) {
  return h(
    "dl.lines",
    {},
    rows.map(([label, value]) => h("div", {}, h("dt", {}, speech.both(label, "span")), h("dd.num", {}, speech.large(value)))),
  );
}

/** The nine facts that have to be public about a service. */
function drawGuide(view, speech) {
  return [
    ...notices(view, speech),
    h("div.take", {}, drawMaterials(view, speech, WORDS.materials), coded(view.code, speech)),
    h("section.check.guide", {}, factLines(view.facts, speech)),
    tiles(view, speech, ".two"),
  ];
}

function drawAppointment(view, speech) {
  if (!view.facts.length) return [readerArt(), tiles(view, speech)];
  const booked = ([item, when]) =>
    h("section.booked", {}, icon("calendar"), h("div.words", {}, speech.both(item), h("p.when.num", {}, speech.large(when))));
  return [...notices(view, speech), ...view.facts.map(booked), tiles(view, speech)];
}

function drawReturn(view, speech) {
  return [
    ...notices(view, speech),
    h("section.check", {}, factLines(view.facts, speech)),
    drawMaterials(view, speech),
    tiles(view, speech),
  ];
}

function drawCheck(view, speech) {
  const [[item, place], ...rest] = view.facts;
  const zone = view.zones[0]?.zone;
  const figures = rest.slice(0, 3);
  const lines = rest.slice(3);
  const marks = ["people", "clock", "window"];
  const figure = ([label, value], index) =>
    h("div", {}, icon(marks[index]), speech.both(label, "small"), h("b.num", {}, speech.large(value)));
  return [
    h(
      "section.check",
      {},
      h(
        "div.checkhead",
        {},
        zone ? zoneChip(zone, true) : null,
        h("div.words", {}, speech.both(item), h("small", {}, [speech.large(place), speech.small(place)].filter(Boolean).join("　"))),
      ),
      h("div.figures", {}, figures.map(figure)),
      lines.length ? factLines(lines, speech) : null,
    ),
    aside(...notices(view, speech), drawMaterials(view, speech), tiles(view, speech, ".three")),
  ];
}

function drawMaterials(view, speech, title = WORDS.bring) {
  if (!view.materials.length) return null;
  return h(
    `section.need${view.materials.length > 5 ? ".many" : ""}`,
    {},
    h("h2", {}, speech.both(title, "span")),
    h("ul", {}, view.materials.map((name) => h("li", {}, icon("check"), h("span", {}, speech.large(name))))),
  );
}

function drawPrinting(view, speech) {
  if (!view.ticket) return [];
  return [numberCard(view, speech), aside(whereTo(view, speech), h("div.paper", { "aria-hidden": "true" }, h("span")))];
}

function drawDone(view, speech) {
  const seconds = view.seconds_left === null ? null : speech.large(WORDS.seconds).replace("{n}", view.seconds_left);
  return [
    numberCard(view, speech),
    aside(
      ...view.notices.map((text) => h("p.remind", { role: "status" }, icon("card"), speech.both(text))),
      whereTo(view, speech),
      seconds ? h("p.foot.num", {}, seconds) : null,
    ),
  ];
}

function drawTimeout(view, speech) {
  const share = Math.min(1, (view.seconds_left ?? 0) / 20);
  return [
    h("div.ring.num", { style: `--part: ${share}` }, h("b", {}, String(view.seconds_left ?? ""))),
    h("div.tiles", {}, view.choices.map((c) => tile(c, speech, c.key === "ok" ? "button.tile.main" : "button.tile"))),
  ];
}
