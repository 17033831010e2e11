import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { decodeAmf0, encodeAmf0 } from '../../src/wire/amf0.js';
import { encodeMessage } from '../../src/wire/chunk-writer.js';
import { ServerHandshake } from '../../src/wire/handshake.js';
import { ChunkStreamId, MessageType } from '../../src/wire/message.js';
import { videoStampOffset } from '../traffic.js';
import { monotonicUs } from './clock.js';
import { SinkReader } from './sink-reader.js';

/** A picture that arrived. */
export interface PacedArrival {
  readonly number: number;
  readonly isKey: boolean;
  readonly latencyMs: number;
  /** Milliseconds on the clock of `performance.now()`. */
  readonly atMs: number;
  /** Of the publish that it came by, from 1. */
  readonly publish: number;
}

/** What is not read lies in the kernel, and not in this process. */
const aheadBytes = 4096;
const readEveryMs = 10;

/** A target that reads at a rate, and acknowledges what it read as its publisher asks it to. */
export class PacedSink {
  readonly arrivals: PacedArrival[] = [];
  publishes = 0;
  connections = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #bytesPerSecond: number;

  /** @param tls certificate and key, PEM; undefined: in the clear */
  constructor(bytesPerSecond: number, tls?: { readonly cert: Buffer; readonly key: Buffer }) {
    this.#bytesPerSecond = bytesPerSecond;
    const options = { noDelay: true, highWaterMark: aheadBytes };
    const take = (socket: Socket): void => this.#take(socket);
    this.#server = tls === undefined ? createServer(options, take) : createTlsServer({ ...options, ...tls }, take);
  }

  /** @returns the port */
  listen(): Promise<number> {
    return new Promise((resolve) => {
      this.#server.listen(0, '127.0.0.1', () => {
        const address = this.#server.address();
        resolve(typeof address === 'object' && address !== null ? address.port : 0);
      });
    });
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }

  #take(socket: Socket): void {
    this.connections += 1;
    this.#sockets.add(socket);
    const conversation = new Conversation(socket, this);
    let lastMs = performance.now();
    let credit = 0;
    const timer = setInterval(() => {
      const nowMs = performance.now();
      // A timer that comes late reads no more at once than a second's worth.
      credit = Math.min(credit + ((nowMs - lastMs) * this.#bytesPerSecond) / 1000, this.#bytesPerSecond);
      lastMs = nowMs;
      while (credit >= 1) {
        const data: unknown = socket.read(Math.min(Math.floor(credit), Math.max(1, socket.readableLength)));
        if (!Buffer.isBuffer(data)) return;
        credit -= data.length;
        conversation.feed(data);
      }
    }, readEveryMs);
    socket.on('readable', () => {});
    socket.on('error', () => {});
    socket.on('close', () => {
      clearInterval(timer);
      this.#sockets.delete(socket);
    });
  }
}

/** The far side of one publisher, as plainly as it goes. */
class Conversation {
  readonly #socket: Socket;
  readonly #sink: PacedSink;
  readonly #handshake = new ServerHandshake();
  readonly #reader: SinkReader;
  #isGreeted = false;
  #publish = 0;
  #readBytes = 0;
  #windowBytes = 0;
  #toldBytes = 0;

  constructor(socket: Socket, sink: PacedSink) {
    this.#socket = socket;
    this.#sink = sink;
    this.#reader = new SinkReader({
      onMedia: (type, head, at) => this.#onMedia(type, head, at),
      onControl: (type, payload) => {
        if (type === MessageType.WindowAckSize) this.#windowBytes = payload.readUInt32BE(0);
        if (type === MessageType.CommandAmf0) this.#onCommand(payload);
      },
    });
  }

  feed(data: Buffer): void {
    this.#readBytes += data.length;
    if (this.#isGreeted) {
      this.#reader.feed(data);
      if (this.#windowBytes > 0 && this.#readBytes - this.#toldBytes >= this.#windowBytes) this.#acknowledge();
      return;
    }
    const { reply, done, rest } = this.#handshake.receive(data);
    if (reply !== null) this.#socket.write(reply);
    if (!done) return;
    this.#isGreeted = true;
    // As servers do: without it, some publishers never ask for acknowledgements.
    this.#control(MessageType.WindowAckSize, 2_500_000);
    this.#reader.feed(rest);
  }

  #onMedia(type: number, head: Buffer, at: number): void {
    if (type !== MessageType.Video || head[at + 1] !== 1) return;
    const stamp = at + videoStampOffset;
    this.#sink.arrivals.push({
      number: head.readUInt32BE(stamp),
      isKey: head[at] === 0x17,
      latencyMs: (monotonicUs() - head.readDoubleBE(stamp + 4)) / 1000,
      atMs: performance.now(),
      publish: this.#publish,
    });
  }

  #onCommand(payload: Buffer): void {
    const [name, transaction] = decodeAmf0(payload);
    if (name === 'connect') {
      const info = { level: 'status', code: 'NetConnection.Connect.Success', description: 'ok', objectEncoding: 0 };
      this.#command(0, '_result', Number(transaction), { fmsVer: 'FMS/3,0,1,123', capabilities: 31 }, info);
    } else if (name === 'createStream') {
      this.#command(0, '_result', Number(transaction), null, 1);
    } else if (name === 'publish') {
      this.#sink.publishes += 1;
      this.#publish = this.#sink.publishes;
      this.#command(1, 'onStatus', 0, null, { level: 'status', code: 'NetStream.Publish.Start', description: 'ok' });
    }
  }

  #command(streamId: number, ...values: Parameters<typeof encodeAmf0>): void {
    this.#send(ChunkStreamId.Command, MessageType.CommandAmf0, streamId, encodeAmf0(...values));
  }

  #acknowledge(): void {
    this.#toldBytes = this.#readBytes;
    this.#control(MessageType.Acknowledgement, this.#readBytes >>> 0);
  }

  #control(type: number, value: number): void {
    const payload = Buffer.alloc(4);
    payload.writeUInt32BE(value);
    this.#send(ChunkStreamId.Control, type, 0, payload);
  }

  #send(csid: number, type: number, streamId: number, payload: Buffer): void {
    this.#socket.write(encodeMessage(csid, type, 0, streamId, payload, 128));
  }
}
