import { parseRtmpUrl, type RtmpUrl } from '../address/rtmp-url.js';
import { TargetEndedError, TargetError } from '../errors.js';
import { Dialer } from '../net/dialer.js';
import { setHeardTimeout } from '../process/standstill.js';
import type { OutletSink } from '../relay/outlet-sink.js';
import { noNeeds, type StreamNeeds } from '../relay/stream-feed.js';
import { announcementOf, type PeerAbilities } from './abilities.js';
import { AdobeAuthentication } from './adobe-auth.js';
import type { PublishTarget } from './client-session.js';
import type { FlightBudget } from './flight.js';
import { OutgoingAttempt, type OutgoingSettings, type OutgoingStep } from './outgoing-attempt.js';
import { Redirects, reconnectUrl } from './redirect.js';
import type { TargetAcknowledgements } from './target-acknowledgements.js';
import { targetErrorOf } from './target-error.js';
import { provesReader } from './unanswered-publish.js';

/** How long a connection that said goodbye may take to close. */
const goodbyeMs = 1000;

/** How it is connected, and what is sent to the target besides its media. */
export interface OutgoingOptions {
  /** Without it, only the built-in rules of where pushes may go apply. */
  readonly dialer?: Dialer;
  /** The aggregators that the stream came through, this one included. */
  readonly via?: string;
  /** What the client calls itself. */
  readonly flashVer?: string | undefined;
  /** The URL as it may be shown; what it hides is hidden in what the target says, too. */
  readonly shownUrl?: string;
  /** What may wait for the target; without it, whatever the socket accepts. */
  readonly budget?: FlightBudget;
  /** Media may be sent to a target that does not answer `publish`. */
  readonly mayGoUnanswered?: boolean;
  /** What its stream has that not everybody takes: the target is told, and asked. Undefined: nothing. */
  readonly needs?: StreamNeeds | undefined;
  /** Where the target asked to be reconnected to, by `placeOf` of the connection that was asked. */
  readonly elsewhere?: RtmpUrl | undefined;
  /** False: this target is known to close when it is pinged. */
  readonly mayPing?: boolean;
}

export interface OutgoingHandler {
  /** It goes on to this step: what came before succeeded. */
  onStep?(step: OutgoingStep): void;
  /** A command went out or came in, for the record; without arguments. */
  onCommand?(text: string): void;
  /** The target accepted the publish; media may be written in whole messages for this message stream. */
  onPublished(streamId: number): void;
  /** The socket takes bytes again after `write` said false. */
  onDrain(): void;
  /** The target asks to be reconnected to, soon. @param tcUrl where, as it says it; undefined: at the same place */
  onReconnectRequest?(tcUrl: string | undefined): void;
  /** It is over, exactly once; null when we closed it. */
  onClosed(error: TargetError | null): void;
}

const unlimited: FlightBudget = { queueMaxBytes: Number.POSITIVE_INFINITY, queueMaxAgeMs: Number.POSITIVE_INFINITY };

/**
 * One life of a connection that publishes to a target: DNS, TCP, TLS, handshake, connect, publish, media, goodbye. It never
 * tries again; whoever wants that makes a new one. Only a target that asks for a user name and password is connected up
 * to three times, as its way of asking has it, and one that sends its publishers elsewhere is followed three times; to the
 * outside that is one long step `connect`.
 */
export class OutgoingConnection {
  /** Resolves when it is over, for whatever reason. */
  readonly closed: Promise<void>;
  #url: RtmpUrl;
  readonly #settings: OutgoingSettings;
  readonly #handler: OutgoingHandler;
  readonly #dialer: Dialer;
  readonly #shownUrl: string;
  /** What the target is told besides the URL. */
  #introduction: Pick<PublishTarget, 'via' | 'flashVer' | 'announcement'>;
  readonly #mayGoUnanswered: boolean;
  readonly #mayPing: boolean;
  #authentication: AdobeAuthentication;
  readonly #redirects: Redirects;
  #attempt: OutgoingAttempt;
  #budget: FlightBudget;
  readonly #stepTimer: NodeJS.Timeout;
  #goodbyeTimer: NodeJS.Timeout | undefined;
  /** It was connected already, and is once more since the target wanted that. */
  #isAgain = false;
  #isRedirected: boolean;
  /** Media may already be in flight: from here on, no other connection is tried. */
  #wasPublished = false;
  #closing = false;
  #closed = false;
  #settleClosed: () => void = () => {};

