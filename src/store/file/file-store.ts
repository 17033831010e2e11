import { dirname } from 'node:path';
import { messageOf } from '../../errors.js';
import { inOneStep, inStretches } from '../../fairness/stretch.js';
import { FolderLock } from '../../files/lock.js';
import { watchFolder } from '../../files/watch.js';
import type { Logger } from '../../log/log.js';
import { changesBetweenSteps, differingIn } from '../../model/changes.js';
import { type EntryMap, encodeBlocks } from '../../model/document/encode.js';
import type { DesiredState } from '../../model/model.js';
import { Listeners } from '../listeners.js';
import { sealChange, sealingMap } from '../sealing.js';
import type { Changed, StateChange, StateProblem, Store } from '../store.js';
import { applyChanges, grownBytes, type Waiting, writeFailed } from './batch.js';
import { Compaction } from './compaction.js';
import { CurrentJournal } from './current-journal.js';
import { type FileVersion, maxStateFileBytes, prepareState, TooLargeState } from './disk.js';
import { editSteps, type StateCheck, summaryOf } from './edit.js';
import { FolderHold } from './folder-hold.js';
import { DiskTrouble, type OpenFolder, type OpenOptions, openFolder } from './open-folder.js';
import { Rewrites } from './rewrites.js';
import { StateFile } from './state-file.js';
import { UpdateQueue } from './update-queue.js';
import { WaitingStore } from './waiting-store.js';
import { WriteHealth } from './write-health.js';

export interface FileStoreOptions extends OpenOptions {
  /** The rules that hold for every state that somebody writes, by hand too. Not for what is there at the start. */
  readonly check?: StateCheck;
  /** How long a change waits for a disk that does not answer, milliseconds. Default: 10 s. */
  readonly answerLimitMs?: number;
}

/**
 * Opens `DATA_DIR/state.json` and its journal. The folder and the journal are made when missing; state.json comes with
 * the first change. If the disk cannot be written, the state can be read, and changes are refused until it can.
 * @throws StateError as `openFolder`
 */
export async function openFileStore(options: FileStoreOptions): Promise<Store> {
  const open = async (): Promise<Store> => new FileStore(await openFolder(options), options);
  try {
    return await open();
  } catch (error) {
    if (!(error instanceof DiskTrouble)) throw error;
    const { dataDir: folder, log } = options;
    return new WaitingStore({ open, folder, state: error.recovered.state, trouble: error, log });
  }
}

/** What state.json takes beside its entries, in bytes. */
const emptyFileBytes = 64;

/**
 * Group commit: while one write is under way, the next batch gathers; then the whole batch is one line of the journal.
 *
 *   update() ──► waiting ──► is state.json still the one we know? ──► run the changes ──► journal: append, fsync
 *                   ▲           │ no: an edit by hand is applied          │                  │
 *                   └───────────┴────────── gathers meanwhile ────────────┘          resolve all of the batch
 *
 *   soon after, beside the commits: state.json anew (temp file, fsync, rename), then the journal begins anew
 *
 * All changes of the two files are made by one loop, so that no two steps ever meet.
 */
