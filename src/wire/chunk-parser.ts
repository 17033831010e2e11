import { WireError } from '../errors.js';
import { plural } from '../plural.js';
import type { AssemblyPool } from './assembly-pool.js';
import { type ChunkReaderLimits, defaultChunkBytes, type MessageTaker, manyChunks } from './chunk-limits.js';
import { ChunkStream } from './chunk-stream.js';
import { ChunkStreams } from './chunk-streams.js';
import { chunkSizeOf, MessageType } from './message.js';
import { MessageAssembly } from './message-assembly.js';
import { Compared, extendedMark, Follows, RepeatedField } from './repeated-field.js';

const State = {
  /** First byte of a basic header. */
  Basic: 0,
  /** The byte of a 2-byte chunk stream id. */
  BasicTwo: 1,
  /** The low, then the high byte of a 3-byte chunk stream id. */
  BasicThreeLow: 2,
  BasicThreeHigh: 3,
  /** The message header of formats 0 to 2. */
  Header: 4,
  /** The extended timestamp field. */
  Extended: 5,
  /** Behind the basic header of a type 3 chunk: a repeated extended timestamp, or already payload. */
  Repeated: 6,
  Payload: 7,
} as const;

/** Bytes of the message header of formats 0 to 3 (5.3.1.2). */
const headerBytes = [11, 7, 3, 0] as const;
const emptyPayload = Buffer.alloc(0);

/**
 * Takes the bytes that follow the handshake, split in any way, and hands out messages (RTMP 1.0, chapter 5.3).
 *
 * Where the specification is silent or senders differ, it does what the servers do that senders are tested with:
 *
 * - **Type 3 beginning a message** adds the delta of the header before, and after a format 0 header the timestamp of
 *   that header (5.3.1.2.4). ffmpeg sends and reads it so (`libavformat/rtmppkt.c`: `ts_field` is kept whatever the
 *   format), librtmp and SRS read it so; nginx-rtmp adds 0, but sends no such chunk in a live stream.
 *   All sums are modulo 2^32.
 * - **Extended timestamp on type 3 chunks**: repeated or left out, see `RepeatedField`.
 * - **Formats 1 to 3 on a chunk stream without format 0.** Format 1 is taken, from timestamp 0 and stream id 0: librtmp
 *   and encoders built on it begin so on chunk stream 2, nginx-rtmp, ffmpeg and SRS accept it. Formats 2 and 3
 *   leave the length unknown, so that nobody could say where the next chunk begins: refused, as by SRS and MediaMTX.
 * - **A header of format 0 to 2 inside an unfinished message** continues it, as nginx-rtmp and ffmpeg take it, and its
 *   timestamp is ignored. One with another length or type is refused, as SRS does (nginx-rtmp miscounts there).
 * - **SetChunkSize** takes effect with the next chunk, wherever it is sent. The top bit does not count, and 0 or fewer
 *   than four bytes change nothing, as with nginx-rtmp.
 * - **Abort** drops the unfinished message of the chunk stream it names; if there is none, or none is named, nothing
 *   happens.
 *
 * What is refused ends the connection, and is only what leaves nobody knowing where the next chunk begins (no length, or
 * two of them), or exceeds a limit. What the messages say is for others to judge, and none of it is fatal.
 *
 * Nothing is allocated from a declared length, and nothing per chunk but the view of the payload.
 */
export class ChunkParser {
  readonly #taker: MessageTaker;
  readonly #limits: ChunkReaderLimits;
  readonly #streams: ChunkStreams;
  readonly #assembly: MessageAssembly;
  /** What that takes, noted here: it is asked behind each read, and most have no part of it. */
  #partialBytes = 0;
  #chunkSize = defaultChunkBytes;
  readonly #repeated = new RepeatedField();

  #state: (typeof State)[keyof typeof State] = State.Basic;
  #format = 0;
  #stream = new ChunkStream(0);
  /** Bytes of the current chunk that are still to come. */
  #chunkLeft = 0;
  /** A header that straddles two feeds, and how many bytes of it are there; made when the first does. */
  #header: Buffer | undefined;
  #have = 0;
  /** Bytes that came with an earlier call and are to be read once more: three at most. */
  #again: Buffer | null = null;
  /** The 4-byte field that is being read, or compared. */
  #word = 0;
  #wordBytes = 0;

  /** Called after many chunks that completed no message: tiny chunks cost time, and would otherwise go unnoticed. */
  onManyChunks: (() => void) | null = null;
  #continued = 0;

  /** Stops the parser after the message that is being delivered. */
  isStopped = false;

  constructor(taker: MessageTaker, limits: ChunkReaderLimits, pool: AssemblyPool) {
    this.#taker = taker;
    this.#limits = limits;
    this.#streams = new ChunkStreams(limits.maxChunkStreams);
    this.#assembly = new MessageAssembly(pool, limits);
  }

  /** The largest payload of a chunk that the peer announced last; 128 at first. */
  get chunkSize(): number {
    return this.#chunkSize;
  }

