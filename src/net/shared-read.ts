import { Socket } from 'node:net';

/** Maximum size of a read from a publisher. One buffer serves all sockets, so it may be large. */
const largeBytes = 256 * 1024;

/** Maximum size of a read from any other peer, small enough to handle quickly or to keep. */
const smallBytes = 16 * 1024;

/** How much a socket reads at once. Its owner may change it. */
export interface ReadSize {
  isLarge: boolean;
}

/** Bytes that one read of this size takes at most. */
export function readBytesOf({ isLarge }: ReadSize): number {
  return isLarge ? largeBytes : smallBytes;
}

/** The Node.js option `onread`: reads go to this buffer instead of a new one each. */
export interface SharedRead {
  /** Called after each read for the memory of the next one. */
  buffer(): Buffer;
  /** True: continue reading. */
  callback(bytes: number): boolean;
}

/**
 * The memory that all sockets read into, one after the other. Node.js otherwise makes an ArrayBuffer for every read,
 * and this external memory causes most of its garbage collections.
 */
const buffer = Buffer.allocUnsafeSlow(largeBytes);
/** Its beginning. */
const smallBuffer = buffer.subarray(0, smallBytes);

/** Who hears before and after all that came at once is told of. */
export interface ReadHooks {
  begin(): void;
  /** Called also where a reader threw. */
  end(): void;
}

const noHooks: ReadHooks = { begin() {}, end() {} };

let hooks = noHooks;

/** The hooks of this process. */
export function readHooks(): ReadHooks {
  return hooks;
}

/** Has these called from now on, instead of those before; null: none. */
export function setReadHooks(next: ReadHooks | null): void {
  hooks = next ?? noHooks;
}

let lookAfterRead: (data: Buffer) => void = () => {};

/** Calls this with the bytes of each read after they were handled. Tests use it to find code that keeps them. */
export function onAfterRead(look: (data: Buffer) => void): void {
  lookAfterRead = look;
}

/** Called with the bytes of each read, in whatever memory they lie, after they were handled. */
export function afterRead(data: Buffer): void {
  lookAfterRead(data);
}

/** Reads into the shared buffer. @param onData gets bytes that are valid only until it returns */
export function sharedRead(onData: (data: Buffer) => void, size: ReadSize): SharedRead {
  return {
    buffer: () => (size.isLarge ? buffer : smallBuffer),
    callback(bytes) {
      const data = buffer.subarray(0, bytes);
      onData(data);
      afterRead(data);
      return true;
    },
  };
}

/** The part of a Node.js socket handle that is used here. It is not documented: see `takesHandles`. */
interface ReadableHandle {
  /** Bytes read, including those of the current call. */
  readonly bytesRead: number;
  /**
   * Called with each read, and with each failure and the end, of which `bytesRead` knows nothing. What it returns is the
   * memory of the next read.
   */
  onread: (this: unknown, data: unknown) => unknown;
}

function isReadable(handle: object): handle is ReadableHandle {
  return (
    handle.constructor.name === 'TCP' &&
    typeof Reflect.get(handle, 'bytesRead') === 'number' &&
    typeof Reflect.get(handle, 'onread') === 'function'
  );
}

/**
 * Has what a socket reads told at once: what Node does between is of use to who sets an idle time on the socket, or reads
 * it as a stream. Node goes on to deal with failures and the end. Does nothing where the handle is not as expected.
 * @param socket connected, and made with `sharedRead(onData, size)`
 */
export function readPast(socket: Socket, onData: (data: Buffer) => void, size: ReadSize): void {
  const handle = handleOf(socket);
  if (handle === null || !isReadable(handle)) return;
  const ofNode = handle.onread;
  let before = handle.bytesRead;
  let wasLarge = size.isLarge;
  handle.onread = (data) => {
    const { bytesRead } = handle;
    const bytes = bytesRead - before;
    if (bytes <= 0) return ofNode.call(handle, data);
    before = bytesRead;
    const view = buffer.subarray(0, bytes);
    hooks.begin();
    try {
      onData(view);
      afterRead(view);
    } finally {
      hooks.end();
    }
    if (size.isLarge === wasLarge) return undefined;
    wasLarge = size.isLarge;
    return size.isLarge ? buffer : smallBuffer;
  };
}

function handleOf(socket: Socket): object | null {
  const handle: unknown = Reflect.get(socket, '_handle');
  return typeof handle === 'object' ? handle : null;
}

function fromHandle(handle: object, read: SharedRead, highWaterBytes: number): Socket {
  return new Socket({ allowHalfOpen: false, ...{ handle, writableHighWaterMark: highWaterBytes, onread: read } });
}

/**
 * True where a socket can be made of an accepted one's handle, so that it reads into the shared buffer: Node offers that
 * for outgoing connections only. It is tried with a handle of our own, once.
 */
export const takesHandles: boolean = (() => {
  let given: unknown;
  let isReading = false;
  const handle = {
    useUserBuffer: (memory: unknown) => {
      given = memory;
    },
    readStart: () => {
      isReading = true;
      return 0;
    },
    readStop: () => 0,
    close: (done?: () => void) => done?.(),
  };
  try {
    const socket = fromHandle(
      handle,
      sharedRead(() => {}, { isLarge: false }),
      0,
    ).on('error', () => {});
    const isAsExpected = handleOf(socket) === handle && given === smallBuffer && isReading;
    socket.destroy();
    return isAsExpected;
  } catch {
    return false;
  }
})();

/**
 * The same connection, as a socket that reads into the shared buffer; undefined where that is not possible. `accepted`,
 * which has not begun to read, is destroyed.
 */
export function takeOver(accepted: Socket, read: SharedRead, highWaterBytes: number): Socket | undefined {
  const handle = takesHandles ? handleOf(accepted) : null;
  if (handle === null) return undefined;
  Reflect.set(accepted, '_handle', null);
  const socket = fromHandle(handle, read, highWaterBytes);
  accepted.destroy(); // without its handle: only its server's count of connections changes
  return socket;
}
