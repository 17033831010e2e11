import { setTimeout as sleep } from 'node:timers/promises';
import { PublishClient } from '../../../src/rtmp/publish-client.js';
import { encodeAmf0 } from '../../../src/wire/amf0.js';
import { makeFrame } from '../frames.js';

export const frameMs = 40;
const keyEvery = 25;
/** Bytes of a picture, over a second. */
export const meanFrameBytes =
  (makeFrame(0, 0, true).length + (keyEvery - 1) * makeFrame(0, 0, false).length) / keyEvery;
const header = Buffer.from([0x17, 0, 0, 0, 0, 1, 0x64, 0, 0x1f]);
/** An encoder gives up a connection that takes nothing for so long. */
const stuckMs = 2000;
const retryMs = 250;
let epochs = 0;

/** What publishes a camera, to one address after the other. */
export interface PublishingCamera {
  readonly name: string;
  /** What it was told when it was not let in, or was sent away: the last of it. */
  readonly lastError: string;
  /** Connections that a node took so far. */
  readonly connects: number;
  /** A node takes what it sends. */
  readonly isIn: boolean;
  start(): void;
  stop(): Promise<void>;
  /** Leaves its connection for the next address, as an encoder whose watchdog saw that nothing moves. */
  giveUp(): void;
}

/** A camera as encoders in the field are: one picture each 40 ms, and when its node is gone or stuck, the next address. */
export class ClusterCamera implements PublishingCamera {
  readonly name: string;
  readonly #urls: readonly string[];
  #wanted = true;
  #done: Promise<void> | undefined;
  connects = 0;
  lastError = '';
  isIn = false;

  #giveUp: () => void = () => {};

  /** @param urls where it may publish to, the first one first */
  constructor(name: string, urls: readonly string[]) {
    this.name = name;
    this.#urls = urls;
  }

  start(): void {
    this.#wanted = true;
    this.#done = this.#run();
  }

  async stop(): Promise<void> {
    this.#wanted = false;
    await this.#done;
  }

  giveUp(): void {
    this.#giveUp();
  }

  async #run(): Promise<void> {
    for (let tries = 0; this.#wanted; tries++) {
      try {
        this.isIn = false;
        await this.#live(this.#urls[tries % this.#urls.length]!);
      } catch (error) {
        this.lastError = error instanceof Error ? error.message : String(error);
      }
      if (this.#wanted) await sleep(retryMs);
    }
  }

  async #live(url: string): Promise<void> {
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
    for (let number = 0; this.#wanted && isOpen; number++) {
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
