/** Byte positions are noted at this grain, to tell later when they were sent. */
const grainBytes = 16 * 1024;
const slots = 256;

/**
 * What the far side's acknowledgements (RTMP 1.0, section 5.4.3) prove: how many bytes arrived, when the last news came,
 * and how long a byte takes there and back.
 */
export class Acknowledgements {
  readonly #positions = new Float64Array(slots);
  readonly #timesMs = new Float64Array(slots);
  #noted = 0;
  #lastPosition = 0;
  #acknowledgedBytes: number | null = null;
  #progressMs = 0;
  #roundTripMs: number | null = null;

  /** Bytes that arrived; null before the first acknowledgement. */
  get acknowledgedBytes(): number | null {
    return this.#acknowledgedBytes;
  }

  /** When the acknowledged count last grew, on the monotonic clock; 0 before. */
  get progressMs(): number {
    return this.#progressMs;
  }

  /** Milliseconds from sending a byte to hearing that it arrived; null before the first measure. */
  get roundTripMs(): number | null {
    return this.#roundTripMs;
  }

  /** Notes that all bytes up to `position` were handed to the network. */
  sent(position: number, nowMs: number): void {
    if (position - this.#lastPosition < grainBytes) return;
    this.#lastPosition = position;
    this.#positions[this.#noted % slots] = position;
    this.#timesMs[this.#noted % slots] = nowMs;
    this.#noted++;
  }

  /**
   * Notes an acknowledgement. @param sequence bytes received, modulo 2^32 @param sentBytes how many were sent so far
   */
  received(sequence: number, sentBytes: number, nowMs: number): void {
    // The sequence number wraps; what is meant is the newest count that was sent already.
    const behind = (sentBytes - sequence) % 2 ** 32;
    const bytes = sentBytes - (behind < 0 ? behind + 2 ** 32 : behind);
    if (bytes < 0) return;
    if (this.#acknowledgedBytes === null || bytes > this.#acknowledgedBytes) this.#progressMs = nowMs;
    this.#acknowledgedBytes = bytes;
    const oldest = Math.max(0, this.#noted - slots);
    for (let i = this.#noted - 1; i >= oldest; i--) {
      if ((this.#positions[i % slots] ?? 0) > bytes) continue;
      // The newest position that is certainly acknowledged: an upper bound of the time there and back.
      if (bytes - (this.#positions[i % slots] ?? 0) <= 4 * grainBytes) {
        this.#roundTripMs = nowMs - (this.#timesMs[i % slots] ?? nowMs);
      }
      return;
    }
  }
}
