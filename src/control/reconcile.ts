import type { StreamKeys } from '../admission/stream-keys.js';
import type { DesiredCamera, DesiredPush, MediaBackend } from '../backend/backend.js';
import { codeOf, messageOf } from '../errors.js';
import type { Logger } from '../log/log.js';
import { type Camera, type DesiredState, emptyState, type StreamingEngine } from '../model/model.js';
import { pushUrlOf } from '../model/targets.js';
import type { StateChange } from '../store/store.js';
import { keyRules } from './camera-keys.js';

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
  readonly #keys: StreamKeys | undefined;
  #state: DesiredState = emptyState;
  /** By engine: which cameras go there, and with how many enabled pushes. */
  readonly #byEngine = new Map<string, { load: number; readonly cameras: Set<string> }>();

  /** @param keys what publish keys are made from; undefined: publishers need none */
  constructor(backend: MediaBackend, log: Logger, keys?: StreamKeys) {
    this.#keys = keys;
    this.#backend = backend;
    this.#log = log;
  }

  /** Declares everything. */
  applyAll(state: DesiredState): void {
    this.#state = state;
    for (const camera of state.cameras.values()) {
      this.#remember(camera);
      this.#set(state.engines, camera);
    }
  }

  /** Declares what a change touched. */
  apply(change: StateChange): void {
    const before = this.#state;
    this.#state = change.state;
    const names = new Set(change.cameras);
    for (const engine of change.engines) for (const name of this.#byEngine.get(engine)?.cameras ?? []) names.add(name);
    for (const name of names) {
      const [known, camera] = [before.cameras.get(name), change.state.cameras.get(name)];
      if (known !== undefined) this.#forget(known);
      if (camera === undefined) {
        this.#guard(name, () => this.#backend.removeCamera(name));
      } else {
        this.#remember(camera);
        this.#set(change.state.engines, camera);
      }
    }
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

  #set(engines: ReadonlyMap<string, StreamingEngine>, camera: Camera): void {
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
    const keys = this.#keys === undefined ? {} : { publishKeys: keyRules(camera, this.#keys) };
    const desired: DesiredCamera = { name: camera.name, pushes, ...keys };
    this.#guard(camera.name, () => this.#backend.setCamera(desired));
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
