import type { Logger } from '../../log/log.js';
import { StateProblem } from '../store.js';
import { describeReplaced, type EtcdPlace } from './replaced.js';

/** A shorter loss is not reported: the watch only moves to another member. */
const lostAfterMs = 1500;

/** Since when something is so: `at` to be shown, `ms` to measure by. */
interface Since {
  readonly at: string;
  readonly ms: number;
  readonly reason: string;
}

/** Whether etcd answers, and whether it is the one that this node knows. */
export class EtcdContact {
  readonly #log: Logger;
  #lost: Since | undefined;
  #replaced: { readonly known: EtcdPlace; readonly found: EtcdPlace; readonly at: string } | undefined;
  #wellAt: string;

  /** @param wellAt when it was last well */
  constructor(wellAt: string, log: Logger) {
    this.#wellAt = wellAt;
    this.#log = log;
  }

  /** When etcd last answered as the one that is known, ISO 8601. */
  get wellAt(): string {
    return this.#wellAt;
  }

  get isReplaced(): boolean {
    return this.#replaced !== undefined;
  }

  /** Why no change can be made now; undefined when one can. */
  get problem(): StateProblem | undefined {
    if (this.#replaced !== undefined) {
      const { known, found, at } = this.#replaced;
      return new StateProblem('CLUSTER_REPLACED', describeReplaced(known, found), at);
    }
    if (this.#lost === undefined || !isLong(this.#lost)) return undefined;
    const message = `${this.#lost.reason}; the state of ${this.#wellAt} stays in force; changes are refused until etcd answers`;
    return new StateProblem('CLUSTER_UNAVAILABLE', message, this.#lost.at);
  }

  /** It answers. */
  answers(): void {
    if (this.#lost !== undefined && isLong(this.#lost)) {
      this.#log.info('etcd answers again', { since: this.#lost.at });
    }
    this.#lost = undefined;
    this.#wellAt = new Date().toISOString();
  }

  /** It does not answer. */
  lost(reason: string): void {
    if (this.#lost === undefined) this.#log.warn('etcd does not answer; another member is tried', { reason });
    this.#lost = { at: this.#lost?.at ?? new Date().toISOString(), ms: this.#lost?.ms ?? performance.now(), reason };
  }

  /** Another etcd, or an older state of it, was found in its place. */
  foundReplaced(known: EtcdPlace, found: EtcdPlace): void {
    this.#replaced = { known, found, at: new Date().toISOString() };
    this.#log.error(describeReplaced(known, found), { code: 'CLUSTER_REPLACED' });
  }

  /** The one that was known is back. */
  isBack(): void {
    this.#replaced = undefined;
  }

  /** The other one is the known one from now on. */
  accepted(): void {
    this.#replaced = undefined;
    this.#lost = undefined;
  }
}

function isLong({ ms }: Since): boolean {
  return performance.now() - ms >= lostAfterMs;
}
