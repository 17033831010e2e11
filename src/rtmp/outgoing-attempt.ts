import { isIP } from 'node:net';
import type { RtmpUrl } from '../address/rtmp-url.js';
import { TargetError } from '../errors.js';
import type { Dialer } from '../net/dialer.js';
import type { MediaSocket, MediaSocketListener } from '../net/media-socket.js';
import type { OutletSink } from '../relay/outlet-sink.js';
import type { PeerAbilities } from './abilities.js';
import { AnswerBudget } from './answer-budget.js';
import type { MessageChannel } from './channel.js';
import { acknowledgeEveryBytes, ClientSession, type ClientStep, type PublishTarget } from './client-session.js';
import type { FlightBudget } from './flight.js';
import { floods } from './flood-count.js';
import { OutgoingFlow } from './outgoing-flow.js';
import { PeerMeter } from './peer-meter.js';
import { type LimitSettings, type NetSettings, sessionLimits } from './settings.js';
import { likelyCause, targetErrorOf } from './target-error.js';
import { TargetLife } from './target-life.js';
import { secretsOf } from './target-secrets.js';
import { TurnShare } from './turn-share.js';
import { UnansweredPublish } from './unanswered-publish.js';

export type OutgoingSettings = Pick<NetSettings, 'outChunkBytes' | 'connectTimeoutMs'> & LimitSettings;

/** Where a connection is on its way; `dns` only where the host is a name, `tls` only with rtmps. */
export type OutgoingStep = 'dns' | 'tcp' | 'tls' | ClientStep;

/** Told what happens in an attempt; nothing after it was given up. */
export interface AttemptHandler {
  /** It goes on to this step: what came before succeeded. */
  onStep(step: OutgoingStep): void;
  /** A command went out or came in, for the record; without arguments. */
  onCommand(text: string): void;
  /** The target accepted the publish; media may be written in whole messages for this message stream. */
  onPublished(streamId: number): void;
  /** The socket takes bytes again after `write` said false. */
  onDrain(): void;
  /** As `ClientSessionHandler.onRefused`: the owner reconnects, or fails. */
  onRefused(error: TargetError, said: string, redirect: string | undefined): void;
  /** As `ClientSessionHandler.onReconnectRequest`. */
  onReconnectRequest(tcUrl: string | undefined): void;
  /** It cannot go on, or the far side ended it. */
  onFailed(error: TargetError): void;
}

export interface AttemptOptions {
  readonly url: RtmpUrl;
  /** Secrets behind the application and the stream name, which are hidden if targets repeat them. */
  readonly query: string;
  /** What the target is told besides the URL. */
  readonly introduction: Pick<PublishTarget, 'via' | 'flashVer' | 'announcement'>;
  /** The URL as it may be shown; what it hides is hidden in what the target says, too. */
  readonly shownUrl: string;
  readonly settings: OutgoingSettings;
  readonly dialer: Dialer;
  readonly budget: FlightBudget;
  /** Media may be sent to a target that does not answer `publish`. */
  readonly mayGoUnanswered: boolean;
  /** False: the target closed when it was pinged. */
  readonly mayPing: boolean;
  readonly handler: AttemptHandler;
}

/** During this many checks, the target is asked for acknowledgements more often than later. */
const closeLooks = 5;

/** Takes the events of a socket that was given up. */
const deaf: MediaSocketListener = { onData() {}, onDrain() {}, onEnd() {}, onError() {}, onClose() {} };

/** One socket to a target with the conversation on it, from DNS to goodbye. */
export class OutgoingAttempt implements MediaSocketListener, OutletSink {
  readonly #url: RtmpUrl;
  readonly #handler: AttemptHandler;
  readonly #socket: MediaSocket;
  readonly #turn: TurnShare;
  readonly #session: ClientSession;
  readonly #answers: AnswerBudget;
  readonly #flow: OutgoingFlow;
  readonly #mayPing: boolean;
  /** From the publish on; before that, every target is silent. */
  #life: TargetLife | undefined;
  #pongs = 0;
  #isPinging = false;
  #askedEveryBytes: number = acknowledgeEveryBytes.closely;
  /** Null: media goes only to who answers `publish`. */
  readonly #unanswered: UnansweredPublish | null;
  #lastAcknowledged = -1;
  #looks = 0;
  #resolved = false;
  #connected = false;
  #securing = false;
  #isOver = false;

