import type { CameraSnapshot, PushSnapshot } from '../backend.js';

interface Seen {
  readonly camera: Omit<CameraSnapshot, 'pushes'>;
  readonly pushes: Map<string, PushSnapshot>;
}

/** What the workers last said of their cameras. */
export class Observed {
  readonly #cameras = new Map<string, Seen>();

  note({ pushes, ...camera }: CameraSnapshot): void {
    this.#cameras.set(camera.name, { camera, pushes: new Map(pushes.map((push) => [push.id, push])) });
  }

  /** One push changed. Of one that is not known the camera's next snapshot tells. */
  notePush(camera: string, push: PushSnapshot): void {
    const pushes = this.#cameras.get(camera)?.pushes;
    if (pushes?.has(push.id) === true) pushes.set(push.id, push);
  }

  forget(name: string): void {
    this.#cameras.delete(name);
  }

  camera(name: string): CameraSnapshot | undefined {
    const seen = this.#cameras.get(name);
    return seen === undefined ? undefined : { ...seen.camera, pushes: [...seen.pushes.values()] };
  }

  push(camera: string, id: string): PushSnapshot | undefined {
    return this.#cameras.get(camera)?.pushes.get(id);
  }

  isLive(name: string): boolean {
    return this.#cameras.get(name)?.camera.live === true;
  }

  /** Live cameras and viewers, of all. */
  count(): { liveCameras: number; viewers: number } {
    let liveCameras = 0;
    let viewers = 0;
    for (const { camera } of this.#cameras.values()) {
      if (camera.live) liveCameras++;
      viewers += camera.viewers ?? 0;
    }
    return { liveCameras, viewers };
  }
}
