/** The budget whose excess caused a drop. */
export type DropReason = 'bytes' | 'age' | 'total';

/** What an outlet dropped: audio and video messages, by the budget that was exceeded. */
export class DropTally {
  readonly #frames: Record<DropReason, number> = { bytes: 0, age: 0, total: 0 };
  #reason: DropReason = 'bytes';
  #times = 0;

  /** The budget that was exceeded last. */
  get reason(): DropReason {
    return this.#reason;
  }

  /** How often a budget was exceeded. */
  get times(): number {
    return this.#times;
  }

  /** A budget was exceeded: what is dropped from now on counts for this one. */
  exceeded(reason: DropReason): void {
    this.#times++;
    this.#reason = reason;
  }

  /** Counts messages for the budget that was exceeded last. */
  add(frames: number): void {
    this.#frames[this.#reason] += frames;
  }

  /** All that were dropped. @param more messages that are being dropped and were not added yet */
  framesWith(more: number): Record<DropReason, number> {
    const frames = { ...this.#frames };
    frames[this.#reason] += more;
    return frames;
  }
}
