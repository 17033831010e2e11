import { addressKey, endpointText, plainAddress } from '../address/plain-address.js';
import { maskUrl } from '../address/rtmp-url.js';
import { CodedError, codeOf, messageOf, WireError } from '../errors.js';
import type { Logger } from '../log/log.js';
import type { MediaSocket, MediaSocketListener } from '../net/media-socket.js';
import { ProgressWatch } from '../net/progress-watch.js';
import { describeSocketError } from '../net/socket-error.js';
import { newConnectionId } from '../process/connection-ids.js';
import { defaultTracks } from '../relay/track-choice.js';
import { MessageType } from '../wire/message.js';
import { takesTracks } from './abilities.js';
import { AnswerBudget } from './answer-budget.js';
import type { Beginning } from './beginning.js';
import { keptConnectInfo, noConnectInfo } from './connect.js';
import { type ConnectionActivity, exceededDeadline } from './connection-deadlines.js';
import { ConnectionRecord } from './connection-record.js';
import { floods } from './flood-count.js';
import type { IgnoredKind } from './ignored.js';
import { PacedReading } from './paced-reading.js';
import { PeerMeter } from './peer-meter.js';
import { PublisherLife } from './publisher-life.js';
import { refusalOf, tellRefusal } from './refusal.js';
import { type ConnectInfo, ServerSession, type ServerSessionHandler, type StreamRequest } from './server-session.js';
import { type NetSettings, sessionLimits } from './settings.js';
import type { Decision, Ingest, Peer, PlayGrant, Publisher, PublishGrant, StreamHost } from './stream-host.js';
import type { UnfinishedBudget } from './unfinished-budget.js';
import { ViewerOutlet } from './viewer-outlet.js';

/** Time limit for sending the last messages to a peer, and before that what waits for those that play. */
const lastWordsMs = 1000;
const lastMediaMs = 500;

