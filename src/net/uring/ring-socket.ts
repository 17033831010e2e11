import type { Socket } from 'node:net';
import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';
import { TcpSocket } from '../direct-socket.js';
import { socketHighWaterBytes } from '../settings.js';
import type { ReadSize } from '../shared-read.js';
import type { Reading, ReadOwner } from './reading.js';
import type { RingReceiver } from './receiver.js';
import type { RingSender, SendOwner } from './sender.js';

const { EAGAIN, ECANCELED, ECONNABORTED, ECONNRESET, EIO, EPIPE, ETIMEDOUT } = constants.errno;

/** Errors that say that the connection is over. Whatever else a send returns, the ordinary path finds out what it means. */
const isFatal: ReadonlySet<number> = new Set([-ECONNABORTED, -ECONNRESET, -EIO, -EPIPE, -ETIMEDOUT]);

/** Shared by all sockets, nearly always: never changed. */
const nothing: Buffer[] = [];

/** The rings of this process, as sockets use them. */
export interface SocketRings {
  readonly sender: Pick<RingSender, 'queue' | 'submit'>;
  readonly receiver: Pick<RingReceiver, 'begin' | 'isOver'>;
}

/**
 * A TCP connection of Node's whose bulk goes by io_uring: writes, and what a publisher sends. Everything else is as it was:
 * connecting, accepting, waiting for room in the kernel, ends and errors are Node's.
 *
 *   write:  ring -- taken in part, or not at all --> the rest by the ordinary path, until that is empty --> ring
 *   read:   Node -- readLargely --> ring -- the peer's end, or stopped --> Node
 */
export class RingSocket extends TcpSocket implements SendOwner, ReadOwner {
  readonly #rings: SocketRings;
  /** -1: not connected, or not known, or somebody else's by now. */
  #fd = -1;
  /** What the ring has. */
  #sending: Buffer | null = null;
  #behind = nothing;
  lastMemory: ArrayBufferLike | null = null;
  lastAddress = 0;
  /** Bytes that were written by the ring, those that wait included. */
  #bytesByRing = 0;
  #pendingInRing = 0;
  #needsDrain = false;
  #isEnded = false;
  /** What a write failed with, while there is something to read. */
  #writeError: number | null = null;
  /** It is to be ended when the ring has nothing of it any more. */
  #endsLater = false;
  #reading: Reading | null = null;
  #isPaused = false;
  #bytesReadByRing = 0;

  constructor(rings: SocketRings, open: (onData: (data: Buffer) => void, size: ReadSize) => Socket) {
    super(open);
    this.#rings = rings;
    const { socket } = this;
    const closeIt = socket._destroy;
    // Node closes the descriptor in here, whoever had it do so.
    socket._destroy = (error, callback) => {
      this.#fd = -1;
      closeIt.call(socket, error, callback);
    };
    if (!this.socket.connecting) this.#fd = descriptorOf(this.socket);
    else {
      this.socket.once('connect', () => {
        this.#fd = descriptorOf(this.socket);
      });
    }
  }

  get isOpen(): boolean {
    return this.#fd >= 0;
  }

  /** What goes out behind what the ring has; the ring may have the first of it, too. */
  get behind(): readonly Buffer[] {
    return this.#behind;
  }

  override get readBytes(): number {
    // What one turn may have of it is the ring's concern.
    return this.#reading === null ? super.readBytes : Number.POSITIVE_INFINITY;
  }

  override get bytesRead(): number {
    return super.bytesRead + this.#bytesReadByRing;
  }

  override get bytesWritten(): number {
    return super.bytesWritten + this.#bytesByRing;
  }

  override get pendingBytes(): number {
    return super.pendingBytes + this.#pendingInRing;
  }

  override get progress(): number {
    return super.progress + this.#bytesByRing - this.#pendingInRing;
  }

