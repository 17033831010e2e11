import { connect, type Socket } from 'node:net';
import { codeOf, type ErrorCode, messageOf } from '../../errors.js';
import { LineFilter } from '../../log/levels.js';
import { type Logger, silentLogger } from '../../log/log.js';
import type { MediaSocket } from '../../net/media-socket.js';
import { acceptedSocket, streamSocket } from '../../net/node-socket.js';
import { splice } from '../../net/splice.js';
import { TlsAcceptor } from '../../net/tls-acceptor.js';
import { openFiles } from '../../process/open-files.js';
import { PendingConnection } from '../../rtmp/pending-connection.js';
import { type WatchedCertificate, watchCertificate } from '../../tls/watch-certificate.js';
import { NativeBackend } from '../native/native-backend.js';
import { ChannelLogger } from './channel-logger.js';
import type { Call, Connection, Order, Report, SentPicture, WorkerSettings } from './protocol.js';
import { Reporter } from './reporter.js';
import { type HandingOnRequest, ViewingServer } from './viewing-server.js';

/** Bytes of the handshake that a pending connection has done: C0, C1, C2. */
const handshakeBytes = 3073;

/** A media worker: a backend whose connections come from the supervisor, which tells it what to do and is told the rest. */
export class Worker {
  readonly #settings: WorkerSettings;
  readonly #send: (report: Report) => void;
  readonly #backend: NativeBackend;
  readonly #lines: LineFilter;
  readonly #log: ChannelLogger;
  readonly #reporter: Reporter;
  /** Connections that have not said where they want to go, or wait to be told who serves them. */
  readonly #pending = new Map<number, PendingConnection>();
  readonly #viewing: ViewingServer;
  readonly #ticker: NodeJS.Timeout;
  readonly #acceptor: TlsAcceptor | null;
  #certificate: WatchedCertificate | null = null;

  /** @param send takes what the supervisor is to know, in order */
  constructor(settings: WorkerSettings, send: (report: Report) => void) {
    this.#settings = settings;
    this.#send = send;
    const { media, nodeId, streamSecret, lines } = settings;
    const secret = streamSecret === undefined ? {} : { streamSecret };
    this.#lines = new LineFilter(lines.level);
    this.#lines.wanted = lines;
    const log = new ChannelLogger({ send, filter: this.#lines });
    this.#log = log;
    this.#backend = new NativeBackend({ settings: { host: '', rtmpPort: 0, media, nodeId, ...secret }, log });
    this.#backend.startWithoutListener();
    this.#reporter = new Reporter(this.#backend, send, () => this.#certificate?.problem ?? null);
    this.#ticker = setInterval(() => setImmediate(() => this.#tick()), 1000);
    this.#viewing = new ViewingServer(settings.viewSecret, {
      openFlv: (camera, remote, tracks) => this.#backend.openFlv(camera, remote, tracks),
      // It is counted where it was accepted.
      adopt: (socket, beginning) => this.#backend.adopt(socket, beginning, () => {}),
    });
    // All read the same files; one tells of them.
    this.#acceptor = settings.certificate === null ? null : this.#openTls(settings.number === 1 ? log : silentLogger);
  }

  /** Opens what it needs, and says that it is ready. */
  async start(): Promise<void> {
    await this.#backend.prepare(this.#log);
    const viewPort = await this.#viewing.listen();
    this.#send({ type: 'ready', viewPort, socketWay: this.#backend.socketWay });
  }

  /** Does what the supervisor orders. */
  obey(order: Order, socket: Socket | undefined): void {
    switch (order.type) {
      case 'begin':
        return;
      case 'set':
        this.#apply(order.sequence, order.camera.name, () => this.#backend.setCamera(order.camera));
        return;
      case 'remove':
        this.#apply(order.sequence, order.name, () => this.#backend.removeCamera(order.name));
        return;
      case 'listener':
        this.#backend.addOwnListener(order.address);
        return;
      case 'budget':
        this.#backend.mediaMaxBytes = order.bytes;
        return;
      case 'lines':
        this.#lines.wanted = order.wanted;
        return;
      case 'readAgain':
        this.#backend.readAgain();
        return;
      case 'connection':
        this.#take(order, socket);
        return;
      case 'stay':
        this.#stay(order.id);
        return;
      case 'leave':
        this.#leave(order.id);
        return;
      case 'handOn':
        this.#handOn(order.id, order.viewPort);
        return;
      case 'call':
        void this.#answer(order.id, order.call);
        return;
      case 'askToReconnect':
        this.#backend.askToReconnect();
        return;
      case 'stop':
        void this.stop(order.deadlineMs);
    }
  }

