import { messageOf } from '../errors.js';
import type { Logger } from '../log/log.js';
import type { StateChange } from './store.js';

/** Those who are told of every commit, in order. One that fails keeps no other from it. */
export class Listeners {
  readonly #listeners = new Set<(change: StateChange) => void>();
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** @returns the way to end it */
  add(listener: (change: StateChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Tells all of them, unless nothing changed. */
  notify(change: StateChange): void {
    if (change.cameras.size === 0 && change.engines.size === 0) return;
    for (const listener of this.#listeners) {
      try {
        listener(change);
      } catch (error) {
        this.#log.error('a listener of the state failed', { error: messageOf(error) });
      }
    }
  }
}
