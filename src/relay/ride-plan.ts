/**
 * Audio waits for the next video message (`FlushScheduler.ride`) while the last frame is no older than this: where video
 * stands still, there is nothing to ride with. Cameras of one frame a second are few.
 */
const videoIsFreshMs = 1000;

/** Distances and their deviations are whole numbers of this part of a millisecond: V8 has an object for any other number. */
const parts = 256;

/** They are smoothed as the round trips of TCP, by an eighth and a quarter (RFC 6298, section 2.3): shifts by so many bits. */
const stepShift = 3;
const deviationShift = 2;

/** So many mean deviations, this at least, may a message come before or behind the time at which it is expected. */
const deviations = 4;
const minSlackMs = 1;

/** When messages of one kind come: the last one, and the distance of those before it. */
class Pace {
  atMs = -videoIsFreshMs;
  #step = 0;
  #deviation = 0;

  note(nowMs: number): void {
    const distance = Math.round((nowMs - this.atMs) * parts);
    this.atMs = nowMs;
    if (distance >= videoIsFreshMs * parts) {
      this.#step = 0;
    } else if (this.#step === 0) {
      this.#step = distance;
      this.#deviation = distance >> 1;
    } else {
      const error = distance - this.#step;
      this.#step += error >> stepShift;
      this.#deviation += (Math.abs(error) - this.#deviation) >> deviationShift;
    }
  }

  /** 0: not known. */
  get stepMs(): number {
    return this.#step / parts;
  }

  get slackMs(): number {
    return Math.max(minSlackMs, (deviations * this.#deviation) / parts);
  }
}

/**
 * Whether a stream's audio waits for a frame. It does where one may come within the audio window, by the times at which
 * the last ones came. Where it cannot, waiting saves no write and the audio goes at once, or with the audio behind it
 * where that comes in time and cannot ride either. In doubt it waits: the less regular the frames, the more often.
 *
 *   frames      |                       |                       |     25 a second, a window of 27 ms
 *   audio         a           a           a           a
 *                 at once     waits -->   at once     waits -->
 */
export class RidePlan {
  readonly #frames = new Pace();
  readonly #audio = new Pace();

  /** As that of `Flushable`. */
  prefetch(): number {
    return this.#frames.atMs + this.#audio.atMs;
  }

  /** A frame came. @param nowMs a monotonic clock, milliseconds */
  noteFrame(nowMs: number): void {
    this.#frames.note(nowMs);
  }

  /**
   * Audio came. Returns whether it waits.
   * @param sinceMs since when other audio of the stream waits; `nowMs` where none does
   * @param windowMs how long the first may wait
   */
  noteAudio(nowMs: number, sinceMs: number, windowMs: number): boolean {
    const frames = this.#frames;
    const audio = this.#audio;
    audio.note(nowMs);
    if (nowMs - frames.atMs >= videoIsFreshMs) return false;
    if (frames.stepMs === 0 || audio.stepMs === 0) return true;
    const { slackMs } = frames;
    const frameMs = frames.atMs + frames.stepMs;
    const overMs = sinceMs + windowMs;
    const isOverdue = nowMs > frameMs + slackMs;
    if (!isOverdue && frameMs - slackMs <= overMs) return true;
    const audioMs = nowMs + audio.stepMs - audio.slackMs;
    return audioMs <= overMs && (isOverdue || audioMs + windowMs < frameMs + slackMs);
  }
}
