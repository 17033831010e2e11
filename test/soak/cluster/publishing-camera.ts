import { setTimeout as sleep } from 'node:timers/promises';

const retryMs = 250;

/** What publishes a camera to one address after the other: when its node is gone or stuck, the next one, as encoders in the field do. */
export abstract class PublishingCamera {
  readonly name: string;
  readonly #urls: readonly string[];
  #done: Promise<void> | undefined;
  /** What it was told when it was not let in, or was sent away: the last of it. */
  lastError = '';
  /** Connections that a node took so far. */
  connects = 0;
  /** A node takes what it sends. */
  isIn = false;
  protected isWanted = true;

  /** @param urls where it may publish to, the first one first */
  constructor(name: string, urls: readonly string[]) {
    this.name = name;
    this.#urls = urls;
  }

  start(): void {
    this.isWanted = true;
    this.#done = this.#run();
  }

  async stop(): Promise<void> {
    this.isWanted = false;
    await this.#done;
  }

  /** Leaves its connection for the next address, as an encoder whose watchdog saw that nothing moves. */
  abstract giveUp(): void;

  /** One connection, until it ends. */
  protected abstract live(url: string): Promise<void>;

  async #run(): Promise<void> {
    for (let tries = 0; this.isWanted; tries++) {
      try {
        await this.live(this.#urls[tries % this.#urls.length]!);
      } catch (error) {
        this.lastError = error instanceof Error ? error.message : String(error);
      }
      this.isIn = false;
      if (this.isWanted) await sleep(retryMs);
    }
  }
}
