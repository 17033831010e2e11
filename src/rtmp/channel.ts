import { plural } from '../plural.js';
import type { ChunkReaderLimits, MessageTaker } from '../wire/chunk-limits.js';
import { ChunkReader } from '../wire/chunk-reader.js';
import { ChunkWriter } from '../wire/chunk-writer.js';
import {
  AggregateParts,
  ChunkStreamId,
  chunkSizeOf,
  encodeUserControl,
  MessageType,
  parseUserControl,
  UserControlEvent,
} from '../wire/message.js';
import type { OnIgnored } from './ignored.js';
import type { PeerMeter } from './peer-meter.js';

/** Maximum bytes from a peer before it gets an acknowledgement, if it names no window or a larger one. */
const ownAckWindowBytes = 2_500_000;

/** Work of the number of chunks that the reader reports at a time, in units of the meter. */
const unitsOfManyChunks = 16;

/** Who gets commands, data, audio and video. */
export interface MessageListener extends MessageTaker {
  /** Called for messages that cannot be acted upon. */
  readonly onIgnored?: OnIgnored;
}

/**
 * Messages over one RTMP connection after its handshake. Everything that the protocol answers automatically is done
 * here, hidden from the layers above: acknowledgements (RTMP 1.0, section 5.4.3), pings (7.1.7), chunk sizes (5.4.1),
 * aggregates taken apart (7.1.6).
 */
export class MessageChannel implements MessageTaker {
  readonly #reader: ChunkReader;
  readonly #writer = new ChunkWriter();
  readonly #write: (data: Buffer) => void;
  readonly #listener: MessageListener;
  readonly #meter: PeerMeter | undefined;
  #bytesIn = 0;
  #bytesInAcknowledged = 0;
  #ackEveryBytes = ackEvery(ownAckWindowBytes);
  #peerAcknowledged: number | null = null;
  #peerPongs = 0;
  #isHeld = false;
  #isClosed = false;
  /** The rest of an aggregate, in which it was held. */
  #parts: AggregateParts | null = null;

