/** How many may be inside a gate, and how many may wait before it. */
export interface GateLimits {
  readonly atOnce: number;
  /** Of one key, such as an address. */
  readonly atOncePerKey: number;
  readonly waiting: number;
  readonly waitingPerKey: number;
  /** Who is not inside by then is turned away, milliseconds. */
  readonly longestWaitMs: number;
}

/** Who was turned away, and why: `full` at once, since too many wait; `late` after `longestWaitMs`; `closed`. */
export class GateError extends Error {
  readonly why: 'full' | 'late' | 'closed';

  constructor(why: 'full' | 'late' | 'closed') {
    super(`turned away at the gate: ${why}`);
    this.name = 'GateError';
    this.why = why;
  }
}

interface Waiting {
  readonly key: string;
  readonly admit: () => void;
  readonly refuse: (why: GateError['why']) => void;
}

/**
 * Lets in so many at once, and has the others wait: those of one key in their order, keys by turns. So who comes a
 * thousand times waits behind itself, and who comes once is next. When no more may wait, the newest of the key with most
 * of them gives way to one of a key with fewer.
 */
export class FairGate {
  readonly #limits: GateLimits;
  readonly #inside = new Map<string, number>();
  /** By key, in the order of its next turn. */
  readonly #queues = new Map<string, Waiting[]>();
  #insideCount = 0;
  #waitingCount = 0;

  constructor(limits: GateLimits) {
    this.#limits = limits;
  }

  get inside(): number {
    return this.#insideCount;
  }

  get waiting(): number {
    return this.#waitingCount;
  }

  /** Resolves inside, with what is to be called when it is over; calling it again does nothing. @throws GateError (rejects) */
  enter(key: string): Promise<() => void> {
    if (this.#hasRoom(key) && !this.#queues.has(key)) return Promise.resolve(this.#admit(key));
    const { waiting, waitingPerKey, longestWaitMs } = this.#limits;
    const own = this.#queues.get(key)?.length ?? 0;
    if (own >= waitingPerKey) return Promise.reject(new GateError('full'));
    if (this.#waitingCount >= waiting && !this.#displace(own + 1)) return Promise.reject(new GateError('full'));
    return new Promise((resolve, reject) => {
      const one: Waiting = {
        key,
        admit: () => {
          clearTimeout(timer);
          resolve(this.#admit(key));
        },
        refuse: (why) => {
          clearTimeout(timer);
          reject(new GateError(why));
        },
      };
      const timer = setTimeout(() => {
        this.#remove(one);
        one.refuse('late');
      }, longestWaitMs);
      const queue = this.#queues.get(key);
      if (queue === undefined) this.#queues.set(key, [one]);
      else queue.push(one);
      this.#waitingCount++;
    });
  }

  /** Turns away who waits. */
  close(): void {
    for (const one of [...this.#queues.values()].flat()) {
      this.#remove(one);
      one.refuse('closed');
    }
  }

  #hasRoom(key: string): boolean {
    return this.#insideCount < this.#limits.atOnce && (this.#inside.get(key) ?? 0) < this.#limits.atOncePerKey;
  }

  #admit(key: string): () => void {
    this.#insideCount++;
    this.#inside.set(key, (this.#inside.get(key) ?? 0) + 1);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#insideCount--;
      const left = (this.#inside.get(key) ?? 1) - 1;
      if (left > 0) this.#inside.set(key, left);
      else this.#inside.delete(key);
      this.#next();
    };
  }

  #next(): void {
    for (const [key, [first]] of this.#queues) {
      if (this.#insideCount >= this.#limits.atOnce) return;
      if (first === undefined || !this.#hasRoom(key)) continue;
      const queue = this.#remove(first);
      // Its next turn comes behind those of the others.
      if (queue.length > 0) {
        this.#queues.delete(key);
        this.#queues.set(key, queue);
      }
      first.admit();
    }
  }

  #remove(one: Waiting): Waiting[] {
    const queue = this.#queues.get(one.key) ?? [];
    const index = queue.indexOf(one);
    if (index >= 0) {
      queue.splice(index, 1);
      this.#waitingCount--;
    }
    if (queue.length === 0) this.#queues.delete(one.key);
    return queue;
  }

  /** Makes a place for one of a key that would have `own` waiting with it. */
  #displace(own: number): boolean {
    let longest: readonly Waiting[] = [];
    for (const queue of this.#queues.values()) if (queue.length > longest.length) longest = queue;
    const newest = longest.at(-1);
    if (newest === undefined || longest.length <= own) return false;
    this.#remove(newest);
    newest.refuse('full');
    return true;
  }
}
