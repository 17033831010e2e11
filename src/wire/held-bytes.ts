import { WireError } from '../errors.js';

/** The most that may arrive while a reader is held: a few reads of the network. */
const defaultMaxBytes = 2 << 20;

/** Reads smaller than this are copied into one buffer: each by itself would take many times its size. */
const smallBytes = 4096;

/** The bytes that came, in their order, while nothing was to be read. */
export class HeldBytes {
  readonly #maxBytes: number;
  #parts: Buffer[] = [];
  /** Where small reads are put together, and how much of it is filled. */
  #tail: Buffer | null = null;
  #tailBytes = 0;
  #bytes = 0;

  /** @param maxBytes that may be copied */
  constructor(maxBytes = defaultMaxBytes) {
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** @param isOwn whether `data` keeps its content; else it is copied @throws WireError RTMP_CHUNK above the limit */
  keep(data: Buffer, isOwn: boolean): void {
    this.#bytes += data.length;
    if (isOwn) {
      this.#endTail();
      this.#parts.push(data);
      return;
    }
    if (this.#bytes > this.#maxBytes) {
      throw new WireError('RTMP_CHUNK', `The peer sent more than ${this.#maxBytes} bytes before it was answered.`);
    }
    if (this.#tail !== null && this.#tailBytes + data.length > smallBytes) this.#endTail();
    if (data.length >= smallBytes) {
      this.#parts.push(Buffer.from(data));
      return;
    }
    this.#tail ??= Buffer.allocUnsafeSlow(smallBytes);
    this.#tailBytes += data.copy(this.#tail, this.#tailBytes);
  }

  /** All of them, in one piece. */
  all(): Buffer {
    this.#endTail();
    if (this.#parts.length > 1) this.#parts = [Buffer.concat(this.#parts)];
    return this.#parts[0] ?? Buffer.alloc(0);
  }

  /** All of them; nothing is held afterwards. */
  take(): Buffer {
    const all = this.all();
    this.#parts = [];
    this.#bytes = 0;
    return all;
  }

  #endTail(): void {
    if (this.#tail !== null && this.#tailBytes > 0) this.#parts.push(this.#tail.subarray(0, this.#tailBytes));
    this.#tail = null;
    this.#tailBytes = 0;
  }
}