  /** @param options.meter weighs all that comes: when what it granted is spent, the channel holds by itself */
  constructor(options: {
    write: (data: Buffer) => void;
    limits: ChunkReaderLimits;
    listener: MessageListener;
    meter?: PeerMeter | undefined;
  }) {
    const { meter } = options;
    this.#write = options.write;
    this.#listener = options.listener;
    this.#meter = meter;
    this.#reader = new ChunkReader(this, options.limits);
    if (meter !== undefined) {
      this.#reader.onManyChunks = () => {
        if (!meter.spend(unitsOfManyChunks)) this.hold();
      };
    }
  }

  /** True after `hold`, its own included, until `release`. */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Memory of all incomplete messages, and of what came while it is held. */
  get partialBytes(): number {
    return this.#reader.partialBytes + (this.#parts?.bytesLeft ?? 0);
  }

  /** The chunk size of what we send: bytes of payload a chunk. */
  get outChunkBytes(): number {
    return this.#writer.chunkSize;
  }

  /** Bytes received after the handshake. */
  get bytesIn(): number {
    return this.#bytesIn;
  }

  /** Bytes that have come of the message whose chunk came last; 0 when it is whole. */
  get unfinishedBytes(): number {
    return this.#reader.unfinishedBytes;
  }

  /** The type of that message, and its message stream id. */
  get unfinishedType(): number {
    return this.#reader.unfinishedType;
  }

  get unfinishedStreamId(): number {
    return this.#reader.unfinishedStreamId;
  }

  /**
   * The last sequence number that the peer acknowledged, modulo 2^32 as on the wire; null when it never sent one.
   * Peers differ in whether they count the handshake.
   */
  get peerAcknowledged(): number | null {
    return this.#peerAcknowledged;
  }

  /** How many pings the peer answered. */
  get peerPongs(): number {
    return this.#peerPongs;
  }

  /**
   * Takes bytes as they come off the socket. At most one acknowledgement goes out for a call, whatever the window.
   * @throws WireError when the chunk stream can no longer be followed, or exceeds a limit
   */
  receive(data: Buffer): void {
    this.#bytesIn += data.length;
    this.#reader.feed(data);
    const due = Math.floor((this.#bytesIn - this.#bytesInAcknowledged) / this.#ackEveryBytes);
    if (due > 0) {
      // At the same places of a stream, however large the reads are.
      this.#bytesInAcknowledged += due * this.#ackEveryBytes;
      this.#sendControl(MessageType.Acknowledgement, uint32(this.#bytesIn));
    }
  }

  /** Looks at what `receive` will need: `prefetch` in `RingReceiver`. */
  prefetch(): number {
    return (this.#bytesIn & 1) + this.#reader.prefetch();
  }

  /** Delivers no further message until `release`; bytes that arrive are kept. */
  hold(): void {
    this.#isHeld = true;
    this.#reader.hold();
  }

  /** Goes on. @throws WireError */
  release(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    const parts = this.#parts;
    this.#parts = null;
    if (parts !== null) this.#take(parts, true);
    // Held once more, by a part: the reader was not asked to go on meanwhile.
    if (!this.#isHeld) this.#reader.release();
  }

  /** Nothing more is received, nor delivered: gives back the memory of incomplete messages. */
  close(): void {
    this.#isClosed = true;
    this.#parts = null;
    this.#reader.close();
  }

  send(csid: number, type: number, timestampMs: number, streamId: number, payload: Buffer): void {
    this.#write(this.#writer.encode(csid, { type, timestampMs, streamId, payload }));
  }

  /** Announces and uses a chunk size for what we send, 1 to 65536 by house rule (the protocol's maximum is 16777215). */
  setOutChunkBytes(bytes: number): void {
    this.#sendControl(MessageType.SetChunkSize, uint32(bytes));
    this.#writer.chunkSize = bytes;
  }

  /** Asks the peer for an acknowledgement after every `bytes` bytes (5.4.4). */
  sendWindowAckSize(bytes: number): void {
    this.#sendControl(MessageType.WindowAckSize, uint32(bytes));
  }

  /** Tells the peer how many bytes it may send without an acknowledgement (5.4.5); limit type 2 is "dynamic". */
  sendPeerBandwidth(bytes: number): void {
    const payload = Buffer.alloc(5);
    payload.writeUInt32BE(bytes, 0);
    payload[4] = 2;
    this.#sendControl(MessageType.SetPeerBandwidth, payload);
  }

  sendUserControl(event: number, ...values: number[]): void {
    this.#sendControl(MessageType.UserControl, encodeUserControl(event, ...values));
  }

  #sendControl(type: number, payload: Buffer): void {
    this.send(ChunkStreamId.Control, type, 0, 0, payload);
  }

  /** Called by its reader. */
  onMessage(type: number, timestampMs: number, streamId: number, payload: Buffer): void {
    if (this.#meter !== undefined && !this.#meter.weigh(type, payload)) this.hold();
    switch (type) {
      case MessageType.Audio:
      case MessageType.Video:
        this.#listener.onMessage(type, timestampMs, streamId, payload);
        return;
      case MessageType.SetChunkSize:
        // The chunk reader has already applied it, if it is valid.
        if (chunkSizeOf(payload) === null) this.#listener.onIgnored?.('control', 'a chunk size of 0, or none');
        return;
      case MessageType.Abort:
      case MessageType.Acknowledgement:
      case MessageType.WindowAckSize:
        this.#control(type, payload);
        return;
      case MessageType.SetPeerBandwidth:
        return; // our queues are bounded by budgets of our own
      case MessageType.UserControl:
        this.#userControl(payload);
        return;
      case MessageType.Aggregate:
        this.#take(new AggregateParts({ type, timestampMs, streamId, payload }), false);
        return;
      default:
        this.#listener.onMessage(type, timestampMs, streamId, payload);
    }
  }

  /**
   * Takes the parts of an aggregate until it is held: thousands of them come in one message.
   * @param isKept whether their memory is their own
   */
  #take(parts: AggregateParts, isKept: boolean): void {
    // Where what a part asked for ended the connection, what is behind it is neither taken nor kept.
    while (!this.#isClosed) {
      if (this.#isHeld && parts.bytesLeft > 0) {
        if (!isKept) parts.keep();
        this.#parts = parts;
        return;
      }
      const part = parts.next();
      if (part === null) break;
      // Empty parts of an aggregate are useless in any number.
      if (part.payload.length === 0) this.#meter?.waste(4);
      if (this.#meter !== undefined && !this.#meter.weigh(part.type, part.payload)) this.hold();
      this.#listener.onMessage(part.type, part.timestampMs, part.streamId, part.payload);
    }
    if (parts.problem !== null) this.#listener.onIgnored?.('aggregate', parts.problem);
  }

  /** Control messages of one number (5.4). Too short they say nothing; bytes behind it do not count. */
  #control(type: number, payload: Buffer): void {
    if (payload.length < 4) {
      this.#listener.onIgnored?.(
        'control',
        `a control message of type ${type} has ${plural(payload.length, 'byte')}; it takes 4`,
      );
      return;
    }
    const value = payload.readUInt32BE(0);
    if (type === MessageType.Acknowledgement) this.#peerAcknowledged = value;
    else if (type === MessageType.WindowAckSize) this.#ackEveryBytes = ackEvery(value);
  }

  #userControl(payload: Buffer): void {
    const control = parseUserControl(payload);
    if (control === null) {
      this.#listener.onIgnored?.(
        'control',
        `a user control message has ${plural(payload.length, 'byte')}, too few for what it is`,
      );
      return;
    }
    if (control.event === UserControlEvent.PingRequest) {
      this.sendUserControl(UserControlEvent.PingResponse, control.value);
    } else if (control.event === UserControlEvent.PingResponse) this.#peerPongs++;
  }
}

/**
 * After how many bytes an acknowledgement goes out: half of what the peer may send without one, since one that stops at its
 * window exactly would else wait for ever, or half of our own where that is less. A window of 0 is none.
 */
function ackEvery(windowBytes: number): number {
  const window = windowBytes === 0 ? ownAckWindowBytes : Math.min(windowBytes, ownAckWindowBytes);
  return Math.max(1, Math.floor(window / 2));
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0, 0);
  return bytes;
}
