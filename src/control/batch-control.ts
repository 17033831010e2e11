import { CodedError } from '../errors.js';
import { inStretches } from '../fairness/stretch.js';
import { type BatchChange, type BatchRules, type ChangeResult, makeChange, placed } from '../model/batch.js';
import type { DesiredState } from '../model/model.js';
import type { Changed } from '../store/store.js';
import type { CameraControl } from './camera-control.js';
import type { ControlContext } from './context.js';

/**
 * What happens to valid changes when others are refused. `all`: nothing is changed; `each`: the valid ones are made.
 */
export type BatchMode = 'all' | 'each';

/** A change, or the error of an invalid item in its place. */
export type BatchItem = BatchChange | CodedError;

/** A change that was not made, and why. */
export interface FailedChange {
  readonly index: number;
  readonly error: CodedError;
}

/** The outcome of the change at this place: what it did, or why it was not made. */
export interface BatchResult {
  /** The result of each change that was made, by its place. */
  readonly results: ReadonlyMap<number, ChangeResult>;
  readonly failed: readonly FailedChange[];
  /** The state after the batch; in a dry run, the state that it would make. */
  readonly state: DesiredState;
}

/** Changes that were refused together, since some of them cannot be made. */
export class BatchRefused extends CodedError {
  /** Those that cannot be made, the first ones of them. */
  readonly failed: readonly FailedChange[];
  /** How many cannot be made. */
  readonly count: number;

  constructor(first: FailedChange, failed: readonly FailedChange[], count: number) {
    const { error } = first;
    const more = count === 1 ? '' : ` (and ${count - 1} more)`;
    super(error.code, `${error.message}${more}; nothing was changed`, {
      ...(error.field === undefined ? {} : { field: error.field }),
      cause: error,
    });
    this.failed = failed;
    this.count = count;
  }
}

/** The maximum number of refused changes that are reported one by one. */
const maxTold = 100;

/** Many changes of cameras, pushes and engines in one commit. They are made in steps, so that no frame waits for them. */
export class BatchControl {
  readonly #context: ControlContext;
  readonly #cameras: CameraControl;

  constructor(context: ControlContext, cameras: CameraControl) {
    this.#context = context;
    this.#cameras = cameras;
  }

  /**
   * Makes the changes in their order, each on the state that the one before left.
   * @param options.isDry nothing is changed; it is found out what would be
   * @throws BatchRefused in mode `all`; StateError
   */
  async run(
    items: readonly BatchItem[],
    { mode, isDry }: { readonly mode: BatchMode; readonly isDry: boolean },
  ): Promise<BatchResult> {
    const { store, log, reconciler } = this.#context;
    const rules = this.#rules();
    const steps = (state: DesiredState) => changeSteps(state, items, { mode, rules });
    if (isDry) {
      const { state, result } = await inStretches(steps(store.state));
      return { ...result, state };
    }
    const { state, result } = await store.updateInSteps(steps);
    const made = countOf(result.results);
    if (made.changes > 0) log.info('made a batch of changes', { ...made, failed: result.failed.length });
    await reconciler.allOfInForce(camerasOf(items));
    return { ...result, state };
  }

  #rules(): BatchRules {
    const { settings, tags } = this.#context;
    const { maxCameras, maxPushesPerCamera, maxEngines } = settings;
    return {
      ...{ maxCameras, maxPushesPerCamera, maxEngines },
      now: new Date().toISOString(),
      checkTarget: (url, field, audio) => this.#context.checkSupported(url, field, audio),
      checkCondition: (current, condition) => tags.check(current, condition),
      keyed: (before, after, name) => this.#cameras.keyed(before, after, name),
      earlierTries: new Map(),
    };
  }
}

/** A change in each step. @throws BatchRefused */
function* changeSteps(
  before: DesiredState,
  items: readonly BatchItem[],
  { mode, rules }: { mode: BatchMode; rules: BatchRules },
): Generator<undefined, Changed<Omit<BatchResult, 'state'>>> {
  let state = before;
  const results = new Map<number, ChangeResult>();
  const failed: FailedChange[] = [];
  for (const [index, item] of items.entries()) {
    try {
      if (item instanceof CodedError) throw item;
      const made = yield* makeChange(state, item, rules);
      state = made.state;
      results.set(index, made.result);
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      const inPlace = placed(error, `changes.${index}`);
      failed.push({ index, error: inPlace instanceof CodedError ? inPlace : error });
    }
    yield;
  }
  const [first] = failed;
  if (mode === 'all' && first !== undefined) throw new BatchRefused(first, failed.slice(0, maxTold), failed.length);
  return { state, result: { results, failed } };
}

function camerasOf(items: readonly BatchItem[]): Set<string> {
  const names = new Set<string>();
  for (const item of items) if (!(item instanceof CodedError) && 'camera' in item) names.add(item.camera);
  return names;
}

function countOf(results: ReadonlyMap<number, ChangeResult>): { changes: number } {
  let changes = 0;
  for (const { outcome, pushes = [] } of results.values()) {
    for (const one of [{ outcome }, ...pushes]) if (one.outcome !== 'unchanged') changes += 1;
  }
  return { changes };
}
