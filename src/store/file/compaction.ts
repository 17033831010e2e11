import { messageOf } from '../../errors.js';
import { discard, type Prepared } from '../../files/write.js';
import type { Logger } from '../../log/log.js';
import type { DesiredState } from '../../model/model.js';
import { StateProblem } from '../store.js';
import type { JournalPlace } from './journal.js';

/** What a new state.json is made from: a state, and its place in the journal. */
export interface Capture {
  readonly state: DesiredState;
  readonly place: JournalPlace;
  /** What state.json was thought to take. */
  readonly fileBytes: number;
}

/** A new state.json that is on disk under a temporary name. */
export interface PreparedFile extends Capture {
  readonly content: Prepared;
  /** True when an edit by hand was applied since the capture. */
  isOutdated(): boolean;
}

/** State.json follows a change after this time; a large one later, so that no more than about 1 MB/s is written. */
const minDelayMs = 50;
const delayMsPerMegabyte = 1000;
const maxDelayMs = 30_000;
/** After a failure, a full disk say, it is tried again after this time. */
const retryMs = 5000;

/**
 * When the journal is written back to state.json, and the slow part of it: the new file is made beside the commits,
 * piece by piece. Its owner puts the file in place.
 */
export class Compaction {
  readonly #prepare: (state: DesiredState) => Promise<Prepared>;
  readonly #onPrepared: () => void;
  readonly #file: string;
  readonly #log: Logger;
  #timer: NodeJS.Timeout | undefined;
  #dueMs = 0;
  #preparing: Promise<void> | undefined;
  #prepared: PreparedFile | undefined;
  #epoch = 0;
  #notBeforeMs = 0;
  #problem: StateProblem | undefined;
  #isStopped = false;

  constructor(options: {
    prepare: (state: DesiredState) => Promise<Prepared>;
    /** Called when `isPrepared` became true. */
    onPrepared: () => void;
    file: string;
    log: Logger;
  }) {
    this.#prepare = options.prepare;
    this.#onPrepared = options.onPrepared;
    this.#file = options.file;
    this.#log = options.log;
  }

  /** Why state.json is not up to date. */
  get problem(): StateProblem | undefined {
    return this.#problem;
  }

  get isPrepared(): boolean {
    return this.#prepared !== undefined;
  }

  /**
   * Has state.json written in a while, or as soon as possible. What is due earlier stays so.
   * @param capture what is to be written when the time has come; undefined: nothing any more
   */
  schedule(fileBytes: number, soon: boolean, capture: () => Capture | undefined): void {
    if (this.#isStopped || this.#preparing !== undefined || this.#prepared !== undefined) return;
    const nowMs = performance.now();
    const delayMs = soon ? 0 : Math.min(maxDelayMs, minDelayMs + (delayMsPerMegabyte * fileBytes) / 2 ** 20);
    const dueMs = Math.max(nowMs + delayMs, this.#notBeforeMs);
    if (this.#timer !== undefined && this.#dueMs <= dueMs) return;
    clearTimeout(this.#timer);
    this.#dueMs = dueMs;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const captured = capture();
      if (captured === undefined) return;
      this.#preparing = this.#run(captured).finally(() => {
        this.#preparing = undefined;
        if (this.#prepared !== undefined) this.#onPrepared();
      });
    }, dueMs - nowMs).unref();
  }

  /** What is prepared, once. */
  take(): PreparedFile | undefined {
    const prepared = this.#prepared;
    this.#prepared = undefined;
    return prepared;
  }

  /** The state was changed by other means than the journal: the file in preparation must not be used. */
  outdate(): void {
    this.#epoch += 1;
  }

  /** State.json was written in another way. */
  cancel(): void {
    this.outdate();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.succeeded();
  }

  succeeded(): void {
    if (this.#problem !== undefined) this.#log.info('state.json is written again', { file: this.#file });
    this.#problem = undefined;
    this.#notBeforeMs = 0;
  }

  failed(error: unknown): void {
    this.#notBeforeMs = performance.now() + retryMs;
    if (this.#problem !== undefined) return;
    const message = `${this.#file} could not be written: ${messageOf(error)}. Changes are accepted and kept in its journal; it is retried every ${retryMs / 1000} s`;
    this.#problem = new StateProblem('STATE_WRITE_FAILED', message, new Date().toISOString());
    this.#log.error(message, { code: 'STATE_WRITE_FAILED' });
  }

  /** Ends it, and drops the file in preparation. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#preparing;
    const prepared = this.take();
    if (prepared !== undefined) await discard(prepared.content);
  }

  async #run(capture: Capture): Promise<void> {
    const epoch = this.#epoch;
    try {
      const content = await this.#prepare(capture.state);
      this.#prepared = { ...capture, content, isOutdated: () => this.#epoch !== epoch };
    } catch (error) {
      this.failed(error);
    }
  }
}
