// Two sounds without words: a click for each key that was touched, a beep for a card that was left. Made here, no files.

const BEEP_MS = 3000; // ux.md §3.2
const CLICK = { hertz: 1800, seconds: 0.015, level: 0.15 };
const BEEP = { hertz: 880, seconds: 0.35, level: 0.5 };

export class Sounds {
  constructor() {
    this.context = null;
    this.timer = 0;
  }

  /** A key went down. */
  click() {
    this.#sound(CLICK);
  }

  /** Beep now and every three seconds, or be still. */
  beeping(on) {
    if (on === (this.timer !== 0)) return;
    clearInterval(this.timer);
    this.timer = 0;
    if (!on) return;
    this.#sound(BEEP);
    this.timer = setInterval(() => this.#sound(BEEP), BEEP_MS);
  }

  #sound({ hertz, seconds, level }) {
    this.context ??= new AudioContext();
    // Before the first touch a browser may forbid sound; a beep that would come minutes late is worse than none.
    if (this.context.state !== "running") return void this.context.resume();
    const end = this.context.currentTime + seconds;
    const tone = new OscillatorNode(this.context, { frequency: hertz });
    const volume = new GainNode(this.context, { gain: level });
    volume.gain.setTargetAtTime(0, end - seconds / 4, seconds / 12);
    tone.connect(volume).connect(this.context.destination);
    tone.start();
    tone.stop(end);
  }
}
