import type { LiveStream } from '../relay/live-stream.js';

/** A camera sends its headers within a moment of its publish; one that does not is not waited for. */
const patienceMs = 1000;
/** Sound without a picture may be all that there is, or what came first. */
const soundOnlyMs = 300;
const lookMs = 20;

/**
 * Waits for the headers of a stream that has just begun: a target is told in `connect` which codecs and tracks will come, and
 * that can be said once. Nothing could be sent before them anyway.
 */
export class HeadersAwaited {
  readonly #onReady: () => void;
  #stream: LiveStream | null = null;
  #sinceMs = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param onReady called when there is nothing to wait for any more, unless it was stopped */
  constructor(onReady: () => void) {
    this.#onReady = onReady;
  }

  /** True: it is to be waited, and `onReady` will be called. */
  isAwaited(stream: LiveStream): boolean {
    if (stream !== this.#stream) {
      this.#stream = stream;
      this.#sinceMs = performance.now();
    }
    if (this.#isKnown(stream)) return false;
    this.stop();
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#onReady();
    }, lookMs);
    return true;
  }

  /** A source begins: what it sends is not known yet, though the stream be the one of before. */
  begin(): void {
    this.#stream = null;
  }

  get isWaiting(): boolean {
    return this.#timer !== undefined;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #isKnown({ videoCodec, audioCodec }: LiveStream): boolean {
    const waitedMs = performance.now() - this.#sinceMs;
    return videoCodec !== null || waitedMs > (audioCodec === null ? patienceMs : soundOnlyMs);
  }
}
