import { StateError } from '../../errors.js';
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

  constructor(log: Logger, state: DesiredState = emptyState) {
    this.#listeners = new Listeners(log);
    this.#state = state;
  }

  get state(): DesiredState {
    return this.#state;
  }

  async update<R>(change: (state: DesiredState) => Changed<R>): Promise<Changed<R>> {
    if (this.#isClosed) throw new StateError('STATE_WRITE_FAILED', 'the store is closed; nothing was changed');
    const before = this.#state;
    const { state, result } = change(before);
    if (state !== before) {
      this.#state = state;
      this.#listeners.notify({ state, ...differingIn(before, state) });
    }
    return { state, result };
  }

  subscribe(listener: (change: StateChange) => void): () => void {
    return this.#listeners.add(listener);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }
}
