/** Sizes of slabs that are kept for reuse: powers of two. Larger ones hold one huge message, and are rare. */
const minBytes = 16 * 1024;
const maxBytes = 512 * 1024;

const defaultKeptBytes = 64 * 1024 * 1024;

/**
 * Memory of slabs that nobody reads any more, for the next ones. A stream at 4 Mbit/s goes through half a megabyte a
 * second; left to the garbage collector, a hundred of them have it run several times a second.
 */
export class SlabPool {
  readonly #free = new Map<number, Buffer[]>();
  readonly #maxKeptBytes: number;
  #keptBytes = 0;

  /** @param maxKeptBytes bytes that are kept for reuse; what is given beyond is left to the garbage collector */
  constructor(maxKeptBytes = defaultKeptBytes) {
    this.#maxKeptBytes = maxKeptBytes;
  }

  get keptBytes(): number {
    return this.#keptBytes;
  }

  /** A buffer of at least so many bytes, with anything in it. */
  take(bytes: number): Buffer {
    const size = sizeFor(bytes);
    // One of twice the size is as good: it is filled all the same.
    const reused = this.#free.get(size)?.pop() ?? this.#free.get(2 * size)?.pop();
    if (reused !== undefined) {
      this.#keptBytes -= reused.length;
      return reused;
    }
    // Not from Node's shared pool: a slab must not keep 8 KB of others alive, nor they the slab.
    return Buffer.allocUnsafeSlow(size);
  }

  /** Takes back a buffer that nobody reads any more. */
  give(buffer: Buffer): void {
    const size = buffer.length;
    if (size > maxBytes || !this.#makeRoom(size)) return;
    const free = this.#free.get(size);
    if (free === undefined) this.#free.set(size, [buffer]);
    else free.push(buffer);
    this.#keptBytes += size;
  }

  /** Drops what is of other sizes: slabs that come back are of a size that is in use. False when there is no room. */
  #makeRoom(size: number): boolean {
    for (const [other, free] of this.#free) {
      while (other !== size && this.#keptBytes + size > this.#maxKeptBytes && free.length > 0) {
        free.pop();
        this.#keptBytes -= other;
      }
    }
    return this.#keptBytes + size <= this.#maxKeptBytes;
  }
}

function sizeFor(bytes: number): number {
  if (bytes > maxBytes) return bytes;
  let size = minBytes;
  while (size < bytes) size *= 2;
  return size;
}
