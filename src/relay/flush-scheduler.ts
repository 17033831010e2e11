/** What can be flushed: a live stream. */
export interface Flushable {
  flush(nowMs: number): void;
}

/**
 * Collects appended messages, so that each outlet gets them in one write. It always collects the messages of one turn
 * of the event loop. Under load, when rounds would follow each other within the window, it collects those since the
 * last round. A relay would otherwise spend its time on system calls for small writes.
 *
 *   quiet:  append -> end of this turn                  (no added delay)
 *   load:   append ... append ... -> last round + window (at most the window)
 */
export class FlushScheduler {
  readonly #windowMs: number;
  #dirty = new Set<Flushable>();
  #spare = new Set<Flushable>();
  #scheduled = false;
  #lastRoundMs = Number.NEGATIVE_INFINITY;

  /** @param windowMs 0 to 10; 0 gathers within one turn only */
  constructor(windowMs = 0) {
    this.#windowMs = windowMs;
  }

  /** Schedules a flush. @param nowMs a monotonic clock, milliseconds */
  schedule(item: Flushable, nowMs: number): void {
    this.#dirty.add(item);
    if (this.#scheduled) return;
    this.#scheduled = true;
    const waitMs = this.#lastRoundMs + this.#windowMs - nowMs;
    // Timers are often a millisecond late.
    if (waitMs >= 1) setTimeout(this.#round, waitMs - 0.5);
    else setImmediate(this.#round);
  }

  readonly #round = (): void => {
    const items = this.#dirty;
    this.#dirty = this.#spare;
    this.#spare = items;
    this.#scheduled = false;
    const nowMs = performance.now();
    this.#lastRoundMs = nowMs;
    for (const item of items) item.flush(nowMs);
    items.clear();
  };
}
