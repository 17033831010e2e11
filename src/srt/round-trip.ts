/** Acknowledgements whose answers are waited for. */
const remembered = 64;

/** The time to the peer and back, as acknowledgements and the answers to them tell it (draft-sharabayko-srt, section 4.10). */
export class RoundTrip {
  /** Smoothed, milliseconds; what the specification begins with. */
  ms = 100;
  varianceMs = 50;
  /** The peer has answered. */
  isMeasured = false;
  readonly #numbers = new Float64Array(remembered).fill(-1);
  readonly #sentMs = new Float64Array(remembered);

  /** An acknowledgement goes out. @param nowMs a monotonic clock, here and below */
  sent(number: number, nowMs: number): void {
    this.#numbers[number % remembered] = number;
    this.#sentMs[number % remembered] = nowMs;
  }

  answered(number: number, nowMs: number): void {
    const slot = number % remembered;
    if (this.#numbers[slot] !== number) return;
    this.#numbers[slot] = -1;
    const tookMs = Math.max(0, nowMs - (this.#sentMs[slot] ?? nowMs));
    if (this.isMeasured) {
      this.varianceMs = (3 * this.varianceMs + Math.abs(this.ms - tookMs)) / 4;
      this.ms = (7 * this.ms + tookMs) / 8;
    } else {
      this.ms = tookMs;
      this.varianceMs = tookMs / 2;
      this.isMeasured = true;
    }
  }
}
