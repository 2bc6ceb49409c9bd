// Says aloud what stands on the page, in voice mode: one clip of the daemon at a time; a new page cuts the old one off.
import { credentials } from "../shared/stream.js";

export class Speaker {
  constructor() {
    this.audio = null;
    this.said = -1;
    this.turn = 0;
  }

  /** The daemon counts when there is something to say; counts of people that change meanwhile interrupt nobody. */
  async say(view, samePage) {
    if (!view.said.length || (samePage && view.again === this.said)) return;
    this.stop();
    this.said = view.again;
    const turn = ++this.turn;
    try {
      const answer = await fetch(`/kiosks/${encodeURIComponent(view.kiosk)}/voice/${view.revision}.wav`, { headers: credentials(), cache: "no-store" });
      if (!answer.ok || turn !== this.turn) return;
      const audio = new Audio(URL.createObjectURL(await answer.blob()));
      if (turn !== this.turn) return URL.revokeObjectURL(audio.src);
      audio.onended = () => URL.revokeObjectURL(audio.src);
      this.audio = audio;
      await audio.play();
    } catch (error) {
      console.info(`not said: ${error.message}`); // the sentence stands on the page
    }
  }

  stop() {
    this.turn += 1;
    this.said = -1;
    if (this.audio === null) return;
    this.audio.pause();
    URL.revokeObjectURL(this.audio.src);
    this.audio = null;
  }
}
