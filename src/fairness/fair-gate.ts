/** How many may be inside a gate at once, and how many may wait. */
export interface GateLimits {
  readonly atOnce: number;
  /** For one key, such as an address. */
  readonly atOncePerKey: number;
  readonly waiting: number;
  readonly waitingPerKey: number;
  /** Maximum time of waiting, milliseconds; then the entry is refused. */
  readonly longestWaitMs: number;
}

/** The gate refused an entry. `full`: too many wait; `late`: after `longestWaitMs`; `closed`: the gate was closed. */
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
 * Limits how many are inside at once. The others wait: within one key in their order, and keys take turns. So a key
 * with a thousand entries delays itself, and a key with one entry is next. If the queue is full, the newest entry of
 * the key with the most entries is refused in favour of a key with fewer.
 */
export class FairGate {
  readonly #limits: GateLimits;
  readonly #inside = new Map<string, number>();
  /** The waiting entries by key, in the order of the keys' next turns. */
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

  /**
   * Resolves when inside, with a function to call on leaving; calling it again does nothing. @throws GateError
   * (rejects)
   */
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

  /** Refuses all waiting entries. */
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
      // The next turn of this key comes after those of the others.
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

  /** Makes room for an entry of a key that would then have `own` entries waiting. */
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