  /** The chunk stream whose chunk came last. */
  get lastStream(): Readonly<ChunkStream> {
    return this.#stream;
  }

  /** The memory of incomplete messages. */
  get partialBytes(): number {
    return this.#partialBytes;
  }

  /** As that of `ChunkReader`. */
  prefetch(): number {
    return this.#state + this.#continued + this.#stream.received + this.#assembly.takenBytes + this.#streams.prefetch();
  }

  /** Returns that memory. Nothing may be parsed after this. */
  close(): void {
    for (const stream of this.#streams.all()) this.#partialBytes = this.#assembly.drop(stream);
  }

  /**
   * Reads on. Calls back once for each message that ends in `data`. Returns how much of it was read: less than all of it
   * once `isStopped` is set. @throws WireError RTMP_CHUNK when the peer breaks a rule or a limit; also what the callback
   *   throws. The parser is of no further use then.
   */
  parse(data: Buffer): number {
    const again = this.#again;
    if (again !== null) {
      this.#again = null;
      this.#readAgain(again);
      if (this.#again !== null) return 0;
    }
    return this.#parse(data);
  }

  #readAgain(bytes: Buffer): void {
    const taken = this.#parse(bytes);
    if (taken < bytes.length) this.#again = bytes.subarray(taken);
  }

  #parse(data: Buffer): number {
    const end = data.length;
    let at = 0;
    while (at < end && !this.isStopped) {
      switch (this.#state) {
        case State.Basic: {
          const byte = data[at++]!;
          const csid = byte & 0x3f;
          this.#format = byte >>> 6;
          if (csid > 1) {
            this.#open(csid);
          } else {
            this.#state = csid === 0 ? State.BasicTwo : State.BasicThreeLow;
          }
          break;
        }
        case State.BasicTwo:
          this.#open(64 + data[at++]!);
          break;
        case State.BasicThreeLow:
          this.#word = data[at++]!;
          this.#state = State.BasicThreeHigh;
          break;
        case State.BasicThreeHigh:
          this.#open(64 + this.#word + (data[at++]! << 8));
          break;
        case State.Header: {
          const needed = headerBytes[this.#format]!;
          if (this.#have === 0 && end - at >= needed) {
            this.#readHeader(data, at);
            at += needed;
            break;
          }
          this.#header ??= Buffer.alloc(headerBytes[0]);
          while (at < end && this.#have < needed) {
            this.#header[this.#have++] = data[at++]!;
          }
          if (this.#have === needed) {
            this.#readHeader(this.#header, 0);
          }
          break;
        }
        case State.Extended:
          this.#word = ((this.#word << 8) | data[at++]!) >>> 0;
          this.#wordBytes += 1;
          if (this.#wordBytes === 4) {
            this.#extendedRead();
          }
          break;
        case State.Repeated:
          at = this.#compare(data, at);
          break;
        case State.Payload:
          at = this.#readPayload(data, at, end);
          break;
      }
    }
    return at;
  }

  /** The basic header is there. */
  #open(csid: number): void {
    const stream = this.#streams.open(csid);
    this.#stream = stream;
    if (this.#format !== 3) {
      this.#have = 0;
      this.#state = State.Header;
      return;
    }
    if (!stream.opened) {
      throw this.#unopened();
    }
    if (!stream.extended) {
      this.#beginType3(stream.deltaMs);
      return;
    }
    switch (this.#repeated.begin(stream)) {
      case Follows.Payload:
        this.#beginChunk();
        return;
      case Follows.Field:
        this.#wordBytes = 0;
        this.#state = State.Extended;
        return;
      case Follows.Unknown:
        this.#state = State.Repeated;
    }
  }

