import { fileURLToPath } from 'node:url';
import type { CodedError } from '../errors.js';
import { sendPaced } from './pacer.js';
import { type Ingest, type Source, sourcePriorities } from './source.js';
import { openTagSource, type TagSource } from './tag-source.js';

/** The clip that every test pattern shows. */
const testPatternFile: string = fileURLToPath(new URL('../../samples/clip.flv', import.meta.url));

/** What is shown as the encoder of a test pattern. Anybody may call itself so: no rule asks for it. */
export const testPatternEncoder = 'FMLE/3.0 (compatible; media-aggregator test pattern)';

let nextNumber = 1;
let clip: Promise<TagSource> | undefined;

/** The clip, read once. @throws CodedError FLV_INVALID */
export async function openTestPattern(): Promise<TagSource> {
  clip ??= openTagSource(testPatternFile);
  try {
    return await clip;
  } catch (error) {
    clip = undefined;
    throw error;
  }
}

/** The sample clip as a source inside this process, over and over. */
export class TestPattern implements Source {
  readonly kind = 'test-pattern';
  readonly priority = sourcePriorities['test-pattern'];
  readonly id = `test pattern ${nextNumber++}`;
  readonly remote = 'test pattern';
  readonly encoder = testPatternEncoder;
  readonly via = '';
  readonly ignoredMessages = 0;
  readonly #ended = new AbortController();
  #ingest: Ingest | null = null;
  #lastMediaMs = performance.now();

  get lastMediaMs(): number {
    return this.#lastMediaMs;
  }

  /**
   * Writes the clip into its ingest. Resolves when it is over: closed, or after `durationMs`. Call once.
   * @throws (rejects) CodedError FLV_INVALID
   */
  async play(ingest: Ingest, clip: TagSource, durationMs: number): Promise<void> {
    this.#ingest = ingest;
    const send = (type: number, timestampMs: number, payload: Buffer): undefined => {
      const nowMs = performance.now();
      if (ingest.write(type, timestampMs, payload, nowMs)) this.#lastMediaMs = nowMs;
    };
    try {
      await sendPaced(clip, { loop: true, durationMs, signal: this.#ended.signal, send });
    } finally {
      this.#end('the test pattern is over');
    }
  }

  close(reason: CodedError): void {
    this.#end(reason.message);
  }

  /** Ends it at once; what `play` promised follows. */
  stop(): void {
    this.#end('the test pattern was stopped');
  }

  #end(reason: string): void {
    const ingest = this.#ingest;
    this.#ingest = null;
    this.#ended.abort();
    ingest?.end(reason);
  }
}
