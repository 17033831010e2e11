import { StateError } from '../../errors.js';
import { inStretches } from '../../fairness/stretch.js';
import type { Logger } from '../../log/log.js';
import { differingIn } from '../../model/changes.js';
import { type DesiredState, emptyState } from '../../model/model.js';
import { Listeners } from '../listeners.js';
import type { Changed, StateChange, StateProblem, Store } from '../store.js';

/** Keeps the desired state for as long as the process lives: to try the aggregator out, and for tests. */
export class MemoryStore implements Store {
  readonly problems: readonly StateProblem[] = [];
  readonly #listeners: Listeners;
  #state: DesiredState;
  #isClosed = false;
  /** Changes that are not made yet; the last of them. */
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(log: Logger, state: DesiredState = emptyState) {
    this.#listeners = new Listeners(log);
    this.#state = state;
  }

  get state(): DesiredState {
    return this.#state;
  }

  async update<R>(change: (state: DesiredState) => Changed<R>): Promise<Changed<R>> {
    this.#checkOpen();
    if (this.#waiting > 0) return this.#queue(async () => this.#commit(change(this.#state)));
    return this.#commit(change(this.#state));
  }

  async updateInSteps<R>(change: (state: DesiredState) => Generator<unknown, Changed<R>>): Promise<Changed<R>> {
    this.#checkOpen();
    return this.#queue(async () => this.#commit(await inStretches(change(this.#state))));
  }

  subscribe(listener: (change: StateChange) => void): () => void {
    return this.#listeners.add(listener);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#last;
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new StateError('STATE_WRITE_FAILED', 'the store is closed; nothing was changed');
  }

  #commit<R>(changed: Changed<R>): Changed<R> {
    const before = this.#state;
    const { state } = changed;
    if (state !== before) {
      this.#state = state;
      this.#listeners.notify({ state, ...differingIn(before, state) });
    }
    return changed;
  }

  /** Makes a change when those before it are made. */
  #queue<R>(make: () => Promise<Changed<R>>): Promise<Changed<R>> {
    this.#waiting += 1;
    const made = this.#last.then(make).finally(() => {
      this.#waiting -= 1;
    });
    this.#last = made.catch(() => undefined);
    return made;
  }
}
