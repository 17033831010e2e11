import type { EtcdClient } from '../../etcd/client.js';
import { EtcdError } from '../../etcd/etcd-error.js';
import type { Logger } from '../../log/log.js';
import { StateProblem } from '../store.js';

/** How often a full etcd is asked whether it takes writes again. */
const askMs = 2000;
const callMs = 3000;

/** Whether etcd has room: one that is full answers all but writes, until a person makes room. */
export class EtcdFullness {
  readonly #client: EtcdClient;
  readonly #key: Buffer;
  readonly #log: Logger;
  #problem: StateProblem | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param key any key of this cluster */
  constructor(client: EtcdClient, key: string, log: Logger) {
    this.#client = client;
    this.#key = Buffer.from(key);
    this.#log = log;
  }

  /** What is shown while it is full. */
  get problem(): StateProblem | undefined {
    return this.#problem;
  }

  /** A write failed with this, or did not (undefined). */
  note(error: unknown): void {
    if (error === undefined) this.#end();
    else if (error instanceof EtcdError && error.isFull && this.#problem === undefined) {
      const message = `${error.message}; changes are refused until then, and all that is known stays in force`;
      this.#problem = new StateProblem('CLUSTER_UNAVAILABLE', message, new Date().toISOString());
      this.#log.error(message, { code: 'CLUSTER_UNAVAILABLE' });
      this.#timer = setInterval(() => void this.#ask(), askMs).unref();
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** A transaction that would write, if what it compares could be: a full etcd refuses it before it compares. */
  async #ask(): Promise<void> {
    const key = this.#key;
    const success = [{ requestPut: { key, value: Buffer.from('{}') } }];
    try {
      await this.#client.txn(
        { compare: [{ result: 'LESS', target: 'CREATE', key, createRevision: 0 }], success, failure: [] },
        callMs,
      );
      this.#end();
    } catch {
      // It is still full, or does not answer: the watch says that.
    }
  }

  #end(): void {
    if (this.#problem === undefined) return;
    clearInterval(this.#timer);
    this.#log.info('etcd takes writes again', { since: this.#problem.since });
    this.#problem = undefined;
  }
}
