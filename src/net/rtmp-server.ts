import { createServer, type Server, type Socket } from 'node:net';
import { CodedError } from '../errors.js';
import type { Logger } from '../log.js';
import { acceptedSocket } from './node-socket.js';
import { ServerConnection } from './server-connection.js';
import { type NetSettings, socketHighWaterBytes } from './settings.js';
import type { StreamHost } from './stream-host.js';

/** Refusals for want of room are logged at most this often. */
const fullLogEveryMs = 5000;

/** The listener for cameras and viewers. */
export class RtmpServer {
  readonly #settings: NetSettings;
  readonly #host: StreamHost;
  readonly #log: Logger;
  readonly #server: Server;
  readonly #connections = new Set<ServerConnection>();
  readonly #perAddress = new Map<string, number>();
  readonly #ticker: NodeJS.Timeout;
  #lastFullLogMs = Number.NEGATIVE_INFINITY;
  #refusedUnlogged = 0;
  readonly #whenEmpty: (() => void)[] = [];

  constructor(options: { settings: NetSettings; host: StreamHost; log: Logger }) {
    this.#settings = options.settings;
    this.#host = options.host;
    this.#log = options.log;
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
    return new Promise((resolve, reject) => {
      const onError = (error: NodeJS.ErrnoException): void => reject(listenError(error, host, port));
      this.#server.once('error', onError);
      this.#server.listen({ host, port, backlog: 511 }, () => {
        this.#server.off('error', onError);
        this.#server.on('error', (error) => this.#log.error('the RTMP listener failed', { reason: error.message }));
        const address = this.#server.address();
        resolve({ host, port: typeof address === 'object' && address !== null ? address.port : port });
      });
    });
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
    const address = socket.remoteAddress;
    const sameAddress = this.#perAddress.get(address ?? '') ?? 0;
    if (
      address === undefined ||
      this.#connections.size >= this.#settings.maxConnections ||
      sameAddress >= this.#settings.maxConnectionsPerAddress
    ) {
      socket.on('error', () => {});
      socket.destroy();
      if (address !== undefined) this.#logFull(address, sameAddress);
      return;
    }
    this.#perAddress.set(address, sameAddress + 1);
    const connection = new ServerConnection({
      socket: acceptedSocket(socket),
      settings: this.#settings,
      host: this.#host,
      log: this.#log,
      onClosed: () => {
        this.#connections.delete(connection);
        const left = (this.#perAddress.get(address) ?? 1) - 1;
        if (left > 0) this.#perAddress.set(address, left);
        else this.#perAddress.delete(address);
        if (this.#connections.size === 0) for (const resolve of this.#whenEmpty.splice(0)) resolve();
      },
    });
    this.#connections.add(connection);
  }

  #logFull(address: string, sameAddress: number): void {
    this.#refusedUnlogged++;
    const nowMs = performance.now();
    if (nowMs - this.#lastFullLogMs < fullLogEveryMs) return;
    this.#lastFullLogMs = nowMs;
    this.#log.warn('RTMP_LIMIT: connections refused', {
      refused: this.#refusedUnlogged,
      lastAddress: address,
      connections: this.#connections.size,
      maxConnections: this.#settings.maxConnections,
      fromThisAddress: sameAddress,
      maxConnectionsPerAddress: this.#settings.maxConnectionsPerAddress,
    });
    this.#refusedUnlogged = 0;
  }

  #tick(): void {
    const nowMs = performance.now();
    for (const connection of this.#connections) connection.tick(nowMs);
  }
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
