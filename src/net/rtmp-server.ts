import { createServer, type Server, type Socket } from 'node:net';
import { CodedError } from '../errors.js';
import type { Logger } from '../log.js';
import { ConnectionLimits } from './connection-limits.js';
import type { MediaSocket } from './media-socket.js';
import { acceptedSocket } from './node-socket.js';
import { type Beginning, ServerConnection } from './server-connection.js';
import { type NetSettings, socketHighWaterBytes } from './settings.js';
import type { StreamHost } from './stream-host.js';

/** The listener for cameras and viewers. */
export class RtmpServer {
  readonly #settings: NetSettings;
  readonly #host: StreamHost;
  readonly #log: Logger;
  readonly #limits: ConnectionLimits;
  readonly #server: Server;
  readonly #connections = new Set<ServerConnection>();
  readonly #ticker: NodeJS.Timeout;
  readonly #whenEmpty: (() => void)[] = [];

  constructor(options: { settings: NetSettings; host: StreamHost; log: Logger }) {
    this.#settings = options.settings;
    this.#host = options.host;
    this.#log = options.log;
    this.#limits = new ConnectionLimits(options.settings, options.log);
    this.#server = createServer(
      {
        ...{ noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000, highWaterMark: socketHighWaterBytes },
        pauseOnConnect: true,
      },
      (socket) => this.#onSocket(socket),
    );
    this.#ticker = setInterval(() => this.#tick(), 1000);
  }

  get connections(): number {
    return this.#connections.size;
  }

  /** Opens the listener. @throws CodedError ADDRESS_IN_USE, INVALID_ADDRESS */
  listen(host: string, port: number): Promise<{ host: string; port: number }> {
    return listenOn(this.#server, host, port, this.#log);
  }

  /**
   * Serves a connection that somebody else accepted, counted and let in.
   * @param onClosed called once, when it is over
   */
  adopt(socket: MediaSocket, beginning: Beginning, onClosed: () => void): void {
    this.#serve(socket, onClosed, beginning);
  }

  /** Takes no new connections, and ends those that are there in order. Resolves when all are gone. */
  async close(): Promise<void> {
    clearInterval(this.#ticker);
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
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
    this.#serve(acceptedSocket(socket), release);
  }

  #serve(socket: MediaSocket, onClosed: () => void, beginning?: Beginning): void {
    const connection = new ServerConnection({
      socket,
      settings: this.#settings,
      host: this.#host,
      log: this.#log,
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

/** Opens a listener; what fails later is logged. @throws CodedError ADDRESS_IN_USE, INVALID_ADDRESS */
export function listenOn(
  server: Server,
  host: string,
  port: number,
  log: Logger,
): Promise<{ host: string; port: number }> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void => reject(listenError(error, host, port));
    server.once('error', onError);
    server.listen({ host, port, backlog: 511 }, () => {
      server.off('error', onError);
      server.on('error', (error) => log.error('the RTMP listener failed', { reason: error.message }));
      const address = server.address();
      resolve({ host, port: typeof address === 'object' && address !== null ? address.port : port });
    });
  });
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): CodedError {
  if (error.code === 'EADDRINUSE') {
    return new CodedError('ADDRESS_IN_USE', `port ${port} on ${host} is taken by another program`, { cause: error });
  }
  if (error.code === 'EACCES') {
    return new CodedError('INVALID_ADDRESS', `port ${port} needs more rights than this process has`, { cause: error });
  }
  return new CodedError('INVALID_ADDRESS', `cannot listen on ${host}:${port}: ${error.code ?? error.message}`, {
    cause: error,
  });
}
