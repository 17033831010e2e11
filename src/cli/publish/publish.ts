import { maskUrl } from '../../address/rtmp-url.js';
import { codeOf, messageOf } from '../../errors.js';
import { sendPaced } from '../../ingest/pacer.js';
import { type LeftOut, openTagSource, type TagSource } from '../../ingest/tag-source.js';
import { PublishClient } from '../../rtmp/publish-client.js';

export interface PublishOptions {
  readonly file: string;
  readonly urls: readonly string[];
  readonly loop: boolean;
  readonly durationMs: number | undefined;
  readonly connectTimeoutMs: number;
  /** Ends all of them in order. */
  readonly signal: AbortSignal;
}

/** What became of one copy. */
export interface PublishResult {
  /** With secrets masked. */
  readonly url: string;
  readonly messages: number;
  readonly bytes: number;
  /** Messages of audio and video, without headers: 0 means that nobody saw anything. */
  readonly frames: number;
  /** How often timestamps went back or far forward, and went on where they had been. */
  readonly timestampJumps: number;
  /** Null when it ended as it should. */
  readonly error: { readonly code: string; readonly message: string } | null;
}

/** What is under way, for the line that shows it. */
export interface PublishProgress {
  readonly connected: number;
  readonly messages: number;
  readonly bytes: number;
  readonly elapsedMs: number;
}

/** Publishes one file to one or more URLs at once, each over a connection of its own. */
export class Publishing {
  readonly #options: PublishOptions;
  readonly #copies: PublishingCopy[];
  readonly #startedAtMs = performance.now();
  #source: TagSource | null = null;

  constructor(options: PublishOptions) {
    this.#options = options;
    this.#copies = options.urls.map((url) => new PublishingCopy(url, options));
  }

  /** Resolves when all have ended. @throws CodedError FLV_INVALID before anything is connected */
  async run(): Promise<PublishResult[]> {
    const source = await openTagSource(this.#options.file);
    this.#source = source;
    return Promise.all(this.#copies.map((copy) => copy.run(source)));
  }

  /** What of the file is not sent; undefined where it was not read to its end. */
  get leftOut(): LeftOut | undefined {
    return this.#source?.leftOut?.();
  }

  get progress(): PublishProgress {
    const sum = (pick: (copy: PublishingCopy) => number) => this.#copies.reduce((total, copy) => total + pick(copy), 0);
    return {
      connected: sum((copy) => (copy.connected ? 1 : 0)),
      messages: sum((copy) => copy.messages),
      bytes: sum((copy) => copy.bytes),
      elapsedMs: performance.now() - this.#startedAtMs,
    };
  }
}

class PublishingCopy {
  readonly #url: string;
  readonly #options: PublishOptions;
  readonly #publisher: PublishClient;
  connected = false;
  messages = 0;
  #frames = 0;
  #jumps = 0;

  constructor(url: string, options: PublishOptions) {
    this.#url = url;
    this.#options = options;
    this.#publisher = new PublishClient({ url, connectTimeoutMs: options.connectTimeoutMs });
  }

  get bytes(): number {
    return this.#publisher.bytesSent;
  }

  async run(source: TagSource): Promise<PublishResult> {
    const error = await this.#send(source).then(
      () => null,
      (reason: unknown) => ({ code: codeOf(reason), message: messageOf(reason) }),
    );
    return {
      url: maskUrl(this.#url),
      messages: this.messages,
      bytes: this.bytes,
      frames: this.#frames,
      timestampJumps: this.#jumps,
      error,
    };
  }

  async #send(source: TagSource): Promise<void> {
    await this.#publisher.connect();
    this.connected = true;
    // Ends the pacing when the server closes, and so that the reason is the server's.
    const ended = new AbortController();
    const { loop, durationMs, signal } = this.#options;
    const closed = this.#publisher.closed.then((error) => {
      this.connected = false;
      ended.abort();
      return error;
    });
    const onSignal = () => ended.abort();
    signal.addEventListener('abort', onSignal, { once: true });
    try {
      const paced = await sendPaced(source, {
        loop,
        durationMs,
        signal: signal.aborted ? signal : ended.signal,
        send: (type, timestampMs, payload) => {
          this.messages++;
          return this.#publisher.write(type, timestampMs, payload) ? undefined : this.#publisher.drain();
        },
      });
      this.#frames = paced.frames;
      this.#jumps = paced.jumps;
    } finally {
      signal.removeEventListener('abort', onSignal);
      await this.#publisher.close();
    }
    const reason = await closed;
    if (reason !== null) {
      throw reason;
    }
  }
}
