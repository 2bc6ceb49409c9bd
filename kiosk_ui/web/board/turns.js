// Which call stands large, and for how long. Calls come as a list, newest first; each new one has its turn.

const TURN_MS = 8000;
const TOO_OLD_MS = 25000; // what waited longer is in the list anyway

/** Gives each new call its turn of at least eight seconds; asks `redraw` when the next one begins. */
export class Turns {
  constructor(redraw, now = () => performance.now()) {
    this.redraw = redraw;
    this.now = now;
    this.current = null;
    this.isNew = false;
    this.waiting = [];
    this.known = null;
    this.timer = 0;
  }

  /** Take note of the calls of a view. */
  hear(calls) {
    const newest = Math.max(0, ...calls.map((call) => call.event));
    if (this.known === null) {
      this.current = calls[0] ?? null; // what was called before this page was opened is no news
    } else {
      const news = calls.filter((call) => call.event > this.known).reverse();
      for (const call of news) {
        this.waiting = this.waiting.filter((entry) => entry.call.number !== call.number);
        this.waiting.push({ call, since: this.now() });
      }
    }
    this.known = Math.max(this.known ?? 0, newest);
    if (!this.timer) this.next();
  }

  /** End of a turn: the next one, or the last one stays. */
  next() {
    this.timer = 0;
    this.isNew = false;
    while (this.waiting.length > 1 && this.now() - this.waiting[0].since > TOO_OLD_MS) this.waiting.shift();
    const entry = this.waiting.shift();
    if (entry === undefined) return;
    this.current = entry.call;
    this.isNew = true;
    this.timer = setTimeout(() => {
      this.next();
      this.redraw();
    }, TURN_MS);
  }
}
