import type { Socket } from 'node:net';
import { getSystemErrorName } from 'node:util';
import { type WritableHandle, writableHandle, writeNow, writesDirectly } from './direct-write.js';
import { socketHighWaterBytes } from './settings.js';
import type { ReadSize } from './shared-read.js';
import { StreamSocket } from './stream-socket.js';

/**
 * A TCP connection whose bytes go straight to the kernel: of a write that it takes at once, which is nearly all of them,
 * Node's streams would know as much as of one that waits.
 */
class DirectSocket extends StreamSocket {
  #handle: WritableHandle | undefined;
  #bytesWritten = 0;
  #pendingBytes = 0;
  #needsDrain = false;
  /** No more can be written. */
  #ended = false;

  constructor(open: (onData: (data: Buffer) => void, size: ReadSize) => Socket) {
    super(open);
    if (!this.socket.connecting) this.#handle = writableHandle(this.socket);
    else {
      this.socket.once('connect', () => {
        this.#handle = writableHandle(this.socket);
      });
    }
  }

  override get bytesWritten(): number {
    return this.#handle === undefined ? super.bytesWritten : this.#bytesWritten;
  }

  override get pendingBytes(): number {
    return this.#handle === undefined ? super.pendingBytes : this.#pendingBytes;
  }

  override get progress(): number {
    if (this.#handle === undefined || this.socket.destroyed) return super.progress;
    return this.#bytesWritten - this.#handle.writeQueueSize;
  }

  override write(data: Buffer): boolean {
    const handle = this.#handle;
    if (handle === undefined) return super.write(data);
    if (this.#ended) return false;
    const outcome = writeNow(handle, data, this.#onWritten);
    if (outcome < 0) {
      if (!this.socket.destroyed) this.#fail(outcome);
      return false;
    }
    this.#bytesWritten += data.length;
    if (outcome === 0) return true;
    const pendingBytes = handle.writeQueueSize;
    this.#pendingBytes = pendingBytes;
    this.#needsDrain ||= pendingBytes >= socketHighWaterBytes;
    return pendingBytes < socketHighWaterBytes;
  }

  override end(): void {
    this.#ended = true;
    super.end();
  }

  protected override peerEnded(): void {
    this.#ended = true; // what came later would take away what is on its way
    super.peerEnded();
  }

  protected override closed(): void {
    this.#ended = true; // the handle takes nothing, and would not even say so
    super.closed();
  }

  readonly #onWritten = (status: number): void => {
    if (this.socket.destroyed) return;
    if (status < 0) {
      this.#fail(status);
      return;
    }
    this.#pendingBytes = this.#handle?.writeQueueSize ?? 0;
    if (this.#pendingBytes > 0 || !this.#needsDrain) return;
    this.#needsDrain = false;
    this.listener?.onDrain();
  };

  #fail(error: number): void {
    const code = getSystemErrorName(error);
    this.socket.destroy(Object.assign(new Error(`write ${code}`), { code }));
  }
}

/** The best that there is for TCP without io_uring. */
export const TcpSocket: typeof StreamSocket = writesDirectly ? DirectSocket : StreamSocket;
