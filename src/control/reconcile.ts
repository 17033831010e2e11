import type { StreamKeys } from '../admission/stream-keys.js';
import type { BackendProblem, DesiredCamera, DesiredPush, MediaBackend } from '../backend/backend.js';
import { codeOf } from '../errors.js';
import type { Logger } from '../log/log.js';
import { type Camera, type DesiredState, emptyState } from '../model/model.js';
import { pushOptionsOf } from '../model/push-options.js';
import { pushUrlOf } from '../model/targets.js';
import type { StateChange } from '../store/store.js';
import { Applying } from './applying.js';
import { DeclaredCamera, type PushMaker } from './declared-camera.js';
import { desiredIngests } from './desired-ingests.js';
import { asEver, type Placing } from './placing.js';

/** Cameras that are declared in one go; more are in stretches. */
const atOnce = 50;

/** How long an answer may wait for many cameras to be declared, milliseconds. */
const manyWaitMs = 5000;

/** A push to a registered engine. */
export interface EnginePush {
  readonly camera: string;
  readonly id: string;
  readonly enabled: boolean;
}

/**
 * Makes the media backend follow the desired state. Only cameras that changed, or whose engine did, are declared
 * again; the backend sees no other. What the backend fails on is tried again: see Applying.
 */
export class Reconciler implements PushMaker {
  readonly #backend: MediaBackend;
  readonly #log: Logger;
  readonly #keys: StreamKeys | undefined;
  readonly #applying: Applying;
  #state: DesiredState = emptyState;
  /** Says what of a camera runs at this node; undefined: all of it. */
  #placing: Pick<Placing, 'whereaboutsOf'> | undefined;
  /** The cameras as they were last declared. */
  readonly #declared = new Map<string, Camera>();
  /** By engine: which cameras go there, and with how many enabled pushes. */
  readonly #byEngine = new Map<string, { load: number; readonly cameras: Set<string> }>();

  /** @param keys what publish keys are made from; undefined: publishers need none */
  constructor(backend: MediaBackend, log: Logger, keys?: StreamKeys) {
    this.#keys = keys;
    this.#backend = backend;
    this.#log = log;
    this.#applying = new Applying((camera) => this.#declare(camera), log);
  }

