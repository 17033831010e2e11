import { messageOf, TargetError } from '../errors.js';
import { FlightRecorder, type RecordedEvent } from '../events/flight-recorder.js';
import { isoTime } from '../process/wall-clock.js';
import type { LiveStream } from '../relay/live-stream.js';
import type { OutletLimits } from '../relay/outlet-sink.js';
import { RateMeter } from '../relay/rate-meter.js';
import type { PeerAbilities } from '../rtmp/abilities.js';
import type { WhenToEnd } from './goodbyes.js';
import { HeadersAwaited } from './headers-awaited.js';
import type { PushFailure } from './push-failure.js';
import { PushFailures } from './push-failures.js';
import type { PushLife } from './push-life.js';
import { PushLives } from './push-lives.js';
import type { PushOptions } from './push-options.js';
import { PhaseRecord, type PushPhase, phaseWithout } from './push-phase.js';
import { codecTroubleIn, fullProfile, type PushProfile } from './push-profile.js';
import { PushRoom } from './push-room.js';
import { type Haste, RetryClock } from './retry-clock.js';

export type { PushPhase } from './push-phase.js';

/**
 * Sends a camera's stream to one target. It connects, follows the stream, and after a failure retries without end, with
 * doubling pauses and a new DNS look-up each time.
 */
export class Push {
  readonly url: string;
  /** The URL without secrets, for display. */
  readonly shownUrl: string;
  readonly profile: PushProfile;
  readonly #recorder: FlightRecorder;
  readonly #meter = new RateMeter();
  readonly #clock: RetryClock;
  readonly #failures: PushFailures;
  #enabled: boolean;
  #stream: LiveStream | null = null;
  #live = false;
  readonly #lives: PushLives;
  readonly #headers = new HeadersAwaited(() => this.#connect());
  #connects = 0;
  /** What the target said of itself when it last took the stream; null: it never did. */
  #learned: PeerAbilities | null = null;
  /** That it does not take the codecs was said since the last try. */
  #isCodecTold = false;
  readonly #onPhase: (() => void) | undefined;
  readonly #phase: PhaseRecord;
  readonly #room: PushRoom;

