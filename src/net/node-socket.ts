import { connect, type Socket, type TcpNetConnectOpts } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { getSystemErrorName } from 'node:util';
import { type WritableHandle, writableHandle, writeNow, writesDirectly } from './direct-write.js';
import type { MediaSocket, MediaSocketListener } from './media-socket.js';
import { type SocketMode, socketHighWaterBytes } from './settings.js';
import { type ReadSize, readBytesOf, readPast, sharedRead, takeOver } from './shared-read.js';

/** A socket of Node's whose bytes go out by its stream. */
class StreamSocket implements MediaSocket {
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

  abandon(): Buffer {
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

const TcpSocket = writesDirectly ? DirectSocket : StreamSocket;

/**
 * A connection that was accepted by a server with `pauseOnConnect`; `accepted` itself is of no use afterwards, and the
 * server may not count the connection any more.
 */
export function acceptedSocket(accepted: Socket, mode: SocketMode = 'auto'): MediaSocket {
  if (mode === 'plain') return new StreamSocket((onData) => readPlainly(accepted, onData));
  return new TcpSocket((onData, size) => {
    const socket = takeOver(accepted, sharedRead(onData, size), socketHighWaterBytes);
    if (socket === undefined) return readPlainly(accepted, onData);
    if (writesDirectly) readPast(socket, onData, size);
    return socket;
  });
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
  return new TcpSocket((onData, size) => {
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
