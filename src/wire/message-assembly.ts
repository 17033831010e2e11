import { WireError } from '../errors.js';
import type { AssemblyPool } from './assembly-pool.js';
import type { ChunkStream } from './chunk-stream.js';

export interface AssemblyLimits {
  /** Bytes received of unfinished messages, over all chunk streams. */
  readonly maxPartialBytes: number;
}

/** Puts together the messages of one peer that do not come in one piece, within a limit of bytes. */
export class MessageAssembly {
  readonly #pool: AssemblyPool;
  readonly #limits: AssemblyLimits;
  #bytes = 0;

  /** @param limits read each time: they change with what the peer is */
  constructor(pool: AssemblyPool, limits: AssemblyLimits) {
    this.#pool = pool;
    this.#limits = limits;
  }

  /** Bytes received of all unfinished messages. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Adds the bytes of `data` from `at` to `next` to the message of this stream. @throws WireError RTMP_CHUNK */
  add(stream: ChunkStream, data: Buffer, at: number, next: number): void {
    const bytes = next - at;
    const received = stream.received + bytes;
    const { maxPartialBytes } = this.#limits;
    if (this.#bytes + bytes > maxPartialBytes) {
      throw new WireError(
        'RTMP_CHUNK',
        `The unfinished messages of the peer exceed the limit of ${maxPartialBytes} bytes.`,
      );
    }
    const buffer = this.#pool.grow(stream.buffer, stream.received, received);
    data.copy(buffer, stream.received, at, next);
    stream.buffer = buffer;
    stream.received = received;
    this.#bytes += bytes;
  }

  /**
   * The buffer that begins with the message of this stream, which is whole; `release` is to be called with it. The stream
   * is between messages then.
   */
  take(stream: ChunkStream): Buffer {
    const buffer = stream.buffer!;
    this.#bytes -= stream.received;
    stream.received = 0;
    stream.buffer = null;
    return buffer;
  }
  /** The content of what `take` gave is needed no longer. */
  release(buffer: Buffer): void {
    this.#pool.release(buffer);
  }

  /** Drops the unfinished message of this stream. */
  drop(stream: ChunkStream): void {
    if (!stream.isReadPast) this.#bytes -= stream.received;
    if (stream.buffer !== null) this.#pool.release(stream.buffer);
    stream.received = 0;
    stream.buffer = null;
  }
}
