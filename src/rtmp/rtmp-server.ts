import { createServer, type Server, type Socket } from 'node:net';
import type { Logger } from '../log/log.js';
import { ConnectionLimits } from '../net/connection-limits.js';
import { listenOn } from '../net/listen.js';
import type { MediaSocket } from '../net/media-socket.js';
import { acceptedSocket } from '../net/node-socket.js';
import { socketHighWaterBytes } from '../net/settings.js';
import { type ServerCertificate, TlsListener } from '../net/tls-listener.js';
import type { Beginning } from './beginning.js';
import { ServerConnection } from './server-connection.js';
import type { NetSettings } from './settings.js';
import type { StreamHost } from './stream-host.js';
import { UnfinishedBudget } from './unfinished-budget.js';

export { listenOn };

/** The listener for cameras and viewers. */
export class RtmpServer {
  readonly #settings: NetSettings;
  readonly #host: StreamHost;
  readonly #log: Logger;
  readonly #limits: ConnectionLimits;
  readonly #server: Server;
  readonly #unfinished: UnfinishedBudget;
  readonly #connections = new Set<ServerConnection>();
  readonly #ticker: NodeJS.Timeout;
  #notListening: Promise<unknown> | null = null;
  readonly #whenEmpty: (() => void)[] = [];
  #secure: TlsListener | null = null;

  constructor(options: { settings: NetSettings; host: StreamHost; log: Logger }) {
    this.#settings = options.settings;
    this.#host = options.host;
    this.#log = options.log;
    this.#limits = new ConnectionLimits(options.settings, options.log);
    this.#unfinished = new UnfinishedBudget(options.settings.unfinishedMaxBytes);
    this.#server = createServer(
      {
        ...{ noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000, highWaterMark: socketHighWaterBytes },
        pauseOnConnect: true,
      },
      (socket) => this.#onSocket(socket),
    );
    // Judged behind what has arrived by then: after a standstill that is all that was sent meanwhile.
    this.#ticker = setInterval(() => setImmediate(() => this.#tick()), 1000);
  }

  get connections(): number {
    return this.#connections.size;
  }

  /** Bytes of incomplete messages of all connections. */
  get unfinishedBytes(): number {
    return this.#unfinished.bytes;
  }

  /** Opens the listener. @throws CodedError ADDRESS_IN_USE, INVALID_ADDRESS */
  listen(host: string, port: number): Promise<{ host: string; port: number }> {
    return listenOn(this.#server, host, port, this.#log);
  }

  /** Opens a listener with TLS beside it, under the same limits. @throws CodedError ADDRESS_IN_USE, INVALID_ADDRESS */
  listenSecure(host: string, port: number, certificate: ServerCertificate): Promise<{ host: string; port: number }> {
    const { handshakeTimeoutMs } = this.#settings;
    const onSocket = (socket: MediaSocket, onClosed: () => void): void => this.#serve(socket, onClosed);
    const options = { certificate, handshakeTimeoutMs, limits: this.#limits, log: this.#log, onSocket };
    this.#secure = new TlsListener(options);
    return this.#secure.listen(host, port);
  }

  /** Applies to new TLS connections. */
  setCertificate(certificate: ServerCertificate): void {
    this.#secure?.setCertificate(certificate);
  }

  /**
   * Serves a connection that somebody else accepted, counted and let in.
   * @param onClosed called once, when it is over
   */
  adopt(socket: MediaSocket, beginning: Beginning, onClosed: () => void): void {
    this.#serve(socket, onClosed, beginning);
  }

  /**
   * Asks all who know of it to reconnect, since this aggregator is about to end (Enhanced RTMP v2, "Reconnect Request").
   * They go on here until they have begun elsewhere. Returns those that were asked.
   */
  askToReconnect(): readonly ServerConnection[] {
    return [...this.#connections].filter((connection) => connection.askToReconnect());
  }

  /**
   * Accepts no new connections, and asks for the last time: who reconnects now comes to whoever listens in this place next.
   * Resolves when all who were asked are gone, or after `patienceMs`; at once where there are none.
   */
  async sendAway(patienceMs: number): Promise<void> {
    void this.#stopListening();
    const asked = this.askToReconnect();
    const untilMs = performance.now() + patienceMs;
    while (asked.some((connection) => this.#connections.has(connection)) && performance.now() < untilMs) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Resolves when no listener is left; may be called again. */
  #stopListening(): Promise<unknown> {
    this.#notListening ??= Promise.all([
      new Promise<void>((resolve) => this.#server.close(() => resolve())),
      this.#secure?.close(),
    ]);
    return this.#notListening;
  }

  /** Accepts no new connections, and closes the open ones in order. Resolves when all are gone. */
  async close(): Promise<void> {
    clearInterval(this.#ticker);
    const closed = this.#stopListening();
    for (const connection of this.#connections) connection.shutDown();
    await closed;
    // The listener does not count connections whose sockets were taken over.
    if (this.#connections.size > 0) await new Promise<void>((resolve) => this.#whenEmpty.push(resolve));
  }

  #onSocket(socket: Socket): void {
    const release = this.#limits.admit(socket.remoteAddress);
    if (release === undefined) {
      socket.on('error', () => {});
      socket.destroy();
      return;
    }
    this.#serve(acceptedSocket(socket, this.#settings.socketMode), release);
  }

  #serve(socket: MediaSocket, onClosed: () => void, beginning?: Beginning): void {
    const connection = new ServerConnection({
      socket,
      settings: this.#settings,
      host: this.#host,
      log: this.#log,
      unfinished: this.#unfinished,
      onClosed: () => {
        this.#connections.delete(connection);
        onClosed();
        if (this.#connections.size === 0) for (const resolve of this.#whenEmpty.splice(0)) resolve();
      },
      ...(beginning === undefined ? {} : { beginning }),
    });
    this.#connections.add(connection);
    if (beginning !== undefined) connection.begin(beginning);
  }

  #tick(): void {
    const nowMs = performance.now();
    for (const connection of this.#connections) connection.tick(nowMs);
  }
}
