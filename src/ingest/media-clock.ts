import { isHeader, type Tag } from './tag-source.js';

/** The gap behind a frame where the file does not tell how long it lasts. */
const defaultFrameMs = 40;

/** Tags of one kind come in order; what goes back further than this is another clock. */
const backMs = 200;

/** Nobody waits for a gap that is longer than this: the clock was set. */
const forwardMs = 10_000;

/**
 * The times at which the tags of a file are due, from timestamps as recorders write them: 32 bits that pass their end, set
 * back where files were joined or a camera came back, or thrown far forward. Times that come out never go back by more
 * than audio and video are interleaved.
 */
export class MediaClock {
  /** Gaps that were closed, since timestamps went back or far forward within one file. */
  jumps = 0;
  /** The timestamp that came last, of any frame, and the time given to it; undefined before the first. */
  #last: { timestampMs: number; atMs: number } | undefined;
  #lastAtMs: { [type: number]: number } = {};
  #firstMs: number | undefined;
  #endMs = 0;
  #frameMs = defaultFrameMs;
  #part = 0;
  #begins = false;

  /** The time of the first frame; undefined before it. */
  get firstMs(): number | undefined {
    return this.#firstMs;
  }

  /** What comes next begins one frame behind what came last. */
  restart(): void {
    this.#begins = this.#last !== undefined;
    this.#part = 0;
  }

  /** When this tag is due, milliseconds; may be above 2^32. */
  timeOf(tag: Tag): number {
    if ((tag.part ?? 0) !== this.#part) {
      this.#part = tag.part ?? 0;
      this.#begins = this.#last !== undefined;
    }
    if (isHeader(tag)) {
      // Headers say little of the time: encoders write 0 there.
      return this.#last === undefined ? tag.timestampMs : this.#endMs;
    }
    const last = this.#last;
    let atMs = tag.timestampMs;
    if (last !== undefined) {
      // On the circle of 32 bits.
      atMs = last.atMs + ((tag.timestampMs - last.timestampMs) | 0);
      const isBack =
        atMs < (this.#lastAtMs[tag.type] ?? Number.NEGATIVE_INFINITY) - backMs || atMs < this.#endMs - forwardMs;
      const isJump = isBack || atMs > this.#endMs + forwardMs;
      if (this.#begins || isJump) {
        if (!this.#begins) this.jumps++;
        atMs = this.#endMs + this.#frameMs;
        this.#lastAtMs = {};
      } else if (tag.type === 9) {
        const gapMs = atMs - (this.#lastAtMs[tag.type] ?? atMs);
        if (gapMs > 0 && gapMs < 1000) this.#frameMs = gapMs;
      }
    }
    this.#begins = false;
    this.#last = { timestampMs: tag.timestampMs, atMs };
    this.#lastAtMs[tag.type] = atMs;
    this.#firstMs ??= atMs;
    this.#endMs = last === undefined ? atMs : Math.max(this.#endMs, atMs);
    return atMs;
  }
}
