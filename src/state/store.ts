import type { CodedError } from '../errors.js';
import type { DesiredState } from './model.js';

/** What one commit, or one edit by hand, changed: names, for those who need not look at everything. */
export interface StateChange {
  readonly state: DesiredState;
  /** Names of cameras that were added, changed or removed. */
  readonly cameras: ReadonlySet<string>;
  /** Names of engines that were added, changed or removed. */
  readonly engines: ReadonlySet<string>;
}

/** Where the desired state is kept. */
export interface Store {
  /** The last committed state. */
  readonly state: DesiredState;
  /** Why an edit by hand is not applied; undefined when the file and the running state agree. */
  readonly problem: CodedError | undefined;
  /**
   * Changes the state. `change` gets the newest state and returns the next one (the same value: nothing is written);
   * what it throws is passed on and nothing is changed. It must be pure: it runs once, in the order of the calls.
   * Resolves when the change is on disk, to the state that holds it.
   * @throws StateError STATE_WRITE_FAILED when it could not be written; the running state is then as before.
   */
  update(change: (state: DesiredState) => DesiredState): Promise<DesiredState>;
  /** Called after every commit and every accepted edit by hand, in order. Returns the way to end it. */
  subscribe(listener: (change: StateChange) => void): () => void;
  /** Waits for what is under way and lets go of files and watchers. */
  close(): Promise<void>;
}
