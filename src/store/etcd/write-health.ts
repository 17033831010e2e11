import type { EtcdClient } from '../../etcd/client.js';
import { EtcdError } from '../../etcd/etcd-error.js';
import type { Logger } from '../../log/log.js';
import { StateProblem } from '../store.js';

/** How often an etcd that refuses writes is asked whether it takes them again. */
const askMs = 2000;
const callMs = 3000;

/**
 * Whether etcd takes what this node writes. One that is full, or whose user may not write, answers all else as ever, until a
 * person makes room or mends the user.
 */
export class EtcdWriteHealth {
  readonly #client: EtcdClient;
  readonly #key: Buffer;
  /** That is asked for: a user may be allowed to write some keys, and others not. */
  #refused: Buffer;
  readonly #log: Logger;
  #problem: StateProblem | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param key any key of this cluster */
  constructor(client: EtcdClient, key: string, log: Logger) {
    this.#client = client;
    this.#key = Buffer.from(key);
    this.#refused = this.#key;
    this.#log = log;
  }

  /** What is shown while it takes none. */
  get problem(): StateProblem | undefined {
    return this.#problem;
  }

  /** A write failed with this, or did not (undefined). @param key that was not written; undefined: that of the constructor */
  note(error: unknown, key = this.#key): void {
    if (error === undefined) this.#end();
    else if (error instanceof EtcdError && (error.isFull || error.isDenied) && this.#problem === undefined) {
      const what = error.isFull ? '' : ', nor does this node get into the list of nodes or claim cameras';
      const message = `${error.message}; changes are refused until then${what}, and all that is known stays in force`;
      this.#refused = key;
      this.#problem = new StateProblem('CLUSTER_UNAVAILABLE', message, new Date().toISOString());
      this.#log.error(message, { code: 'CLUSTER_UNAVAILABLE' });
      this.#timer = setInterval(() => void this.#ask(), askMs).unref();
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #ask(): Promise<void> {
    try {
      await this.#client.tryWrite(this.#refused, callMs);
      this.#end();
    } catch {
      // It takes none still, or does not answer: the watch says that.
    }
  }

  #end(): void {
    if (this.#problem === undefined) return;
    clearInterval(this.#timer);
    this.#log.info('etcd takes writes again', { since: this.#problem.since });
    this.#problem = undefined;
  }
}
