import type { FolderLock } from '../../files/lock.js';
import type { Logger } from '../../log/log.js';
import { StateProblem } from '../store.js';

/** Whether this process still holds the data folder: one that was frozen for long may find it taken over. */
export class FolderHold {
  readonly #lock: FolderLock;
  readonly #folder: string;
  readonly #log: Logger;
  #problem: StateProblem | undefined;

  constructor({ lock, folder, log }: { lock: FolderLock; folder: string; log: Logger }) {
    this.#lock = lock;
    this.#folder = folder;
    this.#log = log;
  }

  /** Another process holds the data folder. */
  get problem(): StateProblem | undefined {
    return this.#problem;
  }

  /** Shows that the holder lives, and sees whether it still is the holder. Call every `FolderLock.beatMs`. */
  async beat(): Promise<void> {
    const isHeld = await this.#lock.beat();
    if (isHeld === (this.#problem === undefined)) return;
    if (isHeld) {
      this.#problem = undefined;
      this.#log.info('the data folder is locked by this process again; changes are accepted', { folder: this.#folder });
      return;
    }
    const message = `another process took over the data folder ${this.#folder}: changes are refused until it ends; stop one of the two, or give it another --data-dir`;
    this.#problem = new StateProblem('STATE_LOCKED', message, new Date().toISOString());
    this.#log.error(message, { code: 'STATE_LOCKED' });
  }

  async release(): Promise<void> {
    await this.#lock.release();
  }
}
