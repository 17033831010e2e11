import { MessageType } from '../wire/message.js';

/** Sound and picture that belong together come as far apart as this, and frames out of order lie closer together. */
const resetMs = 3000;
/** Beyond this a step forward is no gap any more: clocks of cameras that are set by NTP jump by years. */
const leapMs = 60_000;

/** What became of a timestamp, where it did not pass as it is. */
export interface TimeRepairs {
  /** Times that were set back, or leapt: the rest of the stream was moved, as a whole. */
  resets: number;
  /** Frames that came a little before the one ahead of them, and were given its time. */
  backwards: number;
}

/**
 * Has the times of one source go up. Times of sources that are pulled are made by cameras and by programs in between: they
 * begin anew when a camera sets its clock, run backwards by a frame where decoding times are guessed, and wrap at 2^32 ms.
 * A frame that comes a little early gets the time of the one before it; behind a reset all that follows is moved by the same
 * amount, so that sound and picture keep together.
 */
export class RisingTimes {
  readonly repairs: TimeRepairs = { resets: 0, backwards: 0 };
  #offset = 0;
  #lastAudio = -1;
  #lastVideo = -1;
  #newest = -1;
  #newestAtMs = 0;

  /**
   * The time to go on with; modulo 2^32 as on the wire.
   * @param nowMs a monotonic clock, milliseconds
   */
  map(type: number, timestampMs: number, nowMs: number): number {
    let out = (timestampMs + this.#offset) >>> 0;
    if (type !== MessageType.Audio && type !== MessageType.Video) return this.#newest < 0 ? out : this.#newest;
    if (this.#newest >= 0) {
      const step = (out - this.#newest) | 0;
      const passedMs = nowMs - this.#newestAtMs;
      if (step < -resetMs || step - passedMs > leapMs) {
        this.repairs.resets++;
        // By as much time as really went by.
        const goesOnAt = (this.#newest + Math.max(1, Math.min(resetMs, Math.round(passedMs)))) >>> 0;
        this.#offset = (goesOnAt - timestampMs) >>> 0;
        out = goesOnAt;
      }
    }
    const last = type === MessageType.Audio ? this.#lastAudio : this.#lastVideo;
    if (last >= 0 && ((out - last) | 0) < 0) {
      this.repairs.backwards++;
      out = last;
    }
    if (type === MessageType.Audio) this.#lastAudio = out;
    else this.#lastVideo = out;
    if (this.#newest < 0 || ((out - this.#newest) | 0) >= 0) {
      this.#newest = out;
      this.#newestAtMs = nowMs;
    }
    return out;
  }
}
