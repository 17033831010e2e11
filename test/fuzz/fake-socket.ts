import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';

/** The part of a socket that the aggregator's side of a connection uses, in memory. */
export class FakeSocket extends EventEmitter {
  readonly remoteAddress = '127.0.0.1';
  readonly remotePort: number;
  destroyed = false;
  bytesRead = 0;
  bytesWritten = 0;
  /** What was written and the peer, being full, has not taken. */
  writableLength = 0;
  /** True: the peer takes nothing for now. */
  full = false;
  paused = false;
  readonly #onWrite: (data: Buffer) => void;

  constructor(port: number, onWrite: (data: Buffer) => void) {
    super();
    this.remotePort = port;
    this.#onWrite = onWrite;
  }

  /** As the type that the aggregator wants; what it does not use is not there. */
  get asSocket(): Socket {
    return this as unknown as Socket;
  }

  write(data: Buffer): boolean {
    if (this.destroyed) return false;
    this.bytesWritten += data.length;
    this.#onWrite(data);
    if (this.full) this.writableLength += data.length;
    return this.writableLength < 64 * 1024;
  }

  /** The peer takes what waits. */
  drain(): void {
    this.full = false;
    if (this.writableLength === 0 || this.destroyed) return;
    this.writableLength = 0;
    this.emit('drain');
  }

  /** Bytes of the peer. */
  receive(data: Buffer): void {
    if (this.destroyed || this.paused) return;
    this.bytesRead += data.length;
    this.emit('data', data);
  }

  end(): this {
    return this.destroy();
  }

  destroy(): this {
    this.destroyed = true;
    return this;
  }

  pause(): this {
    this.paused = true;
    return this;
  }

  resume(): this {
    this.paused = false;
    return this;
  }

  setTimeout(): this {
    return this;
  }
}
