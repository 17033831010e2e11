import { type CodedError, codeOf, SourceError } from '../errors.js';
import type { FlightRecorder } from '../events/flight-recorder.js';
import type { Ingest, Source } from '../ingest/source.js';
import type { Logger } from '../log/log.js';
import { heardMs } from '../process/standstill.js';
import { isoTime, wallMsAt } from '../process/wall-clock.js';
import { Backoff } from '../push/backoff.js';
import type { DialGate } from './dial-gate.js';
import type { PullLife, StartPull } from './life.js';
import { PulledSource } from './pulled-source.js';
import { RepairedMedia } from './repaired-media.js';
import { sourceErrorOf } from './source-error.js';

/** `off`: nobody wants it now. `queued`: it waits for its turn to dial. `waiting`: it failed, and is tried again. */
export type PullState = 'off' | 'queued' | 'connecting' | 'live' | 'waiting';

export interface PullSettings {
  readonly pushRetryMinMs: number;
  readonly pushRetryMaxMs: number;
  readonly connectTimeoutMs: number;
  readonly stallTimeoutMs: number;
  /** How long a source that nobody wants any more is kept, where it is pulled on demand. */
  readonly sourceLingerMs: number;
}

export interface PullOptions {
  /** The URL as it may be shown. */
  readonly shownUrl: string;
  readonly settings: PullSettings;
  readonly gate: DialGate;
  readonly start: StartPull;
  /** Lets it in as a source of its camera. @throws CodedError */
  readonly open: (source: Source) => Ingest;
  /** As `CameraClaimer.claim`. */
  readonly claim: () => Promise<void> | undefined;
  /** It does not hold the camera, and will not soon. */
  readonly release: () => void;
  /** It fails (the error of the last try), or does not any more (null). */
  readonly onProblem: (error: SourceError | null) => void;
  readonly log: Logger;
  readonly recorder: FlightRecorder;
}

/** A life that was well for so long begins the pauses anew. */
const wellAfterMs = 30_000;

/** How soon a source is dialled when the node that had the camera has it no more, at the latest, milliseconds. */
const freedWithinMs = 1000;

/** How often it is looked whether media still comes, milliseconds. */
const lookEveryMs = 1000;

/**
 * Keeps one source coming: dials in its turn, hands what comes to the camera, and tries again after each failure, with
 * pauses that double. What the source is, and how it is fetched, is in `start`; this is the one loop around all kinds.
 *
 *   off --wanted--> queued --its turn--> connecting --first media--> live
 *    ^                 ^                       |  failed               | failed
 *    '---not wanted----'------- waiting <------'-----------------------'
 */
export class Pull {
  readonly shownUrl: string;
  readonly #options: PullOptions;
  readonly #backoff: Backoff;
  #state: PullState = 'off';
  #sinceMs = Date.now();
  #isWanted = false;
  #life: PullLife | null = null;
  #source: PulledSource | null = null;
  #ingest: Ingest | null = null;
  #media = this.#newMedia();
  #dialled: () => void = () => {};
  #leaveLine: () => void = () => {};
  /** When the life began, or the last media came, on the monotonic clock. */
  #lastMediaMs = 0;
  #liveMs = 0;
  /** Counts lives, so that what a claim answers to an older one is not heard. */
  #number = 0;
  #retryTimer: NodeJS.Timeout | null = null;
  #retryAtMs = 0;
  #lingerTimer: NodeJS.Timeout | null = null;
  #watch: NodeJS.Timeout | null = null;
  #failures = 0;
  #connects = 0;
  /** Another node had the camera when it was tried last. */
  #isElsewhere = false;
  #lastError: { readonly code: SourceError['code']; readonly message: string; readonly at: string } | null = null;

  constructor(options: PullOptions) {
    this.shownUrl = options.shownUrl;
    this.#options = options;
    const { pushRetryMinMs, pushRetryMaxMs } = options.settings;
    this.#backoff = new Backoff(pushRetryMinMs, pushRetryMaxMs);
  }

  get state(): PullState {
    return this.#state;
  }

