/** A buffer above this size is not kept for the next message. */
const keepMaxBytes = 1 << 20;
/** A buffer up to this size is kept whatever the messages are like. */
const keepAlwaysBytes = 16 << 10;
const smallestBytes = 4 << 10;
const maxSpares = 2;

/**
 * The buffers in which one connection puts messages together.
 *
 * A buffer grows by doubling with the bytes that came, never with a length that was declared. Finished ones are used
 * again: two, so that audio and video may interleave. One that is much larger than the messages of late is given up,
 * so a single huge message does not cost its memory for ever.
 */
export class AssemblyPool {
  readonly #spares: Buffer[] = [];
  /** The size of the largest message of late; it fades by 1/64 with every message. */
  #recentPeakBytes = 0;

  /** A buffer with at least `needed` bytes that begins with the first `used` bytes of `old`, which may be `old`. */
  grow(old: Buffer | null, used: number, needed: number): Buffer {
    if (old !== null && old.length >= needed) {
      return old;
    }
    if (old === null) {
      const spare = this.#spares.pop();
      if (spare !== undefined && spare.length >= needed) {
        return spare;
      }
    }
    let bytes = Math.max(smallestBytes, old === null ? 0 : old.length * 2);
    while (bytes < needed) {
      bytes *= 2;
    }
    const larger = Buffer.allocUnsafeSlow(bytes);
    old?.copy(larger, 0, 0, used);
    return larger;
  }

  /** Takes back the buffer of a message of `messageBytes` bytes that is done with. */
  release(buffer: Buffer, messageBytes: number): void {
    const faded = this.#recentPeakBytes - (this.#recentPeakBytes >>> 6);
    this.#recentPeakBytes = Math.max(messageBytes, faded);
    const keepBytes = Math.min(keepMaxBytes, Math.max(keepAlwaysBytes, this.#recentPeakBytes * 4));
    if (buffer.length <= keepBytes && this.#spares.length < maxSpares) {
      this.#spares.push(buffer);
    }
  }
}
