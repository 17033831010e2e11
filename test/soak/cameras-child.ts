/** All cameras of a soak, in a process of their own: each publishes for as long as it is told to, again after failures. */
import { PublishClient } from '../../src/rtmp/publish-client.js';
import { encodeAmf0 } from '../../src/wire/amf0.js';
import { type FromCameras, makeFrame, type ToCameras } from './frames.js';

const frameMs = 40;
const keyEvery = 25;
const header = Buffer.from([0x17, 0, 0, 0, 0, 1, 0x64, 0, 0x1f]);
let epochs = 0;

class Camera {
  readonly #name: string;
  readonly #url: string;
  #wanted = true;
  readonly #done: Promise<void>;
  #epoch = 0;
  #frames = 0;

  constructor(name: string, url: string) {
    this.#name = name;
    this.#url = url;
    this.#done = this.#run();
  }

  async stop(): Promise<void> {
    this.#wanted = false;
    await this.#done;
    const message: FromCameras = {
      ...{ kind: 'stopped', camera: this.#name, epoch: this.#epoch, frames: this.#frames },
    };
    process.send?.(message);
  }

  async #run(): Promise<void> {
    while (this.#wanted) {
      try {
        await this.#live();
      } catch {
        // Refused, or lost: a camera tries again.
      }
      await new Promise((resolve) => setTimeout(resolve, this.#wanted ? 250 : 0));
    }
  }

  async #live(): Promise<void> {
    const publisher = new PublishClient({ url: this.#url, connectTimeoutMs: 5000 });
    await publisher.connect();
    let isOpen = true;
    const closed = publisher.closed.then(() => {
      isOpen = false;
    });
    this.#epoch = epochs++;
    this.#frames = 0;
    publisher.write(18, 0, encodeAmf0('@setDataFrame', 'onMetaData', { width: 640, height: 360 }));
    publisher.write(9, 0, header);
    const startMs = performance.now();
    while (this.#wanted && isOpen) {
      const number = this.#frames++;
      publisher.write(9, number * frameMs, makeFrame(this.#epoch, number, number % keyEvery === 0));
      const waitMs = startMs + this.#frames * frameMs - performance.now();
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, waitMs)));
    }
    await publisher.close();
    await closed;
  }
}

const cameras = new Map<string, Camera>();

process.on('message', (message: ToCameras) => {
  const { camera } = message;
  if (message.kind === 'start') cameras.set(camera, new Camera(camera, message.url));
  else {
    cameras
      .get(camera)
      ?.stop()
      .catch(() => {});
    cameras.delete(camera);
  }
});
process.on('disconnect', () => process.exit(0));
