import type { Logger } from '../../log/log.js';
import { Journal, type JournalPlace } from './journal.js';
import type { JournalCommit, TracedFile } from './journal-lines.js';
import type { StateFile } from './state-file.js';

/**
 * The journal beside state.json: there from the first commit on, and begun anew where it was removed, changed or damaged. One
 * call at a time, except `isSound`.
 */
export class CurrentJournal {
  readonly #path: string;
  readonly #file: StateFile;
  readonly #log: Logger;
  #journal: Journal | undefined;
  /** The number of the last commit. */
  #seq: number;
  #isEditUnnoted = false;

  /** @param options.journal the one that was there at the start, if any */
  constructor(options: { path: string; file: StateFile; journal: Journal | undefined; log: Logger }) {
    this.#path = options.path;
    this.#file = options.file;
    this.#journal = options.journal;
    this.#seq = options.journal?.place.seq ?? 0;
    this.#log = options.log;
  }

  /** How many commits are not in state.json yet. */
  get pending(): number {
    return this.#journal?.pending ?? 0;
  }

  /** Behind its last commit; undefined: there is none. */
  get place(): JournalPlace | undefined {
    return this.#journal?.place;
  }

  /** State.json was edited, and the journal does not know it yet as what it continues. */
  get lacksEdit(): boolean {
    return this.#journal !== undefined && this.#isEditUnnoted;
  }

  /** True while this place is in it. */
  has(place: JournalPlace): boolean {
    return this.#journal?.has(place) === true;
  }

  /** Whether it is the file that was written here last, and whole; undefined: there is none. */
  async isSound(): Promise<boolean | undefined> {
    return this.#journal?.isSound();
  }

  /** State.json was edited. @param isUnnoted nothing of the journal was merged with the edit, which it is still to note */
  edited(isUnnoted: boolean): void {
    this.#isEditUnnoted = isUnnoted;
  }

  /**
   * Makes it one that the next commit can be appended to.
   * @param isSound it was just found to be so
   * @param rewrite writes state.json with all that the journal has, and begins a new one
   * @throws what the system throws
   */
  async mend(isSound: boolean, rewrite: () => Promise<void>): Promise<void> {
    if (this.#journal !== undefined && !isSound && !(await this.#journal.isSound())) {
      this.#log.warn('the journal was removed, changed or damaged; a new one is started', { file: this.#path });
      if (this.#journal.pending > 0) await rewrite();
      else await this.#drop();
    }
    const { seen } = this.#file;
    if (this.#journal === undefined) this.#journal = await Journal.create(this.#path, seen, this.#seq);
    else if (this.#isEditUnnoted && seen !== null) await this.#journal.noteSnapshot(seen, this.#seq);
    this.#isEditUnnoted = false;
  }

  /** Appends a commit to a journal that is sound. It is on disk when this resolves. @throws what the system throws */
  async commit(changes: JournalCommit['changes']): Promise<void> {
    if (this.#journal === undefined) throw new Error('there is no journal');
    await this.#journal.commit(changes);
    this.#seq = this.#journal.place.seq;
  }

  /** Notes, in a journal that is sound, that this state.json will have what was committed until `seq`. */
  async note(content: TracedFile, seq: number): Promise<void> {
    await this.#journal?.noteSnapshot(content, seq);
  }

  /** Notes that this state.json will have all commits, where there is a sound journal. */
  async noteIfSound(content: TracedFile): Promise<void> {
    if (await this.isSound()) await this.note(content, this.#seq);
  }

  /** Begins a new one behind state.json, which has all commits. */
  async begin(content: TracedFile): Promise<void> {
    await this.#drop();
    this.#journal = await Journal.create(this.#path, content, this.#seq);
  }

  /** Leaves out what is in state.json: all until a place, by default all. */
  async dropUntil(content: TracedFile, place = this.place): Promise<void> {
    if (place !== undefined) await this.#journal?.dropUntil(content, place);
  }

  async close(): Promise<void> {
    await this.#journal?.close();
  }

  async #drop(): Promise<void> {
    await this.#journal?.close();
    this.#journal = undefined;
  }
}