  constructor(options: PushOptions) {
    this.#onPhase = options.onPhase;
    this.#room = new PushRoom(options.takeRoom, options.holdsRoom);
    this.url = options.url;
    this.shownUrl = options.shownUrl;
    this.profile = options.profile ?? fullProfile;
    this.#enabled = options.enabled === true;
    const log = options.log.child({ target: options.shownUrl });
    this.#recorder = new FlightRecorder({ log });
    this.#failures = new PushFailures(log, this.#recorder);
    this.#clock = new RetryClock({
      minMs: options.settings.pushRetryMinMs,
      maxMs: options.settings.pushRetryMaxMs,
      watch: options.watch,
      url: options.url,
      connect: () => this.#connect(),
    });
    this.#lives = new PushLives({
      urlNow: options.urlNow ?? (() => options.url),
      shownUrl: options.shownUrl,
      limits: options.limits,
      profile: this.profile,
      settings: options.settings,
      dialer: options.dialer,
      recorder: this.#recorder,
      handler: {
        onPublished: (life) => this.#published(life),
        onDrain: (life) => {
          if (this.#phase.now === 'connecting') this.#proveActive(life);
        },
        onReplaced: () => {
          if (this.#live) this.#setPhase('connecting');
        },
        onEnded: (life, error) => this.#ended(life, error),
      },
    });
    this.#phase = new PhaseRecord(phaseWithout(options.enabled), this.#recorder);
  }

  /** Bytes handed to the network, in total. */
  get bytesOut(): number {
    return this.#lives.bytesOut;
  }

  /** True while this node keeps room for it. */
  get holdsRoom(): boolean {
    return this.#room.isHeld;
  }

  /** The last few hundred events, oldest first. */
  get events(): RecordedEvent[] {
    return this.#recorder.events();
  }

  /** Changes the budgets without interruption. */
  setLimits(limits: OutletLimits): void {
    this.#lives.setLimits(limits);
  }

  /** @param where false: it has no connection; `elsewhere`: another node has it */
  setEnabled(where: boolean | 'elsewhere'): void {
    const enabled = where === true;
    if (enabled === this.#enabled) {
      if (where !== true) this.#setPhase(phaseWithout(where));
      return;
    }
    this.#enabled = enabled;
    if (where === true) {
      this.#setPhase('idle');
      if (this.#live) this.#hurry('asked for');
    } else {
      this.#hangUp('removed');
      this.#failures.end();
      this.#room.release();
      this.#setPhase(phaseWithout(where));
    }
  }

  /** The camera is live with this stream, for the first time or again. */
  begin(stream: LiveStream): void {
    if (stream !== this.#stream) this.#hangUp('drained');
    this.#stream = stream;
    this.#live = true;
    this.#headers.begin();
    if (!this.#enabled) return;
    const life = this.#lives.current;
    if (life?.outlet != null) {
      // The connection was kept for the camera's return. Whether the target still takes media is not known yet.
      life.cameraReturned();
      this.#setPhase('connecting');
    } else if (life !== null) {
      this.#setPhase('connecting'); // already on its way since before the camera left
    } else {
      this.#hurry('camera is back');
    }
  }

  /**
   * The camera has stopped and may return. An existing connection is kept, and one that is being made is completed, so
   * that the media sent so far still arrives. A failed one is not retried.
   */
  pause(): void {
    this.#live = false;
    this.#clock.stop();
    this.#headers.stop();
    this.#room.stopAsking();
    if (this.#enabled) this.#setPhase('idle');
  }

  /** The camera is gone. The queue is sent, and the target gets a goodbye. */
  end(): void {
    this.#live = false;
    this.#hangUp('drained');
    this.#failures.end();
    this.#room.release();
    this.#stream = null;
    if (this.#enabled) this.#setPhase('idle');
  }

  /** Retries at once, or within 5 s if an earlier request has failed. False if the push is not waiting. */
  retry(): boolean {
    if (this.#phase.now !== 'waiting') return false;
    this.#recorder.note('retry', 'asked for');
    if (this.#room.isAwaited) this.#connect();
    else this.#clock.hurry('asked for');
    return true;
  }

  /** Resolves when every connection that is being closed is closed. */
  async drained(): Promise<void> {
    await this.#lives.closed();
  }

  /** Ends the push. Resolves when the goodbye was sent, or the deadline is over. */
  async close(): Promise<void> {
    this.#hangUp('removed');
    this.#room.release();
    this.#stream = null;
    this.#live = false;
    this.#enabled = false;
    await this.drained();
  }

  /** Call once a second. @param nowMs a monotonic clock */
  tick(nowMs: number): void {
    this.#meter.look(this.bytesOut, nowMs);
    this.#lives.lookAtSuccessor(nowMs);
    this.#room.look(nowMs, !this.#live || this.#phase.isFlowing, this.#lives.current !== null);
    if (this.#room.isAwaited && this.#enabled) this.#connect();
    const verdict = this.#lives.look(nowMs);
    const life = this.#lives.current;
    if (verdict === null || life === null || !this.#live) return;
    if (verdict.kind === 'flowing') {
      this.#proveActive(life);
    } else if (verdict.kind === 'stalled' && this.#phase.now === 'active') {
      this.#failures.stalled(Date.now() - Math.round(verdict.stalledMs));
      this.#setPhase('stalled');
    }
  }

  /**
   * What is seen of it, by the names of `backend/observed-push.ts`. The type follows from what is returned here, and the snapshot
   * of the backend checks it against the schema there. @param nowMs a monotonic clock
   */
  status(nowMs: number) {
    const life = this.#lives.current;
    const { totals } = this.#lives;
    return {
      state: this.#phase.now,
      since: isoTime(this.#phase.sinceMs),
      attempt: this.#clock.failures,
      ...this.#failures.status(this.#live),
      nextRetryAt: this.#phase.now === 'waiting' && !this.#room.isAwaited ? isoTime(this.#clock.nextTryAtMs) : null,
      connects: this.#connects,
      bytesOut: this.bytesOut,
      framesOut: totals.framesOut + (life?.outlet?.framesOut ?? 0),
      bitrateBps: this.#phase.isFlowing ? this.#meter.bitsPerSecond : 0,
      ...totals.droppedWith(life?.outlet ?? null),
      ...life?.figures(nowMs),
    };
  }

  get phase(): PushPhase {
    return this.#phase.now;
  }

  /** Why it failed last; null: it never did. */
  get lastFailure(): PushFailure | null {
    return this.#failures.last;
  }

  /** True when it failed last since the target ended the stream by its own word. */
  get wasEndedByTarget(): boolean {
    return this.#failures.wasEndedByTarget;
  }

  /** What of the stream the target does not take, by its own word; null: nothing, or it says nothing. */
  get shortfall(): string | null {
    return this.#lives.current?.shortfall ?? null;
  }

  /** Why the target is not expected to take the codecs of the camera, in words, with what helps; null: nothing says so. */
  get codecTrouble(): string | null {
    const stream = this.#stream;
    if (stream === null || !this.#enabled) return null;
    return codecTroubleIn(this.profile, stream, this.#lives.current?.abilities ?? this.#learned);
  }

  /** As of its connection; null when there is none. */
  keyFrameAwaitedSinceMs(nowMs: number): number | null {
    return this.#lives.current?.keyFrameAwaitedSinceMs(nowMs) ?? null;
  }

  #connect(): void {
    if (this.#stream === null || !this.#live || this.#lives.current !== null) return;
    if (this.profile.isEnhanced && this.#headers.isAwaited(this.#stream)) {
      this.#setPhase('connecting');
      return;
    }
    const lack = this.#room.ask(performance.now());
    if (lack !== undefined) {
      this.#lacksRoom(lack);
      return;
    }
    // Told before it is tried; and tried nevertheless, since targets learn.
    const isKnown = this.#learned !== null && this.profile.isEnhanced && !this.#isCodecTold;
    const trouble = isKnown ? this.codecTrouble : null;
    this.#isCodecTold = trouble !== null;
    if (trouble !== null) {
      this.#wait(new TargetError('TARGET_CODEC', trouble));
      return;
    }
    this.#clock.began();
    this.#setPhase('connecting');
    try {
      this.#lives.connect(this.#stream);
    } catch (error) {
      const failure = new TargetError('TARGET_UNREACHABLE', messageOf(error), { cause: error });
      this.#wait(error instanceof TargetError ? error : failure);
    }
  }

  /** It is asked for again once a second. */
  #lacksRoom({ error, isNews }: { readonly error: TargetError; readonly isNews: boolean }): void {
    this.#clock.stop();
    if (isNews) {
      this.#failures.note(error);
      this.#failures.tell(error, 1000, 1, false);
    }
    this.#setPhase('waiting');
  }

  #published(life: PushLife): void {
    this.#connects++;
    this.#learned = life.abilities;
    // In the next turn, the socket knows whether the kernel took everything.
    setImmediate(() => {
      if (life === this.#lives.current && this.#live) this.#proveActive(life);
    });
  }

  /** A push is active if the target acknowledges bytes, or at least the socket's queue empties. */
  #proveActive(life: PushLife): void {
    if (this.#phase.now === 'active') {
      // A track that came meanwhile, or became the default one, may be one that it does not take.
      if (life.shortfall !== null) this.#setPhase('connecting');
      else if (this.#clock.wellFor(life.noteWell())) this.#failures.well();
      return;
    }
    if (!life.isProven) return;
    life.noteWell();
    this.#failures.flows(this.#phase.now === 'stalled' ? null : this.#clock.failures + 1);
    this.#setPhase('active');
  }

  #ended(life: PushLife, error: TargetError | null): void {
    const flowedMs = life.flowedMs(this.#phase.now === 'active');
    const failure = error ?? new TargetError('TARGET_CLOSED', 'the connection ended');
    if (this.#live) {
      this.#wait(failure, flowedMs);
    } else {
      // The camera is away, so nothing waits for this. The pauses still continue from here when it returns.
      this.#failures.note(failure);
      this.#clock.failed(failure, flowedMs);
      this.#clock.stop();
    }
  }

  /** @param flowedMs how long media had flowed; 0: it had not */
  #wait(error: TargetError, flowedMs = 0): void {
    if (this.#clock.wellFor(flowedMs)) this.#failures.well();
    this.#failures.note(error);
    const pauseMs = this.#clock.failed(error, flowedMs);
    this.#failures.tell(error, pauseMs, this.#clock.failures, flowedMs > 0);
    this.#setPhase('waiting');
  }

  /** Retries early: now, or as soon as that is allowed. */
  #hurry(why: Haste): void {
    this.#clock.hurry(why);
    if (this.#lives.current === null && !this.#headers.isWaiting) this.#setPhase('waiting');
  }

  /** Ends the connection with a goodbye. */
  #hangUp(when: WhenToEnd): void {
    this.#clock.stop();
    this.#headers.stop();
    const life = this.#lives.current;
    if (life !== null && life.outlet === null) this.#clock.abandoned();
    this.#lives.hangUp(when);
  }

  #setPhase(phase: PushPhase): void {
    if (!this.#phase.enter(phase)) return;
    if (!this.#phase.isFlowing) this.#meter.reset();
    this.#onPhase?.();
  }
}
