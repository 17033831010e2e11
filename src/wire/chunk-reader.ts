import { WireError } from '../errors.js';
import { AssemblyPool } from './assembly-pool.js';
import { ChunkStream } from './chunk-stream.js';
import { MessageType } from './message.js';

export interface ChunkReaderLimits {
  /** The largest message, in bytes; the length field allows 16,777,215. */
  maxMessageBytes: number;
  /** How many chunk stream ids a peer may use. */
  maxChunkStreams: number;
  /** Bytes received of unfinished messages, over all chunk streams. The buffers for them take up to twice as much. */
  maxPartialBytes: number;
  /** Called with what is larger than `maxMessageBytes`, which then is read past; without it, that ends the connection. */
  onTooLarge?: (type: number, bytes: number) => void;
}

/**
 * Called with each message. `payload` is valid only until the call returns: it is a view into the fed data, or into
 * a buffer that the reader uses again.
 */
export type OnMessage = (type: number, timestampMs: number, streamId: number, payload: Buffer) => void;

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
  /** After a failure. */
  Dead: 8,
} as const;

/** Bytes of the message header of formats 0 to 3 (5.3.1.2). */
const headerBytes = [11, 7, 3, 0] as const;
const extendedMark = 0xffffff;
const defaultChunkBytes = 128;
const emptyPayload = Buffer.alloc(0);
const sharedPool = new AssemblyPool();

const Habit = { Unknown: 0, Repeats: 1, Omits: 2 } as const;

/** So many chunks that end no message are told of by `onManyChunks`. */
const manyChunks = 256;

/** What may come while the reader is held: a few reads of the network. */
const maxKeptBytes = 2 << 20;

