import { isDeepStrictEqual } from 'node:util';
import { messageOf, StateError } from '../../errors.js';
import { inStretches } from '../../fairness/stretch.js';
import type { Logger } from '../../log/log.js';
import { differingIn } from '../../model/changes.js';
import type { DesiredState } from '../../model/model.js';
import { Listeners } from '../listeners.js';
import { type Changed, type StateChange, StateProblem, type Store } from '../store.js';

/** How often it is looked whether the disk takes something again. */
const retryMs = 2000;

/**
 * A state that was read from a disk that takes nothing, as it is when a full disk was what ended the process: media goes
 * by it, every change is refused. As soon as the disk takes something, the folder is opened as ever and this hands on to
 * that store.
 */
export class WaitingStore implements Store {
  readonly #open: () => Promise<Store>;
  readonly #folder: string;
  readonly #log: Logger;
  readonly #listeners: Listeners;
  readonly #state: DesiredState;
  #problem: StateProblem;
  #store: Store | undefined;
  #timer: NodeJS.Timeout | undefined;
  #opening: Promise<void> | undefined;
  #isClosed = false;

  /**
   * @param options.open opens the folder; whatever it throws, it is tried again
   * @param options.trouble why the folder could not be opened
   */
  constructor(options: {
    open: () => Promise<Store>;
    folder: string;
    state: DesiredState;
    trouble: Error;
    log: Logger;
  }) {
    this.#open = options.open;
    this.#folder = options.folder;
    this.#log = options.log;
    this.#listeners = new Listeners(options.log);
    this.#state = options.state;
    const message = this.#messageFor(options.trouble);
    this.#problem = new StateProblem('STATE_WRITE_FAILED', message, new Date().toISOString());
    this.#log.error(message, { code: this.#problem.code });
    this.#schedule();
  }

  get state(): DesiredState {
    return this.#store?.state ?? this.#state;
  }

  get problems(): readonly StateProblem[] {
    return this.#store === undefined ? [this.#problem] : this.#store.problems;
  }

  async update<R>(change: (state: DesiredState) => Changed<R>): Promise<Changed<R>> {
    const store = await this.#opened();
    if (store !== undefined) return store.update(change);
    const { state } = this;
    return this.#unchanged(state, change(state));
  }

  async updateInSteps<R>(change: (state: DesiredState) => Generator<unknown, Changed<R>>): Promise<Changed<R>> {
    const store = await this.#opened();
    if (store !== undefined) return store.updateInSteps(change);
    const { state } = this;
    return this.#unchanged(state, await inStretches(change(state)));
  }

  async rewrite(): Promise<string> {
    const store = await this.#opened();
    if (store?.rewrite === undefined) throw new StateError(this.#problem.code, this.#problem.message);
    return store.rewrite();
  }

  /** Who makes room and asks again need not wait for the next look. */
  async #opened(): Promise<Store | undefined> {
    if (this.#store === undefined && !this.#isClosed) await this.#tryOpen();
    return this.#store;
  }

  /** What changes nothing needs no disk, and what is wrong is told as ever. @throws StateError for any other change */
  #unchanged<R>(before: DesiredState, changed: Changed<R>): Changed<R> {
    if (changed.state === before) return changed;
    throw new StateError(this.#problem.code, this.#problem.message, { cause: this.#problem });
  }

  subscribe(listener: (change: StateChange) => void): () => void {
    return this.#listeners.add(listener);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#opening;
    await this.#store?.close();
  }

  #messageFor(trouble: Error): string {
    return `nothing can be written to ${this.#folder}: ${trouble.message}. What was acknowledged is in force; changes are refused until there is room, which is looked for every ${retryMs / 1000} s`;
  }

  #schedule(): void {
    this.#timer = setTimeout(() => void this.#tryOpen().then(() => this.#again()), retryMs).unref();
  }

  #again(): void {
    if (this.#store === undefined && !this.#isClosed) this.#schedule();
  }

  #tryOpen(): Promise<void> {
    this.#opening ??= this.#openOnce().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #openOnce(): Promise<void> {
    let store: Store;
    try {
      store = await this.#open();
    } catch (error) {
      const isOther = error instanceof StateError;
      const code = isOther ? error.code : 'STATE_WRITE_FAILED';
      const message = isOther ? error.message : this.#messageFor(new Error(messageOf(error)));
      if (code === this.#problem.code && message === this.#problem.message) return;
      this.#problem = new StateProblem(code, message, this.#problem.since);
      this.#log.error(message, { code });
      return;
    }
    const before = this.#state;
    this.#store = store;
    clearTimeout(this.#timer);
    store.subscribe((change) => this.#listeners.notify(change));
    this.#log.info('the data folder can be written again; changes are accepted', { folder: this.#folder });
    // Somebody may have edited state.json meanwhile. It was read anew: what has the same content is not the same value.
    const { cameras, engines } = differingIn(before, store.state);
    this.#listeners.notify({
      state: store.state,
      cameras: changedIn(cameras, before.cameras, store.state.cameras),
      engines: changedIn(engines, before.engines, store.state.engines),
    });
  }
}

function changedIn<T>(
  names: ReadonlySet<string>,
  before: ReadonlyMap<string, T>,
  after: ReadonlyMap<string, T>,
): ReadonlySet<string> {
  return new Set([...names].filter((name) => !isDeepStrictEqual(before.get(name), after.get(name))));
}