  /**
   * Begins to connect at once.
   * @throws InputError INVALID_ADDRESS for a URL that cannot be used; TargetError TARGET_UNSUPPORTED, TARGET_FORBIDDEN
   */
  constructor(url: string, settings: OutgoingSettings, handler: OutgoingHandler, options: OutgoingOptions = {}) {
    const { via, flashVer, shownUrl = url, dialer = new Dialer(), mayGoUnanswered = false, mayPing = true } = options;
    this.#budget = options.budget ?? unlimited;
    const given = parseRtmpUrl(url);
    this.#url = options.elsewhere ?? given;
    const refusal = dialer.refuses(this.#url);
    if (refusal !== undefined) throw refusal;
    this.closed = new Promise((resolve) => {
      this.#settleClosed = resolve;
    });
    this.#settings = settings;
    this.#handler = handler;
    this.#dialer = dialer;
    this.#shownUrl = shownUrl;
    const announcement = announcementOf(options.needs ?? noNeeds);
    this.#introduction = { via, flashVer, ...(Object.keys(announcement).length === 0 ? {} : { announcement }) };
    this.#mayGoUnanswered = mayGoUnanswered;
    this.#mayPing = mayPing;
    this.#isRedirected = this.#url.host !== given.host || this.#url.port !== given.port;
    this.#authentication = new AdobeAuthentication(this.#url);
    this.#redirects = new Redirects(this.#url);
    this.#stepTimer = setHeardTimeout(() => this.#stepTimedOut(), settings.connectTimeoutMs);
    try {
      this.#attempt = this.#newAttempt('');
    } catch (error) {
      // A connection that cannot begin leaves nothing behind.
      clearTimeout(this.#stepTimer);
      throw error;
    }
  }

  /** @param query what the target wants to know, behind the application */
  #newAttempt(query: string): OutgoingAttempt {
    return new OutgoingAttempt({
      url: this.#url,
      query,
      introduction: this.#introduction,
      shownUrl: this.#shownUrl,
      settings: this.#settings,
      dialer: this.#dialer,
      budget: this.#budget,
      mayGoUnanswered: this.#mayGoUnanswered,
      mayPing: this.#mayPing,
      handler: {
        onStep: (step) => this.#onStep(step),
        onCommand: (text) => this.#handler.onCommand?.(text),
        onPublished: (streamId) => {
          clearTimeout(this.#stepTimer);
          this.#wasPublished = true;
          this.#handler.onPublished(streamId);
        },
        onDrain: () => this.#handler.onDrain(),
        onRefused: (error, said, redirect) => this.#onRefused(error, said, redirect),
        onReconnectRequest: (tcUrl) => this.#handler.onReconnectRequest?.(tcUrl),
        onFailed: (error) => {
          if (error.code !== 'TARGET_CLOSED' || this.step !== 'connect' || !this.#sayLess()) this.#close(error);
        },
      },
    });
  }

  /** `host:port` of the target, or of where it sends its publishers. */
  get endpoint(): string {
    return this.#attempt.endpoint;
  }

  /**
   * Where a target that asks for another connection means: what it says is relative to where this one leads by now.
   * @param tcUrl as it says it; undefined: the same place
   * @throws TargetError TARGET_REDIRECT
   */
  placeOf(tcUrl: string | undefined): RtmpUrl {
    return reconnectUrl(this.#url, tcUrl);
  }

  get step(): OutgoingStep {
    return this.#attempt.step;
  }

  /** Media is sent, and the target neither said that it takes it, nor shows that somebody reads it. */
  get isUnanswered(): boolean {
    if (!this.#attempt.isUnanswered || this.acknowledgements.acknowledgedBytes !== null) return false;
    return !provesReader(this.bytesSent - this.#attempt.flightBytes);
  }

  /** What the target said of Enhanced RTMP. */
  get abilities(): PeerAbilities {
    return this.#attempt.abilities;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** What the target has proved to have received. */
  get acknowledgements(): TargetAcknowledgements {
    return this.#attempt.flow.acknowledgements;
  }

  /** Milliseconds for which the far side has taken nothing although bytes wait for it, to about a second. */
  silentMs(nowMs: number): number {
    return this.#attempt.flow.silentMs(nowMs);
  }

  /**
   * Milliseconds since the far side's program last showed that it runs, where by its own habits it should have for longer
   * than `limitMs`; else 0.
   */
  lifelessMs(limitMs: number, nowMs: number): number {
    return this.#attempt.lifelessMs(limitMs, nowMs);
  }

  /** For how long acknowledgements are overdue by the target's habit, and nothing else came either, milliseconds. */
  overdueMs(nowMs: number): number {
    return this.#attempt.overdueMs(nowMs);
  }

  /** True when it ended soon after the target was first pinged. */
  get diedOfPing(): boolean {
    return this.#attempt.diedOfPing;
  }

  /** The address it is connected to, once it is. */
  get remoteAddress(): string | undefined {
    return this.#attempt.remoteAddress;
  }

  /** Bytes that the kernel took, of all kinds. */
  get bytesSent(): number {
    return this.#attempt.bytesSent;
  }

  get pendingBytes(): number {
    return this.#attempt.pendingBytes;
  }

  /** Milliseconds since the oldest byte was written that certainly has not arrived. */
  flightAgeMs(nowMs: number): number {
    return this.#attempt.flightAgeMs(nowMs);
  }

  /** What media is written to. From the publish on it stays the same. */
  get sink(): OutletSink {
    return this.#attempt;
  }

  /** Changes what may wait for the target, and with it what may be under way. */
  setBudget(budget: FlightBudget): void {
    this.#budget = budget;
    this.#attempt.flow.setBudget(budget);
  }

  /** Sends the rest, however much is in flight. */
  letGo(): void {
    this.setBudget(unlimited);
  }

  /** Call about once a second while media flows. */
  look(nowMs: number): void {
    this.#attempt.look(nowMs);
  }

  /** The chunk size that media must be written with. */
  get outChunkBytes(): number {
    return this.#settings.outChunkBytes;
  }

  write(data: Buffer): boolean {
    return this.#attempt.write(data);
  }

  /** Says goodbye (FCUnpublish, deleteStream) behind everything that was written, and closes. */
  close(): void {
    if (this.#closing || this.#closed) return;
    this.#closing = true;
    clearTimeout(this.#stepTimer);
    if (this.#attempt.sayGoodbye()) this.#goodbyeTimer = setTimeout(() => this.#close(null), goodbyeMs);
    else this.#close(null);
  }

  /** Ends it at once. @param error why; null when nothing is wrong */
  destroy(error: TargetError | null = null): void {
    this.#close(error);
  }

  #onStep(step: OutgoingStep): void {
    // The look-up and TCP share a deadline, and media has none.
    if (step !== 'tcp' && step !== 'published' && step !== 'ended') this.#stepTimer.refresh();
    const isBefore = step !== 'createStream' && step !== 'publish' && step !== 'published' && step !== 'ended';
    if (!this.#isAgain || !isBefore) this.#handler.onStep?.(step);
  }

  #onRefused(error: TargetError, said: string, redirect: string | undefined): void {
    let refusal = error;
    if (this.#wasPublished) {
      this.#close(new TargetEndedError(refusal.code, `${this.endpoint}: ${refusal.message}`));
      return;
    }
    if (redirect !== undefined) {
      this.#redirect(redirect);
      return;
    }
    if (error.code === 'TARGET_CONNECT_REJECTED') {
      try {
        const query = this.#authentication.answer(said);
        if (query !== undefined) {
          this.#connectAgain(`${this.#url.app.includes('?') ? '&' : '?'}${query}`);
          return;
        }
      } catch (failure) {
        refusal = targetErrorOf(failure, this.endpoint);
      }
      if (this.#sayLess()) return;
    }
    this.#close(new TargetError(refusal.code, `${this.endpoint}: ${refusal.message}`));
  }

  /**
   * Connects once again without a word of Enhanced RTMP: services exist that refuse a connect with fields that they do not
   * know. False: nothing was said of it.
   */
  #sayLess(): boolean {
    const { announcement, ...less } = this.#introduction;
    if (announcement === undefined) return false;
    this.#introduction = less;
    this.#handler.onCommand?.('connect was refused; once again without Enhanced RTMP');
    this.#connectAgain('');
    return true;
  }

  /** Goes where the target sends its publishers, by the rules of where pushes may go: as to any other URL. */
  #redirect(redirect: string): void {
    const from = this.endpoint;
    try {
      const url = this.#redirects.follow(this.#url, redirect);
      const refusal = this.#dialer.refuses(url);
      if (refusal !== undefined) throw refusal;
      this.#url = url;
      this.#isRedirected = true;
      this.#authentication = new AdobeAuthentication(url);
      this.#handler.onCommand?.(`redirected to ${this.endpoint}`);
      this.#connectAgain('');
    } catch (error) {
      const { code, message } = targetErrorOf(error, from);
      this.#close(new TargetError(code, `${from}: ${message}`, { cause: error }));
    }
  }

  /** Connects anew. @param query what the target wants to know, behind the application */
  #connectAgain(query: string): void {
    this.#isAgain = true;
    this.#attempt.destroy();
    this.#stepTimer.refresh();
    try {
      this.#attempt = this.#newAttempt(query);
    } catch (error) {
      const { code, message } = targetErrorOf(error, this.endpoint);
      this.#close(new TargetError(code, `${this.endpoint}: ${message}`, { cause: error }));
    }
  }

  #stepTimedOut(): void {
    const { step } = this;
    const code = step === 'dns' ? 'TARGET_DNS' : step === 'tcp' ? 'TARGET_UNREACHABLE' : 'TARGET_TIMEOUT';
    const seconds = this.#settings.connectTimeoutMs / 1000;
    this.#close(new TargetError(code, `${this.endpoint} did not answer within ${seconds} s: step ${step}`));
  }

  #close(error: TargetError | null): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#stepTimer);
    clearTimeout(this.#goodbyeTimer);
    this.#attempt.destroy();
    this.#settleClosed();
    // Who waits for a refusing target to come back looks at the URL that was given, where somebody is.
    const isElsewhere = this.#isRedirected && error?.code === 'TARGET_REFUSED';
    const reason = isElsewhere ? new TargetError('TARGET_UNREACHABLE', error.message, { cause: error }) : error;
    this.#handler.onClosed(this.#closing ? null : reason);
  }
}
