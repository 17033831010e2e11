/** How many acts are granted: `perSecond` for ever, and `burst` at once after a rest. */
export interface RateLimit {
  readonly perSecond: number;
  readonly burst: number;
}

interface Bucket {
  tokens: number;
  /** When `tokens` was true, milliseconds. */
  atMs: number;
}

/** Keys that are remembered; of more, those that were quiet longest are forgotten first. */
const maxKeys = 10_000;

/**
 * A token bucket for each key, such as an address: what one of them does too often costs the others nothing. Memory is
 * bounded, and a bucket that is full again is as good as none.
 */
export class RateLimiter {
  readonly #limit: RateLimit;
  readonly #nowMs: () => number;
  /** In the order of their last use. */
  readonly #buckets = new Map<string, Bucket>();

  /** @param nowMs a clock that never goes back, for tests */
  constructor(limit: RateLimit, nowMs: () => number = () => performance.now()) {
    this.#limit = limit;
    this.#nowMs = nowMs;
  }

  /** How many keys are remembered. */
  get size(): number {
    return this.#buckets.size;
  }

  /** Takes one: 0 when it is granted, else after how many milliseconds the next one will be. */
  take(key: string): number {
    const bucket = this.#current(key);
    const waitMs = this.#waitMs(bucket);
    if (waitMs === 0) bucket.tokens -= 1;
    this.#remember(key, bucket);
    return waitMs;
  }

  /**
   * Takes what something cost that was already done; the key then waits until it has paid. A debt is never larger than a
   * burst, so that nobody waits longer than a whole one takes to come.
   */
  charge(key: string, units: number): void {
    const bucket = this.#current(key);
    bucket.tokens = Math.max(-this.#limit.burst, bucket.tokens - units);
    this.#remember(key, bucket);
  }

  /** What `take` would say, without taking. */
  peek(key: string): number {
    return this.#waitMs(this.#current(key));
  }

  #current(key: string): Bucket {
    const { perSecond, burst } = this.#limit;
    const nowMs = this.#nowMs();
    const known = this.#buckets.get(key);
    if (known === undefined) return { tokens: burst, atMs: nowMs };
    const tokens = Math.min(burst, known.tokens + ((nowMs - known.atMs) / 1000) * perSecond);
    return { tokens, atMs: nowMs };
  }

  #waitMs({ tokens }: Bucket): number {
    return tokens >= 1 ? 0 : Math.max(1, Math.ceil(((1 - tokens) / this.#limit.perSecond) * 1000));
  }

  #remember(key: string, bucket: Bucket): void {
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size <= maxKeys) return;
    const [oldest] = this.#buckets.keys();
    if (oldest !== undefined) this.#buckets.delete(oldest);
  }
}
