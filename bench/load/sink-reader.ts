import { MessageType } from '../../src/wire/message.js';
import { headBytes } from '../traffic.js';

/** What a sink does with what it reads. */
export interface SinkReaderHandler {
  /** A command or control message, whole. */
  onControl(type: number, payload: Buffer): void;
  /**
   * An audio or video message arrived to its end. @param head its first bytes; valid until the call returns
   * @param at where it begins in `head` @param bytes of the whole payload
   */
  onMedia(type: number, head: Buffer, at: number, bytes: number): void;
}

interface ChunkStreamState {
  length: number;
  type: number;
  extended: boolean;
  /** Payload bytes of the unfinished message that are there; 0 between messages. */
  have: number;
  head: Buffer;
  /** True when `head` must be filled: the beginning of the message was not in one piece. */
  gathers: boolean;
}

const maxHeaderBytes = 18;
const maxControlBytes = 64 * 1024;

/**
 * Reads chunks (RTMP 1.0, section 5.3) as cheaply as it goes: of media it looks at the first bytes of a message and skips
 * the rest, and copies nothing where those bytes lie in one piece.
 */
export class SinkReader {
  readonly #handler: SinkReaderHandler;
  readonly #streams: (ChunkStreamState | undefined)[] = new Array<ChunkStreamState | undefined>(64).fill(undefined);
  readonly #carry = Buffer.alloc(maxHeaderBytes * 2);
  #carried = 0;
  #chunkBytes = 128;
  #stream: ChunkStreamState | null = null;
  /** Payload bytes of the current chunk that are still to come. */
  #left = 0;

  constructor(handler: SinkReaderHandler) {
    this.#handler = handler;
  }

  /** Takes the next bytes behind the handshake, split in any way. */
  feed(data: Buffer): void {
    let at = 0;
    if (this.#carried > 0) {
      const before = this.#carried;
      const taken = Math.min(data.length, maxHeaderBytes);
      data.copy(this.#carry, before, 0, taken);
      const used = this.#header(this.#carry, 0, before + taken);
      if (used === 0) {
        this.#carried = before + taken;
        return;
      }
      this.#carried = 0;
      at = used - before;
    }
    while (at < data.length || (this.#stream !== null && this.#left === 0)) {
      if (this.#stream === null) {
        const used = this.#header(data, at, data.length);
        if (used === 0) {
          data.copy(this.#carry, 0, at);
          this.#carried = data.length - at;
          return;
        }
        at += used;
      }
      at = this.#payload(data, at);
    }
  }

  /** Reads a chunk header; returns its length, or 0 when it is not whole yet. */
  #header(data: Buffer, at: number, end: number): number {
    if (at >= end) return 0;
    const first = data[at] ?? 0;
    const format = first >> 6;
    const csid = first & 63;
    if (csid < 2) throw new Error('the sink reads chunk streams 2 to 63 only');
    const fixed = format === 0 ? 12 : format === 1 ? 8 : format === 2 ? 4 : 1;
    if (end - at < fixed) return 0;
    let stream = this.#streams[csid];
    if (stream === undefined) {
      stream = { length: 0, type: 0, extended: false, have: 0, head: Buffer.alloc(headBytes), gathers: false };
      this.#streams[csid] = stream;
    }
    const extended = format === 3 ? stream.extended : data.readUIntBE(at + 1, 3) === 0xffffff;
    const bytes = extended ? fixed + 4 : fixed;
    if (end - at < bytes) return 0;
    stream.extended = extended;
    if (format < 2) {
      stream.length = data.readUIntBE(at + 4, 3);
      stream.type = data[at + 7] ?? 0;
    }
    this.#stream = stream;
    this.#left = Math.min(this.#chunkBytes, stream.length - stream.have);
    return bytes;
  }

  #payload(data: Buffer, at: number): number {
    const stream = this.#stream;
    if (stream === null) return at;
    const bytes = Math.min(this.#left, data.length - at);
    const isMedia = stream.type === MessageType.Audio || stream.type === MessageType.Video;
    const wanted = isMedia ? Math.min(headBytes, stream.length) : stream.length;
    if (stream.have === 0) {
      // A head that lies whole in front of us is read in place; it is then sure that the message ends in this chunk.
      stream.gathers = !isMedia || bytes < stream.length;
      if (!isMedia && stream.length > maxControlBytes) throw new Error(`a control message of ${stream.length} bytes`);
      if (!isMedia && stream.head.length < stream.length) stream.head = Buffer.alloc(stream.length);
    }
    if (stream.gathers && stream.have < wanted) data.copy(stream.head, stream.have, at, at + bytes);
    stream.have += bytes;
    this.#left -= bytes;
    if (this.#left === 0) {
      this.#stream = null;
      if (stream.have === stream.length) {
        stream.have = 0;
        if (isMedia) {
          this.#handler.onMedia(
            stream.type,
            stream.gathers ? stream.head : data,
            stream.gathers ? 0 : at,
            stream.length,
          );
        } else {
          this.#control(stream.type, stream.head.subarray(0, stream.length));
        }
      }
    }
    return at + bytes;
  }

  #control(type: number, payload: Buffer): void {
    if (type === MessageType.SetChunkSize) this.#chunkBytes = payload.readUInt32BE(0) & 0x7fffffff;
    this.#handler.onControl(type, payload);
  }
}
