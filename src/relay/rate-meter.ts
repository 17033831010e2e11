/** Bits per second over about ten seconds, from a running byte count that is looked at once a second. */
const windowSeconds = 10;

export class RateMeter {
  /** Byte counts and times of the last looks, oldest overwritten first. */
  readonly #bytes = new Float64Array(windowSeconds + 1);
  readonly #timesMs = new Float64Array(windowSeconds + 1);
  #looks = 0;

  /** Call about once a second. @param totalBytes a count that only grows @param nowMs a monotonic clock */
  look(totalBytes: number, nowMs: number): void {
    const slot = this.#looks % (windowSeconds + 1);
    this.#bytes[slot] = totalBytes;
    this.#timesMs[slot] = nowMs;
    this.#looks++;
  }

  /** The average since the oldest look that is remembered; 0 before the second look. */
  get bitsPerSecond(): number {
    if (this.#looks < 2) return 0;
    const size = windowSeconds + 1;
    const newest = (this.#looks - 1) % size;
    const oldest = this.#looks <= size ? 0 : this.#looks % size;
    const elapsedMs = (this.#timesMs[newest] ?? 0) - (this.#timesMs[oldest] ?? 0);
    if (elapsedMs <= 0) return 0;
    return Math.round((((this.#bytes[newest] ?? 0) - (this.#bytes[oldest] ?? 0)) * 8000) / elapsedMs);
  }

  /** Starts anew: a stream that ended has no rate. */
  reset(): void {
    this.#looks = 0;
  }
}
