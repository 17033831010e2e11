/** Positions are noted at this grain, as long as little is under way. */
const grainBytes = 16 * 1024;
const slots = 64;

/**
 * When which byte of a connection was written, in constant memory: positions at a grain that doubles each time more is
 * under way than there are places, so that minutes of a slow target's bytes are covered as well.
 */
export class SendTimes {
  readonly #positions = new Float64Array(slots);
  readonly #timesMs = new Float64Array(slots);
  #count = 0;
  #grain = grainBytes;
  #lastPosition = 0;

  /** Bytes between two positions that are noted. */
  get grain(): number {
    return this.#grain;
  }

  /** True when `note` would note this position: most it would not, and the clock need not be read for them. */
  wants(position: number): boolean {
    return position >= this.nextPosition;
  }

  /** The next position that would be noted, or any behind it. */
  get nextPosition(): number {
    return this.#lastPosition + this.#grain;
  }

  /** Notes that all bytes up to `position` were written. */
  note(position: number, nowMs: number): void {
    if (!this.wants(position)) return;
    if (this.#count === slots) this.#coarsen();
    this.#lastPosition = position;
    this.#positions[this.#count] = position;
    this.#timesMs[this.#count] = nowMs;
    this.#count++;
  }

  /** When the byte behind `position` was written, or a little later, milliseconds; undefined when that is not known. */
  after(position: number): number | undefined {
    for (let i = 0; i < this.#count; i++) {
      if ((this.#positions[i] ?? 0) > position) return this.#timesMs[i];
    }
    return undefined;
  }

  /** The newest noted position that is not behind `position`, with its time; undefined when that is not known. */
  upTo(position: number): { readonly position: number; readonly timeMs: number } | undefined {
    for (let i = this.#count - 1; i >= 0; i--) {
      const noted = this.#positions[i] ?? 0;
      if (noted <= position) return { position: noted, timeMs: this.#timesMs[i] ?? 0 };
    }
    return undefined;
  }

  /** The newest position that was noted at `timeMs` or earlier; 0 when there is none. */
  at(timeMs: number): number {
    for (let i = this.#count - 1; i >= 0; i--) {
      if ((this.#timesMs[i] ?? 0) <= timeMs) return this.#positions[i] ?? 0;
    }
    return 0;
  }

  /** Times before `position` are no longer needed. */
  forget(position: number): void {
    let from = 0;
    // One is kept, for who asks again about the same position.
    while (from + 1 < this.#count && (this.#positions[from + 1] ?? 0) <= position) from++;
    if (from > 0) {
      this.#positions.copyWithin(0, from, this.#count);
      this.#timesMs.copyWithin(0, from, this.#count);
      this.#count -= from;
    }
    if (this.#count <= 2) this.#grain = grainBytes;
  }

  #coarsen(): void {
    this.#grain *= 2;
    let kept = 0;
    for (let i = 1; i < this.#count; i += 2) {
      this.#positions[kept] = this.#positions[i] ?? 0;
      this.#timesMs[kept] = this.#timesMs[i] ?? 0;
      kept++;
    }
    this.#count = kept;
  }
}
