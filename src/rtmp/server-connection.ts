import { addressKey, endpointText, plainAddress } from '../address/plain-address.js';
import { maskUrl } from '../address/rtmp-url.js';
import { CodedError, codeOf, messageOf, WireError } from '../errors.js';
import type { Logger } from '../log/log.js';
import type { MediaSocket, MediaSocketListener } from '../net/media-socket.js';
import { ProgressWatch } from '../net/progress-watch.js';
import { heardMs } from '../process/standstill.js';
import type { ServerHandshake } from '../wire/handshake.js';
import { MessageType } from '../wire/message.js';
import { AnswerBudget } from './answer-budget.js';
import { floods } from './flood-count.js';
import { type IgnoredKind, IgnoredMessages, ignoredKinds } from './ignored.js';
import { PeerMeter } from './peer-meter.js';
import { type ConnectInfo, ServerSession, type ServerSessionHandler, type StreamRequest } from './server-session.js';
import { type NetSettings, sessionLimits } from './settings.js';
import { SignOfLife } from './sign-of-life.js';
import type { Decision, Ingest, Peer, PlayGrant, Publisher, PublishGrant, StreamHost } from './stream-host.js';
import { TurnShare } from './turn-share.js';
import type { UnfinishedBudget, UnfinishedShare } from './unfinished-budget.js';
import { ViewerOutlet } from './viewer-outlet.js';

/** Time limit for sending the last messages to a peer. */
const lastWordsMs = 1000;

/** The state of a connection when it is handed to the process or object that serves it. */
export interface Beginning {
  /** The handshake so far; null: it is complete and answered. */
  readonly handshake: ServerHandshake | null;
  /** Bytes that were read and not handled yet; with a complete handshake, everything after it. */
  readonly bytes: Buffer;
  /** Milliseconds since it was accepted. */
  readonly ageMs: number;
  /** Bytes that another socket object has read. */
  readonly bytesBefore: number;
  /** Its commands before the first `publish` or `play` were answered, and must not be answered again. */
  readonly isAnswered?: boolean;
  /** Why it has already ended, in words. */
  readonly ended?: string;
}

let nextId = 1;

/** Number of publishes and plays that the last line names. */
const maxNoted = 4;

/** Maximum number of commands of one connection that are logged at level debug; ten times what an encoder sends. */
const maxLoggedCommands = 100;

/**
 * One incoming connection: a camera, a viewer, another aggregator or an unknown client. It logs the one reason for its
 * end.
 */
export class ServerConnection implements ServerSessionHandler, Publisher, MediaSocketListener {
  readonly remote: string;
  readonly #socket: MediaSocket;
  readonly #settings: NetSettings;
  readonly #host: StreamHost;
  readonly #log: Logger;
  readonly #session: ServerSession;
  readonly #progress: ProgressWatch;
  readonly #answers: AnswerBudget;
  readonly #turn: TurnShare;
  readonly #unfinished: UnfinishedShare | undefined;
  readonly #onClosed: () => void;
  readonly #openedMs: number;
  readonly #bytesBefore: number;
  readonly #ingests = new Map<number, Ingest>();
  readonly #viewers = new Map<number, ViewerOutlet>();
  readonly id = nextId++;
  #flashVer = '';
  #connect: ConnectInfo | null = null;
  /** The camera named in `connect`; for the log. */
  #camera: string | undefined;
  #commands = 0;
  /** Its messages were answered before. */
  #isMuted: boolean;
  /** Somebody is asked whether it may publish or play; nothing is read meanwhile. */
  #isDeciding = false;
  #via = '';
  #lastDataMs = performance.now();
  readonly #life = new SignOfLife(performance.now());
  readonly #ignored = new IgnoredMessages();
  /** Since when it has neither published nor played. */
  #idleSinceMs: number;
  readonly #did: string[] = [];
  #ending = false;
  /** It violated the protocol or a limit; nothing more is read. */
  #isRefractory = false;
  #closed = false;
  #endTimer: NodeJS.Timeout | undefined;

