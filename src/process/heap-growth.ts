import { setFlagsFromString } from 'node:v8';

/** From so many cameras on the heap may double: marking what lives takes some 30 ms of both of two cores then. */
const manyCameras = 2000;

const growthFlag = '--heap-growing-percent';

/** On the command line, and where a version of Node.js allows it there in NODE_OPTIONS. */
function givenFlags(): string[] {
  return [...process.execArgv, ...(process.env.NODE_OPTIONS ?? '').split(/[\s"]+/)];
}

/**
 * V8 lets the heap grow by about a quarter between two collections of all of it. What they cost is the price of what lives, and
 * meanwhile marking takes all cores from calls and frames: with much state that is rather done seldom. With little state memory is
 * worth more.
 */
export class HeapGrowth {
  readonly #setFlag: (flag: string) => void;
  #isFree: boolean;

  /**
   * @param setFlag sets a flag of V8
   * @param given the flags that Node.js was started with: who set this one has it as it is
   */
  constructor(setFlag: (flag: string) => void = setFlagsFromString, given: readonly string[] = givenFlags()) {
    this.#setFlag = setFlag;
    // V8 reads `_` as `-`.
    this.#isFree = given.some((flag) => flag.replaceAll('_', '-').startsWith(growthFlag));
  }

  /** To be told how many cameras there are, at the start and after each change. */
  note(cameras: number): void {
    if (this.#isFree || cameras < manyCameras) return;
    this.#isFree = true;
    this.#setFlag(`${growthFlag}=100`);
  }
}
