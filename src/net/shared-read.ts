import { Socket } from 'node:net';

/** What one read takes at most. One buffer for all sockets may be large. */
const readBytes = 256 * 1024;

/** Node's option of this name: reads go to the buffer instead of one that is made for each. */
export interface SharedRead {
  readonly buffer: Buffer;
  /** True: read on. */
  callback(bytes: number): boolean;
}

/**
 * The memory that all sockets read into, one after the other: Node makes an ArrayBuffer for every read otherwise, and
 * this external memory is what starts most of its garbage collections.
 */
const buffer = Buffer.allocUnsafeSlow(readBytes);

let afterRead: (data: Buffer) => void = () => {};

/** Has this called with the bytes of each read once they were dealt with: for tests that look for who keeps them. */
export function onAfterRead(look: (data: Buffer) => void): void {
  afterRead = look;
}

/** Reads into the shared buffer. @param onData gets bytes that are valid only until it returns */
export function sharedRead(onData: (data: Buffer) => void): SharedRead {
  return {
    buffer,
    callback(bytes) {
      const data = buffer.subarray(0, bytes);
      onData(data);
      afterRead(data);
      return true;
    },
  };
}

/** The part of Node's handle of a socket that is used here. Not documented: see `takesHandles`. */
type Handle = object;

function handleOf(socket: Socket): Handle | null {
  const handle: unknown = Reflect.get(socket, '_handle');
  return typeof handle === 'object' ? handle : null;
}

function fromHandle(handle: Handle, read: SharedRead, highWaterBytes: number): Socket {
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
      sharedRead(() => {}),
      0,
    ).on('error', () => {});
    const isAsExpected = handleOf(socket) === handle && given === buffer && isReading;
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
