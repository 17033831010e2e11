import { Socket } from 'node:net';
import type { KernelCalls } from './kernel-calls.js';
import { RingError } from './ring-error.js';

const registerEventFd = 4;

/**
 * Wakes Node.js when a ring has completions: the kernel counts them in an eventfd, and Node's event loop watches that.
 *
 * Node.js watches what it can name: a socket, a pipe, a terminal. So it is given a pipe, whose number means the eventfd from
 * then on; that it reads eight bytes at a time when there is something to read is all that it is to do.
 */
export class Waker {
  readonly #socket: Socket;

  /**
   * @param onWake there are completions, or were
   * @throws RingError, Error when there is no way to watch it
   */
  constructor(calls: KernelCalls, ringFd: number, onWake: () => void) {
    const counter = calls.eventFd();
    if (counter < 0) throw new RingError('eventfd', counter);
    try {
      this.#socket = watched(calls, counter, onWake);
      const descriptor = Buffer.alloc(4);
      descriptor.writeInt32LE(counter);
      const registered = calls.register(ringFd, registerEventFd, descriptor, 1);
      if (registered < 0) {
        this.close();
        throw new RingError('IORING_REGISTER_EVENTFD', registered);
      }
    } finally {
      calls.close(counter);
    }
    this.#socket.unref();
  }

  /** Whether the process is to stay for it. */
  set isNeeded(isNeeded: boolean) {
    if (isNeeded) this.#socket.ref();
    else this.#socket.unref();
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** A socket of Node's that reads an eventfd. @throws RingError, Error */
function watched(calls: KernelCalls, counter: number, onWake: () => void): Socket {
  const [reading, writing] = calls.pipe();
  const callback = (): boolean => {
    onWake();
    return true;
  };
  let socket: Socket;
  try {
    socket = new Socket({
      fd: reading,
      ...{ readable: true, writable: false, onread: { buffer: Buffer.alloc(64), callback } },
    });
  } catch (error) {
    calls.close(reading);
    throw error;
  } finally {
    calls.close(writing);
  }
  socket.on('error', () => {});
  // Before the event loop begins to watch it, which it does at the end of this turn.
  const duplicated = calls.duplicate(counter, reading);
  if (duplicated >= 0) return socket;
  socket.destroy();
  throw new RingError('dup3', duplicated);
}
