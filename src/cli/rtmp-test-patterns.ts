import type { TestPatternFeeding } from '../backend/backend.js';
import { CodedError, messageOf } from '../errors.js';
import { sendPaced } from '../ingest/pacer.js';
import type { TagSource } from '../ingest/tag-source.js';
import { openTestPattern, testPatternEncoder } from '../ingest/test-pattern.js';
import type { Logger } from '../log/log.js';
import { PublishClient } from '../rtmp/publish-client.js';
import { reachableHost, urlHost } from './format.js';

const connectTimeoutMs = 5000;

export interface RtmpTestPatternsOptions {
  /** The address that RTMP is taken on. */
  readonly host: string;
  readonly rtmpPort: number;
  /** `rtmp://HOST:PORT/...` as a camera has it; only its path is used. */
  readonly endpointOf: (camera: string) => string;
  readonly log: Logger;
}

/**
 * Publishes the test pattern to the own RTMP port, as any camera would: for a backend that takes media over the network
 * only. There a camera is refused while its test pattern is on, since nobody can tell the two apart.
 */
export class RtmpTestPatterns implements TestPatternFeeding {
  readonly #options: RtmpTestPatternsOptions;
  readonly #running = new Map<string, { readonly ended: AbortController; readonly over: Promise<void> }>();

  constructor(options: RtmpTestPatternsOptions) {
    this.#options = options;
  }

  async start(camera: string, durationMs: number, onEnded: () => void): Promise<void> {
    const clip = await openTestPattern();
    const { host, rtmpPort, endpointOf } = this.#options;
    // By the way that leads to this process, whatever name it is advertised under.
    const url = endpointOf(camera).replace(/^rtmps?:\/\/[^/]+/, `rtmp://${urlHost(reachableHost(host))}:${rtmpPort}`);
    const publisher = new PublishClient({ url, connectTimeoutMs, flashVer: testPatternEncoder });
    await publisher.connect().catch((error: unknown) => {
      const text = `the test pattern is refused: ${messageOf(error)}`;
      throw new CodedError('TARGET_PUBLISH_REJECTED', text, { cause: error });
    });
    const ended = new AbortController();
    void publisher.closed.then(() => ended.abort());
    const over = this.#send(camera, publisher, clip, durationMs, ended.signal).then(() => {
      this.#running.delete(camera);
      onEnded();
    });
    this.#running.set(camera, { ended, over });
  }

  async stop(camera: string): Promise<void> {
    const running = this.#running.get(camera);
    running?.ended.abort();
    await running?.over;
  }

  async #send(
    camera: string,
    publisher: PublishClient,
    clip: TagSource,
    durationMs: number,
    signal: AbortSignal,
  ): Promise<void> {
    const send = (type: number, timestampMs: number, payload: Buffer) =>
      publisher.write(type, timestampMs, payload) ? undefined : publisher.drain();
    try {
      await sendPaced(clip, { loop: true, durationMs, signal, send });
    } catch (error) {
      this.#options.log.warn('a test pattern failed', { camera, error: messageOf(error) });
    } finally {
      await publisher.close();
    }
  }
}
