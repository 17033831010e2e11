import { type LookupAddress, lookup as systemLookup } from 'node:dns';
import type { LookupFunction } from 'node:net';

/**
 * Names that never resolved may hold up this many look-ups at once. The system's resolver blocks a thread for each, for
 * as long as a dead name server takes to be given up; `cli/bin.cts` sees to it that there are more threads than this.
 */
const unprovenAtOnce = 12;

type SystemLookup = (
  host: string,
  options: { all: true; verbatim: true },
  done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

type Done = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void;

/**
 * Name look-ups of all pushes: fresh at every try, but one at a time for each name, shared by whoever waits for it, so
 * that a name that hangs takes one thread however often its pushes are tried; and few at a time of names that never
 * resolved, so that they do not hold up those that do.
 */
export class SharedLookups {
  readonly #lookup: SystemLookup;
  readonly #underWay = new Map<string, Done[]>();
  readonly #proven = new Set<string>();
  readonly #queue: string[] = [];
  #unprovenUnderWay = 0;

  /** @param lookup the system's, or a test's */
  constructor(lookup: SystemLookup = systemLookup) {
    this.#lookup = lookup;
  }

  /** Calls `done` once, with all addresses of the name, or with the error. */
  resolve(host: string, done: Done): void {
    const waiters = this.#underWay.get(host);
    if (waiters !== undefined) {
      waiters.push(done);
      return;
    }
    this.#underWay.set(host, [done]);
    if (this.#proven.has(host)) this.#start(host, false);
    else if (this.#unprovenUnderWay < unprovenAtOnce) this.#start(host, true);
    else this.#queue.push(host);
  }

  #start(host: string, unproven: boolean): void {
    if (unproven) this.#unprovenUnderWay++;
    this.#lookup(host, { all: true, verbatim: true }, (error, addresses) => {
      const waiters = this.#underWay.get(host) ?? [];
      this.#underWay.delete(host);
      if (error === null) this.#prove(host);
      else this.#proven.delete(host); // it may hang from now on
      if (unproven) {
        this.#unprovenUnderWay--;
        const next = this.#queue.shift();
        if (next !== undefined) this.#start(next, true);
      }
      for (const done of waiters) done(error, addresses ?? []);
    });
  }

  #prove(host: string): void {
    // A site has few targets. The limit is against a caller that makes up many names that resolve.
    if (this.#proven.size >= 10_000) this.#proven.clear();
    this.#proven.add(host);
  }
}

/** The instance of this process. */
export const sharedLookups = new SharedLookups();

/**
 * For `net.connect`. @param choose the addresses that may be used; what it throws is the failure of the look-up
 */
export function lookupFunction(
  lookups: SharedLookups,
  choose: (host: string, addresses: LookupAddress[]) => LookupAddress[],
): LookupFunction {
  return (host, options, callback) => {
    lookups.resolve(host, (error, addresses) => {
      const family = options.family === 4 || options.family === 6 ? options.family : 0;
      const fitting = family === 0 ? addresses : addresses.filter((address) => address.family === family);
      let chosen: LookupAddress[] = [];
      let failure: NodeJS.ErrnoException | null = error;
      try {
        if (failure === null) chosen = choose(host, fitting);
      } catch (refusal) {
        failure = refusal instanceof Error ? refusal : new Error(String(refusal));
      }
      const first = chosen[0];
      if (failure !== null || first === undefined) {
        failure ??= new Error(`no address for ${host}`);
        failure.code ??= 'ENOTFOUND';
        callback(failure, '', 0);
      } else if (options.all === true) {
        callback(null, chosen);
      } else {
        callback(null, first.address, first.family);
      }
    });
  };
}
