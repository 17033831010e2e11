import { addressKey } from '../address/plain-address.js';
import { CodedError } from '../errors.js';
import { FairGate, GateError } from '../fairness/fair-gate.js';

/** Questions under way at once: in all, and about peers of one address, so that others always find some free. */
export const maxAsked = 64;
const maxAskedPerAddress = 32;
/** Peers that wait to be asked about: in all, and of one address. */
const maxWaiting = 2048;
const maxWaitingPerAddress = 512;

/**
 * Who is asked about next. A back end takes its time, and who comes with a thousand connections would have all others
 * wait behind it: so addresses have their turns one after the other, and waiting has a deadline of its own, which takes
 * nothing from the time that the back end has to answer.
 */
export class HookQueue {
  readonly #what: 'publish' | 'play';
  readonly #timeoutMs: number;
  readonly #gate: FairGate;

  /** @param timeoutMs longest that anybody waits to be asked about */
  constructor(what: 'publish' | 'play', timeoutMs: number) {
    this.#what = what;
    this.#timeoutMs = timeoutMs;
    this.#gate = new FairGate({
      ...{ atOnce: maxAsked, atOncePerKey: maxAskedPerAddress },
      ...{ waiting: maxWaiting, waitingPerKey: maxWaitingPerAddress, longestWaitMs: timeoutMs },
    });
  }

  /** Asks when it is the peer's turn. @throws CodedError HOOK_BUSY (rejects), whatever `hook-failure` says */
  async inTurn<T>(address: string, ask: () => Promise<T>): Promise<T> {
    let leave: () => void;
    try {
      leave = await this.#gate.enter(addressKey(address));
    } catch (error) {
      if (!(error instanceof GateError)) throw error;
      const seconds = this.#timeoutMs / 1000;
      const why = error.why === 'late' ? `it was not asked within ${seconds} s` : 'no more may wait for it';
      throw new CodedError('HOOK_BUSY', `too many wait for the back end of on-${this.#what}: ${why}; try again`);
    }
    try {
      return await ask();
    } finally {
      leave();
    }
  }

  /** Turns away who waits. */
  close(): void {
    this.#gate.close();
  }
}
