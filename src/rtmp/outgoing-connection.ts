import { isIP } from 'node:net';
import { parseRtmpUrl, type RtmpUrl } from '../address/rtmp-url.js';
import { TargetError } from '../errors.js';
import { Dialer } from '../net/dialer.js';
import type { MediaSocket, MediaSocketListener } from '../net/media-socket.js';
import { setHeardTimeout } from '../process/standstill.js';
import type { OutletSink } from '../relay/outlet.js';
import type { Acknowledgements } from './acknowledgements.js';
import { AdobeAuthentication } from './adobe-auth.js';
import { AnswerBudget } from './answer-budget.js';
import { acknowledgeEveryBytes, ClientSession, type ClientStep, type PublishTarget } from './client-session.js';
import type { FlightBudget } from './flight.js';
import { floods } from './flood-count.js';
import { OutgoingFlow } from './outgoing-flow.js';
import { PeerMeter } from './peer-meter.js';
import { Redirects } from './redirect.js';
import { type LimitSettings, type NetSettings, sessionLimits } from './settings.js';
import { targetErrorOf } from './target-error.js';
import { secretsOf } from './target-secrets.js';
import { TurnShare } from './turn-share.js';
import { provesReader, UnansweredPublish } from './unanswered-publish.js';

/** How long a connection that said goodbye may take to close. */
const goodbyeMs = 1000;

export type OutgoingSettings = Pick<NetSettings, 'outChunkBytes' | 'connectTimeoutMs'> & LimitSettings;

/** How it is connected, and what is sent to the target besides its media. */
export interface OutgoingOptions {
  /** Without it, of where pushes may go only the rules of our own apply. */
  readonly dialer?: Dialer;
  /** The aggregators that the stream came through, this one included. */
  readonly via?: string;
  /** What the client calls itself. */
  readonly flashVer?: string | undefined;
  /** The URL as it may be shown; what it hides is hidden in what the target says, too. */
  readonly shownUrl?: string;
  /** What may wait for it; without it, whatever the socket takes. */
  readonly budget?: FlightBudget;
  /** Media may be sent to a target that does not answer `publish`. */
  readonly mayGoUnanswered?: boolean;
}

/** Where a connection is on its way; `dns` only where the host is a name, `tls` only with rtmps. */
export type OutgoingStep = 'dns' | 'tcp' | 'tls' | ClientStep;

export interface OutgoingHandler {
  /** It goes on to this step: what came before succeeded. */
  onStep?(step: OutgoingStep): void;
  /** A command went out or came in, for the record; without arguments. */
  onCommand?(text: string): void;
  /** The target accepted the publish; media may be written in whole messages for this message stream. */
  onPublished(streamId: number): void;
  /** The socket takes bytes again after `write` said false. */
  onDrain(): void;
  /** It is over, exactly once; null when we closed it. */
  onClosed(error: TargetError | null): void;
}

/** For so many looks the target is asked for more acknowledgements than later. */
const closeLooks = 5;

const unlimited: FlightBudget = { queueMaxBytes: Number.POSITIVE_INFINITY, queueMaxAgeMs: Number.POSITIVE_INFINITY };

/** Hears what a socket says that was given up. */
const deaf: MediaSocketListener = { onData() {}, onDrain() {}, onEnd() {}, onError() {}, onClose() {} };

/**
 * One life of a connection that publishes to a target: DNS, TCP, TLS, handshake, connect, publish, media, goodbye. It never
 * tries again; whoever wants that makes a new one. Only a target that asks for a user name and password is connected up
 * to three times, as its way of asking has it, and one that sends its publishers elsewhere is followed three times; to the
 * outside that is one long step `connect`.
 */
