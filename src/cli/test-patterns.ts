import type { TestPatterns, TestPatternView } from '../api/test-patterns.js';
import { CodedError, ConflictError, messageOf } from '../errors.js';
import type { Logger } from '../log/log.js';
import { RtmpPublisher, testPatternFlashVer } from '../rtmp/publisher.js';
import { reachableHost, urlHost } from './format.js';
import { sendPaced } from './publish/pacer.js';
import { openTagSource, type TagSource } from './publish/tag-source.js';

/** So many at once: they are for looking, not for load. */
const maxPatterns = 4;
/** Each ends by itself after an hour: one that was forgotten must not keep its camera from publishing for ever. */
const longestMs = 60 * 60 * 1000;
const connectTimeoutMs = 5000;

export interface SamplePublisherOptions {
  readonly file: string;
  /** The address that RTMP is taken on. */
  readonly host: string;
  readonly rtmpPort: number;
  readonly log: Logger;
}

interface RunningPattern {
  readonly view: TestPatternView;
  readonly ended: AbortController;
  /** Resolves when it is over, whatever the reason. */
  readonly done: Promise<void>;
}

/** Publishes the sample clip to the own RTMP port, as any camera would: through the front door. */
export class SamplePublisher implements TestPatterns {
  readonly #options: SamplePublisherOptions;
  readonly #running = new Map<string, RunningPattern>();
  readonly #starting = new Map<string, Promise<RunningPattern>>();
  #source: Promise<TagSource> | undefined;

  constructor(options: SamplePublisherOptions) {
    this.#options = options;
  }

  list(): readonly TestPatternView[] {
    return [...this.#running.values()].map(({ view }) => view);
  }

  async start(camera: string, endpoint: string): Promise<{ created: boolean; view: TestPatternView }> {
    const running = this.#running.get(camera) ?? (await this.#starting.get(camera));
    if (running !== undefined) return { created: false, view: running.view };
    if (this.#running.size + this.#starting.size >= maxPatterns) {
      const message = `${maxPatterns} test patterns are published already, which is the limit; end one first`;
      throw new ConflictError('LIMIT_REACHED', message);
    }
    const starting = this.#publish(camera, endpoint);
    this.#starting.set(camera, starting);
    try {
      return { created: true, view: (await starting).view };
    } finally {
      this.#starting.delete(camera);
    }
  }

  async stop(camera: string): Promise<boolean> {
    await this.#starting.get(camera)?.catch(() => undefined);
    const running = this.#running.get(camera);
    running?.ended.abort();
    await running?.done;
    return running !== undefined;
  }

  /** Ends all of them. */
  async close(): Promise<void> {
    await Promise.all([...this.#running.keys(), ...this.#starting.keys()].map((camera) => this.stop(camera)));
  }

  async #publish(camera: string, endpoint: string): Promise<RunningPattern> {
    const { file, log } = this.#options;
    this.#source ??= openTagSource(file);
    const source = await this.#source.catch((error: unknown) => {
      this.#source = undefined;
      throw error;
    });
    const url = this.#localUrl(endpoint);
    const publisher = new RtmpPublisher({ url, connectTimeoutMs, flashVer: testPatternFlashVer });
    await publisher.connect().catch((error: unknown) => {
      throw new CodedError('TARGET_PUBLISH_REJECTED', `the test pattern is refused: ${messageOf(error)}`, {
        cause: error,
      });
    });
    const ended = new AbortController();
    void publisher.closed.then(() => ended.abort());
    const startedMs = Date.now();
    const pattern = {
      view: {
        camera,
        startedAt: new Date(startedMs).toISOString(),
        endsAt: new Date(startedMs + longestMs).toISOString(),
      },
      ended,
      done: this.#send(camera, publisher, source, ended.signal),
    };
    this.#running.set(camera, pattern);
    log.info('publishes a test pattern', { camera });
    return pattern;
  }

  async #send(camera: string, publisher: RtmpPublisher, source: TagSource, signal: AbortSignal): Promise<void> {
    const { log } = this.#options;
    try {
      await sendPaced(source, {
        loop: true,
        durationMs: longestMs,
        signal,
        send: (type, timestampMs, payload) =>
          publisher.write(type, timestampMs, payload) ? undefined : publisher.drain(),
      });
    } catch (error) {
      log.warn('a test pattern broke off', { camera, error: messageOf(error) });
    } finally {
      await publisher.close();
      this.#running.delete(camera);
      log.info('a test pattern ended', { camera });
    }
  }

  /** The camera's own address, by the way that leads to this process whatever name it is advertised under. */
  #localUrl(endpoint: string): string {
    const { host, rtmpPort } = this.#options;
    return endpoint.replace(/^rtmps?:\/\/[^/]+/, `rtmp://${urlHost(reachableHost(host))}:${rtmpPort}`);
  }
}
