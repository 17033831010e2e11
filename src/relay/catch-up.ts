/** Total time per turn of the event loop for outlets that are far behind, milliseconds. */
const turnMs = 4;

/** An outlet that is further behind than this writes the rest step by step in later turns. Frames are seldom as large. */
export const stepBytes = 256 * 1024;

/** An outlet that is far behind. */
export interface Behind {
  /** Writes one step. */
  catchUp(nowMs: number): void;
}

/**
 * The queue of outlets that are far behind a log. A new outlet gets a GOP of megabytes, and kernels take it at once.
 * Hundreds of new outlets would hold up every frame until all had theirs. So each gets one step per turn, within a few
 * milliseconds for all of them.
 */
class CatchUpLine {
  #line: Behind[] = [];
  #scheduled = false;

  /** Joins at the end. */
  join(behind: Behind): void {
    this.#line.push(behind);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#turn);
  }

  readonly #turn = (): void => {
    this.#scheduled = false;
    const line = this.#line;
    // Outlets that join now are served in a later turn.
    this.#line = [];
    const endMs = performance.now() + turnMs;
    let served = 0;
    while (served < line.length) {
      const nowMs = performance.now();
      if (served > 0 && nowMs >= endMs) break;
      line[served++]!.catchUp(nowMs);
    }
    if (served < line.length) this.#line = line.slice(served).concat(this.#line);
    if (this.#line.length === 0 || this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#turn);
  };
}

/** The one queue of this process. */
export const catchUpLine = new CatchUpLine();
