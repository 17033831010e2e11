import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CodedError, StateError } from '../../errors.js';
import { type FileMark, isSameMark, markOf, openRegular } from '../../files/read.js';
import { createFile, discard, keepAside, type Prepared, replaceFile, syncFolder } from '../../files/write.js';
import type { Logger } from '../../log/log.js';
import { StateProblem } from '../store.js';
import { type FileVersion, readVersion } from './disk.js';
import { unreadable } from './recover.js';

/** A valid content of the file: how to recognize it. */
interface SeenFile {
  readonly digest: string;
  readonly mark: FileMark;
}

/** A refused edit by hand that is still in the file. */
interface RefusedEdit extends SeenFile {
  readonly error: CodedError;
}

/** How long an invalid file must be unchanged before it is refused: editors write in several steps. */
const settleMs = 100;

/** State.json, which both people and this program write. Tells edits from own contents, and keeps refused edits. */
export class StateFile {
  readonly #path: string;
  readonly #maxBytes: number;
  readonly #log: Logger;
  #seen: SeenFile | undefined;
  #refused: RefusedEdit | undefined;
  #problem: StateProblem | undefined;
  /** Where the refused edit of `#problem` lies, once other content took its place. */
  #asidePath: string | undefined;
  /** Why the file cannot be read; also when its content is known. */
  #unreadable: StateProblem | undefined;
  #isUnread = false;

  constructor(options: { path: string; maxBytes: number; seen: FileVersion | undefined; log: Logger }) {
    this.#path = options.path;
    this.#maxBytes = options.maxBytes;
    this.#log = options.log;
    this.#seen = options.seen && { digest: options.seen.digest, mark: options.seen.mark };
  }

  /** Why the file cannot be read, and why an edit by hand is not applied. */
  get problems(): readonly StateProblem[] {
    return [this.#unreadable, this.#problem].filter((problem) => problem !== undefined);
  }

  /** The content that was last understood; null when there never was a file. */
  get seen(): SeenFile | null {
    return this.#seen ?? null;
  }

  /** True when the file holds an unknown content that cannot be read: then it is not replaced. */
  get isUnread(): boolean {
    return this.#isUnread;
  }

  /** True when the file is as it was last seen, be it applied or refused; an absent file counts as known. */
  async isKnown(): Promise<boolean> {
    const mark = await this.#mark();
    return mark === undefined || (mark !== 'unreadable' && isSameMark(mark, (this.#refused ?? this.#seen)?.mark));
  }

  /** True when it is known and there, or never was. */
  async isInPlace(): Promise<boolean> {
    const mark = await this.#mark();
    return mark !== 'unreadable' && isSameMark(mark, (this.#refused ?? this.#seen)?.mark);
  }

  async #mark(): Promise<FileMark | 'unreadable' | undefined> {
    return markOf(this.#path).catch(() => 'unreadable' as const);
  }

  /**
   * Reads what is new in it, if anything. `apply` makes it the running state, or throws why that cannot be.
   * @returns `removed` when there was a file and is none any more; `unreadable` when it is there and cannot be read,
   *   which is a problem until it can
   */
  async read(
    apply: (file: FileVersion) => Promise<void>,
  ): Promise<'known' | 'applied' | 'refused' | 'removed' | 'unreadable'> {
    if (await this.isInPlace()) {
      this.#isUnread = false;
      return 'known';
    }
    // What was there a moment ago; null when there was no file.
    let last: FileVersion | null | undefined;
    for (;;) {
      let file: FileVersion | undefined;
      try {
        file = await readVersion(this.#path, this.#maxBytes);
      } catch (error) {
        this.#isUnread = true;
        this.#reportUnreadable(error);
        return 'unreadable';
      }
      this.#isUnread = false;
      this.#clearUnreadable();
      if (file === undefined) {
        if (this.#seen === undefined) return 'known';
        if (last === null) return 'removed';
        last = null;
      } else {
        if (file.digest === this.#refused?.digest) {
          this.#refused = { ...this.#refused, mark: file.mark };
          return 'known';
        }
        const error = file.digest === this.#seen?.digest ? undefined : await attempt(apply, file);
        if (error === undefined) {
          this.#accept(file, 'the state file is valid again');
          return 'applied';
        }
        if (last?.digest === file.digest && isSameMark(last.mark, file.mark)) {
          this.#refuse(file, error);
          return 'refused';
        }
        last = file;
      }
      // A file that an editor is still writing looks like a mistake: wait until it is unchanged for a while.
      await sleep(settleMs);
    }
  }

  /**
   * Replaces the file. A refused edit is kept under another name.
   * @throws what the system throws; the file is then as it was, or what `content` holds
   */
  async replace(content: Prepared): Promise<void> {
    const refused = this.#refused;
    const aside = refused === undefined ? undefined : await keepAside(this.#path, 'rejected');
    await replaceFile(content);
    this.#refused = undefined;
    this.#seen = content;
    if (refused !== undefined && aside !== undefined) this.#reportAside(refused, aside);
    await syncFolder(dirname(content.path));
    this.#clearUnreadable();
  }

  /** Puts content in the place of a removed file. False when there is one by now: an editor's new file is left alone. */
  async create(content: Prepared): Promise<boolean> {
    if (!(await createFile(content))) return false;
    await syncFolder(dirname(content.path));
    this.#accept(content, 'the refused state file is gone');
    return true;
  }

  /** Gives up what was prepared. */
  async discard(content: Prepared): Promise<void> {
    await discard(content);
  }

  /**
   * Looks whether the file can still be read, which the next start will have to, and whether somebody removed the refused
   * edit that was kept aside.
   */
  async poll(): Promise<void> {
    if (!this.#isUnread) {
      try {
        await (await openRegular(this.#path))?.file.close();
        this.#clearUnreadable();
      } catch (error) {
        this.#reportUnreadable(error);
      }
    }
    if (this.#asidePath !== undefined && (await markOf(this.#asidePath)) === undefined) {
      this.#clearProblem('the refused edit is gone');
    }
  }

  #accept(seen: SeenFile, why: string): void {
    this.#seen = { digest: seen.digest, mark: seen.mark };
    this.#refused = undefined;
    this.#clearProblem(why);
  }

  #refuse(file: FileVersion, error: CodedError): void {
    this.#refused = { digest: file.digest, mark: file.mark, error };
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
    this.#problem = new StateProblem(error.code, message, new Date().toISOString(), field);
    this.#log.error(message, { code: error.code, ...field });
  }

  #reportUnreadable(cause: unknown): void {
    const { code, message } = unreadable(this.#path, cause);
    const text = `${message}. The running state stays and changes are taken, but a restart would fail`;
    if (this.#unreadable?.message === text) return;
    this.#unreadable = new StateProblem(code, text, this.#unreadable?.since ?? new Date().toISOString());
    this.#log.error(text, { code });
  }

  #clearUnreadable(): void {
    if (this.#unreadable === undefined) return;
    this.#unreadable = undefined;
    this.#log.info('the state file can be read again', { file: this.#path });
  }

  #clearProblem(why: string): void {
    if (this.#problem === undefined) return;
    this.#problem = undefined;
    this.#asidePath = undefined;
    this.#log.info(why, { file: this.#path });
  }
}

async function attempt(
  apply: (file: FileVersion) => Promise<void>,
  file: FileVersion,
): Promise<StateError | undefined> {
  try {
    await apply(file);
    return undefined;
  } catch (error) {
    if (error instanceof StateError) return error;
    throw error;
  }
}
