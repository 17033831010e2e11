/** What can be flushed: a live stream. */
export interface Flushable {
  flush(nowMs: number): void;
}

/**
 * Gathers what was appended, so that every outlet gets it in one write: always what came within one turn of the event
 * loop; and under load, when rounds would follow each other within the window, what came since the last round. A system
 * call for each of a hundred small writes is what a relay spends its time on.
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

  /** Has it flushed soon. @param nowMs a monotonic clock, milliseconds */
  schedule(item: Flushable, nowMs: number): void {
    this.#dirty.add(item);
    if (this.#scheduled) return;
    this.#scheduled = true;
    const waitMs = this.#lastRoundMs + this.#windowMs - nowMs;
    // Timers are a millisecond late as often as not.
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
