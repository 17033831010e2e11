import { mkdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CodedError, messageOf, StateError } from '../../errors.js';
import type { Logger } from '../../log.js';
import { differingNames } from '../layered-map.js';
import { type DesiredState, emptyState } from '../model.js';
import { type StateChange, StateProblem, type Store } from '../store.js';
import {
  createFile,
  discard,
  type FileMark,
  type FileVersion,
  isSameMark,
  keepAside,
  markOf,
  maxStateFileBytes,
  prepareWrite,
  readVersion,
  removeLeftovers,
  replaceFile,
  syncFolder,
} from './disk.js';
import { StateEncoder } from './encode.js';
import { decodeVersion } from './format.js';
import { FolderLock, isErrno } from './lock.js';
import { watchFolder } from './watch.js';

/** An update that waits for its commit. */
interface Waiting {
  readonly change: (state: DesiredState) => DesiredState;
  readonly resolve: (state: DesiredState) => void;
  readonly reject: (error: unknown) => void;
}

/** What was last understood of the file: what is in it, and how to recognise it. */
interface SeenFile {
  readonly text: string;
  readonly mark: FileMark;
}

/** An edit by hand that is not applied, and still is the file. */
interface RefusedEdit extends SeenFile {
  readonly error: CodedError;
}

/** How long a file that makes no sense may be still before it counts: editors write in several steps. */
const settleMs = 100;

/**
 * Opens `DATA_DIR/state.json`. The folder is made when missing; the file comes with the first change.
 * @throws StateError STATE_INVALID (with path and rule; the file is left as it is), STATE_UNREADABLE, STATE_LOCKED
 */
export async function openFileStore(options: {
  dataDir: string;
  log: Logger;
  /** How large the file may be, in bytes; tests use less than the default of 256 MB. */
  maxFileBytes?: number;
}): Promise<Store> {
  const { log, maxFileBytes = maxStateFileBytes } = options;
  const folder = resolve(options.dataDir);
  const path = join(folder, 'state.json');
  let lock: FolderLock | undefined;
  try {
    if ((await mkdir(folder, { recursive: true })) !== undefined) await syncFolder(dirname(folder));
    lock = await FolderLock.acquire(folder);
    await removeLeftovers(folder);
    const file = await readVersion(path, maxFileBytes);
    const state = file === undefined ? emptyState : decodeVersion(file, emptyState);
    return new FileStore({ path, lock, state, file, log, maxFileBytes });
  } catch (error) {
    await lock?.release();
    if (error instanceof StateError) {
      const message = error.code === 'STATE_INVALID' ? `${path}: ${error.message}` : error.message;
      throw new StateError(error.code, message, error.field === undefined ? {} : { field: error.field });
    }
    const message = `cannot use ${path}: ${messageOf(error)}`;
    throw new StateError('STATE_UNREADABLE', message, { cause: error });
  }
}

/**
 * Group commit: while one write is under way, the next batch gathers; then the whole batch is one write.
 *
 *   update() ──► waiting ──► run the changes ──► temp file, fsync ──► is the file still the one we know?
 *                   ▲                                                   │ yes             │ no: an edit by hand
 *                   │                                          rename, fsync folder       │ valid: run the changes on it
 *                   └─── gathers meanwhile                     resolve all of the batch   └ invalid: keep it aside
 *
 * All work with the file is done by one loop, so that no two steps ever meet.
 */
