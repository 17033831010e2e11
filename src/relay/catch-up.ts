/** How long those who are behind are served in one turn of the event loop, in all, milliseconds. */
const turnMs = 4;

/** Who has much to write. */
export interface Behind {
  /** Its turn has come: one step. */
  catchUp(nowMs: number): void;
}

/**
 * The line of those who are far behind a log: who begins gets a GOP of megabytes, and kernels take it at once. Hundreds who
 * begin together would hold up every frame until all had theirs. So each has a step a turn, all of them a few milliseconds.
 */
export class CatchUpLine {
  #line: Behind[] = [];
  #scheduled = false;

  /** Takes the place at the end. */
  join(behind: Behind): void {
    this.#line.push(behind);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#turn);
  }

  readonly #turn = (): void => {
    this.#scheduled = false;
    const line = this.#line;
    // Who joins now is served in a later turn.
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

/** The line of this process's event loop: there is one. */
export const catchUpLine = new CatchUpLine();
