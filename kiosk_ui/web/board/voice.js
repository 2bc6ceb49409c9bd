// The board's loudspeaker: plays what the daemon's clips make of a call. One sound at a time; asks nobody outside.
import { credentials } from "../shared/stream.js";

export class Voice {
  constructor() {
    this.context = new AudioContext();
    this.failures = 0;
  }

  /** Whether the browser lets this page sound; else a touch or a key wakes it. */
  get asleep() {
    return this.context.state !== "running";
  }

  async wake() {
    await this.context.resume();
  }

  /** Say a call; whether it was heard to its end. */
  async speak(call, { short }) {
    try {
      const address = `/voice/calls/${call.event}.wav${short ? "?short=true" : ""}`;
      const answer = await fetch(address, { headers: credentials() });
      if (!answer.ok) throw new Error(`answered ${answer.status}`);
      const sound = await this.context.decodeAudioData(await answer.arrayBuffer());
      if (this.asleep) throw new Error("the browser waits for a touch before it sounds");
      await this.#play(sound);
      return true;
    } catch (error) {
      this.failures += 1;
      console.info(`voice ${call.number}: ${error.message}`);
      return false;
    }
  }

  #play(sound) {
    return new Promise((resolve) => {
      const source = new AudioBufferSourceNode(this.context, { buffer: sound });
      source.connect(this.context.destination);
      source.addEventListener("ended", () => {
        source.disconnect();
        resolve();
      });
      source.start();
    });
  }
}