class FileStore implements Store {
  readonly #path: string;
  readonly #maxFileBytes: number;
  readonly #lock: FolderLock;
  readonly #log: Logger;
  readonly #encoder = new StateEncoder();
  readonly #listeners = new Set<(change: StateChange) => void>();
  readonly #stopWatching: () => void;
  #state: DesiredState;
  #problem: StateProblem | undefined;
  #seen: SeenFile | undefined;
  #refused: RefusedEdit | undefined;
  /** Where the refused edit of `#problem` lies, once a commit took its place. */
  #asidePath: string | undefined;
  /** A content that was renamed into place and then reported as failed: not an edit by hand. */
  #failedText: string | undefined;
  readonly #waiting: Waiting[] = [];
  #mustLook = false;
  #work: Promise<void> | undefined;
  /** Another process holds the data folder. */
  #lockProblem: StateProblem | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: {
    path: string;
    lock: FolderLock;
    state: DesiredState;
    file: FileVersion | undefined;
    log: Logger;
    maxFileBytes: number;
  }) {
    const { path, lock, state, file, log } = options;
    this.#path = path;
    this.#maxFileBytes = options.maxFileBytes;
    this.#lock = lock;
    this.#state = state;
    this.#seen = file;
    this.#log = log;
    this.#stopWatching = watchFolder(path, {
      log,
      pollMs: FolderLock.beatMs,
      onEvent: () => this.#look(),
      onPoll: () => this.#poll(),
    });
  }

  get state(): DesiredState {
    return this.#state;
  }

  get problem(): StateProblem | undefined {
    return this.#lockProblem ?? this.#problem;
  }

  update(change: (state: DesiredState) => DesiredState): Promise<DesiredState> {
    if (this.#closing !== undefined) return Promise.reject(writeFailed('the store is closed'));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ change, resolve, reject });
      this.#wake();
    });
  }

  subscribe(listener: (change: StateChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      this.#stopWatching();
      while (this.#work !== undefined) await this.#work;
      await this.#lock.release();
    })();
    return this.#closing;
  }

  #look(): void {
    this.#mustLook = true;
    this.#wake();
  }

  #wake(): void {
    this.#work ??= this.#run().finally(() => {
      this.#work = undefined;
      if (this.#waiting.length > 0 || this.#mustLook) this.#wake();
    });
  }

  async #run(): Promise<void> {
    // Let the requests of this turn of the event loop come together.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0 || this.#mustLook) {
      if (this.#waiting.length > 0) {
        await this.#commit(this.#waiting.splice(0));
      } else {
        this.#mustLook = false;
        await this.#readEdit().catch((error: unknown) => {
          this.#log.warn('the state file cannot be read now', { file: this.#path, error: messageOf(error) });
        });
      }
    }
  }

  async #commit(gathered: Waiting[]): Promise<void> {
    let batch = gathered;
    try {
      if (this.#lockProblem !== undefined) throw new Error('another process took over the data folder');
      for (;;) {
        if (!(await this.#isFileKnown())) await this.#readEdit();
        const before = this.#state;
        const { state, accepted } = applyChanges(before, batch);
        // Whoever was refused has been told so, and does not run again.
        batch = accepted;
        if (state !== before && !(await this.#write(state))) continue;
        this.#state = state;
        if (state !== before) this.#notify(before);
        for (const one of batch) one.resolve(state);
        return;
      }
    } catch (error) {
      this.#log.error('a change could not be written', { file: this.#path, error: messageOf(error) });
      const failure = writeFailed(
        `${this.#path} could not be written: ${messageOf(error)}; nothing was changed`,
        error,
      );
      for (const one of batch) one.reject(failure);
    }
  }

  /** Writes the state. False when an edit by hand came in between: it is to be read first. */
  async #write(state: DesiredState): Promise<boolean> {
    const text = this.#encoder.encode(state);
    const content = await prepareWrite(this.#path, text, this.#maxFileBytes);
    const refused = this.#refused;
    let aside: string | undefined;
    try {
      if (!(await this.#isFileKnown())) {
        await discard(content);
        return false;
      }
      if (refused !== undefined) aside = await keepAside(this.#path);
      await replaceFile(this.#path, content);
    } catch (error) {
      await discard(content);
      throw error;
    }
    this.#refused = undefined;
    if (refused !== undefined && aside !== undefined) this.#reportAside(refused, aside);
    try {
      await syncFolder(dirname(this.#path));
    } catch (error) {
      await this.#takeBack(text, content.mark);
      throw error;
    }
    this.#seen = { text, mark: content.mark };
    this.#failedText = undefined;
    return true;
  }

  /** The new content is in place, but perhaps not for good, and its authors hear that it is not. */
  async #takeBack(text: string, mark: FileMark): Promise<void> {
    this.#failedText = text;
    this.#seen = { text, mark };
    try {
      const old = this.#encoder.encode(this.#state);
      const content = await prepareWrite(this.#path, old);
      await replaceFile(this.#path, content);
      this.#seen = { text: old, mark: content.mark };
    } catch (error) {
      this.#log.error('the state file holds a change that was reported as failed', {
        file: this.#path,
        error: messageOf(error),
      });
    }
  }

  /** True when the file is as it was last seen, be it applied or refused; an absent file counts as known. */
  async #isFileKnown(): Promise<boolean> {
    const mark = await markOf(this.#path);
    return mark === undefined || isSameMark(mark, (this.#refused ?? this.#seen)?.mark);
  }

  /** Reads the file, and applies or refuses it when it is not what was last written or read. */
  async #readEdit(): Promise<void> {
    const mark = await markOf(this.#path);
    if (mark !== undefined && isSameMark(mark, (this.#refused ?? this.#seen)?.mark)) return;
    // The text that was there a moment ago; null when there was no file.
    let last: string | null | undefined;
    for (;;) {
      const file = await readVersion(this.#path, this.#maxFileBytes);
      if (file === undefined) {
        if (this.#seen === undefined) return;
        if (last === null) return await this.#restore();
        last = null;
      } else {
        if (file.text === this.#refused?.text) {
          this.#refused = { ...this.#refused, mark: file.mark };
          return;
        }
        const error = this.#apply(file);
        if (error === undefined) return;
        if (last === file.text) return this.#refuse(file, error);
        last = file.text;
      }
      // Half a file of an editor that is still writing looks the same as a mistake: wait until it is still.
      await sleep(settleMs);
    }
  }

  /** Makes the file's content the running state; the error when it cannot be. */
  #apply(file: FileVersion): CodedError | undefined {
    const before = this.#state;
    if (file.text === this.#failedText) {
      this.#seen = file;
      return undefined;
    }
    if (file.text !== this.#seen?.text) {
      try {
        this.#state = decodeVersion(file, before);
      } catch (error) {
        if (error instanceof StateError) return error;
        throw error;
      }
      this.#log.info('applied an edit of the state file', { file: this.#path, ...this.#differences(before) });
      this.#notify(before);
    }
    this.#seen = file;
    this.#refused = undefined;
    this.#clearProblem('the state file is valid again');
    return undefined;
  }

  #refuse(file: FileVersion, error: CodedError): void {
    this.#refused = { text: file.text, mark: file.mark, error };
    this.#asidePath = undefined;
    this.#report(
      `the edit of ${this.#path} is not applied, the running state stays: ${error.message}. The next change by the API would keep this edit aside and write the file anew`,
      error,
    );
  }

  #reportAside(refused: RefusedEdit, aside: string): void {
    this.#asidePath = aside;
    this.#report(
      `the edit of ${this.#path} was not applied: ${refused.error.message}. A change by the API wrote the file anew; the edit is kept in ${aside}: correct it and move it over the file, or remove it`,
      refused.error,
    );
  }

  #report(message: string, error: CodedError): void {
    const field = error.field === undefined ? {} : { field: error.field };
    this.#problem = new StateProblem('STATE_INVALID', message, new Date().toISOString(), field);
    this.#log.error(message, { code: 'STATE_INVALID', ...field });
  }

  #clearProblem(why: string): void {
    if (this.#problem === undefined) return;
    this.#problem = undefined;
    this.#asidePath = undefined;
    this.#log.info(why, { file: this.#path });
  }

  /** The file was removed: what was acknowledged must not live in memory only. An editor's new file is left alone. */
  async #restore(): Promise<void> {
    const text = this.#encoder.encode(this.#state);
    const content = await prepareWrite(this.#path, text);
    if (!(await createFile(this.#path, content))) {
      this.#mustLook = true;
      return;
    }
    await syncFolder(dirname(this.#path));
    this.#seen = { text, mark: content.mark };
    this.#refused = undefined;
    this.#log.warn('the state file was removed; it is written again from the running state', { file: this.#path });
    this.#clearProblem('the refused state file is gone');
  }

  #noteLock(isHeld: boolean): void {
    if (isHeld === (this.#lockProblem === undefined)) return;
    if (isHeld) {
      this.#lockProblem = undefined;
      this.#log.info('the data folder is held again; changes are taken', { file: this.#path });
      return;
    }
    const message = `another process took over the data folder ${dirname(this.#path)}: changes are refused until it ends; stop one of the two, or give it another --data-dir`;
    this.#lockProblem = new StateProblem('STATE_LOCKED', message, new Date().toISOString());
    this.#log.error(message, { code: 'STATE_LOCKED' });
  }

  async #poll(): Promise<void> {
    this.#noteLock(await this.#lock.beat());
    const mark = await markOf(this.#path);
    if (!isSameMark(mark, (this.#refused ?? this.#seen)?.mark)) this.#look();
    if (this.#asidePath !== undefined && (await markOf(this.#asidePath)) === undefined) {
      this.#clearProblem('the refused edit is gone');
    }
  }

  #notify(before: DesiredState): void {
    const state = this.#state;
    const change: StateChange = {
      state,
      cameras: differingNames(before.cameras, state.cameras),
      engines: differingNames(before.engines, state.engines),
    };
    if (change.cameras.size === 0 && change.engines.size === 0) return;
    for (const listener of this.#listeners) {
      try {
        listener(change);
      } catch (error) {
        this.#log.error('a listener of the state failed', { error: messageOf(error) });
      }
    }
  }

  /** For the log: what an edit did, in numbers and the first few names. */
  #differences(before: DesiredState): Record<string, unknown> {
    const count = (names: Set<string>) => ({ count: names.size, names: [...names].slice(0, 10) });
    return {
      cameras: count(differingNames(before.cameras, this.#state.cameras)),
      engines: count(differingNames(before.engines, this.#state.engines)),
    };
  }
}

/** Runs a batch in order. A change that throws is rejected alone; the others go on from the state before it. */
function applyChanges(base: DesiredState, batch: Waiting[]): { state: DesiredState; accepted: Waiting[] } {
  let state = base;
  const accepted: Waiting[] = [];
  for (const one of batch) {
    try {
      state = one.change(state);
      accepted.push(one);
    } catch (error) {
      one.reject(error);
    }
  }
  return { state, accepted };
}

function writeFailed(message: string, cause?: unknown): StateError {
  const hint = isErrno(cause, 'ENOSPC') ? ' (free some space, then try again)' : '';
  return new StateError('STATE_WRITE_FAILED', message + hint, { cause });
}
