// Which call stands large and is spoken, and for how long. Calls come as a list, newest first; each has its turn.

const TURN_MS = 8000;
const CROWDED_TURN_MS = 4000; // without a voice, when four or more wait: all of them stand in the list anyway
const TOO_OLD_MS = 60000; // what was called before a longer break of the line is listed, not called
const ONCE_FROM = 4; // so many waiting calls are said once each,
const SHORT_FROM = 6; // and so many are shortened (ux.md §4.2)

/** Gives every new call its turn: none lost, none at the same time; asks `redraw` when the next one begins. */
export class Turns {
  /** `speak(call, {short})` resolves when the call has been said; without it the board is silent. */
  constructor(redraw, speak = null) {
    this.redraw = redraw;
    this.speak = speak;
    this.current = null;
    this.isNew = false;
    this.waiting = [];
    this.known = null;
    this.busy = false;
    this.silent = false;
    this.over = new Set(); // events of calls that no longer count
  }

  /** Take note of the calls of a view; `nowMs` is the daemon's time, as far as it is known. */
  hear(calls, nowMs = 0) {
    if (this.known === null) {
      this.current = calls[0] ?? null; // what was called before this page was opened is no news
    } else {
      for (const call of calls.filter((entry) => entry.event > this.known).reverse()) this.#add(call, nowMs);
    }
    this.over = new Set(calls.filter((call) => call.over).map((call) => call.event));
    this.waiting = this.waiting.filter((call) => !this.over.has(call.event));
    this.known = Math.max(this.known ?? 0, ...calls.map((call) => call.event));
    if (!this.busy) void this.#run();
  }

  #add(call, nowMs) {
    this.waiting = this.waiting.filter((entry) => entry.number !== call.number);
    if (call.over || (nowMs > 0 && nowMs - Date.parse(call.at) > TOO_OLD_MS)) {
      if (this.waiting.length === 0 && !this.busy) this.current = call;
    } else if (call.call_no > 1) {
      this.waiting.unshift(call); // has been missed once already
    } else {
      this.waiting.push(call);
    }
  }

  async #run() {
    this.busy = true;
    while (this.waiting.length) {
      const crowd = this.waiting.length;
      this.current = this.waiting.shift();
      this.isNew = true;
      this.redraw();
      const spoken = this.speak !== null && !this.silent && (await this.#say(this.current, crowd));
      if (!spoken) await wait(crowd >= ONCE_FROM ? CROWDED_TURN_MS : TURN_MS);
    }
    this.isNew = false;
    this.busy = false;
    this.redraw();
  }

  /** Whether it was said; a turn with voice lasts at least as long as one without when nobody waits. */
  async #say(call, crowd) {
    const least = crowd >= ONCE_FROM ? Promise.resolve() : wait(TURN_MS);
    for (let round = crowd >= ONCE_FROM ? 1 : 2; round > 0; round -= 1) {
      if (this.over.has(call.event)) break; // has come, or has been missed: not said once more
      if (this.silent || !(await this.speak(call, { short: crowd >= SHORT_FROM }))) return false;
    }
    await least;
    return true;
  }
}

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