  constructor(options: {
    socket: MediaSocket;
    settings: NetSettings;
    host: StreamHost;
    log: Logger;
    /** Called once, when the socket is closed. */
    onClosed: () => void;
    /** Where somebody else read the beginning; `begin` is to be called with it then. */
    beginning?: Beginning;
    /** Counts the incomplete messages of all connections. */
    unfinished?: UnfinishedBudget;
  }) {
    const { socket, beginning } = options;
    this.#openedMs = performance.now() - (beginning?.ageMs ?? 0);
    this.#idleSinceMs = this.#openedMs;
    this.#bytesBefore = beginning?.bytesBefore ?? 0;
    this.#isMuted = beginning?.isAnswered === true;
    this.#socket = socket;
    this.#settings = options.settings;
    this.#host = options.host;
    this.#onClosed = options.onClosed;
    const { remoteAddress } = socket;
    this.remote = remoteAddress === undefined ? 'unknown' : endpointText(remoteAddress, socket.remotePort);
    this.#log = options.log.child({ remote: this.remote });
    const meter = new PeerMeter();
    this.#turn = new TurnShare({ socket, meter, goOn: () => this.#readOn() });
    this.#unfinished = options.unfinished?.open((reason) => this.close(reason));
    this.#session = new ServerSession({
      handler: this,
      meter,
      write: (data) => this.#answer(data),
      limits: sessionLimits(options.settings),
      outChunkBytes: options.settings.outChunkBytes,
      ...(beginning === undefined ? {} : { handshake: beginning.handshake }),
    });
    this.#progress = new ProgressWatch(socket);
    this.#answers = new AnswerBudget(socket);
    socket.listen(this);
  }

  get lastMediaMs(): number {
    return this.#life.lastMs;
  }

  get via(): string {
    return this.#via;
  }

  /** Number of ignored messages. */
  get ignoredMessages(): number {
    return this.#ignored.total;
  }

  /** The name of the peer's software. */
  get flashVer(): string {
    return this.#flashVer;
  }

  /** Takes in what somebody else read of it; to be called once, by its owner, who knows it by then. */
  begin({ bytes, ended }: Beginning): void {
    if (bytes.length > 0) this.onData(bytes);
    if (ended !== undefined) this.#finish(ended, 'info');
    else if (!this.#isDeciding && !this.#turn.isWaiting) this.#socket.resume();
  }

  /** Call about once a second: ends what exceeded a deadline. */
  tick(nowMs: number): void {
    if (this.#ending) return;
    const { handshakeTimeoutMs, idleTimeoutMs, stallTimeoutMs } = this.#settings;
    if (this.#ingests.size === 0 && this.#viewers.size === 0) {
      if (heardMs(this.#idleSinceMs, nowMs) > handshakeTimeoutMs) {
        const seconds = handshakeTimeoutMs / 1000;
        const { phase } = this.#session;
        this.close(new CodedError('RTMP_TIMEOUT', `neither publish nor play within ${seconds} s (${phase})`));
      }
      return;
    }
    if (this.#ingests.size > 0 && heardMs(this.#life.lastMs, nowMs) > idleTimeoutMs) {
      const ignored = this.#ignored.total === 0 ? '' : `; ignored was ${this.#ignored.describe()}`;
      const text = `the publisher sent nothing of use for ${idleTimeoutMs / 1000} s${ignored}`;
      this.close(new CodedError('RTMP_TIMEOUT', text));
      return;
    }
    if (this.#viewers.size > 0 && this.#progress.silentMs(nowMs) > stallTimeoutMs) {
      this.close(new CodedError('RTMP_TIMEOUT', `the viewer took no data for ${stallTimeoutMs / 1000} s`));
    }
  }

  /** Closes it in order: the peer gets a status for each of its streams, then the socket closes. */
  close(reason: CodedError): void {
    if (this.#ending) return;
    this.#session.endAll(reason.message);
    this.#finish(`${reason.code}: ${reason.message}`, 'warn');
  }

  /** Ends it as part of an orderly shutdown. */
  shutDown(): void {
    if (this.#ending) return;
    this.#session.endAll('The aggregator is shutting down.');
    this.#finish('the aggregator is shutting down', 'debug');
  }

  onCommand(name: string): void {
    if (this.#camera === undefined || this.#commands >= maxLoggedCommands) return;
    this.#commands++;
    // Only its name, since the arguments contain keys and tokens.
    this.#log.debug(`< ${name.slice(0, 40)}`, { camera: this.#camera, event: 'command' });
  }

  onConnect(info: ConnectInfo): void {
    if (this.#ending) return;
    this.#flashVer = ownText(info.flashVer);
    this.#via = ownText(info.via);
    this.#connect = {
      app: ownText(info.app),
      tcUrl: ownText(info.tcUrl),
      flashVer: this.#flashVer,
      swfUrl: ownText(info.swfUrl),
      pageUrl: ownText(info.pageUrl),
      via: this.#via,
    };
    try {
      this.#host.connect(info);
    } catch (error) {
      this.#session.refuseConnect('NetConnection.Connect.Rejected', messageOf(error));
      this.#refused(error, 'connect');
      return;
    }
    this.#camera = this.#host.cameraOf?.({ app: info.app, streamName: '' });
    this.onCommand('connect');
    this.#session.acceptConnect();
  }

  onPublish(request: StreamRequest): void {
    const ask = () => this.#host.admitPublisher(request, this.#peer());
    this.#admit('publish', request, ask, (grant) => this.#publish(request, grant));
  }

  onPlay(request: StreamRequest): void {
    const ask = () => this.#host.admitViewer(request, this.#peer());
    this.#admit('play', request, ask, (grant) => this.#play(request, grant));
  }

  /** Has somebody decide, at once or later; meanwhile nothing more is read of the peer. */
  #admit<Grant extends object>(
    what: 'publish' | 'play',
    request: StreamRequest,
    ask: () => Decision<Grant>,
    use: (grant: Grant) => void,
  ): void {
    // What came in the same read as the reason for the end is parsed still, and must not be granted any more.
    if (this.#ending) return;
    this.#turn.meter.request();
    this.#isMuted = false;
    let decision: Decision<Grant>;
    try {
      this.#settle(request);
      decision = ask();
    } catch (error) {
      this.#refuse(what, request.streamId, error);
      return;
    }
    if (!(decision instanceof Promise)) {
      use(decision);
      return;
    }
    this.#isDeciding = true;
    this.#socket.pause();
    this.#session.channel.hold();
    const decided = (act: () => void): void => {
      if (this.#ending) return;
      this.#isDeciding = false;
      act();
      this.#readOn();
    };
    decision.then(
      (grant) => decided(() => use(grant)),
      (error: unknown) => decided(() => this.#refuse(what, request.streamId, error)),
    );
  }

  /** A connection is about one camera: with media workers it is where that is at home. @throws CodedError */
  #settle(request: StreamRequest): void {
    const camera = this.#host.cameraOf?.(request);
    if (this.#camera !== undefined && camera !== undefined && camera !== this.#camera) {
      const text = `this connection is that of camera ${this.#camera}; another camera takes another connection`;
      throw new CodedError('PUBLISH_NOT_REGISTERED', text);
    }
    this.#camera ??= camera;
  }

  #peer(): Peer {
    const connect = this.#connect ?? { app: '', tcUrl: '', flashVer: '', swfUrl: '', pageUrl: '', via: '' };
    return { address: plainAddress(this.#socket.remoteAddress ?? ''), connectionId: this.id, connect };
  }

  #refuse(what: 'publish' | 'play', streamId: number, error: unknown): void {
    if (what === 'publish') {
      this.#session.refusePublish(streamId, 'NetStream.Publish.BadName', messageOf(error));
    } else {
      const code = codeOf(error) === 'PLAY_NOT_FOUND' ? 'NetStream.Play.StreamNotFound' : 'NetStream.Play.Failed';
      this.#session.refusePlay(streamId, code, messageOf(error));
    }
    this.#refused(error, what);
  }

  #publish({ streamId, streamName }: StreamRequest, grant: PublishGrant): void {
    let ingest: Ingest;
    try {
      ingest = grant(this);
    } catch (error) {
      this.#refuse('publish', streamId, error);
      return;
    }
    this.#life.frame(this.#lastDataMs);
    this.#ingests.set(streamId, ingest);
    this.#turn.isPublisher = true;
    this.#socket.readLargely?.();
    this.#note(`published ${maskUrl(streamName)}`);
    this.#session.acceptPublish(streamId);
  }

  #play({ streamId, streamName }: StreamRequest, grant: PlayGrant): void {
    const { outChunkBytes, queueMaxBytes, queueMaxAgeMs } = this.#settings;
    const viewer = new ViewerOutlet({
      socket: this.#socket,
      remote: this.remote,
      share: addressKey(this.#socket.remoteAddress ?? ''),
      format: { chunkBytes: outChunkBytes, streamId, publishing: false },
      limits: { queueMaxBytes, queueMaxAgeMs },
      close: (reason) => this.close(reason),
      onEnd: () => this.#session.playUnpublished(streamId),
      onReturn: () => this.#session.playPublished(streamId),
    });
    try {
      viewer.playback = grant(viewer);
    } catch (error) {
      this.#refuse('play', streamId, error);
      return;
    }
    this.#viewers.set(streamId, viewer);
    this.#note(`played ${maskUrl(streamName)}`);
    this.#session.acceptPlay(streamId);
    viewer.begin();
  }

  onMedia(streamId: number, type: number, timestampMs: number, payload: Buffer): void {
    const ingest = this.#ingests.get(streamId);
    if (ingest === undefined) return;
    if (!ingest.write(type, timestampMs, payload, this.#lastDataMs)) this.#unreadable();
    else if (type !== MessageType.DataAmf0) this.#life.frame(this.#lastDataMs);
  }

  #unreadable(): void {
    this.#ignored.note('unreadable');
    this.#turn.meter.waste(0.5);
  }

  onIgnored(kind: IgnoredKind, detail: string): void {
    // Whatever else is ignored was weighed as what it is.
    if (kind === 'media') this.#turn.meter.waste(1);
    if (!this.#ignored.note(kind) || this.#ending) return;
    const camera = this.#camera === undefined ? {} : { camera: this.#camera };
    // By kind, since lines of the same words are summed up.
    const message = `ignored what the peer sent: ${ignoredKinds[kind]}`;
    this.#log.warn(message, { ...camera, kind, detail: detail.slice(0, 200) });
  }

  onUnpublish(streamId: number): void {
    const ingest = this.#ingests.get(streamId);
    if (ingest === undefined) return;
    this.#ingests.delete(streamId);
    this.#turn.isPublisher = this.#ingests.size > 0;
    this.#idleSinceMs = performance.now();
    ingest.end('unpublished');
  }

  onStop(streamId: number): void {
    const viewer = this.#viewers.get(streamId);
    if (viewer === undefined) return;
    this.#viewers.delete(streamId);
    this.#idleSinceMs = performance.now();
    viewer.end();
  }

  onPause(streamId: number, paused: boolean): void {
    this.#viewers.get(streamId)?.setPaused(paused);
  }

  /** For the last line, which names the first few. */
  #note(what: string): void {
    if (this.#did.length < maxNoted) this.#did.push(what);
  }

  #answer(data: Buffer): void {
    if (this.#isMuted || this.#ending || this.#answers.write(data)) return;
    this.#finish(`RTMP_LIMIT: ${this.#answers.unreadBytes} bytes of answers wait, and the peer reads none`, 'warn');
  }

  onDrain(): void {
    this.#answers.drained();
    for (const viewer of this.#viewers.values()) viewer.resume();
  }

  onError(error: Error & { code?: string }): void {
    this.#finish(describeSocketError(error), 'info');
  }

  onEnd(): void {
    this.#finish('the peer closed the connection', 'info');
  }

  onClose(): void {
    this.#finish('the connection was lost', 'info');
    this.#gone();
  }

  onData(data: Buffer): void {
    if (this.#ending) {
      // Until its last words are out: what it sends is thrown away, one read a turn; nothing of who broke the protocol.
      if (this.#isRefractory) this.#socket.pause();
      else this.#turn.end(false, 0);
      return;
    }
    this.#lastDataMs = performance.now();
    const { channel } = this.#session;
    if (!this.#turn.begin()) channel.hold();
    try {
      this.#session.receive(data);
      this.#noteParts();
    } catch (error) {
      this.#failed(error);
      return;
    }
    if (!this.#ending && !this.#isDeciding) this.#turn.end(!channel.isHeld, data.length);
  }

  /** Notes the bytes of incomplete messages. */
  #noteParts(): void {
    this.#unfinished?.set(this.#session.channel.partialBytes);
    if (this.#ingests.size > 0) this.#life.part(this.#session.unfinishedMediaBytes, this.#lastDataMs);
  }

  /** Goes on with what was kept, and then with reading: its turn has come, or what it asked for is decided. */
  #readOn(): void {
    if (this.#ending) {
      if (!this.#isRefractory) this.#socket.resume();
      return;
    }
    if (this.#isDeciding || this.#turn.isWaiting) return;
    const { channel } = this.#session;
    try {
      // What was kept may ask for something that is to be decided again.
      channel.release();
      this.#noteParts();
    } catch (error) {
      this.#failed(error);
      return;
    }
    if (this.#ending || this.#isDeciding) return;
    this.#turn.end(!channel.isHeld, 0);
    if (!this.#turn.isWaiting) this.#socket.resume();
  }

  /** What it sent could not be taken in. */
  #failed(error: unknown): void {
    if (error instanceof WireError) {
      if (error.code === 'RTMP_FLOOD' && !this.#ending) floods.ended++;
      this.#isRefractory = true;
      this.#finish(`${error.code}: ${error.message}`, 'warn');
    } else {
      this.#log.error('a connection failed inside the aggregator', { error: stackOf(error) });
      this.#finish('INTERNAL: see the line before', 'warn');
    }
  }

  /** A refusal was sent; the connection is of no further use to either side, unless something flows on it already. */
  #refused(error: unknown, what: string): void {
    if (!(error instanceof CodedError)) {
      this.#log.error('a request failed inside the aggregator', { what, error: stackOf(error) });
    }
    if (this.#ingests.size > 0 || this.#viewers.size > 0) {
      this.onIgnored('order', `${what} refused: ${codeOf(error)}: ${messageOf(error)}`);
      return;
    }
    this.#finish(`${what} refused: ${codeOf(error)}: ${messageOf(error)}`, 'warn');
  }

  /** Everything ends here, once, with one line. */
  #finish(reason: string, level: 'debug' | 'info' | 'warn'): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#unfinished?.close();
    this.#turn.over();
    for (const ingest of this.#ingests.values()) ingest.end(reason);
    for (const viewer of this.#viewers.values()) viewer.end();
    this.#ingests.clear();
    this.#viewers.clear();
    // Who only looks whether the port is open (a load balancer, a probe) is not worth a line each time.
    const bytesIn = this.#bytesBefore + this.#socket.bytesRead;
    const looked = level === 'info' && (bytesIn === 0 || this.#session.phase === 'fresh');
    const seconds = Math.round((performance.now() - this.#openedMs) / 100) / 10;
    this.#log[looked ? 'debug' : level]('connection closed', {
      reason,
      ...(this.#camera === undefined ? {} : { camera: this.#camera }),
      ...(this.#did.length > 0 ? { did: this.#did.join(', ') } : {}),
      ...(this.#ignored.total > 0 ? { ignored: this.#ignored.describe() } : {}),
      seconds,
      bytesIn,
    });
    this.#socket.end();
    if (this.#socket.destroyed) this.#gone();
    else this.#endTimer = setTimeout(() => this.#socket.destroy(), lastWordsMs);
  }

  #gone(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#endTimer);
    this.#onClosed();
  }
}

/** A copy of a text, at most 1,024 characters: a piece of a string keeps the whole string alive, a megabyte perhaps. */
function ownText(text: string): string {
  return Buffer.from(text.slice(0, 1024)).toString();
}

/** A socket's error in words, for the line that says why a connection ended. */
export function describeSocketError(error: Error & { code?: string }): string {
  if (error.code === 'ECONNRESET') return 'the peer reset the connection';
  return error.code === 'EPIPE' ? 'the peer closed the connection' : `socket error ${error.code ?? error.message}`;
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