  #unopened(): WireError {
    return new WireError(
      'RTMP_CHUNK',
      `Chunk stream ${this.#stream.csid} begins with a header of format ${this.#format}, which gives no length; a first header has format 0.`,
    );
  }

  /** The message header is there, except for an extended field. */
  #readHeader(source: Buffer, at: number): void {
    const stream = this.#stream;
    const format = this.#format;
    const field = (source[at]! << 16) | (source[at + 1]! << 8) | source[at + 2]!;
    if (format === 2) {
      if (!stream.opened) {
        throw this.#unopened();
      }
    } else {
      const length = (source[at + 3]! << 16) | (source[at + 4]! << 8) | source[at + 5]!;
      const type = source[at + 6]!;
      if (stream.received === 0) {
        this.#openMessage(stream, length, type);
        if (format === 0) {
          stream.streamId = source.readUInt32LE(at + 7);
        }
      } else if (length !== stream.length || type !== stream.type) {
        throw new WireError(
          'RTMP_CHUNK',
          `On chunk stream ${stream.csid} a message of type ${type} and ${plural(length, 'byte')} begins after ${stream.received} of the ${plural(stream.length, 'byte')} of one of type ${stream.type}; finish or abort that first.`,
        );
      }
    }
    if (field === extendedMark) {
      this.#word = 0;
      this.#wordBytes = 0;
      this.#state = State.Extended;
    } else {
      if (stream.received === 0) {
        stream.extended = false;
        stream.stamp(field, this.#format === 0);
      }
      this.#beginChunk();
    }
  }

  #openMessage(stream: ChunkStream, length: number, type: number): void {
    const { maxMessageBytes, onTooLarge } = this.#limits;
    const isTooLarge = length > maxMessageBytes;
    if (isTooLarge && onTooLarge === undefined) {
      throw new WireError(
        'RTMP_CHUNK',
        `A message of type ${type} declares ${length} bytes; the limit is ${maxMessageBytes}.`,
      );
    }
    stream.open(length, type, isTooLarge);
  }

  #extendedRead(): void {
    const stream = this.#stream;
    if (stream.received === 0) {
      stream.extended = true;
      stream.field = this.#word;
      stream.stamp(this.#word, this.#format === 0);
    }
    this.#beginChunk();
  }

  /** One byte of what may be a repeated extended timestamp. Returns where to read on. */
  #compare(data: Buffer, at: number): number {
    const stream = this.#stream;
    switch (this.#repeated.compare(stream, data[at]!)) {
      case Compared.Agrees:
        return at + 1;
      case Compared.Field:
        this.#beginType3(stream.field);
        return at + 1;
      case Compared.Payload:
        return this.#notRepeated(at);
    }
  }

  /** The bytes before `at` that looked like a repeated field are payload. Returns where to read on. */
  #notRepeated(at: number): number {
    const { matched, word } = this.#repeated;
    this.#beginType3(this.#stream.absolute ? 0 : this.#stream.deltaMs);
    if (at >= matched) {
      return at - matched;
    }
    // They came with an earlier feed, but their values are known. At most three bytes are read once more, as payload.
    const again = Buffer.alloc(4);
    again.writeUInt32BE(word);
    this.#readAgain(again.subarray(0, matched));
    return at;
  }

  /** The header of a type 3 chunk is complete; `deltaMs` counts if it begins a message. */
  #beginType3(deltaMs: number): void {
    const stream = this.#stream;
    if (stream.received === 0) stream.stamp(deltaMs, false);
    this.#beginChunk();
  }

  #beginChunk(): void {
    const stream = this.#stream;
    this.#chunkLeft = Math.min(this.#chunkSize, stream.length - stream.received);
    if (this.#chunkLeft === 0) {
      this.#state = State.Basic;
      this.#deliver(stream, emptyPayload);
    } else {
      this.#state = State.Payload;
    }
  }

  #readPayload(data: Buffer, at: number, end: number): number {
    const stream = this.#stream;
    const next = Math.min(at + this.#chunkLeft, end);
    const bytes = next - at;
    if (stream.isReadPast) {
      this.#readPast(stream, bytes);
      return next;
    }
    if (bytes === stream.length) {
      this.#state = State.Basic;
      this.#deliver(stream, data.subarray(at, next));
      return next;
    }
    this.#partialBytes = this.#assembly.add(stream, data, at, next);
    this.#chunkLeft -= bytes;
    if (stream.received === stream.length) {
      this.#state = State.Basic;
      const buffer = this.#assembly.take(stream);
      this.#partialBytes = this.#assembly.takenBytes;
      this.#deliver(stream, buffer.subarray(0, stream.length));
      this.#assembly.release(buffer);
    } else if (this.#chunkLeft === 0) {
      this.#state = State.Basic;
      this.#continued += 1;
      if (this.#continued === manyChunks) {
        this.#continued = 0;
        this.onManyChunks?.();
      }
    }
    return next;
  }

  /** A message that is too large is only counted to its end; nothing of it is kept. */
  #readPast(stream: ChunkStream, bytes: number): void {
    stream.received += bytes;
    this.#chunkLeft -= bytes;
    if (stream.received === stream.length) {
      this.#state = State.Basic;
      stream.received = 0;
      this.#limits.onTooLarge?.(stream.type, stream.length);
    } else if (this.#chunkLeft === 0) {
      this.#state = State.Basic;
    }
  }

  #deliver(stream: ChunkStream, payload: Buffer): void {
    // An impossible size changes nothing, as with nginx-rtmp: if the sender uses it, the next chunks show it soon
    // enough.
    if (stream.type === MessageType.SetChunkSize) this.#chunkSize = chunkSizeOf(payload) ?? this.#chunkSize;
    else if (stream.type === MessageType.Abort) this.#abort(payload);
    this.#taker.onMessage(stream.type, stream.timestampMs, stream.streamId, payload);
  }

  #abort(payload: Buffer): void {
    if (payload.length < 4) return; // it names no chunk stream: there is nothing to drop
    const csid = payload.readUInt32BE(0);
    const stream = this.#streams.find(csid);
    if (stream !== undefined && stream.received > 0) this.#partialBytes = this.#assembly.drop(stream);
  }
}
