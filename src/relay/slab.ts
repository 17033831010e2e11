/** Time stamps of appended data are kept at this grain. */
const stampGrainMs = 100;

/**
 * A piece of a log: messages, ready for the wire. Bytes below `end` never change. The last message may go on at the beginning
 * of the next slab; its header never does.
 */
export class Slab {
  readonly data: Buffer;
  /** The position of `data[0]` in the log. */
  readonly base: number;
  readonly startedMs: number;
  end = 0;
  /** Bytes at the beginning that belong to the last message of the slab before it. */
  lead = 0;
  /** Audio and video messages in the log up to `end`. */
  frames: number;
  next: Slab | null = null;
  /** Pairs of an offset and the time when the byte there was appended. Null: all was when it began. */
  #stamps: number[] | null = null;
  /** The last of these times. */
  #stampedMs: number;
  #view: Buffer | null = null;
  #viewFrom = -1;

  constructor(data: Buffer, base: number, frames: number, nowMs: number) {
    this.data = data;
    this.base = base;
    this.frames = frames;
    this.startedMs = nowMs;
    this.#stampedMs = nowMs;
  }

  /** The last message in it is not whole. */
  get goesOn(): boolean {
    return this.next !== null && this.next.lead > 0;
  }

  /** The bytes from `from` to the end, as a view. Outlets at the same place share one view. */
  viewFrom(from: number): Buffer {
    if (this.#view === null || this.#viewFrom !== from || this.#view.length !== this.end - from) {
      this.#view = this.data.subarray(from, this.end);
      this.#viewFrom = from;
    }
    return this.#view;
  }

  /**
   * The bytes of a message of it, which may go on in the next slab: a view, or a copy where it does.
   * @param to counted from the beginning of this slab, also where it lies in the next one
   */
  slice(from: number, to: number): Buffer {
    const { data, end, next } = this;
    if (to <= end) return data.subarray(from, to);
    if (next === null) throw new RangeError(`the slab ends at ${end}, without another behind it; ${to} was asked for`);
    return Buffer.concat([data.subarray(from, end), next.data.subarray(0, to - end)]);
  }

  /** Those who read it are further on. */
  forgetView(): void {
    this.#view = null;
  }

  stamp(nowMs: number): void {
    if (nowMs - this.#stampedMs < stampGrainMs) return;
    this.#stampedMs = nowMs;
    // One pair is what most have: a list that begins empty takes four times the memory.
    if (this.#stamps === null) this.#stamps = [this.end, nowMs];
    else this.#stamps.push(this.end, nowMs);
  }

  /** When the byte at `offset` was appended, to about 100 ms. @param offset counted from here also where it lies in the next */
  appendedMs(offset: number): number {
    if (offset >= this.end && this.next !== null) return this.next.appendedMs(offset - this.end);
    const stamps = this.#stamps;
    if (stamps === null) return this.startedMs;
    for (let i = stamps.length - 2; i >= 0; i -= 2) {
      if ((stamps[i] ?? 0) <= offset) return stamps[i + 1] ?? this.startedMs;
    }
    return this.startedMs;
  }
}
