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
export interface WriteRequest {
  oncomplete: ((status: number) => void) | undefined;
  /** Node reads the bytes from here until the write is complete. */
  buffer: Buffer | undefined;
}

/** Makes requests; undefined where Node is not as expected. */
const Request: (new () => WriteRequest) | undefined = findRequest();

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
  } catch {
    return undefined;
  }
  return Found;
}

/** The newest version that it was tried with: what Node does not expect here ends the process, so newer ones go without. */
const newestTriedMajor = 24;

/** True where Node lets write past its streams. */
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

/** @param onWritten called when the write is complete, unless it was at once; a negative status is a system error */
export function newRequest(onWritten: (status: number) => void, data: Buffer): WriteRequest {
  if (Request === undefined) throw new TypeError('this version of Node.js does not write directly');
  const request = new Request();
  request.oncomplete = onWritten;
  request.buffer = data;
  return request;
}