class FileStore implements Store {
  readonly #paths: { readonly file: string; readonly journal: string };
  readonly #maxFileBytes: number;
  readonly #hold: FolderHold;
  readonly #log: Logger;
  readonly #listeners: Listeners;
  readonly #stopWatching: () => void;
  readonly #file: StateFile;
  readonly #compaction: Compaction;
  readonly #health: WriteHealth;
  readonly #check: FileStoreOptions['check'];
  readonly #sealing: FileStoreOptions['sealing'];
  readonly #seal: EntryMap | undefined;
  readonly #rewrites = new Rewrites();
  /** Nobody waits for a compaction. A call takes several turns of the event loop: a long stretch in each adds up. */
  readonly #inBackground = { stretchMs: 1, restMs: () => (this.#closing === undefined ? 5 : 0) };
  readonly #journal: CurrentJournal;
  readonly #updates: UpdateQueue;
  #state: DesiredState;
  /** What state.json says, without the journal. */
  #fileState: DesiredState;
  /** About how large state.json is, or will be. */
  #fileBytes: number;
  #mustLook = false;
  #work: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(folder: OpenFolder, options: FileStoreOptions) {
    const { paths, lock, recovered, journal } = folder;
    const { log, maxFileBytes = maxStateFileBytes } = options;
    this.#paths = paths;
    this.#maxFileBytes = maxFileBytes;
    this.#check = options.check;
    this.#sealing = options.sealing;
    this.#seal = sealingMap(options.sealing);
    this.#hold = new FolderHold({ lock, folder: dirname(paths.file), log });
    this.#state = recovered.state;
    this.#fileState = recovered.fileState;
    this.#fileBytes = Number(recovered.file?.mark.bytes ?? emptyFileBytes);
    this.#log = log;
    this.#listeners = new Listeners(log);
    this.#health = new WriteHealth({ journal: paths.journal, log });
    this.#updates = new UpdateQueue({
      file: paths.journal,
      limitMs: options.answerLimitMs,
      onSilent: (silence) => this.#health.failed(silence),
    });
    this.#file = new StateFile({ path: paths.file, maxBytes: maxFileBytes, seen: recovered.file, log });
    this.#journal = new CurrentJournal({ path: paths.journal, file: this.#file, journal, log });
    this.#compaction = new Compaction({
      prepare: (state) => prepareState(paths.file, encodeBlocks(state, this.#seal, this.#inBackground), maxFileBytes),
      onPrepared: () => this.#wake(),
      file: paths.file,
      log,
    });
    this.#stopWatching = watchFolder(paths.file, {
      log,
      pollMs: FolderLock.beatMs,
      onEvent: () => this.#look(),
      onPoll: () => this.#poll(),
    });
    this.#scheduleCompaction();
  }

  get state(): DesiredState {
    return this.#state;
  }

  get problems(): readonly StateProblem[] {
    const { problems } = this.#file;
    const all = [this.#hold.problem, this.#health.problem, ...problems, this.#compaction.problem];
    return all.filter((problem) => problem !== undefined);
  }

  update<R>(change: (state: DesiredState) => Changed<R>): Promise<Changed<R>> {
    return this.updateInSteps((state) => inOneStep(change, state));
  }

  updateInSteps<R>(change: (state: DesiredState) => Generator<unknown, Changed<R>>): Promise<Changed<R>> {
    if (this.#closing !== undefined) return Promise.reject(writeFailed('the store is closed'));
    const committed = this.#updates.add(change);
    this.#wake();
    return committed;
  }

  async rewrite(): Promise<string> {
    if (this.#closing !== undefined) throw writeFailed('the store is closed');
    if (this.#hold.problem !== undefined) throw writeFailed(this.#hold.problem.message);
    const written = this.#rewrites.ask();
    this.#wake();
    await written.catch((error: unknown) => {
      throw writeFailed(`${this.#paths.file} could not be written: ${messageOf(error)}`, error);
    });
    return this.#sealing?.keyId ?? '';
  }

  subscribe(listener: (change: StateChange) => void): () => void {
    return this.#listeners.add(listener);
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      this.#stopWatching();
      while (this.#work !== undefined) await this.#work;
      await this.#compaction.stop();
      let failure: unknown;
      // An edit by hand may interrupt it more than once.
      for (let tries = 0; tries < 3 && this.#journal.pending > 0; tries += 1) {
        if (this.#hold.problem !== undefined) break;
        failure = await this.#rewrite().catch((error: unknown) => error);
      }
      if (failure !== undefined) {
        this.#log.warn('state.json is not up to date; its journal has the rest', { error: messageOf(failure) });
      }
      await this.#journal.close();
      await this.#hold.release();
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
      if (this.#hasWork) this.#wake();
    });
  }

  get #hasWork(): boolean {
    return this.#updates.areWaiting || this.#mustLook || this.#compaction.isPrepared || this.#rewrites.areAsked;
  }

  async #run(): Promise<void> {
    // Let the requests of this turn of the event loop come together.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#hasWork) {
      if (this.#compaction.isPrepared) {
        await this.#finishCompaction();
      } else if (this.#updates.areWaiting) {
        await this.#commit(this.#updates.take());
      } else if (this.#rewrites.areAsked) {
        await this.#rewrites.run(() => this.#rewrite());
      } else {
        this.#mustLook = false;
        await this.#lookAtFiles().then(
          () => this.#health.lookedAt(),
          (error: unknown) => this.#health.lookFailed(this.#paths.file, messageOf(error)),
        );
      }
      this.#updates.answered();
    }
  }

  async #commit(gathered: Waiting[]): Promise<void> {
    let batch = gathered;
    try {
      if (this.#hold.problem !== undefined) throw new Error('another process took over the data folder');
      // Both looks at once: under load each costs a turn of the thread pool.
      const [isKnown, isSound] = await Promise.all([this.#file.isKnown(), this.#journal.isSound()]);
      if (!isKnown) await this.#readEdit();
      const before = this.#state;
      const { state, accepted } = await this.#updates.compute(applyChanges(before, batch));
      // Refused updates were rejected already.
      batch = accepted;
      if (state !== before) await this.#write(before, state, isSound === true && isKnown);
      for (const one of batch) one.resolve(state);
    } catch (error) {
      const reason = `${this.#paths.journal} could not be written: ${messageOf(error)}`;
      if (this.#hold.problem === undefined && !(error instanceof TooLargeState)) this.#health.failed(reason);
      this.#log.debug('a change could not be written', { file: this.#paths.journal, error: messageOf(error) });
      const failure = writeFailed(`${reason}; nothing was changed`, error);
      for (const one of batch) one.reject(failure);
    }
  }

  async #write(before: DesiredState, state: DesiredState, isSound: boolean): Promise<void> {
    const differing = differingIn(before, state);
    const changes = await this.#updates.compute(changesBetweenSteps(before, state, differing));
    if (changes.length > 0) {
      const sealing = this.#sealing;
      // As they stand in the file: a sealed URL is longer.
      const written = sealing === undefined ? changes : changes.map((change) => sealChange(change, sealing));
      const grown = await this.#updates.compute(grownBytes(before, state, differing, written));
      const fileBytes = this.#fileBytes + grown;
      if (fileBytes > this.#maxFileBytes && fileBytes > this.#fileBytes)
        throw new TooLargeState(fileBytes, this.#maxFileBytes);
      await this.#mendJournal(isSound);
      await this.#journal.commit(written);
      this.#health.succeeded();
      this.#fileBytes = fileBytes;
    }
    this.#state = state;
    this.#listeners.notify({ state: this.#state, ...differing });
    this.#scheduleCompaction();
  }

  #mendJournal(isSound: boolean): Promise<void> {
    return this.#journal.mend(isSound, () => this.#rewrite());
  }

  /** Writes state.json at once and begins a new journal. It does not need the content of the old journal. */
  async #rewrite(): Promise<void> {
    if (!(await this.#file.isKnown())) await this.#readEdit();
    const state = this.#state;
    const content = await prepareState(this.#paths.file, encodeBlocks(state, this.#seal), this.#maxFileBytes);
    try {
      await this.#journal.noteIfSound(content);
      if (!(await this.#file.isKnown())) throw new Error('it was edited meanwhile');
      await this.#file.replace(content);
    } catch (error) {
      await this.#file.discard(content);
      throw error;
    }
    this.#fileState = state;
    this.#fileBytes = content.bytes;
    await this.#journal.begin(content);
    this.#compaction.cancel();
  }

  #scheduleCompaction(soon = false): void {
    if (this.#journal.pending === 0) return;
    if (this.#closing !== undefined || this.#hold.problem !== undefined) return;
    // An unread edit is not overwritten. The next look at the files comes back here.
    if (this.#file.isUnread) return;
    this.#compaction.schedule(this.#fileBytes, soon, () => {
      // Between two journals, state.json is being written already.
      const { pending, place } = this.#journal;
      if (place === undefined || pending === 0) return undefined;
      return { state: this.#state, place, fileBytes: this.#fileBytes };
    });
  }

  /** The new state.json is prepared: put it there, unless an edit by hand came in between. */
  async #finishCompaction(): Promise<void> {
    const prepared = this.#compaction.take();
    if (prepared === undefined) return;
    const { content, state, place, fileBytes } = prepared;
    try {
      if (!(await this.#file.isKnown())) await this.#readEdit();
      const isCurrent = !prepared.isOutdated() && this.#journal.has(place) && this.#hold.problem === undefined;
      const canReplace = isCurrent && (await this.#file.isKnown());
      if (!canReplace || !(await this.#journal.isSound())) {
        await this.#file.discard(content);
        if (canReplace) await this.#mendJournal(false);
        else this.#scheduleCompaction(true);
        return;
      }
      await this.#journal.note(content, place.seq);
      await this.#file.replace(content);
      this.#fileState = state;
      this.#fileBytes += content.bytes - fileBytes;
      await this.#journal.dropUntil(content, place);
      this.#compaction.succeeded();
    } catch (error) {
      await this.#file.discard(content);
      this.#compaction.failed(error);
    }
    this.#scheduleCompaction();
  }

  async #lookAtFiles(): Promise<void> {
    try {
      await this.#readEdit();
      // Acknowledged changes must not be in memory only, and the journal shows others which edit was applied.
      const isSound = (await this.#journal.isSound()) ?? true;
      if (!isSound || this.#journal.lacksEdit) await this.#mendJournal(isSound);
    } finally {
      // After a failure nothing else does. It is done here since nothing is being put in place meanwhile.
      this.#scheduleCompaction();
    }
  }

  /** Applies or refuses what is new in state.json. */
  async #readEdit(): Promise<void> {
    const outcome = await this.#file.read((file) => this.#apply(file));
    if (outcome === 'removed') await this.#restore();
  }

  /** Makes the file's content the running state, with what waits in the journal. @throws StateError when it cannot be */
  async #apply(file: FileVersion): Promise<void> {
    const before = this.#state;
    // In stretches, because ten thousand cameras at once would delay every frame. Nothing else changes the state
    // meanwhile.
    const isMerged = this.#journal.pending > 0;
    const base = isMerged ? this.#fileState : null;
    const { edited, after } = await inStretches(
      editSteps(file, { before, base, check: this.#check, sealing: this.#sealing }),
    );
    this.#state = after;
    this.#fileState = edited;
    this.#fileBytes = Number(file.mark.bytes);
    this.#journal.edited(!isMerged);
    this.#compaction.outdate();
    const differing = differingIn(before, this.#state);
    this.#log.info('applied an edit of the state file', { file: this.#paths.file, ...summaryOf(differing) });
    this.#listeners.notify({ state: this.#state, ...differing });
    if (isMerged) this.#scheduleCompaction(true);
  }

  /** The file was removed: it is written again, unless an editor has a new one there by now. */
  async #restore(): Promise<void> {
    const state = this.#state;
    const content = await prepareState(this.#paths.file, encodeBlocks(state, this.#seal), this.#maxFileBytes);
    await this.#journal.noteIfSound(content);
    if (!(await this.#file.create(content))) {
      this.#mustLook = true;
      return;
    }
    this.#fileState = state;
    this.#compaction.outdate();
    this.#log.warn('the state file was removed; it is written again from the running state', {
      file: this.#paths.file,
    });
    await this.#journal.dropUntil(content);
  }

  async #poll(): Promise<void> {
    await this.#hold.beat();
    const isPending = this.#journal.pending > 0;
    const isSound = (await this.#journal.isSound().catch(() => false)) ?? true;
    if (isPending || !isSound || !(await this.#file.isInPlace())) this.#look();
    await this.#file.poll();
    if (!this.#updates.isSilent) await this.#health.poll();
  }
}
