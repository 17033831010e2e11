/** How often those are looked at that may have to act within half a second. */
const lookEveryMs = 50;

/** Who wants to be looked at. */
export interface Watched {
  /** @param nowMs a monotonic clock */
  look(nowMs: number): void;
}

/** One timer for all who are to be looked at often, and none while there is nobody. */
export class WatchTimer {
  readonly #all = new Set<Watched>();
  #timer: NodeJS.Timeout | null = null;

  /** @param isWanted whether it is looked at from now on */
  want(watched: Watched, isWanted: boolean): void {
    if (isWanted) this.#all.add(watched);
    else this.#all.delete(watched);
    if (this.#all.size === 0) {
      if (this.#timer !== null) clearInterval(this.#timer);
      this.#timer = null;
    } else {
      // Behind what has arrived by then: late timers must not make late frames of those that are here.
      this.#timer ??= setInterval(() => setImmediate(() => this.#look()), lookEveryMs).unref();
    }
  }

  #look(): void {
    const nowMs = performance.now();
    for (const watched of this.#all) watched.look(nowMs);
  }
}

/** The one of this process. */
export const watchTimer = new WatchTimer();
