/** Audio and video that belong together come as far apart as this; what lies further back is a clock that was set. */
const interleavingMs = 3000;

/** What is known of the frames that are kept of a publisher; timestamps are its own, milliseconds. */
export interface KeptTimes {
  /** Of the key frame that begins them. */
  readonly keyMs: number;
  readonly newestMs: number;
  /** When the newest came, on the monotonic clock. */
  readonly newestAtMs: number;
  /** How far behind the last that went out the key frame has to be at least. */
  readonly minStepMs: number;
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
  #aheadMs = 0;
  #minStepMs = 1;

  /** The last timestamp that was given out; 0 before the first. */
  get lastMs(): number {
    return this.#lastOut ?? 0;
  }

  /** How far the stream is ahead of the clock, since kept frames went out faster than they came; milliseconds. */
  get aheadMs(): number {
    return this.#aheadMs;
  }

  /** A new publisher begins. @param minStepMs how far behind the last that went out its first frame has to be at least */
  restart(minStepMs = 1): void {
    if (this.#lastOut === null) return;
    this.#awaitingFrame = true;
    this.#minStepMs = minStepMs;
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
      if (isBefore(out, this.#floor)) out = this.#floor;
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
   * Another publisher goes on whose last frames are kept; give each of them to `mapKept` then. The newest belongs to the
   * moment at which it came. Where the key frame that begins them would then come before the last that went out, all of
   * them are moved behind it: the stream is ahead of the clock by so much, until a break makes up for it.
   */
  goOnFrom({ keyMs, newestMs, newestAtMs, minStepMs }: KeptTimes): void {
    this.#awaitingFrame = false;
    if (this.#lastOut === null) return;
    const newestOut = this.#lastOut + Math.round(newestAtMs - this.#lastAtMs) - this.#aheadMs;
    const first = this.#lastOut + minStepMs;
    const keyOut = newestOut - ((newestMs - keyMs) | 0);
    this.#aheadMs = Math.max(0, first - keyOut);
    this.#offset = (Math.max(keyOut, first) - keyMs) >>> 0;
    this.#floor = this.#lastOut;
  }

  /**
   * The timestamp to send for a frame that was kept; null: it came before the key frame, and nothing needs it.
   * @param cameMs when the newest that is kept came, on the monotonic clock
   */
  mapKept(timestampMs: number, cameMs: number): number | null {
    const out = this.#moved(timestampMs);
    if (this.#floor !== null && isBefore(out, this.#floor)) return null;
    if (this.#lastOut === null || !isBefore(out, this.#lastOut)) {
      this.#lastOut = out;
      this.#lastAtMs = cameMs;
    }
    return out;
  }

  /** As that of `Flushable`. */
  prefetch(): number {
    return this.#offset & 1;
  }

  #moved(timestampMs: number): number {
    return (timestampMs + this.#offset) >>> 0;
  }

  /** Moves this frame, and all after it, to where the stream is by now. */
  #goOnWith(timestampMs: number, nowMs: number): void {
    const passedMs = Math.round(nowMs - this.#lastAtMs) - this.#aheadMs;
    this.#aheadMs = Math.max(0, this.#minStepMs - passedMs);
    const next = (this.lastMs + Math.max(this.#minStepMs, passedMs)) >>> 0;
    this.#minStepMs = 1;
    this.#offset = (next - timestampMs) >>> 0;
    this.#floor = next;
    this.#awaitingFrame = false;
  }
}

/** True when `a` lies before `b` on the circle of 32 bits. */
function isBefore(a: number, b: number): boolean {
  return ((a - b) | 0) < 0;
}
