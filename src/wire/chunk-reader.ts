import { WireError } from '../errors.js';
import { AssemblyPool } from './assembly-pool.js';
import type { ChunkReaderLimits, MessageTaker, OnMessage } from './chunk-limits.js';
import { ChunkParser } from './chunk-parser.js';
import { HeldBytes } from './held-bytes.js';

const sharedPool = new AssemblyPool();

/**
 * Reads the chunk stream of a peer (`ChunkParser` says how), and can be held: then nothing more is told of until it is
 * released, and what comes is kept.
 */
export class ChunkReader {
  readonly #parser: ChunkParser;
  /** Made when something is held first. */
  #held: HeldBytes | null = null;
  #isDead = false;
  /** The bytes being parsed were held before, in the reader's own memory. */
  #ownsFed = false;

  /** Called after many chunks that completed no message: tiny chunks cost time, and would otherwise go unnoticed. */
  set onManyChunks(call: () => void) {
    this.#parser.onManyChunks = call;
  }

  /** @param pool shared by readers; one is shared by all that name none */
  constructor(taker: OnMessage | MessageTaker, limits: ChunkReaderLimits, pool: AssemblyPool = sharedPool) {
    this.#parser = new ChunkParser(typeof taker === 'function' ? { onMessage: taker } : taker, limits, pool);
  }

  /** The largest payload of a chunk that the peer announced last; 128 at first. */
  get chunkSize(): number {
    return this.#parser.chunkSize;
  }

  /** Bytes that have come of the message whose chunk came last; 0 when it is whole. */
  get unfinishedBytes(): number {
    return this.#parser.lastStream.received;
  }

  /** The type of that message, and its message stream id. */
  get unfinishedType(): number {
    return this.#parser.lastStream.type;
  }

  get unfinishedStreamId(): number {
    return this.#parser.lastStream.streamId;
  }

  /** The memory of incomplete messages and of bytes that arrived while it is held. */
  get partialBytes(): number {
    return this.#parser.partialBytes + (this.#held?.bytes ?? 0);
  }

  /** Gives that memory back, for other readers. Afterwards it delivers no further message. */
  close(): void {
    this.#isDead = true;
    this.#parser.isStopped = true;
    this.#held = null;
    this.#parser.close();
  }

  /**
   * Reads on. Calls back once for each message that ends in `data`; the callback must not call `feed`.
   *
   * @throws WireError RTMP_CHUNK when the peer breaks a rule or a limit; also what the callback throws. The reader is
   *   dead then: every further call throws.
   */
  feed(data: Buffer): void {
    if (this.#isDead) {
      throw new WireError('RTMP_CHUNK', 'The chunk stream of this peer has failed before; nothing more is read.');
    }
    try {
      const read = this.#parser.isStopped ? 0 : this.#parser.parse(data);
      if (read < data.length && !this.#isDead) this.#keep(read === 0 ? data : data.subarray(read));
    } catch (error) {
      this.#isDead = true;
      throw error;
    }
  }

  /** Looks at what `feed` will need, so that the processor fetches it; the number says nothing. */
  prefetch(): number {
    return (this.#isDead ? 1 : 0) + this.#parser.prefetch();
  }

  #keep(data: Buffer): void {
    this.#held ??= new HeldBytes();
    this.#held.keep(data, this.#ownsFed);
  }

  /**
   * Stops reading after the message that is being delivered. Until `release`, arriving bytes are kept. The caller must
   * see to it that only a few reads arrive meanwhile.
   */
  hold(): void {
    this.#parser.isStopped = true;
  }

  /** True after `hold`, until `release`. */
  get isHeld(): boolean {
    return this.#parser.isStopped;
  }

  /** Reads on, with what was kept. @throws WireError as `feed` */
  release(): void {
    if (!this.isHeld) return;
    this.#parser.isStopped = false;
    const kept = this.#held?.take();
    if (kept === undefined || kept.length === 0) return;
    this.#ownsFed = true;
    try {
      this.feed(kept);
    } finally {
      this.#ownsFed = false;
    }
  }
}
