import type { RtmpUrl } from '../address/rtmp-url.js';
import type { TargetError } from '../errors.js';
import type { FlightRecorder } from '../events/flight-recorder.js';
import type { Dialer } from '../net/dialer.js';
import type { LiveStream } from '../relay/live-stream.js';
import type { OutletLimits } from '../relay/outlet-sink.js';
import type { NetSettings } from '../rtmp/settings.js';
import { Goodbyes, type WhenToEnd } from './goodbyes.js';
import { LifeDoubt } from './life-doubt.js';
import { PushLife } from './push-life.js';
import type { PushProfile } from './push-profile.js';
import { PushTotals } from './push-totals.js';
import { judgeStall, type StallVerdict } from './stall-watch.js';
import { Succession } from './succession.js';

export interface PushLivesHandler {
  /** The target accepted the publish of the current connection, or took one that was made to replace it. */
  onPublished(life: PushLife): void;
  /** The socket of the current connection took all that it was given. */
  onDrain(life: PushLife): void;
  /** Another connection became the current one. That the old one was well proves nothing of it. */
  onReplaced(): void;
  /** The current connection ended, and no other takes its place. Not called for one that was hung up on. */
  onEnded(life: PushLife, error: TargetError | null): void;
}

/** What all connections of a push have in common. */
export interface PushLivesOptions {
  /** The URL for the next connection. */
  readonly urlNow: () => string;
  /** The URL as it may be shown. */
  readonly shownUrl: string;
  readonly limits: OutletLimits;
  readonly profile: PushProfile;
  readonly settings: NetSettings;
  readonly dialer: Dialer;
  readonly recorder: FlightRecorder;
  readonly handler: PushLivesHandler;
}

/**
 * The connections of a push: the current one, at most one that is made to replace it since the target asked for that, and
 * those that are being closed. Whether and when to connect is decided by the push.
 */
export class PushLives {
  readonly #options: PushLivesOptions;
  readonly #succession: Succession;
  readonly #doubt = new LifeDoubt();
  /** Counts of ended connections. */
  readonly totals = new PushTotals();
  readonly #goodbyes = new Goodbyes(this.totals);
  #limits: OutletLimits;
  #current: PushLife | null = null;

  constructor(options: PushLivesOptions) {
    this.#options = options;
    this.#limits = options.limits;
    this.#succession = new Succession(options.recorder);
  }

  /** The connection that carries the stream, or is to carry it; null: there is none. */
  get current(): PushLife | null {
    return this.#current;
  }

  /** Bytes handed to the network by all connections, ever. */
  get bytesOut(): number {
    return this.totals.bytesOut + (this.#current?.outlet?.bytesOut ?? 0) + this.#goodbyes.bytesOut;
  }

  /** Changes the budgets without interruption. */
  setLimits(limits: OutletLimits): void {
    this.#limits = limits;
    this.#current?.setLimits(limits);
    this.#succession.successor?.setLimits(limits);
  }

  /**
   * Begins to connect; there is no current connection.
   * @throws InputError INVALID_ADDRESS; TargetError TARGET_UNSUPPORTED, TARGET_FORBIDDEN
   */
  connect(stream: LiveStream): void {
    this.#doubt.began(performance.now());
    this.#current = this.#newLife(stream, undefined);
  }

  /** Ends the current connection with a goodbye. One that was to replace it ends at once. */
  hangUp(when: WhenToEnd): void {
    const life = this.#current;
    this.#current = null;
    const successor = this.#succession.release();
    if (successor !== null) this.#goodbyes.say(successor, 'now');
    if (life !== null) this.#goodbyes.say(life, when);
  }

  /** Resolves when every connection that is being closed is closed. */
  async closed(): Promise<void> {
    await this.#goodbyes.done();
  }

  /** Call once a second: a connection that was made to replace the current one may do so. @param nowMs a monotonic clock */
  lookAtSuccessor(nowMs: number): void {
    const { successor } = this.#succession;
    const { stallTimeoutMs } = this.#options.settings;
    if (successor !== null && this.#succession.look(nowMs, stallTimeoutMs)) this.#replaceBy(successor);
  }

  /**
   * Call once a second. A target that is given up is hung up on.
   * @param nowMs a monotonic clock
   * @returns what the current connection shows of its target; null when no media flows yet
   */
  look(nowMs: number): StallVerdict | null {
    const life = this.#current;
    if (life === null || life.outlet === null) return null;
    life.look(nowMs);
    const verdict = judgeStall(life.connection, this.#doubt, this.#options.settings.stallTimeoutMs, nowMs);
    if (verdict.kind === 'given-up') life.connection.destroy(verdict.error);
    return verdict;
  }

  /** @param elsewhere where the target asked to be reconnected to */
  #newLife(stream: LiveStream, elsewhere: RtmpUrl | undefined): PushLife {
    const { urlNow, shownUrl, profile, settings, dialer, recorder, handler } = this.#options;
    const life: PushLife = new PushLife({
      url: urlNow(),
      shownUrl,
      stream,
      limits: this.#limits,
      profile,
      settings,
      dialer,
      recorder,
      mayPing: this.#doubt.mayPing,
      elsewhere,
      handler: {
        onPublished: () => {
          if (life !== this.#succession.successor) this.#published(life);
          else if (!life.connection.isUnanswered) this.#replaceBy(life);
        },
        onDrain: () => {
          if (life === this.#current) handler.onDrain(life);
        },
        onReconnectRequest: (tcUrl) => this.#askedToReconnect(life, stream, tcUrl),
        onClosed: (closedBy) => {
          if (life === this.#succession.successor) this.#succession.failed(closedBy, this.totals);
          else this.#closed(life, closedBy);
        },
      },
    });
    return life;
  }

  /** @param tcUrl where, as the target says it; undefined: at the same place */
  #askedToReconnect(life: PushLife, stream: LiveStream, tcUrl: string | undefined): void {
    if (life !== this.#current) return;
    this.#succession.follow(tcUrl !== undefined, () => this.#newLife(stream, life.connection.placeOf(tcUrl)));
  }

  #replaceBy(life: PushLife): void {
    const old = this.#current;
    this.#current = life;
    this.#succession.takesOver();
    if (old !== null) this.#goodbyes.say(old, 'drained');
    this.#options.handler.onReplaced();
    this.#published(life);
  }

  #published(life: PushLife): void {
    if (life !== this.#current) return;
    this.#doubt.published(performance.now());
    this.#options.handler.onPublished(life);
  }

  #closed(life: PushLife, error: TargetError | null): void {
    if (life !== this.#current) return; // hung up on by us; its draining notices
    const next = this.#succession.release();
    this.#current = next;
    const { handler } = this.#options;
    if (next === null) {
      this.#doubt.ended(life.connection.diedOfPing, life.outlet !== null);
      life.bury(this.totals);
      handler.onEnded(life, error);
    } else {
      // It ended before the one that it asked for was there.
      life.bury(this.totals);
      handler.onReplaced();
      if (next.outlet !== null) this.#published(next);
    }
  }
}