export class OutgoingConnection implements OutletSink, MediaSocketListener {
  /** Resolves when it is over, for whatever reason. */
  readonly closed: Promise<void>;
  #url: RtmpUrl;
  readonly #settings: OutgoingSettings;
  readonly #handler: OutgoingHandler;
  readonly #dialer: Dialer;
  readonly #shownUrl: string;
  /** What the target is told besides the URL. */
  readonly #introduction: Pick<PublishTarget, 'via' | 'flashVer'>;
  #authentication: AdobeAuthentication;
  readonly #redirects: Redirects;
  #socket: MediaSocket;
  #turn: TurnShare;
  #session: ClientSession;
  #flow: OutgoingFlow;
  #budget: FlightBudget;
  #answers: AnswerBudget;
  readonly #stepTimer: NodeJS.Timeout;
  /** Null: media goes only to who answers `publish`. */
  readonly #unanswered: UnansweredPublish | null;
  #goodbyeTimer: NodeJS.Timeout | undefined;
  #lastAcknowledged = -1;
  #looks = 0;
  #resolved = false;
  #connected = false;
  #securing = false;
  /** It was connected already, and is once more since the target wanted that. */
  #isAgain = false;
  #isRedirected = false;
  #closing = false;
  #closed = false;
  #settleClosed: () => void = () => {};