  /** Ends everything in order, within the deadline. */
  async stop(deadlineMs: number): Promise<void> {
    clearInterval(this.#ticker);
    this.#certificate?.close();
    this.#acceptor?.close();
    for (const id of this.#pending.keys()) this.#stay(id, 'the aggregator is shutting down');
    await this.#backend.stop(deadlineMs);
    this.#viewing.close();
    this.#reporter.close();
    this.#log.flush();
    this.#send({ type: 'done' });
  }

  /** Carries out an order about one camera. A failure is that camera's alone. */
  #apply(sequence: number, name: string, act: () => void): void {
    let failure: { code: ErrorCode; message: string } | null = null;
    try {
      act();
    } catch (error) {
      failure = { code: codeOf(error), message: messageOf(error) };
    }
    this.#send({ type: 'applied', sequence, name, camera: this.#backend.camera(name) ?? null, failure });
  }

  #take(order: Connection, socket: Socket | undefined): void {
    const { id, ageMs, beginning, isAnswered } = order;
    this.#send({ type: 'taken', id });
    if (socket === undefined) {
      this.#send({ type: 'closed', id }); // it was gone before it came
      return;
    }
    if (!openFiles.hasRoomFor('media', 1)) {
      this.#log.warn('OPEN_FILES_LIMIT: connections refused', { summed: true });
      socket.on('error', () => {});
      socket.destroy();
      this.#send({ type: 'closed', id });
      return;
    }
    if (order.isSecure) {
      this.#takeSecure(id, ageMs, socket);
      return;
    }
    const accepted = acceptedSocket(socket, this.#settings.media.socketMode);
    if (beginning !== null) {
      this.#send({ type: 'served', id });
      const bytes = Buffer.from(beginning, 'base64');
      const before = { handshake: null, bytes, ageMs, bytesBefore: handshakeBytes + bytes.length, isAnswered };
      this.#backend.adopt(accepted, before, () => this.#send({ type: 'closed', id }));
      return;
    }
    this.#hold(id, ageMs, accepted);
  }

  #takeSecure(id: number, ageMs: number, socket: Socket): void {
    this.#send({ type: 'served', id }); // nobody else could make use of it
    const acceptedMs = performance.now() - ageMs;
    const closed = (): void => this.#send({ type: 'closed', id });
    socket.on('error', () => {});
    if (this.#acceptor === null) {
      socket.destroy();
      closed();
      return;
    }
    this.#acceptor.accept(socket, (secured) => this.#hold(id, performance.now() - acceptedMs, secured), closed);
  }

  #hold(id: number, ageMs: number, socket: MediaSocket): void {
    const pending = new PendingConnection({
      socket,
      limits: this.#settings.media,
      outChunkBytes: this.#settings.media.outChunkBytes,
      ageMs,
      onNamed: (camera) => this.#onNamed(id, camera),
      onOver: () => this.#stay(id),
    });
    this.#pending.set(id, pending);
  }

  #onNamed(id: number, camera: string): void {
    if (this.#backend.hasCamera(camera)) this.#stay(id);
    else this.#send({ type: 'where', id, camera: camera.slice(0, 1024) });
  }

  /** The connection is served here. @param ended why it is over already, in words */
  #stay(id: number, ended?: string): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    this.#send({ type: 'served', id });
    const beginning = pending.stay();
    this.#backend.adopt(
      pending.socket,
      ended === undefined ? beginning : { ...beginning, bytes: Buffer.alloc(0), ended },
      () => this.#send({ type: 'closed', id }),
    );
  }

  #leave(id: number): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    const { isAnswered } = pending;
    const bytes = pending.leave();
    if (bytes === null) this.#send({ type: 'closed', id });
    else this.#send({ type: 'left', id, beginning: bytes.toString('base64'), isAnswered });
  }

  /** The connection stays in this process, and its bytes go to and fro between its far end and another worker. */
  #handOn(id: number, viewPort: number): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    const { bytes, ageMs } = pending.stay();
    const { isAnswered } = pending;
    const { remoteAddress, remotePort } = pending.socket;
    const far = { remoteAddress, remotePort };
    const request = { secret: this.#settings.viewSecret, far, ageMs, isAnswered } satisfies HandingOnRequest;
    const local = connect({ host: '127.0.0.1', port: viewPort, noDelay: true });
    local.write(`${JSON.stringify(request)}\n`);
    local.write(bytes);
    splice(pending.socket, streamSocket(local), () => this.#send({ type: 'closed', id }));
    pending.socket.resume();
  }

  #openTls(log: Logger): TlsAcceptor {
    const { certificate: files, media } = this.#settings;
    if (files === null) throw new Error('there are no files of a certificate');
    const flags = { certFlag: '--rtmps-cert', keyFlag: '--rtmps-key' };
    const watched = watchCertificate({
      ...files,
      ...flags,
      log,
      onChange: (next) => this.#acceptor?.setCertificate(next),
    });
    this.#certificate = watched;
    const { handshakeTimeoutMs } = media;
    return new TlsAcceptor({ certificate: watched.current, handshakeTimeoutMs, log });
  }

  #tick(): void {
    const { handshakeTimeoutMs } = this.#settings.media;
    for (const [id, pending] of this.#pending) {
      if (pending.ageMs <= handshakeTimeoutMs) continue;
      // As a connection it is of the same age, and told the same as any other that takes too long.
      const ended = 'RTMP_TIMEOUT: the media worker of this camera does not run';
      this.#stay(id, pending.isWaiting ? ended : undefined);
    }
  }

  async #answer(id: number, call: Call): Promise<void> {
    try {
      this.#send({ type: 'answer', id, value: (await this.#call(call)) ?? null });
    } catch (error) {
      this.#send({ type: 'failure', id, code: codeOf(error), message: messageOf(error) });
    }
  }

  #call(call: Call): unknown {
    switch (call.name) {
      case 'events':
        return this.#backend.events(call.camera, call.push ?? undefined);
      case 'retry':
        return this.#backend.retry(call.camera, call.push);
      case 'picture':
        return this.#picture(call.camera, call.knownTag ?? undefined);
      case 'testTarget':
        return this.#backend.testTarget(call.url);
      case 'switchIngest':
        return this.#backend.switchIngest(call.camera, call.ingest ?? undefined);
      case 'startTestPattern':
        return this.#backend.testPatterns.start(call.camera, call.durationMs, () =>
          this.#send({ type: 'patternEnded', camera: call.camera }),
        );
      case 'stopTestPattern':
        return this.#backend.testPatterns.stop(call.camera);
    }
  }

  async #picture(camera: string, knownTag: string | undefined): Promise<SentPicture | null> {
    const picture = await this.#backend.picture(camera, knownTag);
    return picture === null ? null : { ...picture, mp4: picture.mp4?.toString('base64') ?? null };
  }
}
