import { Socket } from 'node:net';

/**
 * The part of Node's handle of a TCP connection that is written to directly. Not documented: `writesDirectly` tries it
 * first, and every handle is looked at before it is used. Node has had two forms of it:
 *
 * - `eager` (20 to 24.0): a request is given to each write, and used only where the kernel did not take all at once.
 * - `lazy` (later 24, 26): no request is given; the write returns one where the kernel did not take all at once.
 */
export interface WritableHandle {
  /** Bytes that the kernel has not taken. */
  readonly writeQueueSize: number;
  /** Writes what the kernel takes at once, and queues the rest. Returns 0, a negative system error, or (lazy) a request. */
  writeBuffer(request: WriteRequest | null, data: Buffer): number | WriteRequest;
}

/** What a write is known by while it waits. Never to be used again: Node ends the process where one is in use still. */
interface WriteRequest {
  oncomplete: ((status: number) => void) | undefined | null;
  /** Node reads the bytes from here until the write is complete. */
  buffer: Buffer | undefined | null;
  /** -1 until a write uses it. */
  getAsyncId(): number;
}

type Form = { readonly kind: 'eager'; readonly Request: new () => WriteRequest } | { readonly kind: 'lazy' };

/** How this Node writes; undefined where it is not as expected. */
const form: Form | undefined = findForm();

/** The request of the next write that the kernel does not take at once: most are taken, and use none. */
let spare: WriteRequest | undefined = form?.kind === 'eager' ? new form.Request() : undefined;

/** Has Node write to a handle of our own, and looks at what it is given. */
function findForm(): Form | undefined {
  let found: Form | undefined;
  const handle = {
    readStart: () => 0,
    readStop: () => 0,
    close: (done?: () => void) => done?.(),
    writeQueueSize: 0,
    writeBuffer: (request: object | null, data: unknown) => {
      if (!Buffer.isBuffer(data)) return 0;
      if (request === null) found = { kind: 'lazy' };
      else if (request.constructor.name === 'WriteWrap') {
        found = { kind: 'eager', Request: request.constructor as new () => WriteRequest };
      }
      return 0;
    },
  };
  try {
    const socket = new Socket({ allowHalfOpen: false, ...{ handle } }).on('error', () => {});
    socket.write(Buffer.alloc(1));
    socket.destroy();
    if (found?.kind === 'eager' && new found.Request().getAsyncId() !== -1) return undefined;
    return found;
  } catch {
    return undefined;
  }
}

/** The newest version that it was tried with: what Node does not expect here ends the process, so newer ones go without. */
const newestTriedMajor = 26;

/** True where Node lets read and write past its streams. */
export const writesDirectly: boolean =
  form !== undefined && Number(process.versions.node.split('.', 1)[0]) <= newestTriedMajor;

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
  if (form?.kind === 'lazy') {
    const outcome = handle.writeBuffer(null, data);
    if (typeof outcome === 'number') return outcome;
    return wait(outcome, data, onWritten);
  }
  if (form === undefined || spare === undefined) throw new TypeError('this Node.js does not write directly');
  const request = spare;
  const error = handle.writeBuffer(request, data);
  // That the queue is empty would not say so: libuv may queue a write and then find that the kernel takes it after all.
  if (request.getAsyncId() === -1) return typeof error === 'number' ? error : 0;
  spare = new form.Request();
  wait(request, data, onWritten);
  return error === 0 ? 1 : Number(error);
}

function wait(request: WriteRequest, data: Buffer, onWritten: (status: number) => void): number {
  request.oncomplete = onWritten;
  request.buffer = data;
  return 1;
}