/** One incoming connection: a camera, a viewer, another aggregator or a stranger. It logs the one reason for its end. */
export class ServerConnection implements ServerSessionHandler, Publisher, MediaSocketListener {
  readonly remote: string;
  readonly #socket: MediaSocket;
  readonly #settings: NetSettings;
  readonly #host: StreamHost;
  readonly #record: ConnectionRecord;
  readonly #meter = new PeerMeter();
  readonly #session: ServerSession;
  readonly #progress: ProgressWatch;
  readonly #answers: AnswerBudget;
  readonly #reading: PacedReading;
  readonly #onClosed: () => void;
  readonly #ingests = new Map<number, Ingest>();
  /** The message stream of the media that came last, and its ingest, so that most messages need no look-up. */
  #lastStreamId = -1;
  #lastIngest: Ingest | undefined;
  readonly #viewers = new Map<number, ViewerOutlet>();
  readonly id = newConnectionId();
  #connect = noConnectInfo;
  /** Its messages were answered before. */
  #isMuted: boolean;
  readonly #life = new PublisherLife(Math.floor(performance.now()));
  /** Since when it has neither published nor played. */
  #idleSinceMs: number;
  /** It is shut down, and gets what waits for it. */
  #isLeaving = false;
  #ending = false;
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
    this.#isMuted = beginning?.isAnswered === true;
    this.#socket = socket;
    this.#settings = options.settings;
    this.#host = options.host;
    this.#onClosed = options.onClosed;
    this.remote =
      socket.remoteAddress === undefined ? 'unknown' : endpointText(socket.remoteAddress, socket.remotePort);
    this.#record = new ConnectionRecord(options.log.child({ remote: this.remote }), beginning);
    this.#idleSinceMs = this.#record.openedMs;
    this.#session = new ServerSession({
      handler: this,
      meter: this.#meter,
      write: (data) => this.#answer(data),
      limits: sessionLimits(options.settings),
      outChunkBytes: options.settings.outChunkBytes,
      ...(beginning === undefined ? {} : { handshake: beginning.handshake }),
    });
    this.#reading = new PacedReading({
      socket,
      session: this.#session,
      meter: this.#meter,
      unfinished: options.unfinished?.open((reason) => this.close(reason)),
      // A good part of a frame is a sign of life.
      onParts: () => this.#life.part(this.#session.unfinishedMediaBytes, this.#reading.turnMs),
      onFailed: (error) => this.#failed(error),
    });
    this.#progress = new ProgressWatch(socket);
    this.#answers = new AnswerBudget(socket);
    socket.listen(this);
  }

  get lastMediaMs(): number {
    return this.#life.lastMs;
  }

  get via(): string {
    return this.#connect.via;
  }

  get ignoredMessages(): number {
    return this.#record.ignoredMessages;
  }

  get flashVer(): string {
    return this.#connect.flashVer;
  }

  /** Takes in what somebody else read of it; to be called once, by its owner, who knows it by then. */
  begin({ bytes, ended }: Beginning): void {
    if (bytes.length > 0) this.onData(bytes);
    if (ended !== undefined) this.#finish(ended, 'info');
    else if (!this.#reading.isPaused) this.#socket.resume();
  }

  /** Call about once a second: ends what exceeded a deadline. */
  tick(nowMs: number): void {
    if (this.#ending) return;
    const activity: ConnectionActivity = {
      ...{ publishes: this.#ingests.size > 0, plays: this.#viewers.size > 0, idleSinceMs: this.#idleSinceMs },
      ...{ lastMediaMs: this.#life.lastMs, progress: this.#progress, phase: this.#session.phase, record: this.#record },
    };
    const exceeded = exceededDeadline(activity, this.#settings, nowMs);
    if (exceeded !== null) this.close(exceeded);
  }

  /** Closes it in order: the peer gets a status for each of its streams, then the socket closes. */
  close(reason: CodedError): void {
    if (!this.#isLeaving) this.#closeInOrder(reason.message, `${reason.code}: ${reason.message}`, 'warn');
  }

  /** Asks a client that knows how to reconnect, before this aggregator ends or is drained. False: it does not. */
  askToReconnect(): boolean {
    if (this.#ending || this.#connect.abilities?.hasReconnect !== true) return false;
    const text = 'The aggregator is about to end; connect anew.';
    this.#session.status(0, 'status', 'NetConnection.Connect.ReconnectRequest', text);
    return true;
  }

  /** Ends it as part of an orderly shutdown; viewers that are behind have a moment to get what waits for them. */
  shutDown(untilMs = performance.now() + lastMediaMs): void {
    this.#isLeaving = true;
    const isBehind = [...this.#viewers.values()].some((viewer) => !viewer.flush());
    if (isBehind && performance.now() < untilMs) setTimeout(() => this.shutDown(untilMs), 10);
    else this.#closeInOrder('The aggregator is shutting down.', 'the aggregator is shutting down', 'debug');
  }

  #closeInOrder(said: string, reason: string, level: 'debug' | 'warn'): void {
    if (this.#ending) return;
    for (const viewer of this.#viewers.values()) viewer.flush();
    this.#session.endAll(said);
    this.#finish(reason, level);
  }

  onCommand(name: string): void {
    this.#record.command(name);
  }

  onConnect(info: ConnectInfo): void {
    if (this.#ending) return;
    this.#connect = keptConnectInfo(info);
    try {
      this.#host.connect(info);
    } catch (error) {
      this.#session.refuseConnect('NetConnection.Connect.Rejected', messageOf(error));
      this.#refused(error, 'connect');
      return;
    }
    this.#record.camera = this.#host.cameraOf?.({ app: info.app, streamName: '' });
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
    // What came in the same read as the reason for the end is parsed still, and must no longer be granted.
    if (this.#ending) return;
    this.#meter.request();
    this.#isMuted = false;
    let decision: Decision<Grant>;
    try {
      this.#record.isAbout(this.#host.cameraOf?.(request));
      decision = ask();
    } catch (error) {
      this.#refuse(what, request.streamId, error);
      return;
    }
    if (!(decision instanceof Promise)) {
      use(decision);
      return;
    }
    this.#reading.decide();
    decision.then(
      (grant) => this.#reading.decided(() => use(grant)),
      (error: unknown) => this.#reading.decided(() => this.#refuse(what, request.streamId, error)),
    );
  }

  #peer(): Peer {
    return { address: plainAddress(this.#socket.remoteAddress ?? ''), connectionId: this.id, connect: this.#connect };
  }

  #refuse(what: 'publish' | 'play', streamId: number, error: unknown): void {
    tellRefusal(this.#session, what, streamId, error);
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
    this.#life.frame(this.#reading.turnMs);
    this.#ingests.set(streamId, ingest);
    this.#lastIngest = undefined;
    this.#reading.isPublisher = true;
    this.#socket.readLargely?.();
    this.#record.did(`published ${maskUrl(streamName)}`);
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
      tracks: takesTracks(this.#connect.abilities) ? undefined : defaultTracks,
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
    this.#record.did(`played ${maskUrl(streamName)}`);
    this.#session.acceptPlay(streamId);
    viewer.begin();
  }

  onMedia(streamId: number, type: number, timestampMs: number, payload: Buffer): void {
    if (streamId !== this.#lastStreamId || this.#lastIngest === undefined) {
      this.#lastIngest = this.#ingests.get(streamId);
      this.#lastStreamId = streamId;
    }
    const ingest = this.#lastIngest;
    if (ingest === undefined) return;
    if (ingest.write(type, timestampMs, payload, this.#reading.turnMs)) {
      if (type !== MessageType.DataAmf0) this.#life.frame(this.#reading.turnMs);
      return;
    }
    this.#record.countIgnored('unreadable');
    this.#meter.waste(0.5);
  }

  prefetch(): number {
    return this.#reading.prefetch() + this.#life.lastMs + (this.#lastIngest?.prefetch?.() ?? 0);
  }

  onIgnored(kind: IgnoredKind, detail: string): void {
    // Whatever else is ignored was weighed as what it is.
    if (kind === 'media') this.#meter.waste(1);
    if (this.#ending) this.#record.countIgnored(kind);
    else this.#record.ignored(kind, detail);
  }

  onUnpublish(streamId: number): void {
    const ingest = this.#ingests.get(streamId);
    if (ingest === undefined) return;
    this.#ingests.delete(streamId);
    this.#lastIngest = undefined;
    this.#reading.isPublisher = this.#ingests.size > 0;
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
    this.#reading.read(data);
  }

  /** What it sent could not be taken in. */
  #failed(error: unknown): void {
    if (error instanceof WireError) {
      if (error.code === 'RTMP_FLOOD' && !this.#ending) floods.ended++;
      this.#finish(`${error.code}: ${error.message}`, 'warn');
    } else {
      this.#record.fault('a connection failed inside the aggregator', error);
      this.#finish('INTERNAL: see the line before', 'warn');
    }
  }

  /** A refusal was sent; the connection is of no further use to either side, unless something flows on it already. */
  #refused(error: unknown, what: 'connect' | 'publish' | 'play'): void {
    if (!(error instanceof CodedError)) {
      this.#record.fault('a request failed inside the aggregator', error, { what });
    } else if (what !== 'play') {
      this.#host.refused?.(refusalOf(error, what, this.#peer()));
    }
    const reason = `${what} refused: ${codeOf(error)}: ${messageOf(error)}`;
    if (this.#ingests.size > 0 || this.#viewers.size > 0) this.onIgnored('order', reason);
    else this.#finish(reason, 'warn');
  }

  /** Everything ends here, once, with one line. */
  #finish(reason: string, level: 'debug' | 'info' | 'warn'): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#reading.over();
    for (const ingest of this.#ingests.values()) ingest.end(reason);
    for (const viewer of this.#viewers.values()) viewer.end();
    this.#ingests.clear();
    this.#lastIngest = undefined;
    this.#viewers.clear();
    this.#record.closed(reason, level, this.#socket.bytesRead, this.#session.phase === 'fresh');
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
