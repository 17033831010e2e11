/** Sizes of buffers are powers of two from this on. */
const smallestBytes = 4 << 10;
/** A buffer above this size holds one huge message, and is not kept. */
const keepMaxBytes = 1 << 20;

const defaultKeptBytes = 8 << 20;

/**
 * The buffers in which messages are put together that did not come in one read.
 *
 * A buffer grows by doubling with the bytes that came, never with a length that was declared. It is needed for the
 * milliseconds in which the rest of a message is on its way, so that a few of them do for all connections: kept by each
 * for itself, they would be a good part of what a connection takes.
 */
export class AssemblyPool {
  /** By the logarithm of the size. */
  readonly #free: Buffer[][] = Array.from({ length: 32 }, () => []);
  readonly #maxKeptBytes: number;
  #keptBytes = 0;

  /** @param maxKeptBytes bytes that are kept for the next messages */
  constructor(maxKeptBytes = defaultKeptBytes) {
    this.#maxKeptBytes = maxKeptBytes;
  }

  get keptBytes(): number {
    return this.#keptBytes;
  }

  /** A buffer with at least `needed` bytes that begins with the first `used` bytes of `old`, which may be `old`. */
  grow(old: Buffer | null, used: number, needed: number): Buffer {
    if (old !== null && old.length >= needed) {
      return old;
    }
    let bytes = Math.max(smallestBytes, old === null ? 0 : old.length * 2);
    while (bytes < needed) {
      bytes *= 2;
    }
    const larger = this.#take(bytes);
    if (old !== null) {
      old.copy(larger, 0, 0, used);
      this.release(old);
    }
    return larger;
  }

  /** Takes back a buffer whose message is done with. */
  release(buffer: Buffer): void {
    const bytes = buffer.length;
    if (bytes <= keepMaxBytes && this.#keptBytes + bytes <= this.#maxKeptBytes) {
      this.#free[Math.log2(bytes)]!.push(buffer);
      this.#keptBytes += bytes;
    }
  }

  #take(bytes: number): Buffer {
    const spare = bytes <= keepMaxBytes ? this.#free[Math.log2(bytes)]!.pop() : undefined;
    if (spare === undefined) {
      return Buffer.allocUnsafeSlow(bytes);
    }
    this.#keptBytes -= bytes;
    return spare;
  }
}
