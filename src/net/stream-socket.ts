import type { Socket } from 'node:net';
import type { MediaSocket, MediaSocketListener } from './media-socket.js';
import { type ReadSize, readBytesOf } from './shared-read.js';

/** A socket of Node's whose bytes go out by its stream. */
export class StreamSocket implements MediaSocket {
  protected readonly socket: Socket;
  protected listener: MediaSocketListener | null = null;

  readonly #connectedEvent: 'connect' | 'secureConnect';
  /** Of use to who reads into the shared buffer; Node has others read 64 KB at most. */
  readonly #readSize: ReadSize = { isLarge: false };

  /**
   * @param open makes the socket, which may give what it reads to `onData` instead of emitting it
   * @param connectedEvent after which it takes bytes
   */
  constructor(
    open: (onData: (data: Buffer) => void, size: ReadSize) => Socket,
    connectedEvent: 'connect' | 'secureConnect' = 'connect',
  ) {
    this.#connectedEvent = connectedEvent;
    this.socket = open((data) => this.listener?.onData(data), this.#readSize);
  }

  get readBytes(): number {
    return readBytesOf(this.#readSize);
  }

  readLargely(): void {
    this.#readSize.isLarge = true;
  }

  get remoteAddress(): string | undefined {
    return this.socket.remoteAddress;
  }

  get remotePort(): number | undefined {
    return this.socket.remotePort;
  }

  get localPort(): number | undefined {
    return this.socket.localPort;
  }

  get bytesRead(): number {
    return this.socket.bytesRead;
  }

  get bytesWritten(): number {
    return this.socket.bytesWritten;
  }

  get pendingBytes(): number {
    return this.socket.writableLength;
  }

  get progress(): number {
    const { socket } = this;
    return socket.bytesWritten - socket.writableLength - underWay(socket);
  }

  get destroyed(): boolean {
    return this.socket.destroyed;
  }

  listen(listener: MediaSocketListener): void {
    const { socket } = this;
    const isFirst = this.listener === null;
    this.listener = listener;
    if (!isFirst) return;
    socket.on(this.#connectedEvent, () => this.listener?.onConnected?.());
    socket.on('drain', () => this.listener?.onDrain());
    socket.on('end', () => this.peerEnded());
    socket.on('error', (error) => this.listener?.onError(error));
    socket.on('close', () => this.closed());
  }

  /** Node ends our side too. */
  protected peerEnded(): void {
    this.listener?.onEnd();
  }

  /** Node is through with it. */
  protected closed(): void {
    this.listener?.onClose();
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  write(data: Buffer): boolean {
    const { socket } = this;
    // Node would destroy one that was ended, with all that is still on its way.
    return socket.writableEnded || socket.destroyed ? false : socket.write(data);
  }

  end(): void {
    this.socket.end();
  }

  destroy(): void {
    this.socket.destroy();
  }

  abandon(): Buffer | null {
    this.listener = deaf;
    // With shared reads there is nothing; else what came since the pause lies in the stream.
    const rest: unknown = this.socket.read();
    this.socket.destroy();
    return Buffer.isBuffer(rest) ? rest : Buffer.alloc(0);
  }
}

/** Hears nothing. */
const deaf: MediaSocketListener = { onData() {}, onDrain() {}, onEnd() {}, onError() {}, onClose() {} };

/**
 * Bytes of the write under way that the kernel has not taken. Node keeps them for its own idle timeout, and tells nobody;
 * where it does not have them, only whole writes count.
 */
function underWay(socket: Socket): number {
  const handle: unknown = Reflect.get(socket, '_handle');
  if (typeof handle !== 'object' || handle === null) return 0;
  const bytes: unknown = Reflect.get(handle, 'writeQueueSize');
  return typeof bytes === 'number' ? bytes : 0;
}
