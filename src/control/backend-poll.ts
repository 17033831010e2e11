import type { BackendObserver, MediaBackend } from '../backend/backend.js';
import { Stretch } from '../stretch.js';

/** Looks once a second at a backend that does not tell by itself what happens. */
export class BackendPoll {
  readonly #backend: Pick<MediaBackend, 'camera'>;
  readonly #observer: BackendObserver;
  readonly #isLive: (camera: string) => boolean;
  /** By camera, then by push: the state and the error of the last look. */
  readonly #seen = new Map<string, Map<string, string>>();
  #looking = false;

  constructor(options: {
    backend: Pick<MediaBackend, 'camera'>;
    observer: BackendObserver;
    /** Whether a camera was live at the last look. */
    isLive: (camera: string) => boolean;
  }) {
    this.#backend = options.backend;
    this.#observer = options.observer;
    this.#isLive = options.isLive;
  }

  /** Call about once a second; never rejects. A look that takes longer is not overtaken. */
  async look(cameras: Iterable<string>): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      const stretch = new Stretch();
      for (const name of cameras) {
        this.#lookAt(name);
        if (stretch.isOver) await stretch.rest();
      }
    } finally {
      this.#looking = false;
    }
  }

  forget(camera: string): void {
    this.#seen.delete(camera);
  }

  #lookAt(name: string): void {
    const camera = this.#backend.camera(name);
    if (camera === undefined) return;
    const { live, publisher, encoder } = camera;
    if (live !== this.#isLive(name)) {
      if (live) this.#observer.cameraLive(name, { publisher, encoder, returned: false });
      else this.#observer.cameraStopped(name, null);
    }
    const before = this.#seen.get(name);
    const now = new Map<string, string>();
    for (const push of camera.pushes) {
      const state = `${push.state} ${push.lastError?.code ?? ''}`;
      now.set(push.id, state);
      if (before?.get(push.id) !== state) this.#observer.pushState(name, push);
    }
    this.#seen.set(name, now);
  }
}
