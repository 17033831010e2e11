/** A step that no camera makes, forwards or back: its clock was set, or another source took over. */
const maxStepMs = 5000;
/** What such a step becomes. */
const stepMs = 40;

/** Times of FLV, on a circle of 32 bits, as times that begin near 0 and go on without large steps. */
export class MediaTimes {
  #lastRaw = -1;
  #nowMs = 0;

  /** Milliseconds since the first; of the tracks of one stream, in the order of arrival. */
  of(raw: number): number {
    if (this.#lastRaw >= 0) {
      const step = (raw - this.#lastRaw) | 0;
      this.#nowMs += Math.abs(step) > maxStepMs ? stepMs : step;
    }
    this.#lastRaw = raw;
    return this.#nowMs;
  }
}
