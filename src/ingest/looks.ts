/** How often those are looked at that may have to act within half a second. */
const lookEveryMs = 50;

/** Who wants to be looked at. */
export interface Looked {
  /** @param nowMs a monotonic clock */
  look(nowMs: number): void;
}

/** One timer for all who are to be looked at often, and none while there is nobody. */
export class Looks {
  readonly #all = new Set<Looked>();
  #timer: NodeJS.Timeout | null = null;

  /** @param isWanted whether it is looked at from now on */
  want(looked: Looked, isWanted: boolean): void {
    if (isWanted) this.#all.add(looked);
    else this.#all.delete(looked);
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
    for (const looked of this.#all) looked.look(nowMs);
  }
}

/** The one of this process. */
export const looks = new Looks();
