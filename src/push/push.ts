import type { RtmpUrl } from '../address/rtmp-url.js';
import { messageOf, TargetError } from '../errors.js';
import { FlightRecorder, type RecordedEvent } from '../events/flight-recorder.js';
import type { Dialer } from '../net/dialer.js';
import { isoTime } from '../process/wall-clock.js';
import type { LiveStream } from '../relay/live-stream.js';
import type { OutletLimits } from '../relay/outlet.js';
import { RateMeter } from '../relay/rate-meter.js';
import type { PeerAbilities } from '../rtmp/abilities.js';
import type { NetSettings } from '../rtmp/settings.js';
import { Goodbyes } from './goodbyes.js';
import { HeadersAwaited } from './headers-awaited.js';
import { LifeDoubt } from './life-doubt.js';
import type { PushFailure } from './push-failure.js';
import { PushFailures } from './push-failures.js';
import { PushLife } from './push-life.js';
import type { PushOptions } from './push-options.js';
import { PhaseRecord, type PushPhase, phaseWithout } from './push-phase.js';
import { codecTroubleIn, fullProfile, type PushProfile } from './push-profile.js';
import { PushRoom } from './push-room.js';
import { PushTotals } from './push-totals.js';
import { type Haste, RetryClock } from './retry-clock.js';
import { judgeStall } from './stall-watch.js';
import { Succession } from './succession.js';

export type { PushPhase } from './push-phase.js';

/**
 * Sends a camera's stream to one target. It connects, follows the stream, and after a failure retries without end, with
 * doubling pauses and a new DNS look-up each time.
 */
export class Push {
  readonly url: string;
  readonly #urlNow: () => string;
  /** The URL without secrets, for display. */
  readonly shownUrl: string;
  readonly profile: PushProfile;
  #limits: OutletLimits;
  readonly #settings: NetSettings;
  readonly #dialer: Dialer;
  readonly #recorder: FlightRecorder;
  readonly #meter = new RateMeter();
  readonly #clock: RetryClock;
  readonly #failures: PushFailures;
  #enabled: boolean;
  #stream: LiveStream | null = null;
  #live = false;
  #life: PushLife | null = null;
  readonly #succession: Succession;
  readonly #headers = new HeadersAwaited(() => this.#connect());
  readonly #doubt = new LifeDoubt();
  #connects = 0;
  /** What the target said of itself when it last took the stream; null: it never did. */
  #learned: PeerAbilities | null = null;
  /** That it does not take the codecs was said since the last try. */
  #isCodecTold = false;
  /** Counts of ended connections. */
  readonly #past = new PushTotals();
  readonly #goodbyes = new Goodbyes(this.#past);
  readonly #onPhase: (() => void) | undefined;
  readonly #phase: PhaseRecord;
  readonly #room: PushRoom;

