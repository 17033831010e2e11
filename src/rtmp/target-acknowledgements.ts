import { heardMs } from '../process/standstill.js';
import { SendTimes } from './send-times.js';

/** Minimum number of acknowledgements before the target's habit is known. */
const habitAfter = 3;

/** A target is silent after this many times its own longest pause between two acknowledgements. */
const patience = 3;

/** Number of unacknowledged bytes that is always normal. */
const negligibleBytes = 512 * 1024;

/** Of the longest pause so far, what still counts of it at the next acknowledgement: habits change. */
const fading = 0.9;

/**
 * What the far side's acknowledgements (RTMP 1.0, section 5.4.3) prove: how many bytes arrived, when the last news came,
 * and how long a byte takes there and back. Servers acknowledge as they like, whatever window they were told: what is
 * late is measured by each one's own habit. Time in which this process stood still is none of theirs.
 */
export class TargetAcknowledgements {
  readonly #times: SendTimes;
  #count = 0;
  #acknowledgedBytes: number | null = null;
  #progressMs = 0;
  #longestStepBytes = 0;
  #longestPauseMs = 0;
  #roundTripMs: number | null = null;

  /** @param times when what was sent */
  constructor(times = new SendTimes()) {
    this.#times = times;
  }

  /** Number of acknowledgements that increased the count. */
  get count(): number {
    return this.#count;
  }

  /** The maximum number of bytes between two recent acknowledgements. */
  get stepBytes(): number {
    return this.#longestStepBytes;
  }

  /** The longest of the recent times between two acknowledgements, milliseconds. */
  get longestPauseMs(): number {
    return this.#longestPauseMs;
  }

  /** When the count last increased, on the monotonic clock; 0: never. */
  get progressMs(): number {
    return this.#progressMs;
  }

  /** Bytes that have arrived; null before the first acknowledgement. */
  get acknowledgedBytes(): number | null {
    return this.#acknowledgedBytes;
  }

  /** Milliseconds from sending a byte to its acknowledgement; null before the first measurement. */
  get roundTripMs(): number | null {
    return this.#roundTripMs;
  }

  /**
   * Notes an acknowledgement. @param sequence bytes received, modulo 2^32 @param sentBytes how many were sent so far
   */
  received(sequence: number, sentBytes: number, nowMs: number): void {
    // The sequence number wraps. It stands for the highest possible count that was already sent.
    const behind = (sentBytes - sequence) % 2 ** 32;
    const bytes = sentBytes - (behind < 0 ? behind + 2 ** 32 : behind);
    if (bytes < 0) return;
    const before = this.#acknowledgedBytes;
    if (before === null || bytes > before) {
      this.#longestStepBytes = Math.max(bytes - (before ?? 0), this.#longestStepBytes * fading);
      if (before !== null)
        this.#longestPauseMs = Math.max(heardMs(this.#progressMs, nowMs), this.#longestPauseMs * fading);
      this.#progressMs = nowMs;
      this.#count++;
    }
    // A number that goes back proves nothing new.
    this.#acknowledgedBytes = Math.max(bytes, before ?? 0);
    this.#measureRoundTrip(bytes, nowMs);
  }

  /**
   * For how long news of arrived bytes is overdue, milliseconds; 0 while it is not, and for who sends too few of them to
   * tell. @param sentBytes what the kernel took so far
   */
  overdueMs(sentBytes: number, nowMs: number): number {
    if (this.#acknowledgedBytes === null || this.#count < habitAfter) return 0;
    const owed = sentBytes - this.#acknowledgedBytes;
    if (owed <= Math.max(negligibleBytes, patience * this.#longestStepBytes)) return 0;
    const pauseMs = heardMs(this.#progressMs, nowMs);
    return pauseMs > patience * this.#longestPauseMs ? pauseMs : 0;
  }

  #measureRoundTrip(bytes: number, nowMs: number): void {
    // The newest position that is certainly acknowledged: an upper bound of the time there and back.
    const sent = this.#times.upTo(bytes);
    if (sent !== undefined && bytes - sent.position <= 4 * this.#times.grain)
      this.#roundTripMs = heardMs(sent.timeMs, nowMs);
  }
}
