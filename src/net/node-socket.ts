import { connect, type Socket, type TcpNetConnectOpts } from 'node:net';
import type { MediaSocket, MediaSocketListener } from './media-socket.js';
import { socketHighWaterBytes } from './settings.js';
import { sharedRead, takeOver } from './shared-read.js';

/** A socket of Node's: TCP with shared reads, or any other kind with Node's own. */
class NodeSocket implements MediaSocket {
  readonly #socket: Socket;
  #listener: MediaSocketListener | null = null;

  /** @param open makes the socket, which may give what it reads to `onData` instead of emitting it */
  constructor(open: (onData: (data: Buffer) => void) => Socket) {
    const onData = (data: Buffer): void => this.#listener?.onData(data);
    const socket = open(onData);
    this.#socket = socket;
  }

  get remoteAddress(): string | undefined {
    return this.#socket.remoteAddress;
  }

  get remotePort(): number | undefined {
    return this.#socket.remotePort;
  }

  get bytesRead(): number {
    return this.#socket.bytesRead;
  }

  get bytesWritten(): number {
    return this.#socket.bytesWritten;
  }

  get pendingBytes(): number {
    return this.#socket.writableLength;
  }

  get queuedBytes(): number {
    const handle: unknown = Reflect.get(this.#socket, '_handle');
    if (typeof handle !== 'object' || handle === null) return 0;
    // Node keeps it for its own idle timeout, and tells nobody.
    const bytes: unknown = Reflect.get(handle, 'writeQueueSize');
    return typeof bytes === 'number' ? bytes : 0;
  }

  get destroyed(): boolean {
    return this.#socket.destroyed;
  }

  listen(listener: MediaSocketListener): void {
    const isFirst = this.#listener === null;
    this.#listener = listener;
    if (!isFirst) return;
    const socket = this.#socket;
    socket.on('connect', () => this.#listener?.onConnected?.());
    socket.on('drain', () => this.#listener?.onDrain());
    socket.on('end', () => this.#listener?.onEnd());
    socket.on('error', (error) => this.#listener?.onError(error));
    socket.on('close', () => this.#listener?.onClose());
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  write(data: Buffer): boolean {
    return this.#socket.write(data);
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  abandon(): Buffer {
    this.#listener = deaf;
    // With shared reads there is nothing; else what came since the pause lies in the stream.
    const rest: unknown = this.#socket.read();
    this.#socket.destroy();
    return Buffer.isBuffer(rest) ? rest : Buffer.alloc(0);
  }
}

/** Hears nothing. */
const deaf: MediaSocketListener = { onData() {}, onDrain() {}, onEnd() {}, onError() {}, onClose() {} };

/**
 * A connection that was accepted by a server with `pauseOnConnect`; `accepted` itself is of no use afterwards, and the
 * server does not count the connection any more.
 */
export function acceptedSocket(accepted: Socket): MediaSocket {
  return new NodeSocket((onData) => {
    const socket = takeOver(accepted, sharedRead(onData), socketHighWaterBytes);
    if (socket !== undefined) return socket;
    accepted.resume();
    return accepted.on('data', onData);
  });
}

/** A connection that is made now. @param onLookup told when the name was resolved, or could not be */
export function connectSocket(options: TcpNetConnectOpts, onLookup?: (error: Error | null) => void): MediaSocket {
  return new NodeSocket((onData) => {
    const own = { writableHighWaterMark: socketHighWaterBytes, onread: sharedRead(onData) };
    const socket = connect({ ...options, ...own });
    if (onLookup !== undefined) socket.on('lookup', onLookup);
    return socket;
  });
}

/** Any other socket of Node's, such as one with TLS. */
export function streamSocket(socket: Socket): MediaSocket {
  return new NodeSocket((onData) => socket.on('data', onData));
}