  override write(data: Buffer): boolean {
    if (this.#fd < 0) return this.socket.destroyed ? false : super.write(data);
    if (super.pendingBytes > 0) return super.write(data);
    if (this.#isEnded) return false;
    if (data.length === 0) return true;
    this.#bytesByRing += data.length;
    this.#pendingInRing += data.length;
    if (this.#sending === null) this.#queue(data);
    else if (this.#behind === nothing) this.#behind = [data];
    else this.#behind.push(data);
    // What went at once and was not taken whole waits in Node.js by now.
    if (this.#pendingInRing < socketHighWaterBytes) return super.pendingBytes < socketHighWaterBytes;
    // Whether there is room for more, only the kernel knows.
    this.#rings.sender.submit();
    this.#needsDrain = this.#pendingInRing >= socketHighWaterBytes;
    return !this.#needsDrain && super.pendingBytes < socketHighWaterBytes;
  }

  #queue(data: Buffer): void {
    this.#sending = data;
    this.#rings.sender.queue(this, this.#fd, data);
  }

  sent(result: number, asked: number): void {
    const data = this.#sending;
    if (data === null) return;
    this.#sending = null;
    const behind = this.#behind;
    if (result === asked) {
      this.#pendingInRing -= result;
      if (behind !== nothing) this.#goOn(behind, asked - data.length);
      else if (this.#needsDrain || this.#endsLater) this.#settle();
      return;
    }
    this.#behind = nothing;
    const rest = restOf([data, ...behind], Math.max(0, result));
    let bytes = 0;
    for (const { length } of rest) bytes += length;
    this.#pendingInRing = 0;
    this.#bytesByRing -= bytes;
    if (isFatal.has(result)) this.#failToWrite(result);
    else for (const each of rest) super.write(each);
    this.#settle();
  }

  /** Queues what is left of that behind which a send ended. @param sent bytes of it that went in the same send */
  #goOn(behind: Buffer[], sent: number): void {
    for (let left = sent; left > 0; ) left -= behind.shift()!.length;
    const next = behind.shift();
    if (behind.length === 0) this.#behind = nothing;
    if (next === undefined) this.#settle();
    else this.#queue(next);
  }

  /** The ring has nothing of it any more. */
  #settle(): void {
    if (this.#needsDrain) {
      this.#needsDrain = false;
      // Not now: the ring is in the middle of its work.
      setImmediate(() => {
        if (!this.socket.destroyed) this.listener?.onDrain();
      });
    }
    if (!this.#endsLater) return;
    this.#endsLater = false;
    super.end();
  }

  override readLargely(): void {
    super.readLargely();
    if (this.#rings.receiver.isOver || this.#reading !== null || this.#fd < 0 || this.#isEnded || this.socket.destroyed)
      return;
    this.socket.pause();
    // Where Node.js reads on into its own buffer, nobody else may read.
    if (isReading(this.socket)) {
      if (!this.#isPaused) this.socket.resume();
      return;
    }
    this.#reading = this.#rings.receiver.begin(this, this.#fd, this.#isPaused);
  }

  override pause(): void {
    this.#isPaused = true;
    if (this.#reading === null) super.pause();
    else this.#reading.pause();
  }

  override resume(): void {
    this.#isPaused = false;
    if (this.#reading === null) super.resume();
    else this.#reading.resume();
  }

  prefetch(): number {
    return (this.#bytesReadByRing & 1) + (this.listener?.prefetch?.() ?? 0);
  }

  onRead(data: Buffer): void {
    this.#bytesReadByRing += data.length;
    this.listener?.onData(data);
  }

  onReadOver(result: number): void {
    this.#reading = null;
    if (this.#writeError !== null) this.#fail('write', this.#writeError);
    else if (result !== 0 && result !== -ECANCELED && result !== -EAGAIN) this.#fail('read', result);
    // The end is Node's to find: it knows what else belongs to it.
    else if (!this.#isPaused) super.resume();
  }

  /** A peer that is gone may have sent its last words before: they are read first, up to its end. */
  #failToWrite(error: number): void {
    if (this.#reading === null) {
      this.#fail('write', error);
      return;
    }
    this.#isEnded = true;
    this.#writeError ??= error;
  }

  #fail(what: string, error: number): void {
    const code = getSystemErrorName(error);
    this.#stopReading();
    this.socket.destroy(Object.assign(new Error(`${what} ${code}`), { code }));
  }

  override end(): void {
    this.#isEnded = true;
    if (this.#pendingInRing > 0) this.#rings.sender.submit();
    if (this.#pendingInRing > 0) this.#endsLater = true;
    else super.end();
  }

  override destroy(): void {
    // What was written before is sent, as if it had been at once; and before the descriptor is somebody else's.
    if (this.#pendingInRing > 0) this.#rings.sender.submit();
    this.#stopReading();
    super.destroy();
  }

  override abandon(): Buffer | null {
    if (this.#pendingInRing > 0) this.#rings.sender.submit();
    const kept = this.#reading === null ? Buffer.alloc(0) : this.#reading.stopNow();
    this.#reading = null;
    const rest = super.abandon();
    return kept === null || rest === null ? null : Buffer.concat([kept, rest]);
  }

  protected override peerEnded(): void {
    this.#isEnded = true;
    super.peerEnded();
  }

  protected override closed(): void {
    this.#isEnded = true;
    this.#fd = -1;
    this.lastMemory = null;
    this.#stopReading();
    super.closed();
  }

  #stopReading(): void {
    this.#reading?.drop();
    this.#reading = null;
  }
}

/** What is left of pieces behind so many bytes. */
function restOf(pieces: readonly Buffer[], bytes: number): Buffer[] {
  let skip = bytes;
  const rest: Buffer[] = [];
  for (const piece of pieces) {
    if (skip < piece.length) rest.push(piece.subarray(skip));
    skip = Math.max(0, skip - piece.length);
  }
  return rest;
}

/** The number of a socket's descriptor: of Node's insides, the one thing that a ring needs. -1: there is none. */
export function descriptorOf(socket: Socket): number {
  const handle: unknown = Reflect.get(socket, '_handle');
  if (typeof handle !== 'object' || handle === null || handle.constructor.name !== 'TCP') return -1;
  const fd: unknown = Reflect.get(handle, 'fd');
  return typeof fd === 'number' && fd >= 0 ? fd : -1;
}

/** True also where that is not known. */
function isReading(socket: Socket): boolean {
  const handle: unknown = Reflect.get(socket, '_handle');
  if (typeof handle !== 'object' || handle === null) return true;
  return Reflect.get(handle, 'reading') !== false;
}
