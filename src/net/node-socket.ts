import { connect, type Socket, type TcpNetConnectOpts } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { TcpSocket } from './direct-socket.js';
import { writesDirectly } from './direct-write.js';
import type { MediaSocket } from './media-socket.js';
import { type SocketMode, socketHighWaterBytes } from './settings.js';
import { type ReadSize, readPast, sharedRead, takeOver } from './shared-read.js';
import { ringsFor } from './socket-way.js';
import { StreamSocket } from './stream-socket.js';
import { RingSocket } from './uring/ring-socket.js';

/**
 * A connection that was accepted by a server with `pauseOnConnect`; `accepted` itself is of no use afterwards, and the
 * server may not count the connection any more.
 */
export function acceptedSocket(accepted: Socket, mode: SocketMode = 'auto'): MediaSocket {
  if (mode === 'plain') return new StreamSocket((onData) => readPlainly(accepted, onData));
  return fastSocket(mode, (onData, size) => {
    const socket = takeOver(accepted, sharedRead(onData, size), socketHighWaterBytes);
    if (socket === undefined) return readPlainly(accepted, onData);
    if (writesDirectly) readPast(socket, onData, size);
    return socket;
  });
}

/** A socket without TLS in any mode but `plain`. */
function fastSocket(mode: SocketMode, open: (onData: (data: Buffer) => void, size: ReadSize) => Socket): MediaSocket {
  const rings = ringsFor(mode);
  return rings === null ? new TcpSocket(open) : new RingSocket(rings, open);
}

function readPlainly(accepted: Socket, onData: (data: Buffer) => void): Socket {
  accepted.resume();
  return accepted.on('data', onData);
}

/** A connection that is made now. */
export function connectSocket(
  options: TcpNetConnectOpts,
  progress?: ConnectProgress,
  mode: SocketMode = 'auto',
): MediaSocket {
  const told = (socket: Socket): Socket =>
    progress === undefined ? socket : socket.on('lookup', (error) => progress.onLookup(error));
  const own = { writableHighWaterMark: socketHighWaterBytes };
  if (mode === 'plain') {
    return new StreamSocket((onData) => told(connect({ ...options, ...own })).on('data', onData));
  }
  return fastSocket(mode, (onData, size) => {
    const socket = connect({ ...options, ...own, onread: sharedRead(onData, size) });
    if (writesDirectly) socket.once('connect', () => readPast(socket, onData, size));
    return told(socket);
  });
}

/** What is told on the way to a connection. */
export interface ConnectProgress {
  /** The name was resolved, or could not be. */
  onLookup(error: Error | null): void;
  /** Before TLS, TCP is connected. */
  onTcp?(): void;
}

/** A connection with TLS that is made now; it is connected when the far side's certificate was found to be right. */
export function connectSecureSocket(
  options: TcpNetConnectOpts & ConnectionOptions,
  progress: ConnectProgress,
): MediaSocket {
  return new StreamSocket((onData) => {
    const socket = connectTls({ ...options, ...{ highWaterMark: socketHighWaterBytes } });
    socket.setNoDelay(options.noDelay);
    socket.setKeepAlive(options.keepAlive, options.keepAliveInitialDelay);
    socket.on('lookup', (error) => progress.onLookup(error));
    socket.on('connect', () => progress.onTcp?.());
    return socket.on('data', onData);
  }, 'secureConnect');
}

/** Any other socket of Node's, such as one with TLS. */
export function streamSocket(socket: Socket): MediaSocket {
  return new StreamSocket((onData) => socket.on('data', onData));
}

/** The far end of a connection that another process holds, and hands on byte by byte. */
export interface FarEnd {
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
}

/** A socket by which another process hands on a connection that it holds. */
class HandedOnSocket extends StreamSocket {
  readonly #far: FarEnd;

  constructor(socket: Socket, far: FarEnd) {
    super((onData) => socket.on('data', onData));
    this.#far = far;
  }

  override get remoteAddress(): string | undefined {
    return this.#far.remoteAddress;
  }

  override get remotePort(): number | undefined {
    return this.#far.remotePort;
  }
}

/** A socket by which another process hands on a connection, as if it came from where that comes from. */
export function handedOnSocket(socket: Socket, far: FarEnd): MediaSocket {
  return new HandedOnSocket(socket, far);
}
