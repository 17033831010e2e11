import { setTimeout as sleep } from 'node:timers/promises';
import { PublishClient } from '../../../src/rtmp/publish-client.js';
import { CameraPlan, type CameraShape } from '../../support/camera-plan.js';

const stepMs = 20;

/** A camera of the project's own publisher, over a real socket, by the clock of this machine. */
export class PacedCamera {
  readonly #url: string;
  #plan: CameraPlan | null = null;
  #publisher: PublishClient | null = null;
  #timer: NodeJS.Timeout | null = null;
  readonly #given: Partial<CameraShape>;

  constructor(url: string, shape: Partial<CameraShape> = {}) {
    this.#url = url;
    this.#given = shape;
  }

  /** What it is like: may be changed while it sends. */
  get shape(): CameraShape {
    if (this.#plan === null) throw new Error('the camera does not publish');
    return this.#plan.shape;
  }

  /** @throws TargetError when it is refused */
  async start(shape: Partial<CameraShape> = this.#given): Promise<void> {
    const publisher = new PublishClient({ url: this.#url, connectTimeoutMs: 5000 });
    await publisher.connect();
    const plan = new CameraPlan(shape, performance.now(), (type, timestampMs, payload) => {
      publisher.write(type, timestampMs, payload);
    });
    plan.begin();
    this.#publisher = publisher;
    this.#plan = plan;
    const timer = setInterval(() => plan.until(performance.now()), stepMs);
    this.#timer = timer;
    void publisher.closed.then(() => clearInterval(timer));
  }

  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    await Promise.race([this.#publisher?.close(), sleep(3000)]);
    this.#publisher = null;
  }
}
