import type { DesiredCamera, DesiredPush, MediaBackend } from '../backend/backend.js';
import { codeOf, messageOf } from '../errors.js';
import type { Logger } from '../log.js';
import type { Camera, DesiredState, StreamingEngine } from '../state/model.js';
import type { StateChange } from '../state/store.js';
import { pushUrlOf } from './targets.js';

/** A push to a registered engine. */
export interface EnginePush {
  readonly camera: string;
  readonly id: string;
  readonly enabled: boolean;
}

/**
 * Makes the media backend follow the desired state. Only cameras that changed, or whose engine did, are declared
 * again; the backend sees no other.
 */
export class Reconciler {
  readonly #backend: MediaBackend;
  readonly #log: Logger;
  /** By engine, then by camera: which pushes go there. */
  readonly #byEngine = new Map<string, Map<string, EnginePush[]>>();
  /** By camera: to which engines it goes. */
  readonly #enginesOf = new Map<string, Set<string>>();

  constructor(backend: MediaBackend, log: Logger) {
    this.#backend = backend;
    this.#log = log;
  }

  /** Declares everything. */
  applyAll(state: DesiredState): void {
    for (const camera of state.cameras.values()) this.#set(state.engines, camera);
  }

  /** Declares what a change touched. */
  apply(change: StateChange): void {
    const names = new Set(change.cameras);
    for (const engine of change.engines) for (const name of this.#byEngine.get(engine)?.keys() ?? []) names.add(name);
    for (const name of names) {
      const camera = change.state.cameras.get(name);
      if (camera === undefined) this.#remove(name);
      else this.#set(change.state.engines, camera);
    }
  }

  /** The pushes that go to an engine, whatever their camera. */
  *pushesTo(engine: string): Generator<EnginePush> {
    for (const pushes of this.#byEngine.get(engine)?.values() ?? []) yield* pushes;
  }

  /** How many enabled pushes go to an engine. */
  loadOf(engine: string): number {
    let load = 0;
    for (const push of this.pushesTo(engine)) if (push.enabled) load += 1;
    return load;
  }

  #set(engines: ReadonlyMap<string, StreamingEngine>, camera: Camera): void {
    this.#forget(camera.name);
    this.#remember(camera);
    const pushes: DesiredPush[] = [];
    for (const push of Object.values(camera.pushes)) {
      try {
        const { id, enabled, queueMaxBytes, queueMaxAgeMs } = push;
        pushes.push({ id, url: pushUrlOf(engines, camera, push), enabled, queueMaxBytes, queueMaxAgeMs });
      } catch (error) {
        // Not the message: it shows the template, whose path may hold a key.
        this.#log.error('a push has no URL', { camera: camera.name, push: push.id, code: codeOf(error) });
      }
    }
    const desired: DesiredCamera = { name: camera.name, pushes };
    this.#guard(camera.name, () => this.#backend.setCamera(desired));
  }

  #remove(name: string): void {
    this.#forget(name);
    this.#guard(name, () => this.#backend.removeCamera(name));
  }

  /** One camera that the backend fails on must not keep the others from it. */
  #guard(camera: string, act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#log.error('the media backend failed on a camera', { camera, error: messageOf(error) });
    }
  }

  #remember(camera: Camera): void {
    for (const { id, engine, enabled } of Object.values(camera.pushes)) {
      if (engine === undefined) continue;
      const cameras = this.#byEngine.get(engine) ?? new Map<string, EnginePush[]>();
      const pushes = cameras.get(camera.name) ?? [];
      pushes.push({ camera: camera.name, id, enabled });
      this.#byEngine.set(engine, cameras.set(camera.name, pushes));
      const engines = this.#enginesOf.get(camera.name) ?? new Set();
      this.#enginesOf.set(camera.name, engines.add(engine));
    }
  }

  #forget(name: string): void {
    for (const engine of this.#enginesOf.get(name) ?? []) {
      const cameras = this.#byEngine.get(engine);
      cameras?.delete(name);
      if (cameras?.size === 0) this.#byEngine.delete(engine);
    }
    this.#enginesOf.delete(name);
  }
}