  /**
   * Begins to connect at once.
   * @throws InputError INVALID_ADDRESS for a URL that cannot be used; TargetError TARGET_UNSUPPORTED, TARGET_FORBIDDEN
   */
  constructor(url: string, settings: OutgoingSettings, handler: OutgoingHandler, options: OutgoingOptions = {}) {
    const { via, flashVer, shownUrl = url, dialer = new Dialer() } = options;
    this.#budget = options.budget ?? unlimited;
    this.#url = parseRtmpUrl(url);
    const refusal = dialer.refuses(this.#url);
    if (refusal !== undefined) throw refusal;
    this.closed = new Promise((resolve) => {
      this.#settleClosed = resolve;
    });
    this.#settings = settings;
    this.#handler = handler;
    this.#dialer = dialer;
    this.#shownUrl = shownUrl;
    this.#introduction = { via, flashVer };
    const onStarted = (session: ClientSession): void => {
      if (session === this.#session) this.#note(session, 'publish');
    };
    this.#unanswered = options.mayGoUnanswered ? new UnansweredPublish(settings.connectTimeoutMs, onStarted) : null;
    this.#authentication = new AdobeAuthentication(this.#url);
    this.#redirects = new Redirects(this.#url);
    this.#socket = this.#dial();
    this.#turn = this.#newTurn();
    this.#session = this.#converse('');
    this.#stepTimer = setHeardTimeout(() => this.#stepTimedOut(), settings.connectTimeoutMs);
    this.#flow = this.#watchFlow();
    this.#answers = new AnswerBudget(this.#socket);
    this.#socket.listen(this);
  }

  #watchFlow(): OutgoingFlow {
    return new OutgoingFlow(this.#socket, this.#budget, () => this.#handler.onDrain());
  }

  #dial(): MediaSocket {
    return this.#dialer.connect(this.#url, this.#settings.connectTimeoutMs, {
      onLookup: (error) => this.#onLookup(error),
      onTcp: () => this.#onTcp(),
    });
  }

  /** What a target sends shares the turns of the event loop as what anybody sends. */
  #newTurn(): TurnShare {
    const turn = new TurnShare({
      socket: this.#socket,
      meter: new PeerMeter(),
      goOn: () => {
        if (turn === this.#turn) this.#readOn();
      },
    });
    return turn;
  }

  /** @param query what the application and the URL have behind them; targets that repeat it must not tell it to others */
  #converse(query: string): ClientSession {
    const { streamName } = this.#url;
    const app = this.#url.app + query;
    const secrets = secretsOf({ ...this.#url, app }, this.#shownUrl);
    if (query !== '') secrets.unshift(query.slice(1));
    const session = new ClientSession({
      target: { app, tcUrl: this.#url.tcUrl + query, streamName, ...this.#introduction, secrets },
      outChunkBytes: this.#settings.outChunkBytes,
      meter: this.#turn.meter,
      limits: sessionLimits(this.#settings),
      // One that was given up may still want to answer what came in its last read.
      write: (data) => {
        if (session === this.#session) this.#answer(data);
      },
      handler: {
        onCommand: (text) => this.#handler.onCommand?.(text),
        onPublished: (streamId) => {
          clearTimeout(this.#stepTimer);
          this.#handler.onPublished(streamId);
        },
        onRefused: (error, said, redirect) => this.#onRefused(error, said, redirect),
      },
    });
    return session;
  }

  /** `host:port` of the target, or of where it sends its publishers. */
  get endpoint(): string {
    const { host, port } = this.#url;
    return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  }

  get step(): OutgoingStep {
    if (this.#connected) return this.#session.step;
    if (this.#securing) return 'tls';
    return this.#resolved || isIP(this.#url.host) !== 0 ? 'tcp' : 'dns';
  }

  /** Media is sent, and the target neither said that it takes it, nor shows that somebody reads it. */
  get isUnanswered(): boolean {
    if (!this.#session.isUnanswered || this.acknowledgements.acknowledgedBytes !== null) return false;
    return !provesReader(this.bytesSent - this.flightBytes);
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** What the far side proves to have got. */
  get acknowledgements(): Acknowledgements {
    return this.#flow.acknowledgements;
  }

  /** Milliseconds for which the far side has taken nothing although bytes wait for it, to about a second. */
  silentMs(nowMs: number): number {
    return this.#flow.silentMs(nowMs);
  }

  /** The address it is connected to, once it is. */
  get remoteAddress(): string | undefined {
    return this.#socket.remoteAddress;
  }

  /** Bytes that the kernel took, of all kinds. */
  get bytesSent(): number {
    return this.#socket.bytesWritten - this.#socket.pendingBytes;
  }

  get pendingBytes(): number {
    return this.#socket.pendingBytes;
  }

  /** Bytes that were written and certainly have not arrived, as far as target or kernel tell. */
  get flightBytes(): number {
    return this.#flow.flightBytes;
  }

  /** Milliseconds that they will take to arrive; 0 while the target keeps up. */
  get flightDelayMs(): number {
    return this.#flow.flightDelayMs;
  }

  /** Milliseconds since the oldest of them was written. */
  flightAgeMs(nowMs: number): number {
    return this.#flow.flightAgeMs(nowMs);
  }

  /** Changes what may wait for the target, and with it what may be under way. */
  setBudget(budget: FlightBudget): void {
    this.#budget = budget;
    this.#flow.setBudget(budget);
  }

  /** What is left is to go out, whatever is under way. */
  letGo(): void {
    this.setBudget(unlimited);
  }

  /** Call about once a second while media flows. */
  look(nowMs: number): void {
    this.#flow.look(nowMs);
    this.#looks++;
    if (this.#session.step !== 'published') return;
    const isClose = this.#flow.isSlow || this.#looks <= closeLooks;
    this.#session.acknowledgeEvery(isClose ? acknowledgeEveryBytes.closely : acknowledgeEveryBytes.usually);
  }

  /** The chunk size that media must be written with. */
  get outChunkBytes(): number {
    return this.#settings.outChunkBytes;
  }

  write(data: Buffer): boolean {
    return this.#flow.write(data);
  }

  /** Says goodbye (FCUnpublish, deleteStream) behind everything that was written, and closes. */
  close(): void {
    if (this.#closing || this.#closed) return;
    this.#closing = true;
    clearTimeout(this.#stepTimer);
    if (this.#connected) {
      this.#session.end();
      this.#socket.end();
      this.#goodbyeTimer = setTimeout(() => this.#close(null), goodbyeMs);
    } else {
      this.#close(null);
    }
  }

  /** Ends it at once. @param error why; null when nothing is wrong */
  destroy(error: TargetError | null = null): void {
    this.#close(error);
  }

  onConnected(): void {
    this.#connected = true;
    this.#onStep('handshake');
    this.#stepTimer.refresh();
    this.#session.start();
  }

  onDrain(): void {
    this.#answers.drained();
    this.#flow.drained();
  }

  onError(error: Error): void {
    this.#close(targetErrorOf(error, this.endpoint, this.step));
  }

  onClose(): void {
    this.onEnd();
    clearTimeout(this.#goodbyeTimer);
  }

  #onLookup(error: Error | null): void {
    if (error !== null) return;
    this.#resolved = true;
    this.#onStep('tcp');
  }

  #onTcp(): void {
    this.#securing = true;
    this.#stepTimer.refresh();
    this.#onStep('tls');
  }

  #onStep(step: OutgoingStep): void {
    const isBefore = step !== 'createStream' && step !== 'publish' && step !== 'published' && step !== 'ended';
    if (!this.#isAgain || !isBefore) this.#handler.onStep?.(step);
  }

  #onRefused(error: TargetError, said: string, redirect: string | undefined): void {
    // By something that came before, in the same read.
    if (this.#closed) return;
    let refusal = error;
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
    }
    this.#close(new TargetError(refusal.code, `${this.endpoint}: ${refusal.message}`));
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
    this.#socket.listen(deaf);
    this.#turn.over();
    this.#socket.destroy();
    this.#resolved = this.#connected = this.#securing = false;
    this.#lastAcknowledged = -1;
    this.#socket = this.#dial();
    this.#turn = this.#newTurn();
    this.#session = this.#converse(query);
    this.#flow = this.#watchFlow();
    this.#answers = new AnswerBudget(this.#socket);
    this.#stepTimer.refresh();
    this.#socket.listen(this);
  }

  #answer(data: Buffer): void {
    if (this.#closed || this.#answers.write(data)) return;
    const text = `${this.endpoint} reads none of the ${this.#answers.unreadBytes} bytes of answers that it asked for`;
    this.#close(new TargetError('TARGET_PROTOCOL', text));
  }

  onData(data: Buffer): void {
    if (this.#closed) return;
    const session = this.#session;
    if (!this.#turn.begin()) session.channel.hold();
    if (this.#take(session, data)) this.#turn.end(!session.channel.isHeld, data.length);
  }

  /** Goes on with what was kept, and then with reading. */
  #readOn(): void {
    if (this.#closed) return;
    const session = this.#session;
    if (!this.#take(session, null)) return;
    this.#turn.end(!session.channel.isHeld, 0);
    if (!this.#turn.isWaiting) this.#socket.resume();
  }

  /** Takes a read, or (null) what was kept of earlier ones. False: this conversation is over. */
  #take(session: ClientSession, data: Buffer | null): boolean {
    const before = session.step;
    try {
      if (data === null) session.channel.release();
      else session.receive(data);
    } catch (error) {
      if (session === this.#session) this.#failed(error);
      return false;
    }
    if (session !== this.#session) return false;
    this.#note(session, before);
    return !this.#closed;
  }

  #failed(error: unknown): void {
    const failure = targetErrorOf(error, this.endpoint);
    if (failure.code === 'TARGET_FLOOD' && !this.#closed) floods.targetsEnded++;
    this.#close(failure);
  }

  #note(session: ClientSession, before: ClientStep): void {
    const { step, channel } = session;
    const { peerAcknowledged } = channel;
    if (peerAcknowledged !== null && peerAcknowledged !== this.#lastAcknowledged) {
      this.#lastAcknowledged = peerAcknowledged;
      this.#flow.acknowledged(peerAcknowledged, performance.now());
    }
    if (step === before) return;
    this.#onStep(step);
    if (step !== 'published' && step !== 'ended') this.#stepTimer.refresh();
    if (step === 'publish') this.#unanswered?.await(session);
  }

  onEnd(): void {
    if (this.#closing) this.#close(null);
    else {
      const { step } = this;
      const code = step === 'tls' ? 'TARGET_TLS' : 'TARGET_CLOSED';
      this.#close(new TargetError(code, `${this.endpoint} closed the connection during ${step}`));
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
    this.#turn.over();
    clearTimeout(this.#stepTimer);
    this.#unanswered?.end();
    clearTimeout(this.#goodbyeTimer);
    this.#socket.destroy();
    this.#settleClosed();
    // Who waits for a refusing target to come back looks at the URL that was given, where somebody is.
    const isElsewhere = this.#isRedirected && error?.code === 'TARGET_REFUSED';
    const reason = isElsewhere ? new TargetError('TARGET_UNREACHABLE', error.message, { cause: error }) : error;
    this.#handler.onClosed(this.#closing ? null : reason);
  }
}
