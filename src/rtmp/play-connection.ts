import { isIP } from 'node:net';
import type { RtmpUrl } from '../address/rtmp-url.js';
import { CodedError } from '../errors.js';
import type { Dialer } from '../net/dialer.js';
import type { MediaSocket, MediaSocketListener } from '../net/media-socket.js';
import { setHeardTimeout } from '../process/standstill.js';
import { AnswerBudget } from './answer-budget.js';
import { PeerMeter } from './peer-meter.js';
import { PlaySession } from './play-session.js';
import { type LimitSettings, type NetSettings, sessionLimits } from './settings.js';
import { targetErrorOf } from './target-error.js';
import { TurnShare } from './turn-share.js';

export type PlaySettings = Pick<NetSettings, 'connectTimeoutMs'> & LimitSettings;

export interface PlayHandler {
  /** A message of the stream. `payload` is valid only until the call returns. @param type 8 audio, 9 video, 18 data */
  onMedia(type: number, timestampMs: number, payload: Buffer): void;
  /** It is over, exactly once, and not by `close`. Errors are those of a target, or of a source. */
  onEnded(error: CodedError): void;
}

/** Hears what a socket says that was given up. */
const deaf: MediaSocketListener = { onData() {}, onDrain() {}, onEnd() {}, onError() {}, onClose() {} };

/**
 * One life of a connection that plays a stream of an RTMP server: DNS, TCP, TLS, handshake, connect, play, media. It never
 * tries again. How long media may be missing is for its owner to say.
 */
export class PlayConnection implements MediaSocketListener {
  readonly #url: RtmpUrl;
  readonly #handler: PlayHandler;
  readonly #socket: MediaSocket;
  readonly #turn: TurnShare;
  readonly #session: PlaySession;
  readonly #answers: AnswerBudget;
  readonly #stepTimer: NodeJS.Timeout;
  #isConnected = false;
  #isOver = false;

  /**
   * Begins to connect at once.
   * @param options.secrets what must not appear in what is reported
   * @throws TargetError TARGET_FORBIDDEN, OPEN_FILES_LIMIT
   */
  constructor(options: {
    url: RtmpUrl;
    secrets: readonly string[];
    settings: PlaySettings;
    dialer: Dialer;
    handler: PlayHandler;
  }) {
    const { url, secrets, settings, dialer, handler } = options;
    this.#url = url;
    this.#handler = handler;
    this.#socket = dialer.connect(url, settings.connectTimeoutMs, {
      onLookup: () => {},
      onTcp: () => this.#stepTimer.refresh(),
    });
    this.#turn = new TurnShare({ socket: this.#socket, meter: new PeerMeter(), goOn: () => this.#readOn() });
    this.#answers = new AnswerBudget(this.#socket);
    this.#session = new PlaySession({
      request: { app: url.app, tcUrl: url.tcUrl, streamName: url.streamName, secrets },
      handler: {
        onMedia: (type, timestampMs, payload) => {
          if (!this.#isOver) this.#handler.onMedia(type, timestampMs, payload);
        },
        onEnded: (error) => this.#fail(new CodedError(error.code, `${this.endpoint}: ${error.message}`)),
      },
      write: (data) => this.#answer(data),
      limits: sessionLimits(settings),
      meter: this.#turn.meter,
    });
    this.#stepTimer = setHeardTimeout(() => {
      const text = `${this.endpoint} did not answer within ${settings.connectTimeoutMs / 1000} s: step ${this.step}`;
      this.#fail(new CodedError(this.#isConnected ? 'SOURCE_TIMEOUT' : 'SOURCE_UNREACHABLE', text));
    }, settings.connectTimeoutMs);
    this.#socket.listen(this);
  }

  /** `host:port` of the server. */
  get endpoint(): string {
    const { host, port } = this.#url;
    return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  }

  get step(): string {
    if (this.#isConnected) return this.#session.step;
    return isIP(this.#url.host) === 0 ? 'dns or tcp' : 'tcp';
  }

  /** Says goodbye and closes; the handler hears no more. */
  close(): void {
    if (this.#isOver) return;
    if (this.#isConnected) this.#session.end();
    this.#end();
    this.#socket.end();
    // What the far side still sends is read past, for a moment.
    setTimeout(() => this.#socket.destroy(), goodbyeMs).unref();
  }

  onConnected(): void {
    this.#isConnected = true;
    this.#turn.isPublisher = true;
    this.#socket.readLargely?.();
    this.#stepTimer.refresh();
    this.#session.start();
  }

  onData(data: Buffer): void {
    if (this.#isOver) return;
    const { channel } = this.#session;
    if (!this.#turn.begin(performance.now())) channel.hold();
    if (this.#take(data)) this.#turn.end(!channel.isHeld, data.length);
  }

  onDrain(): void {
    this.#answers.drained();
  }

  onEnd(): void {
    this.#fail(new CodedError('SOURCE_CLOSED', `${this.endpoint} closed the connection during ${this.step}`));
  }

  onClose(): void {
    this.onEnd();
  }

  onError(error: Error): void {
    this.#fail(targetErrorOf(error, this.endpoint, this.step));
  }

  #readOn(): void {
    if (this.#isOver || !this.#take(null)) return;
    this.#turn.end(!this.#session.channel.isHeld, 0);
    if (!this.#turn.isWaiting) this.#socket.resume();
  }

  /** Takes a read, or (null) what was kept of earlier ones. False: it is over. */
  #take(data: Buffer | null): boolean {
    const before = this.#session.step;
    try {
      if (data === null) this.#session.channel.release();
      else this.#session.receive(data);
    } catch (error) {
      this.#fail(targetErrorOf(error, this.endpoint, this.step));
      return false;
    }
    const { step } = this.#session;
    if (step !== before) {
      if (step === 'playing' || step === 'play') clearTimeout(this.#stepTimer);
      else if (!this.#isOver) this.#stepTimer.refresh();
    }
    return !this.#isOver;
  }

  #answer(data: Buffer): void {
    if (this.#isOver || this.#answers.write(data)) return;
    const text = `${this.endpoint} reads none of the ${this.#answers.unreadBytes} bytes of answers that it asked for`;
    this.#fail(new CodedError('SOURCE_PROTOCOL', text));
  }

  #fail(error: CodedError): void {
    if (this.#isOver) return;
    this.#end();
    this.#socket.destroy();
    this.#handler.onEnded(error);
  }

  #end(): void {
    this.#isOver = true;
    clearTimeout(this.#stepTimer);
    this.#socket.listen(deaf);
    this.#turn.over();
    this.#session.channel.close();
  }
}

/** How long a connection that said goodbye may take to close. */
const goodbyeMs = 1000;
