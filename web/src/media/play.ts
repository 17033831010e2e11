import { readAudio, readVideo } from './flv-packet.js';
import { FlvReader, type FlvTag } from './flv-reader.js';
import { LiveEdge } from './live-edge.js';
import { MediaBuffer } from './media-buffer.js';
import { MediaTimes } from './media-times.js';
import { plays } from './playable.js';
import { type PictureSize, TrackRemuxer } from './remuxer.js';

/** Why it is over. `format`: it will never be played here, however often it is tried. */
export type Ending = 'format' | 'decoding' | 'refused' | 'lost';

/**
 * How far it is: the server was asked; it answered, and no picture has come; frames come; none has come for 3 s. For a camera
 * without a picture, those of its sound count.
 */
export type Flow = 'asked' | 'answered' | 'flowing' | 'stalled';

export interface PlayOptions {
  readonly url: string;
  /** Sent with the request: who asks. */
  readonly headers: Record<string, string>;
  /** What is known of the camera now: the tracks to wait for, and the size of its picture. */
  readonly expected: () => { readonly video: boolean; readonly audio: boolean; readonly size: PictureSize };
  /** Called at each change. */
  readonly onFlow: (flow: Flow) => void;
  /** Called once at most. @param reason in words */
  readonly onEnded: (ending: Ending, reason: string) => void;
}

const audioTag = 8;
const videoTag = 9;
/** How long tracks are waited for that are said to be there. */
const settleMs = 1000;
const lookMs = 250;
/** No frame for so long: the picture stands still. */
const stalledMs = 3000;
/** What may wait for the browser to take it. */
const maxWaitingBytes = 48 * 1024 * 1024;
/** A track that begins late, or ends, has all begin anew; not more often than this, */
const minLifeMs = 5000;
/** and so often. From then on there is no sound: one that comes and goes must not take the picture along. */
const maxLives = 4;

/**
 * Plays HTTP-FLV in a video element: its codecs as they came, in fragments of MP4, through Media Source Extensions, which
 * browsers have on plain HTTP too, unlike WebCodecs. Sound that cannot be played is left out. Returns the way to end it.
 */
export function play(element: HTMLVideoElement, options: PlayOptions): () => void {
  let life: Life | null = null;
  let isOver = false;
  let lives = 0;
  const begin = (): void => {
    lives++;
    life = new Life(element, options, lives < maxLives, (ending, reason) => {
      life?.close();
      life = null;
      if (isOver) return;
      if (ending === 'again') begin();
      else options.onEnded(ending, reason);
    });
  };
  begin();
  return () => {
    isOver = true;
    life?.close();
    life = null;
  };
}

/** One connection and one media source. */
class Life {
  readonly #element: HTMLVideoElement;
  readonly #options: PlayOptions;
  readonly #onEnded: (ending: Ending | 'again', reason: string) => void;
  readonly #abort = new AbortController();
  readonly #reader = new FlvReader();
  readonly #times = new MediaTimes();
  readonly #source = new MediaSource();
  readonly #address = URL.createObjectURL(this.#source);
  readonly #edge: LiveEdge;
  readonly #video: TrackRemuxer;
  readonly #audio: TrackRemuxer;
  readonly #buffers = new Map<TrackRemuxer, MediaBuffer>();
  readonly #begunMs = performance.now();
  readonly #look: ReturnType<typeof setInterval>;
  readonly #withSound: boolean;
  #firstFrameMs: number | null = null;
  #lastFrameMs = 0;
  #flow: Flow = 'asked';
  #hasEnded = false;