  /** Begins to connect at once. */
  constructor(options: AttemptOptions) {
    const { url, settings, dialer, handler, budget } = options;
    this.#url = url;
    this.#handler = handler;
    this.#socket = dialer.connect(url, settings.connectTimeoutMs, {
      onLookup: (error) => this.#onLookup(error),
      onTcp: () => this.#onTcp(),
    });
    // What a target sends shares the turns of the event loop as what anybody sends.
    this.#turn = new TurnShare({ socket: this.#socket, meter: new PeerMeter(), goOn: () => this.#readOn() });
    this.#session = this.#converse(options);
    const onStarted = (): void => this.#note('publish');
    this.#unanswered = options.mayGoUnanswered ? new UnansweredPublish(settings.connectTimeoutMs, onStarted) : null;
    this.#flow = new OutgoingFlow(this.#socket, budget, () => this.#handler.onDrain());
    this.#flow.onPosition = () => this.#ping(performance.now());
    this.#answers = new AnswerBudget(this.#socket);
    this.#mayPing = options.mayPing;
    this.#socket.listen(this);
  }

  #converse({ url, query, introduction, shownUrl, settings }: AttemptOptions): ClientSession {
    const app = url.app + query;
    const secrets = secretsOf({ ...url, app }, shownUrl);
    if (query !== '') secrets.unshift(query.slice(1));
    return new ClientSession({
      target: { app, tcUrl: url.tcUrl + query, streamName: url.streamName, ...introduction, secrets },
      outChunkBytes: settings.outChunkBytes,
      meter: this.#turn.meter,
      limits: sessionLimits(settings),
      write: (data) => this.#answer(data),
      handler: {
        onCommand: (text) => this.#handler.onCommand(text),
        onPublished: (streamId) => this.#handler.onPublished(streamId),
        onRefused: (error, said, redirect) => {
          // By something that came before, in the same read.
          if (!this.#isOver) this.#handler.onRefused(error, said, redirect);
        },
        onReconnectRequest: (tcUrl) => {
          if (!this.#isOver) this.#handler.onReconnectRequest(tcUrl);
        },
      },
    });
  }

  /** `host:port` of the target. */
  get endpoint(): string {
    const { host, port } = this.#url;
    return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  }

  get step(): OutgoingStep {
    if (this.#connected) return this.#session.step;
    if (this.#securing) return 'tls';
    return this.#resolved || isIP(this.#url.host) !== 0 ? 'tcp' : 'dns';
  }

  /** What is written, what of it arrives, and when. */
  get flow(): OutgoingFlow {
    return this.#flow;
  }

  /** What the target said of Enhanced RTMP. */
  get abilities(): PeerAbilities {
    return this.#session.abilities;
  }

  /** Media is sent, and the target has not said that it takes it. */
  get isUnanswered(): boolean {
    return this.#session.isUnanswered;
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

  /** As `OutletSink.write`; false also when enough is under way. */
  write(data: Buffer, goesOn?: boolean): boolean {
    return this.#flow.write(data, goesOn);
  }

  /**
   * Milliseconds since the target's last sign of life, where such signs are missing by its own habits for longer than
   * `limitMs`; else 0.
   */
  lifelessMs(limitMs: number, nowMs: number): number {
    const { acknowledgements, handedBytes } = this.#flow;
    return this.#life?.missingMs(limitMs, nowMs, acknowledgements, handedBytes, this.#askedEveryBytes) ?? 0;
  }

  /** For how long acknowledgements are overdue, and nothing else came either, milliseconds. */
  overdueMs(nowMs: number): number {
    const overdueMs = this.#flow.acknowledgements.overdueMs(this.#flow.handedBytes, nowMs);
    return Math.min(overdueMs, this.#life?.silentMs(nowMs) ?? overdueMs);
  }

  /** True when it ended soon after it was first pinged, and answered nothing. */
  get diedOfPing(): boolean {
    return this.#life?.diedOfPing(performance.now()) === true;
  }

  /** Call about once a second while media may flow. */
  look(nowMs: number): void {
    this.#flow.look(nowMs);
    this.#looks++;
    if (this.#session.step !== 'published') return;
    const isClose = this.#flow.isSlow || this.#looks <= closeLooks;
    this.#askedEveryBytes = isClose ? acknowledgeEveryBytes.closely : acknowledgeEveryBytes.usually;
    this.#session.acknowledgeEvery(this.#askedEveryBytes);
    this.#life ??= new TargetLife(nowMs);
    // One that did not answer publish either is not asked.
    if (this.#mayPing && !this.isUnanswered && this.#life.wantsPing(this.#flow.isSlow, nowMs)) this.#ping(nowMs);
    else this.#planPing(this.#life, nowMs);
  }

  #ping(nowMs: number): void {
    const life = this.#life;
    if (life === undefined || this.#isOver) return;
    life.asked(this.#socket.bytesWritten, nowMs);
    this.#planPing(life, nowMs);
    this.#isPinging = true;
    this.#session.ping(nowMs);
    this.#isPinging = false;
  }

  #planPing(life: TargetLife, nowMs: number): void {
    // Behind this position the target is pinged between two looks too.
    if (this.#mayPing) this.#flow.tellAt(life.nextPingAt(this.#flow.acknowledgements, nowMs));
  }

  /** Says goodbye behind everything that was written, and ends its side. False: there is nobody to say it to. */
  sayGoodbye(): boolean {
    if (!this.#connected) return false;
    this.#session.end();
    this.#socket.end();
    return true;
  }

  /** Gives it up at once. */
  destroy(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#unanswered?.end();
    this.#socket.listen(deaf);
    this.#turn.over();
    this.#session.channel.close();
    this.#socket.destroy();
  }

  onConnected(): void {
    this.#connected = true;
    this.#handler.onStep('handshake');
    this.#session.start();
  }

  onDrain(): void {
    this.#answers.drained();
    this.#flow.drained();
  }

  onError(error: Error): void {
    this.#handler.onFailed(targetErrorOf(error, this.endpoint, this.step));
  }

  onEnd(): void {
    const { step } = this;
    const code = step === 'tls' ? 'TARGET_TLS' : 'TARGET_CLOSED';
    this.#handler.onFailed(
      new TargetError(code, `${this.endpoint} closed the connection during ${step}${likelyCause(step)}`),
    );
  }

  onClose(): void {
    this.onEnd();
  }

  onData(data: Buffer): void {
    if (this.#isOver) return;
    const { channel } = this.#session;
    this.#life?.heard(performance.now());
    if (!this.#turn.begin(performance.now())) channel.hold();
    if (this.#take(data)) this.#turn.end(!channel.isHeld, data.length);
  }

  #onLookup(error: Error | null): void {
    if (error !== null || this.#isOver) return;
    this.#resolved = true;
    this.#handler.onStep('tcp');
  }

  #onTcp(): void {
    if (this.#isOver) return;
    this.#securing = true;
    this.#handler.onStep('tls');
  }

  /** Continues with the kept bytes, then with reading. */
  #readOn(): void {
    if (this.#isOver || !this.#take(null)) return;
    this.#turn.end(!this.#session.channel.isHeld, 0);
    if (!this.#turn.isWaiting) this.#socket.resume();
  }

  /** Handles a read, or (null) the kept bytes of earlier ones. False: this conversation is over. */
  #take(data: Buffer | null): boolean {
    const before = this.#session.step;
    try {
      if (data === null) this.#session.channel.release();
      else this.#session.receive(data);
    } catch (error) {
      if (!this.#isOver) this.#failed(error);
      return false;
    }
    if (!this.#isOver) this.#note(before);
    return !this.#isOver;
  }

  #failed(error: unknown): void {
    const failure = targetErrorOf(error, this.endpoint);
    if (failure.code === 'TARGET_FLOOD') floods.targetsEnded++;
    this.#handler.onFailed(failure);
  }

  #note(before: ClientStep): void {
    const { step, channel } = this.#session;
    this.#noteSigns(channel);
    if (step === before) return;
    this.#handler.onStep(step);
    if (step === 'publish') this.#unanswered?.await(this.#session);
  }

  #noteSigns({ peerAcknowledged, peerPongs }: MessageChannel): void {
    const isAcknowledged = peerAcknowledged !== null && peerAcknowledged !== this.#lastAcknowledged;
    if (!isAcknowledged && peerPongs === this.#pongs) return;
    const nowMs = performance.now();
    if (isAcknowledged) {
      this.#lastAcknowledged = peerAcknowledged;
      this.#flow.acknowledged(peerAcknowledged, nowMs);
    }
    const life = this.#life;
    if (life === undefined) return;
    if (peerPongs !== this.#pongs) this.#flow.read(life.answered(peerPongs - this.#pongs));
    this.#pongs = peerPongs;
    this.#planPing(life, nowMs);
  }

  /** One that was given up may still want to answer what came in its last read. */
  #answer(data: Buffer): void {
    if (this.#isOver) return;
    // The target did not ask for pings, and few are under way at a time.
    if (this.#isPinging) this.#socket.write(data);
    if (this.#isPinging || this.#answers.write(data)) return;
    const text = `${this.endpoint} reads none of the ${this.#answers.unreadBytes} bytes of answers that it asked for`;
    this.#handler.onFailed(new TargetError('TARGET_PROTOCOL', text));
  }
}
