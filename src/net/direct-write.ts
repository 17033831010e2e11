import { Socket } from 'node:net';

/**
 * The part of Node's handle of a TCP connection that is written to directly. Not documented: `writesDirectly` tries it
 * first, and every handle is looked at before it is used.
 */
export interface WritableHandle {
  /** Bytes that the kernel has not taken. */
  readonly writeQueueSize: number;
  /** Writes what the kernel takes at once, and queues the rest for `request`. Returns 0, or a negative system error. */
  writeBuffer(request: WriteRequest, data: Buffer): number;
}

/** What a write is known by while it waits. Never to be used again: Node ends the process where one is in use still. */
interface WriteRequest {
  oncomplete: ((status: number) => void) | undefined;
  /** Node reads the bytes from here until the write is complete. */
  buffer: Buffer | undefined;
  /** -1 until a write uses it. */
  getAsyncId(): number;
}

/** Makes requests; undefined where Node is not as expected. */
const Request: (new () => WriteRequest) | undefined = findRequest();

/** The request of the next write that the kernel does not take at once: most are taken, and use none. */
let spare: WriteRequest | undefined = Request === undefined ? undefined : new Request();

/** Has Node write to a handle of our own, and looks at what it is given. */
function findRequest(): (new () => WriteRequest) | undefined {
  let Found: (new () => WriteRequest) | undefined;
  const handle = {
    readStart: () => 0,
    readStop: () => 0,
    close: (done?: () => void) => done?.(),
    writeQueueSize: 0,
    writeBuffer: (request: object, data: unknown) => {
      const made = request.constructor;
      if (made.name === 'WriteWrap' && Buffer.isBuffer(data)) Found = made as typeof Found;
      return 0;
    },
  };
  try {
    const socket = new Socket({ allowHalfOpen: false, ...{ handle } }).on('error', () => {});
    socket.write(Buffer.alloc(1));
    socket.destroy();
    return Found !== undefined && new Found().getAsyncId() === -1 ? Found : undefined;
  } catch {
    return undefined;
  }
}

/** The newest version that it was tried with: what Node does not expect here ends the process, so newer ones go without. */
const newestTriedMajor = 26;

/** True where Node lets read and write past its streams. */
export const writesDirectly: boolean =
  Request !== undefined && Number(process.versions.node.split('.', 1)[0]) <= newestTriedMajor;

/** The handle of a connected socket; undefined when it is not one that can be written to directly. */
export function writableHandle(socket: Socket): WritableHandle | undefined {
  const handle: unknown = Reflect.get(socket, '_handle');
  return isWritable(handle) ? handle : undefined;
}

function isWritable(handle: unknown): handle is WritableHandle {
  return (
    typeof handle === 'object' &&
    handle !== null &&
    handle.constructor.name === 'TCP' &&
    typeof Reflect.get(handle, 'writeBuffer') === 'function' &&
    typeof Reflect.get(handle, 'writeQueueSize') === 'number'
  );
}

/**
 * Writes as much as the kernel takes at once, and has the rest wait.
 * @param onWritten called when what waits was written; a negative status is a system error
 * @returns 0: all is written; 1: a part waits, and `onWritten` will be called; a negative system error: nothing is written
 */
export function writeNow(handle: WritableHandle, data: Buffer, onWritten: (status: number) => void): number {
  if (Request === undefined || spare === undefined) throw new TypeError('this Node.js does not write directly');
  const request = spare;
  const error = handle.writeBuffer(request, data);
  // That the queue is empty would not say so: libuv may queue a write and then find that the kernel takes it after all.
  if (request.getAsyncId() === -1) return error;
  spare = new Request();
  request.oncomplete = onWritten;
  request.buffer = data;
  return error === 0 ? 1 : error;
}
