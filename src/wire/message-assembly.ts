import { WireError } from '../errors.js';
import { type AssemblyPool, pieceBytes } from './assembly-pool.js';
import type { ChunkStream } from './chunk-stream.js';

/**
 * Room for so much of a message is made at once where as much came with the same read, so that a frame of several chunks grows
 * no buffer. Only while all unfinished messages take less than that: a peer that begins many and ends none gets it once.
 */
const aheadBytes = 16 << 10;

export interface AssemblyLimits {
  /** Bytes received of unfinished messages, over all chunk streams. */
  readonly maxPartialBytes: number;
}

/** Puts together the messages of one peer that do not come in one piece, within a limit of bytes. */
export class MessageAssembly {
  readonly #pool: AssemblyPool;
  readonly #limits: AssemblyLimits;
  #bytes = 0;
  #takenBytes = 0;

  /** @param limits read each time: they change with what the peer is */
  constructor(pool: AssemblyPool, limits: AssemblyLimits) {
    this.#pool = pool;
    this.#limits = limits;
  }

  /**
   * Memory that unfinished messages take: up to twice what was received of a small one, and up to a megabyte more of
   * others; 16 KB more in all (`aheadBytes`).
   */
  get takenBytes(): number {
    return this.#takenBytes;
  }

  /**
   * Adds the bytes of `data` from `at` to `next` to the message of this stream.
   * @returns `takenBytes` @throws WireError RTMP_CHUNK
   */
  add(stream: ChunkStream, data: Buffer, at: number, next: number): number {
    const bytes = next - at;
    const received = stream.received + bytes;
    const { maxPartialBytes } = this.#limits;
    if (this.#bytes + bytes > maxPartialBytes) {
      throw new WireError(
        'RTMP_CHUNK',
        `The unfinished messages of the peer exceed the limit of ${maxPartialBytes} bytes.`,
      );
    }
    if (received <= pieceBytes) {
      const before = stream.buffer?.length ?? 0;
      const ahead =
        this.#takenBytes < aheadBytes ? Math.min(aheadBytes, stream.length, received + data.length - next) : 0;
      const buffer = this.#pool.grow(stream.buffer, stream.received, Math.max(received, ahead));
      data.copy(buffer, stream.received, at, next);
      stream.buffer = buffer;
      this.#takenBytes += buffer.length - before;
    } else {
      this.#addInPieces(stream, data, at, next);
    }
    stream.received = received;
    this.#bytes += bytes;
    return this.#takenBytes;
  }

  #addInPieces(stream: ChunkStream, data: Buffer, at: number, next: number): void {
    if (stream.pieces === null) {
      const before = stream.buffer?.length ?? 0;
      stream.pieces = [this.#pool.grow(stream.buffer, stream.received, pieceBytes)];
      stream.buffer = null;
      this.#takenBytes += pieceBytes - before;
    }
    let place = stream.received;
    let from = at;
    while (from < next) {
      const index = Math.floor(place / pieceBytes);
      let piece = stream.pieces[index];
      if (piece === undefined) {
        piece = this.#pool.piece();
        stream.pieces.push(piece);
        this.#takenBytes += pieceBytes;
      }
      const copied = data.copy(piece, place % pieceBytes, from, next);
      place += copied;
      from += copied;
    }
  }

  /**
   * Hands out a buffer that begins with the message of this stream, which is whole; `release` is to be called with it. The
   * stream is between messages then.
   */
  take(stream: ChunkStream): Buffer {
    const { buffer, pieces } = stream;
    let whole = buffer;
    if (pieces === null) {
      // It is counted out by `drop`, and released by the caller.
      stream.buffer = null;
      this.#takenBytes -= buffer?.length ?? 0;
    } else {
      whole = this.#pool.takeScratch(stream.received);
      for (const [index, piece] of pieces.entries()) piece.copy(whole, index * pieceBytes);
    }
    this.drop(stream);
    return whole!;
  }

  /** The content of what `take` gave is needed no longer. */
  release(buffer: Buffer): void {
    if (buffer.length > pieceBytes) this.#pool.returnScratch(buffer);
    else this.#pool.release(buffer);
  }

  /** Drops the unfinished message of this stream. @returns `takenBytes` */
  drop(stream: ChunkStream): number {
    const { buffer, pieces } = stream;
    if (!stream.isReadPast) this.#bytes -= stream.received;
    stream.received = 0;
    stream.buffer = null;
    stream.pieces = null;
    if (buffer !== null) this.#giveBack(buffer);
    if (pieces !== null) for (const piece of pieces) this.#giveBack(piece);
    return this.#takenBytes;
  }

  #giveBack(buffer: Buffer): void {
    this.#takenBytes -= buffer.length;
    this.#pool.release(buffer);
  }
}
