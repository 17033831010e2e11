import type { MediaBackend } from '../backend/backend.js';
import { inOneStep } from '../fairness/stretch.js';
import type { Logger } from '../log/log.js';
import type { DesiredState } from '../model/model.js';
import type { PushAudio } from '../model/push-options.js';
import { checkTarget } from '../model/rules.js';
import type { Changed, Store } from '../store/store.js';
import type { EntityTags } from './entity-tags.js';
import type { HealthWatch } from './health-watch.js';
import type { LastLives } from './last-live.js';
import type { Places } from './neighbours.js';
import type { Reconciler } from './reconcile.js';
import type { ControlSettings } from './settings.js';

/** Whether something was made, or was there already. */
export interface Added<T> {
  readonly created: boolean;
  readonly view: T;
}

/** What all parts of control share: the store, the backend, the settings, and the way to commit a change. */
export class ControlContext {
  readonly store: Store;
  readonly backend: MediaBackend;
  readonly settings: ControlSettings;
  readonly log: Logger;
  readonly tags: EntityTags;
  readonly reconciler: Reconciler;
  readonly health: HealthWatch;
  readonly lastLives: LastLives;
  readonly places: Places;

  constructor(options: {
    store: Store;
    backend: MediaBackend;
    settings: ControlSettings;
    log: Logger;
    tags: EntityTags;
    reconciler: Reconciler;
    health: HealthWatch;
    lastLives: LastLives;
    places: Places;
  }) {
    this.store = options.store;
    this.backend = options.backend;
    this.settings = options.settings;
    this.log = options.log;
    this.tags = options.tags;
    this.reconciler = options.reconciler;
    this.health = options.health;
    this.lastLives = options.lastLives;
    this.places = options.places;
  }

  /** Commits what makes a camera or an engine, and says whether it was made by that. @throws what `change` throws */
  async add(
    kind: 'cameras' | 'engines',
    name: string,
    change: (state: DesiredState, now: string) => DesiredState,
  ): Promise<{ state: DesiredState; created: boolean }> {
    return this.addInSteps(kind, name, (state, now) => inOneStep(change, state, now));
  }

  /** `add` of what is long: see `Store.updateInSteps`. @throws what `change` throws */
  async addInSteps(
    kind: 'cameras' | 'engines',
    name: string,
    change: (state: DesiredState, now: string) => Generator<unknown, DesiredState>,
  ): Promise<{ state: DesiredState; created: boolean }> {
    const now = new Date().toISOString();
    const { state, result: created } = await this.store.updateInSteps((before) =>
      withResult(change(before, now), !before[kind].has(name)),
    );
    // A publisher that connects right after the answer must not find the previous state, so the answer waits a moment
    // for the backend.
    await (kind === 'cameras' ? this.reconciler.inForce(name) : this.reconciler.engineInForce(name));
    return { state, created };
  }

  /** Commits a change that has no result but the new state. @throws what `change` throws */
  async commit(change: (state: DesiredState) => DesiredState): Promise<DesiredState> {
    const { state } = await this.store.update((before) => ({ state: change(before), result: undefined }));
    return state;
  }

  /** `commit` of what is long: see `Store.updateInSteps`. @throws what `change` throws */
  async commitInSteps(change: (state: DesiredState) => Generator<unknown, DesiredState>): Promise<DesiredState> {
    const { state } = await this.store.updateInSteps((before) => withResult(change(before), undefined));
    return state;
  }

  /** @throws InputError TARGET_UNSUPPORTED or TARGET_FORBIDDEN */
  checkSupported(url: string, field: string, audio?: PushAudio): void {
    checkTarget(field, url, (target, sound) => this.backend.refuses(target, sound), audio);
  }
}

/** Steps whose result is known beforehand. Not a function of each change: see `inOneStep`. */
function* withResult<R>(steps: Generator<unknown, DesiredState>, result: R): Generator<unknown, Changed<R>> {
  return { state: yield* steps, result };
}
