import { Stretch } from '../../fairness/stretch.js';
import type { BackendObserver, CameraSnapshot } from '../backend.js';

/** Tells an observer of what changed between two looks at nginx, which tells of nothing by itself. */
export class ChangePoll {
  readonly #snapshot: (camera: string) => CameraSnapshot | undefined;
  readonly #live = new Set<string>();
  /** By camera, then by push: the state and the error of the last look. */
  readonly #seen = new Map<string, Map<string, string>>();
  #isLooking = false;

  /** @param snapshot what is seen of a camera; undefined for an unknown one */
  constructor(snapshot: (camera: string) => CameraSnapshot | undefined) {
    this.#snapshot = snapshot;
  }

  /** Call about once a second; never rejects. A look that takes longer is not overtaken. */
  async look(cameras: Iterable<string>, observer: BackendObserver): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      const stretch = new Stretch();
      for (const name of cameras) {
        this.#lookAt(name, observer);
        if (stretch.isOver) await stretch.rest();
      }
    } finally {
      this.#isLooking = false;
    }
  }

  forget(camera: string): void {
    this.#seen.delete(camera);
    this.#live.delete(camera);
  }

  #lookAt(name: string, observer: BackendObserver): void {
    const camera = this.#snapshot(name);
    if (camera === undefined) return;
    const { live, publisher, encoder } = camera;
    if (live !== this.#live.has(name)) {
      if (live) {
        this.#live.add(name);
        observer.cameraLive(name, { publisher, encoder, returned: false });
      } else {
        this.#live.delete(name);
        observer.cameraStopped(name, null);
      }
    }
    const before = this.#seen.get(name);
    const now = new Map<string, string>();
    for (const push of camera.pushes) {
      const state = `${push.state} ${push.lastError?.code ?? ''}`;
      now.set(push.id, state);
      if (before?.get(push.id) !== state) observer.pushState(name, push);
    }
    this.#seen.set(name, now);
  }
}
