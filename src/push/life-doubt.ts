/** After so many mistakes missing signs of life say nothing any more. */
const maxMistakes = 3;

/** A target that accepts a publish within this time runs, and ran a moment before. */
const quickMs = 2000;

/** So many connections in a row must end on a ping. */
const deadly = 2;

/**
 * What a push learned about its target's signs of life. A target that was given up for lack of them, and accepts the very
 * next connection at once, was alive: from then on it is given more time, and in the end they are not counted. One that
 * closes whenever it is pinged is not pinged any more.
 */
export class LifeDoubt {
  #mistakes = 0;
  #gaveUp = false;
  #beganMs = 0;
  #deaths = 0;

  /** How many times the usual time signs of life may be missing; infinite where they are known to say nothing. */
  get patience(): number {
    return this.#mistakes >= maxMistakes ? Number.POSITIVE_INFINITY : 2 ** this.#mistakes;
  }

  /** False for a target that closes when it is pinged. */
  get mayPing(): boolean {
    return this.#deaths < deadly;
  }

  /** It was given up since signs of life were missing. */
  gaveUp(): void {
    this.#gaveUp = true;
  }

  /** A new connection begins. */
  began(nowMs: number): void {
    this.#beganMs = nowMs;
  }

  /** The target accepted a publish. */
  published(nowMs: number): void {
    if (this.#gaveUp && nowMs - this.#beganMs < quickMs) this.#mistakes++;
    this.#gaveUp = false;
  }

  /** A connection ended, or could not be made. @param diedOfPing as of `OutgoingConnection` @param wasPublished it was */
  ended(diedOfPing: boolean, wasPublished: boolean): void {
    // It does not answer a new connection either: rightly given up. The one that was given up ends as published.
    if (!wasPublished) this.#gaveUp = false;
    else if (this.mayPing) this.#deaths = diedOfPing ? this.#deaths + 1 : 0;
  }
}
