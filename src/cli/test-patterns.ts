import type { TestPatterns, TestPatternView } from '../api/test-patterns.js';
import type { TestPatternFeeding } from '../backend/backend.js';
import { CodedError, ConflictError, codeOf, messageOf } from '../errors.js';
import type { Logger } from '../log/log.js';

/** So many at once: they are for looking, not for load. */
const maxPatterns = 4;
/** Each ends by itself after an hour: one that was forgotten must not keep its camera from publishing for ever. */
const longestMs = 60 * 60 * 1000;

/** The test patterns of this node: how many there are, and since when; who plays them is the media backend. */
export class PatternList implements TestPatterns {
  readonly #feeding: TestPatternFeeding;
  readonly #log: Logger;
  readonly #running = new Map<string, TestPatternView>();
  readonly #starting = new Map<string, Promise<TestPatternView>>();

  constructor(feeding: TestPatternFeeding, log: Logger) {
    this.#feeding = feeding;
    this.#log = log;
  }

  list(): readonly TestPatternView[] {
    return [...this.#running.values()];
  }

  async start(camera: string): Promise<{ created: boolean; view: TestPatternView }> {
    const running = this.#running.get(camera) ?? (await this.#starting.get(camera));
    if (running !== undefined) return { created: false, view: running };
    if (this.#running.size + this.#starting.size >= maxPatterns) {
      const message = `${maxPatterns} test patterns are already being published, which is the limit; end one first`;
      throw new ConflictError('LIMIT_REACHED', message);
    }
    const starting = this.#start(camera);
    this.#starting.set(camera, starting);
    try {
      return { created: true, view: await starting };
    } finally {
      this.#starting.delete(camera);
    }
  }

  async stop(camera: string): Promise<boolean> {
    const starting = this.#starting.get(camera);
    if (starting === undefined && !this.#running.has(camera)) return false;
    await this.#feeding.stop(camera);
    await starting?.catch(() => undefined);
    // It may have begun in between.
    if (this.#running.has(camera)) await this.#feeding.stop(camera);
    return true;
  }

  /** Ends all of them. */
  async close(): Promise<void> {
    await Promise.all([...this.#running.keys(), ...this.#starting.keys()].map((camera) => this.stop(camera)));
  }

  async #start(camera: string): Promise<TestPatternView> {
    const startedMs = Date.now();
    const view = {
      camera,
      startedAt: new Date(startedMs).toISOString(),
      endsAt: new Date(startedMs + longestMs).toISOString(),
    };
    let isOver = false;
    const onEnded = (): void => {
      isOver = true;
      if (this.#running.get(camera) === view) this.#running.delete(camera);
      this.#log.info('a test pattern ended', { camera });
    };
    await this.#feeding.start(camera, longestMs, onEnded).catch((error: unknown) => {
      if (!codeOf(error).startsWith('PUBLISH_')) throw error;
      const text = `the test pattern is refused: ${messageOf(error)}`;
      throw new CodedError('TARGET_PUBLISH_REJECTED', text, { cause: error });
    });
    // It may be over again at once.
    if (!isOver) this.#running.set(camera, view);
    this.#log.info('publishes a test pattern', { camera });
    return view;
  }
}
