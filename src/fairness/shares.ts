/** How many there may be, in all and of one key. */
export interface ShareLimits {
  readonly inAll: number;
  /** Of one address, or whatever else they are counted by. */
  readonly perKey: number;
}

/** Counts what somebody holds, in all and by key, so that nobody takes all there is. */
export class Shares {
  readonly #limits: ShareLimits;
  readonly #held = new Map<string, number>();
  #inAll = 0;

  constructor(limits: ShareLimits) {
    this.#limits = limits;
  }

  /** How many are held. */
  get inAll(): number {
    return this.#inAll;
  }

  /**
   * Takes one. Returns what gives it back (once; again it does nothing), or which limit stands against it.
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
