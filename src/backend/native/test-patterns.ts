import { CodedError, messageOf } from '../../errors.js';
import type { Ingest, Source } from '../../ingest/source.js';
import type { TagSource } from '../../ingest/tag-source.js';
import { openTestPattern, TestPattern } from '../../ingest/test-pattern.js';
import type { Logger } from '../../log/log.js';
import type { TestPatternFeeding } from '../backend.js';

/** Feeds cameras of this process with the test pattern, as a source among others. */
export class NativeTestPatterns implements TestPatternFeeding {
  readonly #open: (camera: string, source: Source) => Ingest | Promise<Ingest>;
  readonly #log: Logger;
  readonly #running = new Map<string, { readonly pattern: TestPattern; readonly over: Promise<void> }>();
  /** They wait for the clip, or until their camera may be fed. */
  readonly #starting = new Set<{ readonly camera: string; isStopped: boolean }>();
  #isClosed = false;

  /** @param open has a source feed a camera, at once or when it may; throws, or rejects with, what hinders it */
  constructor(open: (camera: string, source: Source) => Ingest | Promise<Ingest>, log: Logger) {
    this.#open = open;
    this.#log = log;
  }

  async start(camera: string, durationMs: number, onEnded: () => void): Promise<void> {
    const starting = { camera, isStopped: this.#isClosed };
    this.#starting.add(starting);
    const pattern = new TestPattern();
    let clip: TagSource;
    let ingest: Ingest;
    try {
      clip = await openTestPattern();
      refuseStopped(starting);
      ingest = await this.#open(camera, pattern);
      // It may feed the camera by now, and says goodbye before its first frame.
      if (starting.isStopped) ingest.end('the test pattern was stopped');
      refuseStopped(starting);
    } finally {
      this.#starting.delete(starting);
    }
    const running = {
      pattern,
      over: pattern
        .play(ingest, clip, durationMs)
        .catch((error: unknown) => this.#log.warn('a test pattern failed', { camera, error: messageOf(error) }))
        .then(() => {
          // Another one may have followed it.
          if (this.#running.get(camera) === running) this.#running.delete(camera);
          onEnded();
        }),
    };
    this.#running.set(camera, running);
  }

  /** Ends it, also while it starts: then `start` rejects. */
  async stop(camera: string): Promise<void> {
    for (const starting of this.#starting) if (starting.camera === camera) starting.isStopped = true;
    const running = this.#running.get(camera);
    running?.pattern.stop();
    await running?.over;
  }

  /** Ends all, and begins no other. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const starting of this.#starting) starting.isStopped = true;
    await Promise.all([...this.#running.keys()].map((camera) => this.stop(camera)));
  }
}

function refuseStopped({ isStopped }: { readonly isStopped: boolean }): void {
  if (isStopped) throw new CodedError('PUBLISH_FORBIDDEN', 'it was stopped before it began');
}
