import type { DesiredCamera, DesiredPush } from '../backend/backend.js';
import type { Camera } from '../model/model.js';

/** Makes out where the pushes of a camera go. */
export interface PushMaker {
  pushesOf(camera: Camera): readonly DesiredPush[];
}

/**
 * A camera as a media backend is asked for it. Where its pushes go is made out when somebody asks, and kept: of a camera that
 * never goes live nobody does.
 */
export class DeclaredCamera implements DesiredCamera {
  readonly name: string;
  readonly #camera: Camera;
  readonly #maker: PushMaker;
  #pushes: readonly DesiredPush[] | null = null;

  /** @param others what else is desired of it */
  constructor(camera: Camera, maker: PushMaker, others: Omit<DesiredCamera, 'name' | 'pushes'>) {
    this.name = camera.name;
    this.#camera = camera;
    this.#maker = maker;
    Object.assign(this, others);
  }

  get pushes(): readonly DesiredPush[] {
    this.#pushes ??= this.#maker.pushesOf(this.#camera);
    return this.#pushes;
  }
}
