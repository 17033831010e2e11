const windowSeconds = 10;
/** Looks that are remembered. */
const size = windowSeconds + 1;

/** Bits per second over about ten seconds, from a running byte count that is looked at once a second. */
export class RateMeter {
  /** Byte counts of the last looks, oldest overwritten first; behind them the times, milliseconds. */
  readonly #seen = new Array<number>(2 * size).fill(0);
  #looks = 0;

  /** Call about once a second. @param totalBytes a count that only grows @param nowMs a monotonic clock */
  look(totalBytes: number, nowMs: number): void {
    const slot = this.#looks % size;
    this.#seen[slot] = totalBytes;
    this.#seen[size + slot] = nowMs;
    this.#looks++;
  }

  /** The average since the oldest look that is remembered; 0 before the second look. */
  get bitsPerSecond(): number {
    if (this.#looks < 2) return 0;
    const newest = (this.#looks - 1) % size;
    const oldest = this.#looks <= size ? 0 : this.#looks % size;
    const elapsedMs = (this.#seen[size + newest] ?? 0) - (this.#seen[size + oldest] ?? 0);
    if (elapsedMs <= 0) return 0;
    return Math.round((((this.#seen[newest] ?? 0) - (this.#seen[oldest] ?? 0)) * 8000) / elapsedMs);
  }

  /** Starts anew: a stream that ended has no rate. */
  reset(): void {
    this.#looks = 0;
  }
}
