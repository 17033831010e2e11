import type { Socket } from 'node:net';
import { codeOf, messageOf } from '../../errors.js';
import { acceptedSocket } from '../../net/node-socket.js';
import { Visitor } from '../../net/visitor.js';
import { NativeBackend } from '../native/native-backend.js';
import { ChannelLogger } from './channel-logger.js';
import type { Call, Connection, Order, Report, SentPicture, WorkerSettings } from './protocol.js';
import { Reporter } from './reporter.js';
import { ViewingServer } from './viewing-server.js';

/** Bytes of the handshake that a visitor has gone through: C0, C1, C2. */
const handshakeBytes = 3073;

/** A media worker: a backend whose connections come from the supervisor, which tells it what to do and is told the rest. */
export class Worker {
  readonly #settings: WorkerSettings;
  readonly #send: (report: Report) => void;
  readonly #backend: NativeBackend;
  readonly #reporter: Reporter;
  /** Connections that have not said where they want to go, or wait to be told who serves them. */
  readonly #visitors = new Map<number, Visitor>();
  readonly #viewing: ViewingServer;
  readonly #ticker: NodeJS.Timeout;

  /** @param send takes what the supervisor is to know, in order */
  constructor(settings: WorkerSettings, send: (report: Report) => void) {
    this.#settings = settings;
    this.#send = send;
    const { media, nodeId, debug } = settings;
    const log = new ChannelLogger({ send, debug });
    this.#backend = new NativeBackend({ settings: { host: '', rtmpPort: 0, media, nodeId }, log });
    this.#backend.startWithoutListener();
    this.#reporter = new Reporter(this.#backend, send);
    this.#ticker = setInterval(() => this.#tick(), 1000);
    this.#viewing = new ViewingServer(settings.viewSecret, (camera, remote) => this.#backend.openFlv(camera, remote));
  }

  /** Opens what it needs, and says that it is ready. */
  async start(): Promise<void> {
    this.#send({ type: 'ready', viewPort: await this.#viewing.listen() });
  }

  /** Does what the supervisor orders. */
  obey(order: Order, socket: Socket | undefined): void {
    switch (order.type) {
      case 'begin':
        return;
      case 'set':
        this.#backend.setCamera(order.camera);
        this.#applied(order.sequence, order.camera.name);
        return;
      case 'remove':
        this.#backend.removeCamera(order.name);
        this.#applied(order.sequence, order.name);
        return;
      case 'listener':
        this.#backend.addOwnListener(order.address);
        return;
      case 'budget':
        this.#backend.mediaMaxBytes = order.bytes;
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
      case 'call':
        void this.#answer(order.id, order.call);
        return;
      case 'stop':
        void this.stop(order.deadlineMs);
    }
  }

  /** Ends everything in order, within the deadline. */
  async stop(deadlineMs: number): Promise<void> {
    clearInterval(this.#ticker);
    for (const id of this.#visitors.keys()) this.#stay(id, 'the aggregator is shutting down');
    await this.#backend.stop(deadlineMs);
    this.#viewing.close();
    this.#reporter.close();
    this.#send({ type: 'done' });
  }

  #applied(sequence: number, name: string): void {
    this.#send({ type: 'applied', sequence, camera: this.#backend.camera(name) ?? null });
  }

  #take(order: Connection, socket: Socket | undefined): void {
    const { id, ageMs, beginning } = order;
    this.#send({ type: 'taken', id });
    if (socket === undefined) {
      this.#send({ type: 'closed', id }); // it was gone before it came
      return;
    }
    const accepted = acceptedSocket(socket);
    if (beginning !== null) {
      this.#send({ type: 'served', id });
      const bytes = Buffer.from(beginning, 'base64');
      const before = { handshake: null, bytes, ageMs, bytesBefore: handshakeBytes + bytes.length };
      this.#backend.adopt(accepted, before, () => this.#send({ type: 'closed', id }));
      return;
    }
    const visitor = new Visitor({
      socket: accepted,
      limits: this.#settings.media,
      ageMs,
      onConnect: (app) => this.#onConnect(id, app),
      onOver: () => this.#stay(id),
    });
    this.#visitors.set(id, visitor);
  }

  #onConnect(id: number, app: string): void {
    if (this.#backend.hasApplication(app)) this.#stay(id);
    else this.#send({ type: 'where', id, app: app.slice(0, 1024) });
  }

  /** The connection is served here. @param ended why it is over already, in words */
  #stay(id: number, ended?: string): void {
    const visitor = this.#visitors.get(id);
    if (visitor === undefined) return;
    this.#visitors.delete(id);
    this.#send({ type: 'served', id });
    const beginning = visitor.stay();
    this.#backend.adopt(
      visitor.socket,
      ended === undefined ? beginning : { ...beginning, bytes: Buffer.alloc(0), ended },
      () => this.#send({ type: 'closed', id }),
    );
  }

  #leave(id: number): void {
    const visitor = this.#visitors.get(id);
    if (visitor === undefined) return;
    this.#visitors.delete(id);
    this.#send({ type: 'left', id, beginning: visitor.leave().toString('base64') });
  }

  #tick(): void {
    const { handshakeTimeoutMs } = this.#settings.media;
    for (const [id, visitor] of this.#visitors) {
      if (visitor.ageMs <= handshakeTimeoutMs) continue;
      // As a connection it is of the same age, and told the same as any other that takes too long.
      const ended = 'RTMP_TIMEOUT: the media worker of this camera does not run';
      this.#stay(id, visitor.isWaiting ? ended : undefined);
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
    }
  }

  async #picture(camera: string, knownTag: string | undefined): Promise<SentPicture | null> {
    const picture = await this.#backend.picture(camera, knownTag);
    return picture === null ? null : { ...picture, mp4: picture.mp4?.toString('base64') ?? null };
  }
}