  /** By the names of `SourceSnapshotSchema` in `backend/observed-ingest.ts`. */
  figures() {
    const isWaiting = this.#state === 'waiting';
    return {
      state: this.#state,
      since: isoTime(this.#sinceMs),
      attempt: this.#failures,
      connects: this.#connects,
      lastError: this.#lastError,
      nextRetryAt: isWaiting ? isoTime(Math.round(wallMsAt(this.#retryAtMs))) : null,
    };
  }

  /** Somebody wants it, or nobody does any more; then it goes on for `source-linger`. */
  want(isWanted: boolean): void {
    if (isWanted === this.#isWanted) return;
    this.#isWanted = isWanted;
    if (this.#lingerTimer !== null) clearTimeout(this.#lingerTimer);
    this.#lingerTimer = null;
    if (isWanted) {
      if (this.#state === 'off') this.#enqueue();
    } else if (this.#state !== 'off') {
      this.#lingerTimer = setTimeout(
        () => this.#stop('nobody wants it any more'),
        this.#options.settings.sourceLingerMs,
      );
    }
  }

  /** No other node has the camera any more. Each node waits a moment of its own, so that not all of them ask at once. */
  freed(): void {
    if (this.#state !== 'waiting' || !this.#isElsewhere) return;
    const waitMs = Math.random() * freedWithinMs;
    if (this.#retryAtMs - performance.now() <= waitMs) return;
    if (this.#retryTimer !== null) clearTimeout(this.#retryTimer);
    this.#retryAtMs = performance.now() + waitMs;
    this.#retryTimer = setTimeout(() => this.#enqueue(), waitMs);
  }

  /** Ends it for good. @param reason in words */
  close(reason: string): void {
    this.#isWanted = false;
    if (this.#lingerTimer !== null) clearTimeout(this.#lingerTimer);
    this.#lingerTimer = null;
    this.#stop(reason);
  }

  #stop(reason: string): void {
    this.#endLife(reason);
    this.#backoff.reset();
    this.#failures = 0;
    this.#setState('off');
    this.#options.release();
    this.#options.onProblem(null);
  }

  #enqueue(): void {
    this.#endLife('it is dialled anew');
    this.#setState('queued');
    this.#leaveLine = this.#options.gate.enter((done) => {
      this.#leaveLine = () => {};
      this.#dialled = done;
      this.#dial();
    });
  }

  #dial(): void {
    this.#setState('connecting');
    const number = ++this.#number;
    const asked = this.#options.claim();
    if (asked === undefined) {
      this.#begin();
      return;
    }
    const isStill = (): boolean => number === this.#number && this.#state === 'connecting' && this.#life === null;
    asked.then(
      () => {
        if (isStill()) this.#begin();
      },
      (error: unknown) => {
        // A node without room for it is a trouble that people are to see.
        if (isStill()) this.#failed(sourceErrorOf(error, this.shownUrl), codeOf(error) !== 'NODE_FULL');
      },
    );
  }

  #begin(): void {
    this.#media = this.#newMedia();
    this.#lastMediaMs = performance.now();
    try {
      // What a life says when it is over is not heard.
      const number = this.#number;
      const life = this.#options.start({
        onMedia: (type, timestampMs, payload) => {
          if (number === this.#number) this.#take(type, timestampMs, payload);
        },
        onEnded: (error) => {
          if (number === this.#number) this.#failed(error);
        },
      });
      // It may have failed before it returned.
      if (number === this.#number) this.#life = life;
      else life.close();
    } catch (error) {
      this.#failed(sourceErrorOf(error, this.shownUrl));
      return;
    }
    if (this.#life !== null) this.#watch ??= setInterval(() => this.#look(), lookEveryMs);
  }

  #take(type: number, timestampMs: number, payload: Buffer): void {
    const ingest = this.#ingest ?? this.#open();
    if (ingest === null) return;
    const nowMs = performance.now();
    this.#lastMediaMs = nowMs;
    if (this.#media.write(ingest, type, timestampMs, payload, nowMs) && this.#source !== null)
      this.#source.lastMediaMs = nowMs;
  }

  #newMedia(): RepairedMedia {
    return new RepairedMedia(() => {
      const text = 'the picture of the source changed; its new header is sent';
      this.#options.log.info(text, { summed: true, source: this.shownUrl });
      this.#options.recorder.note('pull', 'the parameter sets changed within the stream');
    });
  }

  /** The first media came. Null: the camera does not want it. */
  #open(): Ingest | null {
    const { open, log, onProblem, recorder } = this.#options;
    const source = new PulledSource(this.shownUrl, (reason) => this.#refused(reason));
    try {
      this.#source = source;
      this.#ingest = open(source);
    } catch (error) {
      this.#source = null;
      this.#failed(sourceErrorOf(error, this.shownUrl));
      return null;
    }
    this.#dialled();
    this.#connects++;
    this.#liveMs = performance.now();
    this.#setState('live');
    recorder.note('pull', `${this.shownUrl} sends`);
    if (this.#failures > 0) log.info('the source delivers again', { source: this.shownUrl, attempts: this.#failures });
    onProblem(null);
    return this.#ingest;
  }

  /** The camera ends it: it sends too much, its stream comes from here, or another source took its place. */
  #refused(reason: CodedError): void {
    if (this.#source === null) return;
    this.#failed(new SourceError(reason.code, reason.message, { cause: reason }));
  }

  #look(): void {
    const { connectTimeoutMs, stallTimeoutMs } = this.#options.settings;
    const isLive = this.#state === 'live';
    const limitMs = isLive ? stallTimeoutMs : stallTimeoutMs + connectTimeoutMs;
    const silentMs = heardMs(this.#lastMediaMs);
    if (this.#life === null || silentMs <= limitMs) return;
    const what = isLive ? 'sent nothing' : 'has given no media';
    const text = `${this.shownUrl} ${what} for ${Math.round(silentMs / 1000)} s`;
    this.#failed(new SourceError('SOURCE_STALLED', text));
  }

  /** @param isElsewhere another node has the camera: that is no trouble of the source */
  #failed(error: SourceError, isElsewhere = false): void {
    const { log, onProblem, recorder } = this.#options;
    const livedMs = this.#state === 'live' ? performance.now() - this.#liveMs : 0;
    const isFirst = this.#failures === 0 || this.#lastError?.code !== error.code;
    this.#endLife(`${error.code}: ${error.message}`);
    if (livedMs > wellAfterMs) {
      this.#backoff.reset();
      this.#failures = 0;
    }
    this.#failures++;
    this.#isElsewhere = isElsewhere;
    const { code, message } = error;
    this.#lastError = { code, message, at: new Date().toISOString() };
    recorder.note('error', `${code}: ${message}`);
    const pauseMs = this.#backoff.pauseMs(code);
    if (isFirst && !isElsewhere)
      log.warn('the source delivers nothing', { source: this.shownUrl, code, reason: message, pauseMs });
    this.#retryAtMs = performance.now() + pauseMs;
    this.#retryTimer = setTimeout(() => this.#enqueue(), pauseMs);
    this.#setState('waiting');
    this.#options.release();
    onProblem(isElsewhere ? null : error);
  }

  /** Ends what runs, whatever it is; what comes next is the caller's. */
  #endLife(reason: string): void {
    this.#number++;
    const [life, ingest] = [this.#life, this.#ingest];
    this.#life = this.#ingest = this.#source = null;
    if (this.#watch !== null) clearInterval(this.#watch);
    this.#watch = null;
    if (this.#retryTimer !== null) clearTimeout(this.#retryTimer);
    this.#retryTimer = null;
    this.#leaveLine();
    this.#leaveLine = () => {};
    this.#dialled();
    this.#dialled = () => {};
    // Nothing that they say from here on is heard.
    if (this.#state === 'live' || this.#state === 'connecting') this.#setState('waiting');
    life?.close();
    ingest?.end(reason);
  }

  #setState(state: PullState): void {
    if (state === this.#state) return;
    this.#options.recorder.note('source', `${this.#state} -> ${state}`);
    this.#state = state;
    this.#sinceMs = Date.now();
  }
}
