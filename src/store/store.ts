import { type CodedErrorOptions, type ErrorCode, StateError } from '../errors.js';
import type { DesiredState } from '../model/model.js';

/** What one commit, or one edit by hand, changed: names, for those who need not look at everything. */
export interface StateChange {
  readonly state: DesiredState;
  /** Names of cameras that were added, changed or removed. */
  readonly cameras: ReadonlySet<string>;
  /** Names of engines that were added, changed or removed. */
  readonly engines: ReadonlySet<string>;
}

/** Why an edit by hand is not applied, or no change is taken. */
export class StateProblem extends StateError {
  /** ISO 8601, UTC. */
  readonly since: string;

  constructor(code: ErrorCode, message: string, since: string, options?: CodedErrorOptions) {
    super(code, message, options);
    this.since = since;
  }
}

/** What a change makes of the state, and what its caller wants to know of it. */
export interface Changed<R> {
  readonly state: DesiredState;
  readonly result: R;
}

/** Where the desired state is kept. */
export interface Store {
  /** The last committed state. */
  readonly state: DesiredState;
  /**
   * STATE_LOCKED while another process holds the data, so that every change is refused. STATE_INVALID: why an edit by
   * hand is not applied. All that is wrong at once, the worst first. Empty when nothing waits for a person: when file and
   * running state agree, and no refused edit lies beside them.
   */
  readonly problems: readonly StateProblem[];
  /**
   * Changes the state. `change` gets the newest state and returns the next one (the same value: nothing is written)
   * with a result; what it throws is passed on and nothing is changed. Changes run in the order of the calls. `change`
   * must be pure: it may run again on a newer state, where another node was faster; the last run counts.
   * @returns when the change is durable: a state that holds it (others may have followed), and its result
   * @throws StateError STATE_WRITE_FAILED when it could not be written; the running state is then as before.
   */
  update<R>(change: (state: DesiredState) => Changed<R>): Promise<Changed<R>>;
  /**
   * As `update`, for a change that is long: it is made in steps of a fraction of a millisecond, between which others have
   * the event loop. Other changes wait until it is made; nobody sees a part of it.
   */
  updateInSteps<R>(change: (state: DesiredState) => Generator<unknown, Changed<R>>): Promise<Changed<R>>;
  /**
   * Writes the state anew without a change, sealed with the present key; only where it is kept in a file.
   * @returns which key that is; empty: it is not sealed @throws StateError STATE_WRITE_FAILED
   */
  rewrite?(): Promise<string>;
  /** Called after every commit and every accepted edit by hand, in order. Returns the way to end it. */
  subscribe(listener: (change: StateChange) => void): () => void;
  /** Waits for what is under way and lets go of files and watchers. */
  close(): Promise<void>;
}
