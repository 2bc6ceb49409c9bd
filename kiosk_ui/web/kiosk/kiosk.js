// The kiosk's page: draws what the daemon says and tells it which key was touched. Keeps nothing.
import { credentials, follow } from "../shared/stream.js";
import { drawLost, drawView } from "./draw.js";
import { Sounds } from "./sounds.js";
import { Speaker } from "./speaker.js";

const LOST_AFTER_MS = 3000;
const REPLY_LIMIT_MS = 3000;
const KEYS = { Enter: "ok", Backspace: "correct", Escape: "cancel", "?": "help", "？": "help", "*": "*", "#": "#" };

const app = document.getElementById("app");
const live = document.getElementById("live");
const kiosk = location.pathname.split("/").filter(Boolean).pop();
const path = `/kiosks/${encodeURIComponent(kiosk)}`;

let view = null;
let lostTimer = 0;
const speaker = new Speaker();
const sounds = new Sounds();
let posting = Promise.resolve();
/** Keys that were touched on this page and have clicked; others are of the metal keypad. */
let clicked = 0;

function show(next) {
  const samePage = view !== null && view.screen === next.screen;
  clickFor(next, samePage);
  view = next;
  const { large, contrast, low, voice } = view.modes;
  document.documentElement.className = Object.entries({ large, contrast, low })
    .flatMap(([name, on]) => (on ? [name] : []))
    .join(" ");
  document.documentElement.lang = view.language === "en" ? "en" : "zh-CN";
  app.replaceChildren(...drawView(view));
  fit();
  if (voice) speaker.say(view, samePage);
  else speaker.stop();
  sounds.beeping(view.screen === "cardleft");
  if (!samePage) live.textContent = view.language === "en" ? view.title.en || view.title.zh : view.title.zh;
}

/** Each character that is typed clicks, whatever typed it: digits are not said aloud. */
function clickFor(next, samePage) {
  if (!samePage) clicked = 0;
  else if (next.field?.typed === view.field?.typed) return;
  else if (clicked > 0) clicked -= 1;
  else sounds.click();
}

/** A page that holds more than the panel: the second language goes first, then letters shrink; keys keep their size. */
function fit() {
  const root = document.documentElement.classList;
  for (const step of ["tight", "tighter", "tightest"]) {
    if (!overflows(app.querySelector("main"))) return;
    root.add(step);
  }
}

function overflows(main) {
  const box = main.getBoundingClientRect();
  const inside = [...main.querySelectorAll(".question, .body > *, .side > *, [data-key], .words, .number, .need li, .lines > div")];
  return inside.some((element) => {
    const { top, bottom, right, height } = element.getBoundingClientRect();
    return height > 0 && (bottom > box.bottom + 0.5 || top < box.top - 0.5 || right > box.right + 0.5);
  });
}

function lineLives() {
  clearTimeout(lostTimer);
  lostTimer = 0;
}

function lineBroke() {
  if (lostTimer) return;
  lostTimer = setTimeout(() => {
    view = null;
    speaker.stop();
    sounds.beeping(false);
    document.documentElement.className = "";
    live.textContent = "";
    app.replaceChildren(...drawLost());
  }, LOST_AFTER_MS);
}

/** Keys go out one after the other, each with the revision of the page on which it was pressed. */
function press(key) {
  if (view === null) return;
  sounds.click();
  clicked += 1;
  const body = JSON.stringify({ key, revision: view.revision });
  posting = posting.then(() => post(body)).catch((error) => console.info(`key not taken: ${error.message}`));
}

async function post(body) {
  const answer = await fetch(`${path}/keys`, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...credentials() },
    body,
    signal: AbortSignal.timeout(REPLY_LIMIT_MS),
  });
  if (!answer.ok) throw new Error(`answered ${answer.status}`);
}

// A finger counts when it comes down: a page that is drawn anew meanwhile would swallow the click.
app.addEventListener("pointerdown", (event) => {
  const button = event.target.closest("[data-key]");
  if (!event.isPrimary || button === null || button.disabled) return;
  event.preventDefault();
  button.classList.add("hit");
  press(button.dataset.key);
});

document.addEventListener("keydown", (event) => {
  const key = /^[0-9]$/.test(event.key) ? event.key : KEYS[event.key];
  if (key === undefined || event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
  event.preventDefault();
  press(key);
});

document.addEventListener("contextmenu", (event) => event.preventDefault());

lineBroke();
follow(`${path}/views`, {
  hear: show,
  pulse: lineLives,
  broke: lineBroke,
});
