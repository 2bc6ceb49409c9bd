// Says aloud what stands on the page, in voice mode: one clip of the daemon at a time; a new page cuts the old one off.
import { credentials } from "../shared/stream.js";

export class Speaker {
  constructor() {
    this.audio = null;
    this.said = "";
    this.turn = 0;
  }

  /** A new page says its sentence; on the same page only a changed one, or one that was asked for again. */
  async say(view, samePage) {
    const text = view.language === "en" ? view.voice.en || view.voice.zh : view.voice.zh;
    const said = `${view.again} ${text}`;
    if (!text || (samePage && said === this.said)) return;
    this.stop();
    this.said = said;
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
    this.said = "";
    if (this.audio === null) return;
    this.audio.pause();
    URL.revokeObjectURL(this.audio.src);
    this.audio = null;
  }
}
