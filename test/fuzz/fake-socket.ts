import type { MediaSocket, MediaSocketListener } from '../../src/net/media-socket.js';

/** What bytes of a read become once it was dealt with: whoever kept them instead of a copy has these. */
const poison = 0xa5;

/** A connection in memory, from the aggregator's side. */
export class FakeSocket implements MediaSocket {
  readonly remoteAddress = '127.0.0.1';
  readonly remotePort: number;
  destroyed = false;
  /** Nothing is to be read for now. */
  isPaused = false;
  bytesRead = 0;
  bytesWritten = 0;
  /** What was written and the peer, being full, has not taken. */
  pendingBytes = 0;
  /** True: the peer takes nothing for now. */
  full = false;
  #listener: MediaSocketListener | null = null;
  readonly #onWrite: (data: Buffer) => void;

  constructor(port: number, onWrite: (data: Buffer) => void) {
    this.remotePort = port;
    this.#onWrite = onWrite;
  }

  get progress(): number {
    return this.bytesWritten - this.pendingBytes;
  }

  listen(listener: MediaSocketListener): void {
    this.#listener = listener;
  }

  write(data: Buffer): boolean {
    if (this.destroyed) return false;
    this.bytesWritten += data.length;
    this.#onWrite(data);
    if (this.full) this.pendingBytes += data.length;
    return this.pendingBytes < 64 * 1024;
  }

  /** The peer takes what waits. */
  drain(): void {
    this.full = false;
    if (this.pendingBytes === 0 || this.destroyed) return;
    this.pendingBytes = 0;
    this.#listener?.onDrain();
  }

  /** Bytes of the peer. */
  receive(data: Buffer): void {
    if (this.destroyed) return;
    this.bytesRead += data.length;
    const read = Buffer.from(data);
    this.#listener?.onData(read);
    read.fill(poison);
  }

  /** The peer closes its side. */
  close(): void {
    this.#listener?.onEnd();
  }

  /** The connection is gone. */
  lose(): void {
    this.#listener?.onClose();
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  abandon(): Buffer {
    this.destroyed = true;
    return Buffer.alloc(0);
  }

  end(): void {
    this.destroyed = true;
  }

  destroy(): void {
    this.destroyed = true;
  }
}
