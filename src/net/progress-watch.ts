import type { Socket } from 'node:net';

/** How often a socket that has bytes to send is looked at. */
const lookEveryMs = 1000;

/**
 * Knows for how long a socket's far side has taken nothing although bytes wait for it. Node's idle timeout tells it: that
 * sees also the progress within one large write, which `drain` and `writableLength` do not.
 */
export class ProgressWatch {
  readonly #socket: Socket;
  /** Null while the far side takes bytes, or none wait. */
  #silentSinceMs: number | null = null;
  #lastLookMs = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setTimeout(lookEveryMs);
    socket.on('timeout', () => this.#look());
    socket.on('drain', () => {
      this.#silentSinceMs = null;
    });
  }

  /** Milliseconds for which nothing was taken, to about a second; 0 when bytes flow or none wait. */
  silentMs(nowMs: number): number {
    return this.#silentSinceMs === null || this.#socket.writableLength === 0 ? 0 : nowMs - this.#silentSinceMs;
  }

  #look(): void {
    const nowMs = performance.now();
    // A look that comes late was put off by progress.
    const late = nowMs - this.#lastLookMs > lookEveryMs * 1.5;
    if (this.#socket.writableLength === 0) this.#silentSinceMs = null;
    else if (this.#silentSinceMs === null || late) this.#silentSinceMs = nowMs - lookEveryMs;
    this.#lastLookMs = nowMs;
    this.#socket.setTimeout(lookEveryMs);
  }
}
