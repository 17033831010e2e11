import { heardMs } from '../process/standstill.js';
import type { MediaSocket } from './media-socket.js';

type Progress = Pick<MediaSocket, 'pendingBytes' | 'progress'>;

/**
 * Measures how long the remote side of a socket has taken nothing although bytes wait for it. Bytes that the remote
 * side sends do not count: a peer that pings and reads nothing is silent too. It only polls, and costs a healthy socket
 * nothing.
 */
export class ProgressWatch {
  readonly #socket: Progress;
  #progress = 0;
  /** Null while the remote side takes bytes, or none wait. */
  #silentSinceMs: number | null = null;

  constructor(socket: Progress) {
    this.#socket = socket;
  }

  /**
   * Milliseconds for which nothing was taken, as far as polling shows; 0 if bytes flow or none wait. Call about once a
   * second. @param nowMs a monotonic clock
   */
  silentMs(nowMs: number): number {
    const socket = this.#socket;
    const { progress } = socket;
    const moved = progress !== this.#progress;
    this.#progress = progress;
    if (socket.pendingBytes === 0) this.#silentSinceMs = null;
    else if (moved || this.#silentSinceMs === null) this.#silentSinceMs = nowMs;
    return this.#silentSinceMs === null ? 0 : heardMs(this.#silentSinceMs, nowMs);
  }
}
