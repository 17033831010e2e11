import { heardMs } from '../process/standstill.js';
import type { MediaSocket } from './media-socket.js';

type Progress = Pick<MediaSocket, 'pendingBytes' | 'progress'>;

/**
 * Knows for how long a socket's far side has taken nothing although bytes wait for it. What the far side sends does not
 * count: one that pings and reads nothing is silent all the same. It only looks; a healthy socket pays for nothing.
 */
export class ProgressWatch {
  readonly #socket: Progress;
  #progress = 0;
  /** Null while the far side takes bytes, or none wait. */
  #silentSinceMs: number | null = null;

  constructor(socket: Progress) {
    this.#socket = socket;
  }

  /**
   * Milliseconds for which nothing was taken, as far as the looks tell; 0 when bytes flow or none wait. Call about once
   * a second. @param nowMs a monotonic clock
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
