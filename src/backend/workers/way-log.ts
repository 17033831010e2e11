import type { Logger } from '../../log/log.js';
import type { SocketMode } from '../../net/settings.js';
import { type SocketWay, tellWay } from '../../net/socket-way.js';

/** Tells the log how the workers read and write: of the first one, and then of each of which it is news. */
export class WayLog {
  readonly #mode: SocketMode;
  readonly #log: Logger;
  /** As the first one. */
  #usual: string | null = null;
  /** By the number of the worker, what is known of it last. */
  readonly #known = new Map<number, string>();

  /** @param mode as it is set */
  constructor(mode: SocketMode, log: Logger) {
    this.#mode = mode;
    this.#log = log;
  }

  /** A worker was started, or started again. @param worker its number */
  began(worker: number, way: SocketWay): void {
    const text = JSON.stringify(way);
    const known = this.#known.get(worker) ?? this.#usual;
    this.#known.set(worker, text);
    if (text === known) return;
    this.#usual ??= text;
    const isOdd = text !== this.#usual;
    tellWay(this.#mode, way, this.#log.child({ worker }), isOdd ? 'warn' : undefined);
  }

  /** So it is by now; the worker itself told the log of the change. */
  isNow(worker: number, way: SocketWay): void {
    this.#known.set(worker, JSON.stringify(way));
  }
}
