import { ChunkReader, type ChunkReaderLimits } from '../wire/chunk-reader.js';
import { ChunkWriter } from '../wire/chunk-writer.js';
import {
  ChunkStreamId,
  encodeUserControl,
  MessageType,
  parseUserControl,
  splitAggregate,
  UserControlEvent,
} from '../wire/message.js';

/** What a peer may send before it is asked for an acknowledgement, where it names no window itself. */
const defaultAckWindowBytes = 2_500_000;

/** A window below this would have us answer every packet of a peer that declares nonsense. */
const minAckWindowBytes = 4096;

/** Gets commands, data, audio and video. `payload` is valid only until the call returns. */
export type MessageListener = (type: number, timestampMs: number, streamId: number, payload: Buffer) => void;

/**
 * Messages over one RTMP connection after its handshake. Everything that the protocol answers by reflex is done here,
 * and nobody above has to know of it: acknowledgements (RTMP 1.0, section 5.4.3), pings (7.1.7), chunk sizes (5.4.1),
 * aggregates taken apart (7.1.6).
 */
export class MessageChannel {
  readonly #reader: ChunkReader;
  readonly #writer = new ChunkWriter();
  readonly #write: (data: Buffer) => void;
  readonly #onMessage: MessageListener;
  #bytesIn = 0;
  #bytesInAcknowledged = 0;
  #ackWindowBytes = defaultAckWindowBytes;
  #peerAcknowledged: number | null = null;

  constructor(options: { write: (data: Buffer) => void; limits: ChunkReaderLimits; onMessage: MessageListener }) {
    this.#write = options.write;
    this.#onMessage = options.onMessage;
    this.#reader = new ChunkReader((type, timestampMs, streamId, payload) => {
      this.#dispatch(type, timestampMs, streamId, payload);
    }, options.limits);
  }

  /** The chunk size of what we send: bytes of payload a chunk. */
  get outChunkBytes(): number {
    return this.#writer.chunkSize;
  }

  /** Bytes received after the handshake. */
  get bytesIn(): number {
    return this.#bytesIn;
  }

  /**
   * The last sequence number that the peer acknowledged, modulo 2^32 as on the wire; null when it never sent one.
   * Peers differ in whether they count the handshake.
   */
  get peerAcknowledged(): number | null {
    return this.#peerAcknowledged;
  }

  /** Takes bytes as they come off the socket. @throws WireError */
  receive(data: Buffer): void {
    this.#bytesIn += data.length;
    this.#reader.feed(data);
    if (this.#bytesIn - this.#bytesInAcknowledged >= this.#ackWindowBytes) {
      this.#bytesInAcknowledged = this.#bytesIn;
      this.#sendControl(MessageType.Acknowledgement, uint32(this.#bytesIn));
    }
  }

  /** Tells of no further message until `release`; what comes is kept. */
  hold(): void {
    this.#reader.hold();
  }

  /** Goes on. @throws WireError */
  release(): void {
    this.#reader.release();
  }

  send(csid: number, type: number, timestampMs: number, streamId: number, payload: Buffer): void {
    this.#write(this.#writer.encode(csid, { type, timestampMs, streamId, payload }));
  }

  /** Announces and uses a chunk size for what we send, 1 to 65536 by house rule (the protocol's maximum is 16777215). */
  setOutChunkBytes(bytes: number): void {
    this.#sendControl(MessageType.SetChunkSize, uint32(bytes));
    this.#writer.chunkSize = bytes;
  }

  /** Asks the peer to acknowledge what it got after every `bytes` bytes (5.4.4). */
  sendWindowAckSize(bytes: number): void {
    this.#sendControl(MessageType.WindowAckSize, uint32(bytes));
  }

  /** Tells the peer how much it may send unacknowledged (5.4.5); limit type 2 is "dynamic". */
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

  #dispatch(type: number, timestampMs: number, streamId: number, payload: Buffer): void {
    switch (type) {
      case MessageType.SetChunkSize:
      case MessageType.Abort:
        return; // the chunk reader has obeyed already
      case MessageType.Acknowledgement:
        if (payload.length >= 4) this.#peerAcknowledged = payload.readUInt32BE(0);
        return;
      case MessageType.WindowAckSize:
        if (payload.length >= 4) this.#ackWindowBytes = Math.max(minAckWindowBytes, payload.readUInt32BE(0));
        return;
      case MessageType.SetPeerBandwidth:
        return; // our queues are bounded by budgets of our own
      case MessageType.UserControl:
        this.#userControl(payload);
        return;
      case MessageType.Aggregate:
        splitAggregate({ type, timestampMs, streamId, payload }, (part) => {
          this.#onMessage(part.type, part.timestampMs, part.streamId, part.payload);
        });
        return;
      default:
        this.#onMessage(type, timestampMs, streamId, payload);
    }
  }

  #userControl(payload: Buffer): void {
    if (payload.length < 6) return; // events without a value are no request
    const { event, value } = parseUserControl(payload);
    if (event === UserControlEvent.PingRequest) this.sendUserControl(UserControlEvent.PingResponse, value);
  }
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0, 0);
  return bytes;
}
