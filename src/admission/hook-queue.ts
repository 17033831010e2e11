import { addressKey } from '../address/plain-address.js';
import { CodedError } from '../errors.js';
import { FairGate, GateError } from '../fairness/fair-gate.js';

/** Maximum number of concurrent calls: in total, and about peers of one address, so that other addresses are served too. */
export const maxAsked = 64;
const maxAskedPerAddress = 32;
/** Maximum number of waiting peers: in total, and of one address. */
const maxWaiting = 2048;
const maxWaitingPerAddress = 512;

/**
 * The queue of peers in front of an auth hook. Addresses take turns, so that one with a thousand connections does not delay
 * the others. Waiting has its own deadline, separate from the time that the auth hook has for its answer.
 */
export class HookQueue {
  readonly #what: 'publish' | 'play';
  readonly #timeoutMs: number;
  readonly #gate: FairGate;

  /** @param timeoutMs maximum time that a peer waits for its call */
  constructor(what: 'publish' | 'play', timeoutMs: number) {
    this.#what = what;
    this.#timeoutMs = timeoutMs;
    this.#gate = new FairGate({
      ...{ atOnce: maxAsked, atOncePerKey: maxAskedPerAddress },
      ...{ waiting: maxWaiting, waitingPerKey: maxWaitingPerAddress, longestWaitMs: timeoutMs },
    });
  }

  /** Runs `ask` when it is the peer's turn. @throws CodedError HOOK_BUSY (rejects), whatever `hook-failure` is */
  async inTurn<T>(address: string, ask: () => Promise<T>): Promise<T> {
    let leave: () => void;
    try {
      leave = await this.#gate.enter(addressKey(address));
    } catch (error) {
      if (!(error instanceof GateError)) throw error;
      const seconds = this.#timeoutMs / 1000;
      const why = error.why === 'late' ? `it could not be called within ${seconds} s` : 'its queue is full';
      throw new CodedError('HOOK_BUSY', `too many are waiting for the auth hook on-${this.#what}: ${why}; try again`);
    }
    try {
      return await ask();
    } finally {
      leave();
    }
  }

  /** Refuses all waiting peers. */
  close(): void {
    this.#gate.close();
  }
}
