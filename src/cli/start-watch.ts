import { StartingServer } from '../api/starting-server.js';
import type { Logger } from '../log/log.js';

/** A disk that answers takes less for anything that the start asks of it. */
const patienceMs = 5000;
/** So often it is said again. */
const againMs = 60_000;

/**
 * Watches over the steps of the start that wait for a disk, or for etcd or nginx. A network mount that is gone answers nothing, and nobody can give
 * up for it: without its state the aggregator is of no use. So it waits as long as it takes, says in its log what for, and
 * answers callers of the API that it is not ready; when the disk answers, the start goes on.
 */
export class StartWatch {
  readonly #log: Logger;
  readonly #api: { readonly host: string; readonly port: number } | null;
  readonly #patienceMs: number;
  #closing: Promise<void> = Promise.resolve();

  /** @param api where callers are answered meanwhile; null: they are not */
  constructor(log: Logger, api: { readonly host: string; readonly port: number } | null, limitMs = patienceMs) {
    this.#log = log;
    this.#api = api;
    this.#patienceMs = limitMs;
  }

  /** Resolves when the port of the API is free again. */
  async portIsFree(): Promise<void> {
    await this.#closing;
  }

  /**
   * Waits for a step, for as long as it takes.
   * @param what for callers of the API: no paths @param folder for the log: where that lies
   * @throws what the step throws
   */
  async during<T>(what: string, folder: string, step: Promise<T>): Promise<T> {
    const startedMs = performance.now();
    const seconds = (): number => Math.round((performance.now() - startedMs) / 1000);
    const why = (): string =>
      `the start has waited for ${seconds()} s for ${what}, without an answer; it goes on when that answers`;
    let isLate = false;
    let server: StartingServer | undefined;
    const say = (): void => {
      isLate = true;
      this.#log.warn('the start is waiting for something that does not answer; it continues when that answers', {
        code: 'START_WAITING',
        ...{ what, folder, seconds: seconds() },
      });
      if (this.#api !== null) server ??= new StartingServer({ ...this.#api, why });
      timer = setTimeout(say, againMs);
    };
    let timer = setTimeout(say, this.#patienceMs);
    try {
      return await step;
    } finally {
      clearTimeout(timer);
      // Not waited for here: what follows a step follows at once.
      if (server !== undefined) this.#closing = server.close();
      if (isLate) {
        this.#log.info('the start waits no longer; it continues, or says what is wrong', {
          what,
          seconds: seconds(),
        });
      }
    }
  }
}
