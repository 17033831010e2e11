import { readInSlab } from './logged-message.js';
import type { Mark, MediaLog } from './media-log.js';
import type { Slab } from './slab.js';

/** What one step copies at most: a good part of a millisecond. */
const stepBytes = 256 * 1024;
const stepMessages = 256;

/**
 * Writes what a log of chunks has from its oldest mark on into a log of another format, step by step, until it has caught up:
 * a GOP may have megabytes and thousands of messages, and nobody is to wait while it is copied.
 */
export class LogCopy {
  readonly #from: MediaLog;
  readonly #append: (type: number, timestampMs: number, payload: Buffer, nowMs: number) => void;
  readonly #onMark: (mark: Mark) => void;
  #slab: Slab;
  #offset: number;

  /**
   * @param from a log with marks
   * @param append takes each message
   * @param onMark the message that comes next is at a mark of `from`
   */
  constructor(
    from: MediaLog,
    append: (type: number, timestampMs: number, payload: Buffer, nowMs: number) => void,
    onMark: (mark: Mark) => void,
  ) {
    this.#from = from;
    this.#append = append;
    this.#onMark = onMark;
    const { marks, head } = from;
    this.#slab = marks[0]?.slab ?? head;
    this.#offset = marks[0]?.offset ?? head.end;
  }

  /** The position in `from` up to which it has copied. */
  get position(): number {
    return this.#slab.base + this.#offset;
  }

  /** Copies the next step. @param isLast copies all the rest @returns true when it has caught up */
  step(nowMs: number, isLast = false): boolean {
    const { chunkBytes } = this.#from.format;
    const until = isLast ? Number.POSITIVE_INFINITY : this.position + stepBytes;
    for (let messages = 0; ; ) {
      const slab = this.#slab;
      if (this.#offset >= slab.end) {
        if (slab.next === null) return true;
        this.#slab = slab.next;
        this.#offset -= slab.end;
        continue;
      }
      if (!isLast && (messages >= stepMessages || this.position >= until)) return false;
      for (const mark of this.#from.marks) if (mark.position === this.position) this.#onMark(mark);
      const { type, timestampMs, payload, end } = readInSlab(slab, this.#offset, chunkBytes);
      this.#append(type, timestampMs, payload, nowMs);
      this.#offset = end;
      messages++;
    }
  }
}
