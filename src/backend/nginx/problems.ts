import { codeOf, type ErrorCode, messageOf } from '../../errors.js';
import type { Logger } from '../../log/log.js';
import type { BackendProblem } from '../backend.js';

/** What is wrong now, each thing once, with since when. A change of it is logged, the same again is not. */
export class Problems {
  readonly #log: Logger;
  readonly #found = new Map<string, BackendProblem>();

  constructor(log: Logger) {
    this.#log = log;
  }

  get list(): readonly BackendProblem[] {
    return [...this.#found.values()];
  }

  get(key: string): BackendProblem | undefined {
    return this.#found.get(key);
  }

  has(key: string): boolean {
    return this.#found.has(key);
  }

  set(key: string, code: ErrorCode, message: string): void {
    const before = this.#found.get(key);
    if (before?.code === code && before.message === message) return;
    this.#found.set(key, { code, message, since: before?.since ?? new Date().toISOString() });
    this.#log.error(message, { code });
  }

  setError(key: string, error: unknown): void {
    this.set(key, codeOf(error), messageOf(error));
  }

  clear(key: string): void {
    const before = this.#found.get(key);
    if (before === undefined) return;
    this.#found.delete(key);
    this.#log.info('a problem has cleared', { code: before.code, since: before.since });
  }
}
