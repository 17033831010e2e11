/** What can be flushed: a live stream. */
export interface Flushable {
  flush(nowMs: number): void;
}

/**
 * Gathers what was appended within one turn of the event loop, so that every outlet gets it in one write: reads of many
 * sockets, and many messages of one read, come before the one flush.
 */
export class FlushScheduler {
  #dirty: Flushable[] = [];
  #scheduled = false;
  readonly #members = new Set<Flushable>();

  schedule(item: Flushable): void {
    if (this.#members.has(item)) return;
    this.#members.add(item);
    this.#dirty.push(item);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#run);
  }

  readonly #run = (): void => {
    const items = this.#dirty;
    this.#dirty = [];
    this.#members.clear();
    this.#scheduled = false;
    const nowMs = performance.now();
    for (const item of items) item.flush(nowMs);
  };
}
