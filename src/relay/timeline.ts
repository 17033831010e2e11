/** Audio and video that belong together come as far apart as this; what lies further back is a clock that was set. */
const interleavingMs = 3000;

/** What is known of the frames that are kept of a publisher; timestamps are its own, milliseconds. */
export interface KeptTimes {
  /** Of the key frame that begins them. */
  readonly keyMs: number;
  readonly newestMs: number;
  /** When the newest came, on the monotonic clock. */
  readonly newestAtMs: number;
  /** True if pictures are not sent in the order in which they are shown. */
  readonly isReordered: boolean;
}

/**
 * Timestamps of one continuous stream, also when its publisher comes back or another takes over: those of the first
 * publisher pass as they are; those of the next are moved, as a whole, to go on behind the last, by as much time as
 * really went by. All are modulo 2^32 (RTMP 1.0, section 5.3.1.1).
 */
export class Timeline {
  #offset = 0;
  #lastOut: number | null = null;
  #lastAtMs = 0;
  /** The timestamp that nothing may come before, after a change of publishers. */
  #floor: number | null = null;
  #awaitingFrame = false;
  /** Frames that would come before the floor go out a millisecond apart, until they have caught up with it. */
  #isHurrying = false;

  /** The last timestamp that was given out; 0 before the first. */
  get lastMs(): number {
    return this.#lastOut ?? 0;
  }

  /** A new publisher begins. */
  restart(): void {
    if (this.#lastOut === null) return;
    this.#awaitingFrame = true;
  }

  /**
   * The timestamp to send for one that was received.
   * @param isFrame false for headers and data, whose timestamps say little: encoders write 0 there
   * @param nowMs a monotonic clock, milliseconds
   */
  map(timestampMs: number, isFrame: boolean, nowMs: number): number {
    if (this.#awaitingFrame && !isFrame) return this.lastMs;
    // Behind a change of publishers: its first frame, or one after which its clock was set back.
    const isLost = this.#floor !== null && isFrame && isBefore(this.#moved(timestampMs), this.#floor - interleavingMs);
    if (this.#awaitingFrame || isLost) this.#goOnWith(timestampMs, nowMs);
    let out = this.#moved(timestampMs);
    if (this.#floor !== null) {
      if (this.#isHurrying && isFrame) out = this.#hurry(out);
      else if (isBefore(out, this.#floor)) out = this.#floor;
      // Two minutes on, nothing can come that is older than the change.
      else if (isFrame && ((out - this.#floor) | 0) > 120_000) this.#floor = null;
    }
    if (isFrame) {
      const isJumpBack = this.#lastOut !== null && isBefore(out, this.#lastOut - 60_000); // the publisher's own
      if (this.#lastOut === null || isJumpBack || !isBefore(out, this.#lastOut)) {
        this.#lastOut = out;
        this.#lastAtMs = nowMs;
      }
    }
    return out;
  }

  /**
   * Another publisher goes on whose last frames are kept: its times belong to the moments at which they came. Give each of
   * those to `mapKept` then. Frames from before the change are needed to decode what follows: they go out a millisecond
   * apart, so that the stream is not late by them. Where pictures are not sent in the order in which they are shown, that
   * would show them in disorder: then all begins behind the last frame, and the stream is late by what was kept.
   */
  goOnFrom(kept: KeptTimes): void {
    this.#awaitingFrame = false;
    this.#isHurrying = false;
    if (this.#lastOut === null) return;
    const { keyMs, newestMs, newestAtMs, isReordered } = kept;
    const behindLast = (this.#lastOut + 1) >>> 0;
    const newestOut = this.#lastOut + Math.round(newestAtMs - this.#lastAtMs);
    this.#offset = (newestOut - newestMs) >>> 0;
    this.#floor = this.#lastOut;
    if (isReordered && isBefore(this.#moved(keyMs), behindLast)) this.#offset = (behindLast - keyMs) >>> 0;
    else this.#isHurrying = true;
  }

  /**
   * The timestamp to send for a frame that was kept; null: it came before the change, and nothing needs it.
   * @param cameMs when the newest that is kept came, on the monotonic clock
   */
  mapKept(timestampMs: number, isVideo: boolean, cameMs: number): number | null {
    let out = this.#moved(timestampMs);
    if (this.#floor !== null && !isBefore(this.#floor, out)) {
      if (!isVideo) return null;
      out = this.#isHurrying ? this.#hurry(out) : this.#floor;
    }
    if (this.#lastOut === null || !isBefore(out, this.#lastOut)) {
      this.#lastOut = out;
      this.#lastAtMs = cameMs;
    }
    return out;
  }

  /** A time behind the floor, which it raises where it has to. */
  #hurry(out: number): number {
    if (this.#floor === null || isBefore(this.#floor, out)) return out;
    this.#floor = (this.#floor + 1) >>> 0;
    return this.#floor;
  }

  #moved(timestampMs: number): number {
    return (timestampMs + this.#offset) >>> 0;
  }

  /** Moves this frame, and all after it, to where the stream is by now. */
  #goOnWith(timestampMs: number, nowMs: number): void {
    const next = (this.lastMs + Math.max(1, Math.round(nowMs - this.#lastAtMs))) >>> 0;
    this.#offset = (next - timestampMs) >>> 0;
    this.#floor = next;
    this.#awaitingFrame = false;
  }
}

/** True when `a` lies before `b` on the circle of 32 bits. */
function isBefore(a: number, b: number): boolean {
  return ((a - b) | 0) < 0;
}
