import { setFlagsFromString } from 'node:v8';

/** From so many cameras on the heap may double: marking what lives takes some 30 ms of both of two cores then. */
const manyCameras = 2000;

/**
 * V8 lets the heap grow by about a quarter between two collections of all of it. What they cost is the price of what lives, and
 * meanwhile marking takes all cores from calls and frames: with much state that is rather done seldom. With little state memory is
 * worth more.
 */
export class HeapGrowth {
  readonly #setFlag: (flag: string) => void;
  #isFree = false;

  /** @param setFlag sets a flag of V8 */
  constructor(setFlag: (flag: string) => void = setFlagsFromString) {
    this.#setFlag = setFlag;
  }

  /** To be told how many cameras there are, at the start and after each change. */
  note(cameras: number): void {
    if (this.#isFree || cameras < manyCameras) return;
    this.#isFree = true;
    this.#setFlag('--heap-growing-percent=100');
  }
}
