/** Sizes of buffers are powers of two from this on. */
const smallestBytes = 4 << 10;

/** The largest buffer, and the size of each piece of a message that takes several. */
export const pieceBytes = 1 << 20;

const defaultKeptBytes = 16 << 20;

/** A scratch buffer up to this size is kept for the next message. */
const keptScratchBytes = 16 << 20;

/**
 * The buffers in which messages are put together that did not come in one read.
 *
 * A buffer grows by doubling with the bytes that came, never with a length that was declared, up to a megabyte; from there
 * on a message is put together in pieces of a megabyte. A buffer is needed for the milliseconds in which the rest of a
 * message is on its way, so that a few of them do for all connections: kept by each for itself, they would be a good part
 * of what a connection takes, and made anew for each message, the main work of the garbage collector.
 */
export class AssemblyPool {
  /** By the logarithm of the size (`logarithmOf`). */
  readonly #free: Buffer[][] = Array.from({ length: 32 }, () => []);
  readonly #maxKeptBytes: number;
  #keptBytes = 0;
  #scratch: Buffer | null = null;

  /** @param maxKeptBytes bytes that are kept for the next messages */
  constructor(maxKeptBytes = defaultKeptBytes) {
    this.#maxKeptBytes = maxKeptBytes;
  }

  get keptBytes(): number {
    return this.#keptBytes;
  }

  /**
   * A buffer with at least `needed` bytes that begins with the first `used` bytes of `old`, which may be `old`.
   * @param needed a megabyte at most
   */
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

  /** A piece of a megabyte. */
  piece(): Buffer {
    return this.#take(pieceBytes);
  }

  /** Takes back the buffer of a message that was handled. */
  release(buffer: Buffer): void {
    const bytes = buffer.length;
    if (this.#keptBytes + bytes <= this.#maxKeptBytes) {
      this.#free[logarithmOf(bytes)]!.push(buffer);
      this.#keptBytes += bytes;
    }
  }

  /** Memory for a whole message of several pieces, until `returnScratch`. */
  takeScratch(bytes: number): Buffer {
    const scratch = this.#scratch;
    this.#scratch = null;
    if (scratch !== null && scratch.length >= bytes) return scratch;
    return Buffer.allocUnsafeSlow(Math.ceil(bytes / pieceBytes) * pieceBytes);
  }

  returnScratch(buffer: Buffer): void {
    if (buffer.length <= keptScratchBytes) this.#scratch = buffer;
  }

  #take(bytes: number): Buffer {
    const spare = this.#free[logarithmOf(bytes)]!.pop();
    if (spare === undefined) {
      return Buffer.allocUnsafeSlow(bytes);
    }
    this.#keptBytes -= bytes;
    return spare;
  }
}

/** Of a power of two, without a call of the mathematical library. */
function logarithmOf(bytes: number): number {
  return 31 - Math.clz32(bytes);
}
