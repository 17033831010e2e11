/** Number of wrong guesses without a pause, since people mistype. */
const freeGuesses = 5;
const firstPauseMs = 1000;
const longestPauseMs = 60_000;
/** An address without a wrong guess for this long starts from zero. */
const forgetMs = 600_000;
/** Maximum number of remembered addresses; those whose last guess is oldest are forgotten first. */
const maxAddresses = 10_000;
/** Maximum number of remembered correct keys. Their users are not delayed by guesses of others at the same address. */
const maxKnown = 10_000;

interface Guesser {
  failures: number;
  lastMs: number;
  blockedUntilMs: number;
}

/**
 * Slows down guessing of keys. After a few wrong ones, an address has to wait before the next one is checked: one second at
 * first, one minute in the end. Keys that arrive in between are not checked, so a correct guess reveals nothing either.
 */
export class GuessLimiter {
  readonly #nowMs: () => number;
  /** In the order of their last wrong guess. */
  readonly #guessers = new Map<string, Guesser>();
  readonly #known = new Set<string>();

  /** @param nowMs a clock that never goes back, for tests */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** How many addresses are remembered. */
  get size(): number {
    return this.#guessers.size;
  }

  /** Milliseconds until this address may try again; 0: it may now. @param credential a tag of its key that may be kept */
  waitMs(address: string, credential: string): number {
    const guesser = this.#guessers.get(address);
    if (guesser === undefined || this.#known.has(`${address} ${credential}`)) return 0;
    return Math.max(0, guesser.blockedUntilMs - this.#nowMs());
  }

  failed(address: string): void {
    const nowMs = this.#nowMs();
    const before = this.#guessers.get(address);
    const failures = before === undefined || nowMs - before.lastMs > forgetMs ? 1 : before.failures + 1;
    const pauses = failures - freeGuesses;
    const pauseMs = pauses <= 0 ? 0 : Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(pauses - 1, 20));
    this.#guessers.delete(address);
    this.#guessers.set(address, { failures, lastMs: nowMs, blockedUntilMs: nowMs + pauseMs });
    trim(this.#guessers, maxAddresses);
  }

  succeeded(address: string, credential: string): void {
    this.#known.delete(`${address} ${credential}`);
    this.#known.add(`${address} ${credential}`);
    trim(this.#known, maxKnown);
  }
}

function trim(collection: Map<string, unknown> | Set<string>, max: number): void {
  if (collection.size <= max) return;
  const [oldest] = collection.keys();
  if (oldest !== undefined) collection.delete(oldest);
}
