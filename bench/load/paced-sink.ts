import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { MessageType } from '../../src/wire/message.js';
import { videoStampOffset } from '../traffic.js';
import { monotonicUs } from './clock.js';
import { SinkSession, type SinkSessionHandler } from './sink-session.js';

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
/** As servers name it: without it, some publishers never ask for acknowledgements. */
const windowBytes = 2_500_000;

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
    const session = new SinkSession(socket, new Arrivals(this), windowBytes);
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
        session.feed(data);
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

/** What one connection sends, in the order of its arrival. */
class Arrivals implements SinkSessionHandler {
  readonly #sink: PacedSink;
  #publish = 0;

  constructor(sink: PacedSink) {
    this.#sink = sink;
  }

  onMedia(type: number, head: Buffer, at: number): void {
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

  onPublish(): void {
    this.#sink.publishes += 1;
    this.#publish = this.#sink.publishes;
  }
}
