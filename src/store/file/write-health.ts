import { unlink } from 'node:fs/promises';
import { messageOf } from '../../errors.js';
import { openBeside, writeAll } from '../../files/write.js';
import type { Logger } from '../../log/log.js';
import { StateProblem } from '../store.js';

/** How often it is looked whether the disk takes something again. */
const probeMs = 2000;
const probeBytes = 4096;

/** Whether changes can be written: a problem from the first one that could not on, until one can or there is room. */
export class WriteHealth {
  readonly #journal: string;
  readonly #log: Logger;
  #problem: StateProblem | undefined;
  #probedAtMs = 0;
  /** Why the files could not be looked at last time; empty when they could. */
  #lookFailure = '';

  constructor(options: { journal: string; log: Logger }) {
    this.#journal = options.journal;
    this.#log = options.log;
  }

  get problem(): StateProblem | undefined {
    return this.#problem;
  }

  /** @param message what the caller is told, without what is done about it */
  failed(message: string): void {
    this.#probedAtMs = performance.now();
    if (this.#problem !== undefined) return;
    const text = `${message}. What was acknowledged stays in force and on disk; changes are refused until they can be written`;
    this.#problem = new StateProblem('STATE_WRITE_FAILED', text, new Date().toISOString());
    this.#log.error(text, { code: 'STATE_WRITE_FAILED' });
  }

  succeeded(): void {
    if (this.#problem === undefined) return;
    this.#problem = undefined;
    this.#log.info('changes can be written again', { file: this.#journal });
  }

  /** The files of the state were looked at. */
  lookedAt(): void {
    this.#lookFailure = '';
  }

  /** They could not be. Logged once for each reason: it is tried again every second. */
  lookFailed(file: string, error: string): void {
    if (error === this.#lookFailure) return;
    this.#lookFailure = error;
    this.#log.warn('the state files cannot be checked for edits; this is retried', { file, error });
  }

  /** Where changes could not be written, looks now and then whether the folder takes a file again. */
  async poll(): Promise<void> {
    if (this.#problem === undefined || performance.now() - this.#probedAtMs < probeMs) return;
    this.#probedAtMs = performance.now();
    try {
      const { file, temporaryPath } = await openBeside(this.#journal);
      try {
        await writeAll(file, Buffer.alloc(probeBytes));
        await file.sync();
      } finally {
        await file.close().catch(() => undefined);
        await unlink(temporaryPath).catch(() => undefined);
      }
      this.succeeded();
    } catch (error) {
      this.#log.debug('the data folder still takes nothing', { error: messageOf(error) });
    }
  }
}
