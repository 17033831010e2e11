import { messageOf } from '../errors.js';
import { openRegular } from '../files/read.js';

/** What is wrong with a file of the access to the API, as `/v1/config` shows it. */
export interface AccessProblem {
  readonly code: 'ACCESS_UNREADABLE' | 'STATE_WRITE_FAILED';
  readonly message: string;
  /** ISO 8601, UTC. */
  readonly since: string;
}

/** What is wrong with one file, from when it was found on until it is not. */
export class FileProblem {
  readonly #path: string;
  #problem: AccessProblem | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  get problem(): AccessProblem | undefined {
    return this.#problem;
  }

  set(message: string, code: AccessProblem['code'] = 'ACCESS_UNREADABLE'): void {
    if (this.#problem?.message === message) return;
    const since = this.#problem?.since ?? new Date().toISOString();
    this.#problem = { code, message, since };
  }

  clear(): void {
    this.#problem = undefined;
  }

  /**
   * Looks whether the file that is in force can still be read: an owner or a mode that changed is nothing to whoever has
   * read it, but the next start would fail.
   */
  async checkReadable(): Promise<void> {
    try {
      await (await openRegular(this.#path))?.file.close();
      this.clear();
    } catch (error) {
      this.set(
        `${this.#path} cannot be read: ${messageOf(error)}. What was read of it stays in force; a restart would fail`,
      );
    }
  }
}
