import { CodedError } from '../../errors.js';
import type { TestPatternFeeding } from '../backend.js';
import type { Calls } from './calls.js';
import type { WorkerProcess } from './worker-process.js';

/** Has the worker of a camera feed it with the test pattern. */
export class WorkerTestPatterns implements TestPatternFeeding {
  readonly #calls: Calls;
  readonly #homeOf: (camera: string) => WorkerProcess | undefined;
  readonly #running = new Map<string, { readonly worker: WorkerProcess; readonly onEnded: () => void }>();

  /** @param homeOf the worker of a registered camera, which gets one where it has none */
  constructor(calls: Calls, homeOf: (camera: string) => WorkerProcess | undefined) {
    this.#calls = calls;
    this.#homeOf = homeOf;
  }

  async start(camera: string, durationMs: number, onEnded: () => void): Promise<void> {
    const worker = this.#homeOf(camera);
    if (worker === undefined) {
      throw new CodedError('PUBLISH_NOT_REGISTERED', `no camera is registered as "${camera}"`);
    }
    const running = { worker, onEnded };
    // Before it is asked: it may be over before the answer is here.
    this.#running.set(camera, running);
    try {
      await this.#calls.ask(worker, { name: 'startTestPattern', camera, durationMs });
    } catch (error) {
      if (this.#running.get(camera) === running) this.#running.delete(camera);
      throw error;
    }
  }

  async stop(camera: string): Promise<void> {
    const running = this.#running.get(camera);
    // The answer of a worker that is gone is that of its end.
    if (running !== undefined)
      await this.#calls.ask(running.worker, { name: 'stopTestPattern', camera }).catch(() => {});
  }

  /** Its worker says that it is over. */
  onEnded(camera: string): void {
    const running = this.#running.get(camera);
    this.#running.delete(camera);
    running?.onEnded();
  }

  /** A worker ended, and all its patterns with it. */
  onDown(worker: WorkerProcess): void {
    for (const [camera, running] of this.#running) if (running.worker === worker) this.onEnded(camera);
  }
}
