/** How long those who wait are served in one turn of the event loop, in all. */
const turnMs = 4;

/** Numbers of turns are small integers of V8: behind the largest comes 0. */
const maxTurnNumber = 0x3fffffff;

/** Who waits for a turn. */
export interface Waiting {
  /** Its turn has come. */
  goOn(): void;
}

/**
 * The line of those whose share of a turn is spent. Each is served once a turn at most, in the order in which they came,
 * for a few milliseconds in all; what lies between two turns (sockets, timers, calls of the API) is not held up by how
 * many they are.
 *
 *   read -- share spent --> paused, at the end of the line -- a later turn --> goes on with what was kept
 */
export class TurnLine {
  #line: Waiting[] = [];
  #served = 0;
  #scheduled = false;
  #turnNumber = 0;
  #isCounting = false;
  /** Somebody said when this turn began, and will say when it is over. */
  #isTold = false;

  /** The number of this turn of the event loop, as far as anybody asks. */
  get turn(): number {
    if (!this.#isCounting && !this.#isTold) {
      this.#isCounting = true;
      setImmediate(this.#count);
    }
    return this.#turnNumber;
  }

  /**
   * A turn begins, for all who ask before `endTurn`: who reads for many at once, and once a turn, spares them the end of
   * the turn that is waited for otherwise.
   */
  beginTurn(): void {
    this.#isTold = true;
    this.#next();
  }

  endTurn(): void {
    this.#isTold = false;
  }

  #next(): void {
    this.#turnNumber = (this.#turnNumber + 1) & maxTurnNumber;
  }

  /** True while anybody waits. */
  get isCrowded(): boolean {
    return this.#line.length > this.#served;
  }

  /** Takes the place at the end. */
  join(waiting: Waiting): void {
    this.#line.push(waiting);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#turn);
  }

  readonly #count = (): void => {
    this.#isCounting = false;
    this.#next();
  };

  readonly #turn = (): void => {
    this.#scheduled = false;
    this.serve();
  };

  /** Serves those who wait now, for a few milliseconds: called by itself in each turn while anybody does. */
  serve(): void {
    const endMs = performance.now() + turnMs;
    // Who comes to the end of the line now is served in a later turn.
    const until = this.#line.length;
    while (this.#served < until) {
      this.#line[this.#served++]?.goOn();
      if (performance.now() >= endMs) break;
    }
    if (this.#served > 64 && this.#served * 2 > this.#line.length) {
      this.#line = this.#line.slice(this.#served);
      this.#served = 0;
    }
    if (this.isCrowded) this.#schedule();
    else {
      this.#line = [];
      this.#served = 0;
    }
  }
}

/** The turns of this process's event loop: there is one. */
export const turnLine = new TurnLine();