/**
 * Takes the bytes that follow the handshake, split in any way, and hands out messages (RTMP 1.0, chapter 5.3).
 *
 * Where the specification is silent or senders differ, it does what the servers do that senders are tested with:
 *
 * - **Type 3 beginning a message** adds the delta of the header before, and after a format 0 header the timestamp of
 *   that header (5.3.1.2.4). ffmpeg sends and reads it so (`libavformat/rtmppkt.c`: `ts_field` is kept whatever the
 *   format), librtmp and SRS read it so; nginx-rtmp adds 0, but sends no such chunk in a live stream.
 *   All sums are modulo 2^32.
 * - **Extended timestamp on type 3 chunks.** It is to be repeated there (5.3.1.3), and ffmpeg, librtmp and nginx-rtmp
 *   do; some encoders leave it out. The four bytes are compared with the field of the message (or, as some repeat
 *   that, its timestamp) one by one as they come: the first difference says that they are payload. What a
 *   continuation chunk has shown once holds for all further continuations of the connection. For type 3 chunks that
 *   begin a message each is compared for itself: nginx-rtmp and librtmp repeat the field in continuations, yet leave
 *   it out of a header that means "the same timestamp again". Hence, where it is left out after format 0, the delta
 *   is 0.
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
export class ChunkReader {
  readonly #onMessage: OnMessage;
  readonly #limits: ChunkReaderLimits;
  readonly #pool: AssemblyPool;
  /** Chunk streams 2 to 63, which almost everyone keeps to; most to the first few. */
  readonly #low: (ChunkStream | undefined)[] = new Array<ChunkStream | undefined>(8).fill(undefined);
  /** The others; made when the first comes. */
  #high: Map<number, ChunkStream> | undefined;
  #chunkStreams = 0;
  #chunkSize = defaultChunkBytes;
  #partialBytes = 0;
  #habit: (typeof Habit)[keyof typeof Habit] = Habit.Unknown;

  #state: (typeof State)[keyof typeof State] = State.Basic;
  #format = 0;
  #stream = new ChunkStream(0);
  /** Bytes of the current chunk that are still to come. */
  #chunkLeft = 0;
  /** A header that straddles two feeds, and how many bytes of it are there; made when the first does. */
  #header: Buffer | undefined;
  #have = 0;
  #isHeld = false;
  #kept: Buffer[] = [];
  #keptBytes = 0;
  /** What is being fed was kept before, in memory of the reader's own. */
  #ownsFed = false;
  /** The 4-byte field that is being read, or compared. */
  #word = 0;
  #wordBytes = 0;

  /** Called after every so many chunks that ended no message: tiny ones take time, and nobody would hear of it. */
  onManyChunks: (() => void) | null = null;
  #continued = 0;

  /** @param pool shared by readers; one is shared by all that name none */
  constructor(onMessage: OnMessage, limits: ChunkReaderLimits, pool: AssemblyPool = sharedPool) {
    this.#onMessage = onMessage;
    this.#limits = limits;
    this.#pool = pool;
  }

  /** The largest payload of a chunk that the peer announced last; 128 at first. */
  get chunkSize(): number {
    return this.#chunkSize;
  }

  /** Bytes that have come of the message whose chunk came last; 0 when it is whole. */
  get unfinishedBytes(): number {
    return this.#stream.received;
  }

  /** The type of that message, and its message stream id. */
  get unfinishedType(): number {
    return this.#stream.type;
  }

  get unfinishedStreamId(): number {
    return this.#stream.streamId;
  }

  /**
   * Reads on. Calls back once for each message that ends in `data`; the callback must not call `feed`.
   *
   * @throws WireError RTMP_CHUNK when the peer breaks a rule or a limit; also what the callback throws. The reader is
   *   dead then: every further call throws.
   */
  feed(data: Buffer): void {
    if (this.#isHeld) {
      this.#keep(data);
      return;
    }
    try {
      this.#parse(data);
    } catch (error) {
      this.#state = State.Dead;
      throw error;
    }
  }

  /**
   * Reads no further, from the end of the message on that is being told of: until `release`, what comes is kept. Whoever
   * holds it sees to it that no more than a few reads come meanwhile.
   */
  hold(): void {
    this.#isHeld = true;
  }

  /** True after `hold`, until `release`. */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Bytes that were received of all messages that are not whole yet; the buffers for them take up to twice as much. */
  get partialBytes(): number {
    return this.#partialBytes;
  }

  /** Reads on, with what was kept. @throws WireError as `feed` */
  release(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    const kept = this.#kept.length === 1 ? this.#kept[0]! : Buffer.concat(this.#kept);
    this.#kept = [];
    this.#keptBytes = 0;
    if (kept.length === 0) return;
    this.#ownsFed = true;
    try {
      this.feed(kept);
    } finally {
      this.#ownsFed = false;
    }
  }

  #keep(data: Buffer): void {
    if (this.#ownsFed) {
      // Held again: this is the rest of what was kept.
      this.#kept.push(data);
      this.#keptBytes += data.length;
      return;
    }
    this.#keptBytes += data.length;
    if (this.#keptBytes > maxKeptBytes) {
      this.#state = State.Dead;
      throw new WireError('RTMP_CHUNK', `The peer sent more than ${maxKeptBytes} bytes before it was answered.`);
    }
    this.#kept.push(Buffer.from(data)); // which is memory of the next read
  }

  #parse(data: Buffer): void {
    const end = data.length;
    let at = 0;
    while (at < end) {
      if (this.#isHeld) {
        this.#keep(data.subarray(at));
        return;
      }
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
        case State.Dead:
          throw new WireError('RTMP_CHUNK', 'The chunk stream of this peer has failed before; nothing more is read.');
      }
    }
  }

  /** The basic header is there. */
  #open(csid: number): void {
    const stream = (csid < 64 ? this.#low[csid] : this.#high?.get(csid)) ?? this.#add(csid);
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
    } else if (stream.received > 0 && this.#habit === Habit.Omits) {
      this.#beginChunk();
    } else {
      this.#word = stream.field;
      this.#wordBytes = 0;
      this.#state = stream.received > 0 && this.#habit === Habit.Repeats ? State.Extended : State.Repeated;
    }
  }

  #add(csid: number): ChunkStream {
    if (this.#chunkStreams >= this.#limits.maxChunkStreams) {
      throw new WireError(
        'RTMP_CHUNK',
        `Chunk stream ${csid} would be one more than the limit of ${this.#limits.maxChunkStreams}.`,
      );
    }
    this.#chunkStreams += 1;
    const stream = new ChunkStream(csid);
    if (csid < 64) {
      this.#low[csid] = stream;
    } else {
      this.#high ??= new Map();
      this.#high.set(csid, stream);
    }
    return stream;
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
          `On chunk stream ${stream.csid} a message of type ${type} and ${length} bytes begins after ${stream.received} of the ${stream.length} bytes of one of type ${stream.type}; finish or abort that first.`,
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
        this.#stamp(field);
      }
      this.#beginChunk();
    }
  }

  #openMessage(stream: ChunkStream, length: number, type: number): void {
    stream.isReadPast = length > this.#limits.maxMessageBytes;
    if (stream.isReadPast && this.#limits.onTooLarge === undefined) {
      throw new WireError(
        'RTMP_CHUNK',
        `A message of type ${type} declares ${length} bytes; the limit is ${this.#limits.maxMessageBytes}.`,
      );
    }
    stream.opened = true;
    stream.length = length;
    stream.type = type;
  }

  /** Applies the timestamp or delta of a header that begins a message. */
  #stamp(field: number): void {
    const stream = this.#stream;
    stream.absolute = this.#format === 0;
    stream.deltaMs = field;
    stream.timestampMs = stream.absolute ? field : (stream.timestampMs + field) >>> 0;
  }

  #extendedRead(): void {
    const stream = this.#stream;
    if (stream.received === 0) {
      stream.extended = true;
      stream.field = this.#word;
      this.#stamp(this.#word);
    }
    this.#beginChunk();
  }

  /** One byte of what may be a repeated extended timestamp. Returns where to read on. */
  #compare(data: Buffer, at: number): number {
    const stream = this.#stream;
    const matched = this.#wordBytes;
    const shift = 24 - 8 * matched;
    const byte = data[at]!;
    if (byte !== ((this.#word >>> shift) & 0xff)) {
      // The timestamp is a candidate too, if it needs an extended field and agrees in all bytes before this one.
      const other = stream.timestampMs;
      const agrees = matched === 0 || other >>> (shift + 8) === this.#word >>> (shift + 8);
      const isCandidate = stream.received > 0 && other >= extendedMark && agrees;
      if (!isCandidate || byte !== ((other >>> shift) & 0xff)) {
        return this.#notRepeated(at, matched);
      }
      this.#word = other;
    }
    this.#wordBytes = matched + 1;
    if (this.#wordBytes === 4) {
      if (stream.received > 0) {
        this.#habit = Habit.Repeats;
      }
      this.#beginType3(stream.field);
    }
    return at + 1;
  }

  /** The `matched` bytes before `at`, which looked like a repeated field, are payload. Returns where to read on. */
  #notRepeated(at: number, matched: number): number {
    const stream = this.#stream;
    if (stream.received > 0) {
      this.#habit = Habit.Omits;
    }
    const taken = this.#word;
    this.#beginType3(stream.absolute ? 0 : stream.deltaMs);
    if (at >= matched) {
      return at - matched;
    }
    // They came with an earlier feed, but are known. Three at most; they are read once more, as payload and beyond.
    const again = Buffer.alloc(4);
    again.writeUInt32BE(taken);
    this.#parse(again.subarray(0, matched));
    return at;
  }

  /** The header of a type 3 chunk is complete; `deltaMs` counts if it begins a message. */
  #beginType3(deltaMs: number): void {
    const stream = this.#stream;
    if (stream.received === 0) {
      stream.timestampMs = (stream.timestampMs + deltaMs) >>> 0;
      stream.absolute = false;
      stream.deltaMs = deltaMs;
    }
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
    const received = stream.received + bytes;
    if (this.#partialBytes + bytes > this.#limits.maxPartialBytes) {
      throw new WireError(
        'RTMP_CHUNK',
        `The unfinished messages of the peer exceed the limit of ${this.#limits.maxPartialBytes} bytes.`,
      );
    }
    const buffer = this.#pool.grow(stream.buffer, stream.received, received);
    data.copy(buffer, stream.received, at, next);
    stream.buffer = buffer;
    stream.received = received;
    this.#partialBytes += bytes;
    this.#chunkLeft -= bytes;
    if (received === stream.length) {
      this.#state = State.Basic;
      stream.received = 0;
      stream.buffer = null;
      this.#partialBytes -= received;
      this.#deliver(stream, buffer.subarray(0, received));
      this.#pool.release(buffer);
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

  /** A message that is too large is counted out, and nothing of it is kept. */
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
    if (stream.type === MessageType.SetChunkSize) {
      this.#setChunkSize(payload);
    } else if (stream.type === MessageType.Abort) {
      this.#abort(payload);
    }
    this.#onMessage(stream.type, stream.timestampMs, stream.streamId, payload);
  }

  /** A size that cannot be meant is passed over, as nginx-rtmp does: if it was meant, what comes next says so soon enough. */
  #setChunkSize(payload: Buffer): void {
    const size = chunkSizeOf(payload);
    if (size !== null) this.#chunkSize = size;
  }

  #abort(payload: Buffer): void {
    if (payload.length < 4) return; // it names no chunk stream: there is nothing to drop
    const csid = payload.readUInt32BE(0);
    const stream = csid < 64 ? this.#low[csid] : this.#high?.get(csid);
    if (stream === undefined || stream.received === 0) {
      return;
    }
    if (!stream.isReadPast) this.#partialBytes -= stream.received;
    if (stream.buffer !== null) {
      this.#pool.release(stream.buffer);
    }
    stream.received = 0;
    stream.buffer = null;
  }
}

/**
 * The size that a SetChunkSize message sets (RTMP 1.0, 5.4.1): 1 to 2147483647. The first bit, which is to be 0, does not
 * count. Null where there is none: 0, or fewer than four bytes.
 */
export function chunkSizeOf(payload: Buffer): number | null {
  const size = payload.length < 4 ? 0 : payload.readUInt32BE(0) & 0x7fffffff;
  return size === 0 ? null : size;
}