  constructor(options: PushOptions) {
    this.#onPhase = options.onPhase;
    this.#room = new PushRoom(options.takeRoom, options.holdsRoom);
    this.url = options.url;
    this.#urlNow = options.urlNow ?? (() => options.url);
    this.shownUrl = options.shownUrl;
    this.#limits = options.limits;
    this.profile = options.profile ?? fullProfile;
    this.#enabled = options.enabled === true;
    this.#settings = options.settings;
    this.#dialer = options.dialer;
    const log = options.log.child({ target: options.shownUrl });
    this.#recorder = new FlightRecorder({ log });
    this.#succession = new Succession(this.#recorder);
    this.#failures = new PushFailures(log, this.#recorder);
    this.#clock = new RetryClock({
      minMs: options.settings.pushRetryMinMs,
      maxMs: options.settings.pushRetryMaxMs,
      watch: options.watch,
      url: options.url,
      connect: () => this.#connect(),
    });
    this.#phase = new PhaseRecord(phaseWithout(options.enabled), this.#recorder);
  }

  /** Bytes handed to the network, in total. */
  get bytesOut(): number {
    return this.#past.bytesOut + (this.#life?.outlet?.bytesOut ?? 0) + this.#goodbyes.bytesOut;
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
    this.#limits = limits;
    this.#life?.setLimits(limits);
    this.#succession.successor?.setLimits(limits);
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
      this.#hangUp('now');
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
    if (this.#life?.outlet != null) {
      // The connection was kept for the camera's return. Whether the target still takes media is not known yet.
      this.#life.cameraReturned();
      this.#setPhase('connecting');
    } else if (this.#life !== null) {
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
    await this.#goodbyes.done();
  }

  /** Ends the push. Resolves when the goodbye was sent, or the deadline is over. */
  async close(): Promise<void> {
    this.#hangUp('now');
    this.#room.release();
    this.#stream = null;
    this.#live = false;
    this.#enabled = false;
    await this.drained();
  }

  /** Call once a second. @param nowMs a monotonic clock */
  tick(nowMs: number): void {
    this.#meter.look(this.bytesOut, nowMs);
    const { successor } = this.#succession;
    if (successor !== null && this.#succession.look(nowMs, this.#settings.stallTimeoutMs)) this.#succeed(successor);
    this.#room.look(nowMs, !this.#live || this.#phase.isFlowing, this.#life !== null);
    if (this.#room.isAwaited && this.#enabled) this.#connect();
    const life = this.#life;
    if (life === null || life.outlet === null) return;
    life.look(nowMs);
    const verdict = judgeStall(life.connection, this.#doubt, this.#settings.stallTimeoutMs, nowMs);
    if (verdict.kind === 'given-up') {
      life.connection.destroy(verdict.error);
    } else if (this.#live && verdict.kind === 'flowing') {
      this.#proveActive(life);
    } else if (this.#live && verdict.kind === 'stalled' && this.#phase.now === 'active') {
      this.#failures.stalled(Date.now() - Math.round(verdict.stalledMs));
      this.#setPhase('stalled');
    }
  }

  /**
   * What is seen of it, by the names of `backend/observed.ts`. The type follows from what is returned here, and the snapshot
   * of the backend checks it against the schema there. @param nowMs a monotonic clock
   */
  status(nowMs: number) {
    const life = this.#life;
    return {
      state: this.#phase.now,
      since: isoTime(this.#phase.sinceMs),
      attempt: this.#clock.failures,
      ...this.#failures.status(this.#live),
      nextRetryAt: this.#phase.now === 'waiting' && !this.#room.isAwaited ? isoTime(this.#clock.nextTryAtMs) : null,
      connects: this.#connects,
      bytesOut: this.bytesOut,
      framesOut: this.#past.framesOut + (life?.outlet?.framesOut ?? 0),
      bitrateBps: this.#phase.isFlowing ? this.#meter.bitsPerSecond : 0,
      ...this.#past.droppedWith(life?.outlet ?? null),
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
    return this.#life?.shortfall ?? null;
  }

  /** Why the target is not expected to take the codecs of the camera, in words, with what helps; null: nothing says so. */
  get codecTrouble(): string | null {
    const stream = this.#stream;
    if (stream === null || !this.#enabled) return null;
    return codecTroubleIn(this.profile, stream, this.#life?.abilities ?? this.#learned);
  }

  /** As of its connection; null when there is none. */
  keyFrameAwaitedSinceMs(nowMs: number): number | null {
    return this.#life?.keyFrameAwaitedSinceMs(nowMs) ?? null;
  }

  #connect(): void {
    if (this.#stream === null || !this.#live || this.#life !== null) return;
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
    this.#doubt.began(performance.now());
    this.#setPhase('connecting');
    try {
      this.#life = this.#newLife(this.#stream, undefined);
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

  /** @param elsewhere where the target asked to be reconnected to */
  #newLife(stream: LiveStream, elsewhere: RtmpUrl | undefined): PushLife {
    const life: PushLife = new PushLife({
      url: this.#urlNow(),
      shownUrl: this.shownUrl,
      stream,
      limits: this.#limits,
      profile: this.profile,
      settings: this.#settings,
      dialer: this.#dialer,
      recorder: this.#recorder,
      mayPing: this.#doubt.mayPing,
      elsewhere,
      handler: {
        onPublished: () => {
          if (life !== this.#succession.successor) this.#published(life);
          else if (!life.connection.isUnanswered) this.#succeed(life);
        },
        onDrain: () => {
          if (life === this.#life && this.#phase.now === 'connecting') this.#proveActive(life);
        },
        onReconnectRequest: (tcUrl) => this.#askedToReconnect(life, tcUrl),
        onClosed: (closedBy) => {
          if (life === this.#succession.successor) this.#succession.failed(closedBy, this.#past);
          else this.#closed(life, closedBy);
        },
      },
    });
    return life;
  }

  /** @param tcUrl where, as the target says it; undefined: at the same place */
  #askedToReconnect(life: PushLife, tcUrl: string | undefined): void {
    const stream = this.#stream;
    if (life !== this.#life || stream === null) return;
    this.#succession.follow(tcUrl !== undefined, () => this.#newLife(stream, life.connection.placeOf(tcUrl)));
  }

  #succeed(life: PushLife): void {
    const old = this.#life;
    this.#life = life;
    this.#succession.takesOver();
    if (old !== null) this.#goodbyes.say(old, 'drained');
    // That the old one was well proves nothing of this one.
    if (this.#live) this.#setPhase('connecting');
    this.#published(life);
  }

  #published(life: PushLife): void {
    if (life !== this.#life) return;
    this.#connects++;
    this.#learned = life.abilities;
    this.#doubt.published(performance.now());
    // In the next turn, the socket knows whether the kernel took everything.
    setImmediate(() => {
      if (life === this.#life && this.#live) this.#proveActive(life);
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

  #closed(life: PushLife, error: TargetError | null): void {
    if (life !== this.#life) return; // hung up on by us; its draining notices
    const next = this.#succession.release();
    this.#life = next;
    if (next !== null) {
      // It ended before the one that it asked for was there.
      life.bury(this.#past);
      if (this.#live) this.#setPhase('connecting');
      if (next.outlet !== null) this.#published(next);
      return;
    }
    this.#doubt.ended(life.connection.diedOfPing, life.outlet !== null);
    const flowedMs = life.flowedMs(this.#phase.now === 'active');
    life.bury(this.#past);
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
    if (this.#life === null && !this.#headers.isWaiting) this.#setPhase('waiting');
  }

  /** Ends the connection with a goodbye, after the rest of the stream, or (`now`) after the bytes in the socket. */
  #hangUp(when: 'drained' | 'now'): void {
    this.#clock.stop();
    this.#headers.stop();
    const life = this.#life;
    this.#life = null;
    const successor = this.#succession.release();
    if (successor !== null) this.#goodbyes.say(successor, 'now');
    if (life === null) return;
    if (life.outlet === null) this.#clock.abandoned();
    this.#goodbyes.say(life, when);
  }

  #setPhase(phase: PushPhase): void {
    if (!this.#phase.enter(phase)) return;
    if (!this.#phase.isFlowing) this.#meter.reset();
    this.#onPhase?.();
  }
}