  /** Cameras that are not in force, since the backend failed on them; not what the backend tells of by itself. */
  get problems(): readonly BackendProblem[] {
    if (this.#applying.failedCount === 0) return [];
    const told = new Set(this.#backend.problems().map(({ code }) => code));
    return [...this.#applying.codes].every((code) => told.has(code)) ? [] : this.#applying.problems;
  }

  /** Resolves when this camera is in force or has failed; soon at the latest. No other camera is waited for. */
  inForce(camera: string): Promise<void> {
    return this.#applying.settled([camera], this.#backend.answerWaitMs);
  }

  /** The same for several cameras, which are waited for also where the backend needs no time: see `Applying.runAll`. */
  allOfInForce(cameras: Iterable<string>): Promise<void> {
    return this.#applying.settled(cameras, Math.max(this.#backend.answerWaitMs, manyWaitMs));
  }

  /** The same for all cameras that go to an engine. */
  engineInForce(engine: string): Promise<void> {
    return this.#applying.settled(this.#byEngine.get(engine)?.cameras ?? [], this.#backend.answerWaitMs);
  }

  /** The same for all cameras. */
  allInForce(): Promise<void> {
    return this.#applying.settled(this.#applying.pending, this.#backend.answerWaitMs);
  }

  /** Has another part say from now on what of a camera runs at this node. */
  placeWith(placing: Pick<Placing, 'whereaboutsOf'>): void {
    this.#placing = placing;
  }

  /** Declares a camera again of which something else is to run at this node. */
  redeclare(camera: string): void {
    if (this.#state.cameras.has(camera)) this.#applying.run(camera);
  }

  /** Tries nothing again from now on. */
  close(): void {
    this.#applying.close();
  }

  /** Declares everything. */
  applyAll(state: DesiredState): void {
    this.#state = state;
    for (const name of state.cameras.keys()) this.#applying.run(name);
  }

  /** Declares what a change touched. */
  apply(change: StateChange): void {
    this.#state = change.state;
    const names = new Set(change.cameras);
    for (const engine of change.engines) for (const name of this.#byEngine.get(engine)?.cameras ?? []) names.add(name);
    if (names.size > atOnce) this.#applying.runAll(names);
    else for (const name of names) this.#applying.run(name);
  }

  /** The pushes that go to an engine, whatever their camera. */
  *pushesTo(engine: string): Generator<EnginePush> {
    for (const name of this.#byEngine.get(engine)?.cameras ?? []) {
      for (const push of Object.values(this.#state.cameras.get(name)?.pushes ?? {})) {
        if (push.engine === engine) yield { camera: name, id: push.id, enabled: push.enabled };
      }
    }
  }

  /** How many enabled pushes go to an engine. */
  loadOf(engine: string): number {
    return this.#byEngine.get(engine)?.load ?? 0;
  }

  /** Declares a camera to the backend as it is desired now. */
  #declare(name: string): void | Promise<void> {
    const camera = this.#state.cameras.get(name);
    this.#note(name, camera);
    if (camera === undefined) return this.#backend.removeCamera(name);
    return this.#backend.setCamera(this.#desired(camera));
  }

  #desired(camera: Camera): DesiredCamera {
    const placed = this.#placing?.whereaboutsOf(camera) ?? asEver;
    const others = desiredIngests(camera, this.#keys);
    // Where they run is as of now, and there is a copy of it to be sent, or to be expected.
    if (placed !== asEver) {
      const hops = placed.hops.length === 0 ? {} : { hops: placed.hops };
      return { name: camera.name, pushes: this.pushesOf(camera, placed), ...hops, ...others };
    }
    return new DeclaredCamera(camera, this, others);
  }

  /** Where the pushes of a camera go, and which of them run where. */
  pushesOf(camera: Camera, placed = asEver): readonly DesiredPush[] {
    const { engines } = this.#state;
    const pushes: DesiredPush[] = [];
    for (const push of Object.values(camera.pushes)) {
      try {
        const { id, enabled } = push;
        pushes.push({ id, url: pushUrlOf(engines, camera, push), enabled, ...pushOptionsOf(push), at: placed.at(id) });
      } catch (error) {
        // Not the message: it shows the template, whose path may hold a key.
        this.#log.error('a push has no URL', { camera: camera.name, push: push.id, code: codeOf(error) });
      }
    }
    return pushes;
  }

  /** Keeps in mind to which engines a camera goes that is declared now. */
  #note(name: string, camera: Camera | undefined): void {
    const known = this.#declared.get(name);
    if (known === camera) return;
    if (known !== undefined) this.#forget(known);
    if (camera === undefined) this.#declared.delete(name);
    else {
      this.#declared.set(name, camera);
      this.#remember(camera);
    }
  }

  #remember(camera: Camera): void {
    for (const { engine, enabled } of Object.values(camera.pushes)) {
      if (engine === undefined) continue;
      const users = this.#byEngine.get(engine) ?? { load: 0, cameras: new Set<string>() };
      users.load += enabled ? 1 : 0;
      users.cameras.add(camera.name);
      this.#byEngine.set(engine, users);
    }
  }

  #forget(camera: Camera): void {
    for (const { engine, enabled } of Object.values(camera.pushes)) {
      const users = engine === undefined ? undefined : this.#byEngine.get(engine);
      if (engine === undefined || users === undefined) continue;
      users.load -= enabled ? 1 : 0;
      users.cameras.delete(camera.name);
      if (users.cameras.size === 0) this.#byEngine.delete(engine);
    }
  }
}
