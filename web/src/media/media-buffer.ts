import type { BareFrames } from './remuxer.js';

/** What is kept behind the place that is shown, seconds. */
const keptBehindS = 10;
/** How much more may be there before it is taken away. */
const slackS = 20;

/** The buffer of one track in a media source: what is appended waits for what was appended before. */
export class MediaBuffer {
  readonly #source: MediaSource;
  readonly #buffer: SourceBuffer;
  readonly #onIdle: () => void;
  readonly #onFailed: (error: unknown) => void;
  #mime: string;
  #queue: (Uint8Array | BareFrames)[] = [];
  /** The place that is shown, seconds. */
  #atS = 0;
  /** There was no room, and what was shown is taken away. */
  #isTight = false;

  /**
   * @param on.idle called when more could be appended
   * @param on.failed called when what waited could not be appended
   * @throws DOMException NotSupportedError for what cannot be played
   */
  constructor(source: MediaSource, mime: string, on: { idle: () => void; failed: (error: unknown) => void }) {
    this.#source = source;
    this.#mime = mime;
    this.#onIdle = on.idle;
    this.#onFailed = on.failed;
    this.#buffer = source.addSourceBuffer(mime);
    this.#buffer.addEventListener('updateend', this.#onUpdateEnd);
  }

  get isIdle(): boolean {
    return this.#queue.length === 0 && !this.#buffer.updating;
  }

  get buffered(): TimeRanges | null {
    return this.#source.readyState === 'open' ? this.#buffer.buffered : null;
  }

  /** Another profile or codec comes from here on. @throws DOMException for what cannot be played */
  changeTo(mime: string): void {
    if (mime === this.#mime) return;
    this.#buffer.changeType(mime);
    this.#mime = mime;
    // Times are in MP4; of bare frames the browser makes them, and has said so by the mode.
    if (!mime.includes('/mp4')) return;
    this.#buffer.mode = 'segments';
    this.#buffer.timestampOffset = 0;
  }

  /** @param atS the place that is shown, seconds @throws DOMException where the browser has no room, or has given up */
  append(parts: readonly (Uint8Array | BareFrames)[], atS: number): void {
    this.#queue.push(...parts);
    this.#atS = atS;
    this.#next();
  }

  /** Takes away what was shown. @param atS the place that is shown, seconds */
  forget(atS: number): void {
    const { buffered } = this;
    if (buffered === null || buffered.length === 0 || this.#buffer.updating) return;
    if (atS - buffered.start(0) > keptBehindS + slackS) this.#buffer.remove(0, atS - keptBehindS);
  }

  close(): void {
    this.#queue = [];
    this.#buffer.removeEventListener('updateend', this.#onUpdateEnd);
  }

  readonly #onUpdateEnd = (): void => {
    if (this.#queue.length === 0) {
      this.#onIdle();
      return;
    }
    try {
      this.#next();
    } catch (error) {
      this.#onFailed(error);
    }
  };

  #next(): void {
    const [part] = this.#queue;
    if (part === undefined || this.#buffer.updating || this.#source.readyState !== 'open') return;
    try {
      if (part instanceof Uint8Array) this.#buffer.appendBuffer(part as Uint8Array<ArrayBuffer>);
      else {
        if (part.startMs !== null) {
          // Only between frames may the place be changed.
          this.#buffer.abort();
          this.#buffer.timestampOffset = part.startMs / 1000;
        }
        this.#buffer.appendBuffer(part.data as Uint8Array<ArrayBuffer>);
      }
      this.#queue.shift();
      this.#isTight = false;
    } catch (error) {
      // No room: what was shown makes some, once, and the part is tried again behind that.
      const isFull = error instanceof DOMException && error.name === 'QuotaExceededError';
      if (!isFull || this.#isTight || this.#atS < 2) throw error;
      this.#isTight = true;
      this.#buffer.remove(0, this.#atS - 1);
    }
  }
}
