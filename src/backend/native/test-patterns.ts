import { CodedError, messageOf } from '../../errors.js';
import type { Ingest, Source } from '../../ingest/source.js';
import { openTestPattern, TestPattern } from '../../ingest/test-pattern.js';
import type { Logger } from '../../log/log.js';
import type { TestPatternFeeding } from '../backend.js';

/** Feeds cameras of this process with the test pattern, as a source among others. */
export class NativeTestPatterns implements TestPatternFeeding {
  readonly #open: (camera: string, source: Source) => Ingest | Promise<Ingest>;
  readonly #log: Logger;
  readonly #running = new Map<string, { readonly pattern: TestPattern; readonly over: Promise<void> }>();
  #isClosed = false;

  /** @param open has a source feed a camera, at once or when it may; throws, or rejects with, what hinders it */
  constructor(open: (camera: string, source: Source) => Ingest | Promise<Ingest>, log: Logger) {
    this.#open = open;
    this.#log = log;
  }

  async start(camera: string, durationMs: number, onEnded: () => void): Promise<void> {
    const clip = await openTestPattern();
    if (this.#isClosed) throw new CodedError('PUBLISH_FORBIDDEN', 'the aggregator is shutting down');
    const pattern = new TestPattern();
    const ingest = await this.#open(camera, pattern);
    const running = {
      pattern,
      over: pattern
        .play(ingest, clip, durationMs)
        .catch((error: unknown) => this.#log.warn('a test pattern broke off', { camera, error: messageOf(error) }))
        .then(() => {
          // Another one may have followed it.
          if (this.#running.get(camera) === running) this.#running.delete(camera);
          onEnded();
        }),
    };
    this.#running.set(camera, running);
  }

  async stop(camera: string): Promise<void> {
    const running = this.#running.get(camera);
    running?.pattern.stop();
    await running?.over;
  }

  /** Ends all, and begins no other. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#running.keys()].map((camera) => this.stop(camera)));
  }
}
