import { setTimeout as sleep } from 'node:timers/promises';
import { PublishClient } from '../../../src/rtmp/publish-client.js';
import { encodeAmf0 } from '../../../src/wire/amf0.js';
import { makeFrame } from '../frames.js';
import { PublishingCamera } from './publishing-camera.js';

export const frameMs = 40;
const keyEvery = 25;
/** Bytes of a picture, over a second. */
export const meanFrameBytes =
  (makeFrame(0, 0, true).length + (keyEvery - 1) * makeFrame(0, 0, false).length) / keyEvery;
const header = Buffer.from([0x17, 0, 0, 0, 0, 1, 0x64, 0, 0x1f]);
/** An encoder gives up a connection that takes nothing for so long. */
const stuckMs = 2000;
let epochs = 0;

/** A camera of one picture each 40 ms. */
export class ClusterCamera extends PublishingCamera {
  #giveUp: () => void = () => {};

  override giveUp(): void {
    this.#giveUp();
  }

  protected override async live(url: string): Promise<void> {
    const publisher = new PublishClient({ url, connectTimeoutMs: 3000 });
    let isOpen = true;
    // It may end before it is awaited.
    const closed = publisher.closed.then((error) => {
      isOpen = false;
      if (error !== null) this.lastError = error.message;
    });
    await publisher.connect();
    this.connects++;
    this.isIn = true;
    this.#giveUp = () => {
      isOpen = false;
    };
    const epoch = epochs++;
    publisher.write(18, 0, encodeAmf0('@setDataFrame', 'onMetaData', { width: 640, height: 360 }));
    publisher.write(9, 0, header);
    const startMs = performance.now();
    for (let number = 0; this.isWanted && isOpen; number++) {
      const takes = publisher.write(9, number * frameMs, makeFrame(epoch, number, number % keyEvery === 0));
      if (!takes && !(await this.#drained(publisher))) break;
      await sleep(Math.max(0, startMs + (number + 1) * frameMs - performance.now()));
    }
    // The goodbye to a node that is stuck does not end.
    void publisher.close();
    await Promise.race([closed, sleep(500)]);
  }

  /** @returns false: the far side has taken nothing for too long */
  async #drained(publisher: PublishClient): Promise<boolean> {
    return await Promise.race([publisher.drain().then(() => true), sleep(stuckMs, false)]);
  }
}
