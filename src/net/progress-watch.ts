import type { Socket } from 'node:net';

/**
 * Knows for how long a socket's far side has taken nothing although bytes wait for it. What the far side sends does not
 * count: one that pings and reads nothing is silent all the same. It only looks; a healthy socket pays for nothing.
 */
export class ProgressWatch {
  readonly #socket: Socket;
  #completedBytes = 0;
  #queuedBytes = 0;
  /** Null while the far side takes bytes, or none wait. */
  #silentSinceMs: number | null = null;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /**
   * Milliseconds for which nothing was taken, as far as the looks tell; 0 when bytes flow or none wait. Call about once
   * a second. @param nowMs a monotonic clock
   */
  silentMs(nowMs: number): number {
    const socket = this.#socket;
    const completed = socket.bytesWritten - socket.writableLength;
    const queued = writeQueueBytes(socket);
    const moved = completed !== this.#completedBytes || queued !== this.#queuedBytes;
    this.#completedBytes = completed;
    this.#queuedBytes = queued;
    if (socket.writableLength === 0) this.#silentSinceMs = null;
    else if (moved || this.#silentSinceMs === null) this.#silentSinceMs = nowMs;
    return this.#silentSinceMs === null ? 0 : nowMs - this.#silentSinceMs;
  }
}

/**
 * Bytes of the write under way that the kernel has not taken. Node keeps them for its own idle timeout, and tells nobody;
 * where it does not have them, only whole writes count as progress.
 */
function writeQueueBytes(socket: Socket): number {
  const handle: unknown = Reflect.get(socket, '_handle');
  if (typeof handle !== 'object' || handle === null) return 0;
  const bytes: unknown = Reflect.get(handle, 'writeQueueSize');
  return typeof bytes === 'number' ? bytes : 0;
}
