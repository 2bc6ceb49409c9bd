// Each page as elements, from the view alone. Every control carries its key, drawn like the key of the metal keypad.
import { Speech, h, zoneChip } from "../shared/dom.js";
import { icon } from "../shared/icons.js";
import { WORDS } from "./words.js";

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
  closed: ["info", "clock"],
  help: ["info", "help"],
  maintenance: ["info", "stop"],
};
const BODIES = {
  idle: drawIdle,
  reader: drawReader,
  id: drawTyping,
  phone: drawTyping,
  zones: drawRows,
  list: drawRows,
  confirm: drawCheck,
  printing: drawPrinting,
  done: drawDone,
  timeout: drawTimeout,
  cardleft: () => [readerArt()],
};

/** Children of the page's root element. */
export function drawView(view) {
  const speech = new Speech(view.language);
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
  const speech = new Speech();
  return [
    h(
      "main.screen.s-maintenance.info",
      {},
      h(
        "div.question",
        {},
        h("div.mark", {}, icon("stop")),
        h("div", {}, h("h1", {}, WORDS.lostTitle.zh), h("p.other", {}, WORDS.lostTitle.en)),
      ),
      h("div.body", {}, h("p.lead", {}, WORDS.lostLine.zh), h("p.other", {}, speech.small(WORDS.lostLine))),
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
  return h("ol.steps", {}, WORDS.steps.map(one));
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

function drawBar(view, speech) {
  const help = view.keys.find((entry) => entry.key === "help");
  if (!help) return h("aside.bar");
  return h(
    "aside.bar",
    {},
    h("button.help", { "data-key": "help" }, icon("help"), speech.both(help.label)),
    h("span.language", {}, icon("globe"), speech.both(WORDS.helpHint, "span")),
  );
}

function cap(key) {
  return h(`kbd.cap${CAPS[key] ? `.cap-${key}` : ""}`, { "aria-hidden": "true" }, CAPS[key] ?? key);
}

function control(kind, entry, speech) {
  return h(kind, { "data-key": entry.key }, cap(entry.key), speech.both(entry.label));
}

// --- parts ------------------------------------------------------------------------------------------------------------

function tile(entry, speech, kind = "button.tile") {
  const detail = entry.detail.zh
    ? h("small.detail", {}, [speech.large(entry.detail), speech.small(entry.detail)].filter(Boolean).join("　"))
    : null;
  const words = speech.both(entry.label);
  if (detail) words.append(detail);
  return h(kind, { "data-key": entry.key }, cap(entry.key), words);
}

const tiles = (view, speech) => (view.choices.length ? h("div.tiles", {}, view.choices.map((c) => tile(c, speech))) : null);

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
    "section.number",
    {},
    h("small", {}, speech.large(WORDS.yourNumber)),
    h("b.num", {}, ticket.number),
    h("span", {}, speech.large(ticket.item)),
    speech.small(ticket.item) ? h("small", {}, speech.small(ticket.item)) : null,
  );
}

function whereTo(view, speech) {
  const ticket = view.ticket;
  if (!ticket) return null;
  const row = (name, words, value, detail) =>
    h("div", {}, h("dt", {}, icon(name), speech.large(words)), h("dd", {}, value, detail ? h("small", {}, detail) : null));
  const windows = speech.language === "en" ? `${WORDS.window.en} ${ticket.windows}` : `${ticket.windows} ${WORDS.window.zh}`;
  return h(
    "dl.facts",
    {},
    row("pin", WORDS.goTo, speech.large(ticket.zone), ticket.windows ? windows : ""),
    row("people", WORDS.ahead, `${ticket.waiting_ahead} ${speech.large(WORDS.people)}`, ""),
  );
}

function zoneLoads(view, speech) {
  if (!view.zones.length) return null;
  const one = (load) =>
    h("div", {}, zoneChip(load.zone), h("span", {}, speech.large(load.name)), h("b.num", {}, String(load.waiting)));
  const small = speech.small(WORDS.waitingNow);
  return h(
    "section.loads",
    {},
    h("h2", {}, speech.large(WORDS.waitingNow), small ? h("small", {}, small) : null),
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
  const purpose = view.notices.at(-1);
  const troubles = { ...view, notices: view.notices.slice(0, -1) };
  return [
    readerArt(),
    aside(
      ...notices(troubles, speech),
      tiles(view, speech),
      zoneLoads(view, speech),
      purpose ? h("p.foot", {}, [speech.large(purpose), speech.small(purpose)].filter(Boolean).join("　")) : null,
    ),
  ];
}

function drawReader(view, speech) {
  return [...notices(view, speech), tiles(view, speech), zoneLoads(view, speech)];
}

function drawTyping(view, speech) {
  const { shown, typed, length } = view.field;
  const isId = view.screen === "id";
  const digit = (key) => h("button.digit", { "data-key": key }, h("b.num", {}, key));
  const star = isId ? h("button.digit", { "data-key": "*" }, h("b.num", {}, "X"), h("small", {}, "*")) : h("span");
  const correct = h(
    "button.digit",
    { "data-key": "correct" },
    icon("back"),
    h("small", {}, speech.large(WORDS.correct)),
  );
  return [
    ...view.facts.map(([hello, masked]) =>
      h("p.hello", {}, icon("check"), h("span", {}, speech.large(hello)), h("small.num", {}, masked.zh)),
    ),
    h(
      `div.field.num${isId ? ".long" : ""}`,
      {},
      h("span.typed", {}, shown),
      typed < length ? h("i.caret") : null,
      h("span.rest", { "aria-hidden": "true" }, "–".repeat(length - typed)),
    ),
    h("div.told", {}, view.notices.map((text) => h("p.hint", { role: "status" }, saidTwice(text, speech)))),
    tiles(view, speech),
    h("div.keypad", {}, ["1", "2", "3", "4", "5", "6", "7", "8", "9"].map(digit), star, digit("0"), correct),
  ];
}

function drawRows(view, speech) {
  const waiting = view.screen === "zones";
  const row = (entry) => {
    const kind = `button.row${entry.suspended ? ".suspended" : ""}`;
    const detail = [speech.large(entry.detail), waiting ? speech.small(entry.detail) && "" : ""].filter(Boolean).join("");
    return h(
      kind,
      { "data-key": entry.key, "aria-disabled": entry.suspended ? "true" : null },
      cap(entry.key),
      waiting ? zoneChip(entry.zone, true) : null,
      speech.both(entry.label),
      detail ? h("span.end", {}, entry.suspended ? icon("stop") : null, waiting ? icon("people") : null, detail) : null,
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

function drawCheck(view, speech) {
  const [[item, place], ...rest] = view.facts;
  const zone = view.zones[0]?.zone;
  const figures = rest.slice(0, 2);
  const lines = rest.slice(2);
  const figure = ([label, value], index) =>
    h("div", {}, icon(index ? "window" : "people"), speech.both(label, "small"), h("b.num", {}, speech.large(value)));
  const line = ([label, value]) =>
    h("div", {}, h("dt", {}, speech.both(label, "span")), h("dd.num", {}, speech.large(value)));
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
      lines.length ? h("dl.lines", {}, lines.map(line)) : null,
    ),
    aside(...notices(view, speech), drawMaterials(view, speech)),
  ];
}

function drawMaterials(view, speech) {
  if (!view.materials.length) return null;
  return h(
    `section.need${view.materials.length > 5 ? ".many" : ""}`,
    {},
    h("h2", {}, speech.both(WORDS.bring, "span")),
    h("ul", {}, view.materials.map((name) => h("li", {}, icon("check"), h("span", {}, name.zh)))),
  );
}

function drawPrinting(view, speech) {
  if (!view.ticket) return [];
  return [numberCard(view, speech), aside(whereTo(view, speech), h("div.paper", { "aria-hidden": "true" }, h("span")))];
}

function drawDone(view, speech) {
  const seconds = view.seconds_left === null ? null : `${view.seconds_left} ${speech.large(WORDS.seconds)}`;
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
