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
    const socket = this.#socket;
    this.#listener = listener;
    socket.on('connect', () => listener.onConnected?.());
    socket.on('drain', () => listener.onDrain());
    socket.on('end', () => listener.onEnd());
    socket.on('error', (error) => listener.onError(error));
    socket.on('close', () => listener.onClose());
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
}

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
