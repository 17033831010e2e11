import type { Socket } from 'node:net';

/** How often a socket that takes no more is looked at. */
const lookEveryMs = 1000;

/**
 * Knows for how long a socket's far side has taken nothing although bytes wait for it. Node's idle timeout tells it: that
 * sees also the progress within one large write, which `drain` and `writableLength` do not. It runs only while the socket
 * is full, so that a healthy one pays nothing.
 */
export class ProgressWatch {
  readonly #socket: Socket;
  #watching = false;
  /** Null while the far side takes bytes. */
  #silentSinceMs: number | null = null;
  #lastLookMs = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('timeout', () => this.#look());
    socket.on('drain', () => {
      this.#watching = false;
      this.#silentSinceMs = null;
      socket.setTimeout(0);
    });
  }

  /** The socket said that it takes no more; until it drains it is looked at. */
  full(): void {
    if (this.#watching) return;
    this.#watching = true;
    this.#lastLookMs = performance.now();
    this.#socket.setTimeout(lookEveryMs);
  }

  /** Milliseconds for which nothing was taken, to about a second; 0 when bytes flow or none wait. */
  silentMs(nowMs: number): number {
    return this.#silentSinceMs === null ? 0 : nowMs - this.#silentSinceMs;
  }

  #look(): void {
    if (!this.#watching) return;
    const nowMs = performance.now();
    // A look that comes late was put off by progress.
    const late = nowMs - this.#lastLookMs > lookEveryMs * 1.5;
    if (this.#silentSinceMs === null || late) this.#silentSinceMs = nowMs - lookEveryMs;
    this.#lastLookMs = nowMs;
    this.#socket.setTimeout(lookEveryMs);
  }
}