  constructor(
    element: HTMLVideoElement,
    options: PlayOptions,
    withSound: boolean,
    onEnded: (ending: Ending | 'again', reason: string) => void,
  ) {
    this.#element = element;
    this.#withSound = withSound;
    this.#options = options;
    this.#onEnded = onEnded;
    this.#edge = new LiveEdge(element);
    const sizeOf = (): PictureSize => options.expected().size;
    this.#video = new TrackRemuxer('video', sizeOf);
    this.#audio = new TrackRemuxer('audio', sizeOf, plays);
    element.addEventListener('error', this.#onElementError);
    element.src = this.#address;
    this.#source.addEventListener('sourceopen', this.#pump);
    this.#look = setInterval(this.#onLook, lookMs);
    options.onFlow('asked');
    void this.#load();
  }

  close(): void {
    this.#hasEnded = true;
    this.#abort.abort();
    clearInterval(this.#look);
    this.#element.removeEventListener('error', this.#onElementError);
    for (const buffer of this.#buffers.values()) buffer.close();
    this.#element.removeAttribute('src');
    this.#element.load();
    URL.revokeObjectURL(this.#address);
  }

  #end(ending: Ending | 'again', reason: string): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#onEnded(ending, reason);
  }

  async #load(): Promise<void> {
    const { url, headers } = this.#options;
    try {
      const response = await fetch(url, { headers, signal: this.#abort.signal, cache: 'no-store' });
      if (!response.ok || response.body === null) {
        this.#end(...refusal(response.status));
        return;
      }
      this.#changeTo('answered');
      const body = response.body.getReader();
      for (;;) {
        const { done, value } = await body.read();
        if (this.#hasEnded) return;
        if (done) break;
        for (const tag of this.#reader.feed(value)) this.#take(tag);
        this.#pump();
      }
      this.#end('lost', 'The stream ended.');
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      // What fetch says of a broken connection is a TypeError, in words of the browser.
      if (error instanceof TypeError) this.#end('lost', 'The stream broke off; trying again …');
      else this.#fail(error);
    }
  }

  #take({ type, timestampMs, payload }: FlvTag): void {
    if (type !== videoTag && type !== audioTag) return;
    const packet = type === videoTag ? readVideo(payload) : readAudio(payload);
    if (packet === null) return;
    const track = type === videoTag ? this.#video : this.#audio;
    // Headers of tracks that began long ago may have times of then.
    track.add(packet, packet.role === 'frame' ? this.#times.of(timestampMs) : 0);
    if (packet.role !== 'frame') return;
    const nowMs = performance.now();
    this.#firstFrameMs ??= nowMs;
    if (track === this.#audio && this.#options.expected().video) return;
    this.#lastFrameMs = nowMs;
    this.#changeTo('flowing');
  }

  #changeTo(flow: Flow): void {
    if (flow === this.#flow) return;
    this.#flow = flow;
    this.#options.onFlow(flow);
  }

  /** Appends what waits, once it is known which tracks there are. */
  readonly #pump = (): void => {
    if (this.#hasEnded || this.#source.readyState !== 'open') return;
    try {
      if (this.#buffers.size === 0 && !this.#settle()) return;
      for (const [track, buffer] of this.#buffers) {
        if (!buffer.isIdle) continue;
        const parts = track.take();
        if (parts.length === 0) continue;
        buffer.changeTo(track.takenMime ?? '');
        buffer.append(parts, this.#element.currentTime);
      }
    } catch (error) {
      this.#fail(error);
    }
    const waiting = this.#video.waitingBytes + (this.#buffers.has(this.#audio) ? this.#audio.waitingBytes : 0);
    if (waiting > maxWaitingBytes) this.#end('lost', 'The browser accepts no more data; trying again …');
  };

  /** Decides which tracks are played. False: that cannot be told yet. */
  #settle(): boolean {
    const tracks = [this.#video, this.#audio].filter((track) => this.#isPlayed(track));
    const { video, audio } = this.#options.expected();
    const waited = this.#firstFrameMs !== null && performance.now() - this.#firstFrameMs > settleMs;
    const isHere = (track: TrackRemuxer, isExpected: boolean): boolean =>
      !isExpected ||
      (track === this.#audio && !this.#withSound) ||
      tracks.includes(track) ||
      (track.mime !== null && !plays(track.mime));
    if (!waited && !(isHere(this.#video, video) && isHere(this.#audio, audio))) return false;
    const { mime, codec } = this.#video;
    if (codec !== null && mime !== null && !plays(mime)) {
      const profile = /"(.*)"/.exec(mime)?.[1];
      this.#end('format', `This browser does not play such video (${profile}).`);
      return false;
    }
    if (tracks.length === 0) return false;
    for (const track of tracks) {
      const on = { idle: this.#pump, failed: (error: unknown) => this.#fail(error) };
      this.#buffers.set(track, new MediaBuffer(this.#source, track.mime ?? '', on));
    }
    // Refused only by settings of the browser; the controls are there then.
    this.#element.play().catch(() => undefined);
    return true;
  }

  #isPlayed(track: TrackRemuxer): boolean {
    if (track === this.#audio && !this.#withSound) return false;
    return track.hasFrames && track.mime !== null && plays(track.mime);
  }

  readonly #onLook = (): void => {
    if (this.#hasEnded) return;
    if (this.#flow === 'flowing' && performance.now() - this.#lastFrameMs > stalledMs) this.#changeTo('stalled');
    this.#pump();
    if (this.#buffers.size === 0) return;
    const { currentTime } = this.#element;
    for (const buffer of this.#buffers.values()) buffer.forget(currentTime);
    this.#edge.keep(performance.now());
    if (performance.now() - this.#begunMs < minLifeMs) return;
    const late = [this.#video, this.#audio].some((track) => !this.#buffers.has(track) && this.#isPlayed(track));
    if (late) this.#end('again', 'Another track came.');
    else if (this.#edge.isStarved([...this.#buffers.values()])) this.#end('again', 'A track ended.');
  };

  readonly #onElementError = (): void => {
    const said = this.#element.error?.message;
    this.#end('decoding', `The browser cannot decode it${said ? ` (${said})` : ''}.`);
  };

  #fail(error: unknown): void {
    const isFormat = error instanceof DOMException && error.name === 'NotSupportedError';
    const said = error instanceof Error ? error.message : String(error);
    this.#end(isFormat ? 'format' : 'decoding', `The browser cannot play it (${said}).`);
  }
}

function refusal(status: number): [Ending, string] {
  if (status === 501) return ['refused', 'This media backend has no pictures; play the camera over RTMP.'];
  if (status === 401 || status === 403) return ['refused', 'This token does not allow watching.'];
  if (status === 404) return ['lost', 'There is no stream to play here.'];
  if (status === 409) return ['lost', 'The limit of viewers is reached; trying again …'];
  return ['lost', `The server answers ${status}; trying again …`];
}
