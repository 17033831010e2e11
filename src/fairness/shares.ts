/** How many may be held, in total and per key. */
export interface ShareLimits {
  readonly inAll: number;
  /** For one address, or another kind of key. */
  readonly perKey: number;
}

/** Counts what is held, in total and per key, so that no key can take everything. */
export class Shares {
  readonly #limits: ShareLimits;
  readonly #held = new Map<string, number>();
  #inAll = 0;

  constructor(limits: ShareLimits) {
    this.#limits = limits;
  }

  /** The number held in total. */
  get inAll(): number {
    return this.#inAll;
  }

  /**
   * Takes one. Returns a function that gives it back (calling it again does nothing), or the limit that was reached.
   */
  take(key: string): (() => void) | 'all' | 'share' {
    const held = this.#held.get(key) ?? 0;
    if (held >= this.#limits.perKey) return 'share';
    if (this.#inAll >= this.#limits.inAll) return 'all';
    this.#inAll++;
    this.#held.set(key, held + 1);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#inAll--;
      const left = (this.#held.get(key) ?? 1) - 1;
      if (left > 0) this.#held.set(key, left);
      else this.#held.delete(key);
    };
  }
}
