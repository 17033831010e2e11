/** So many wrong guesses cost nothing: people mistype. */
const freeGuesses = 5;
const firstPauseMs = 1000;
const longestPauseMs = 60_000;
/** Without a wrong guess for so long, an address starts anew. */
const forgetMs = 600_000;
/** Addresses that are remembered; of more, those that guessed longest ago are forgotten first. */
const maxAddresses = 10_000;
/** Right keys that are remembered: who had one is not held up by what others at the same address guess. */
const maxKnown = 10_000;

interface Guesser {
  failures: number;
  lastMs: number;
  blockedUntilMs: number;
}

/**
 * Slows down who guesses keys: after a few wrong ones, an address must wait before the next is looked at, a second at
 * first and a minute at last. What it shows meanwhile is not looked at, so that a right guess tells nothing either.
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

  /** Milliseconds until this address may guess again; 0: it may now. @param credential what it shows, in a form that may be kept */
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
