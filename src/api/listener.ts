import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Logger } from '../log/log.js';
import { watchAccepts } from '../process/accept-errors.js';
import type { CertificateProblem } from '../tls/certificate.js';
import { type WatchedCertificate, watchCertificate } from '../tls/watch-certificate.js';
import { ConnectionShares } from './connection-shares.js';
import { IdleConnections } from './idle-connections.js';
import { type SlowReaderLimits, SlowReaders } from './slow-readers.js';

export interface ListenerSettings {
  /** Both or neither; with them HTTPS is spoken, and nothing else. */
  readonly apiTlsCert?: string | undefined;
  readonly apiTlsKey?: string | undefined;
  /** Connections that viewers may take; undefined: none. */
  readonly maxHttpViewers?: number | undefined;
}

/** A client that sends its request more slowly than this is cut off. */
const headersTimeoutMs = 10_000;
const requestTimeoutMs = 15_000;
const tlsHandshakeTimeoutMs = 10_000;
const keepAliveTimeoutMs = 65_000;
/** Of all but viewers. */
const maxConnections = 1000;
/** Reserved for this machine, so that its operator gets in whatever comes from elsewhere; */
const keptForLocal = 100;
/** and so many less again for one address, so that it does not keep out the others. */
const keptForOthers = 400;

/** Makes the servers of the API, with or without TLS. */
export class Listener {
  readonly #certificate: WatchedCertificate | undefined;
  readonly #log: Logger;
  readonly #maxViewers: number;
  readonly #shares: ConnectionShares;
  readonly #idle: IdleConnections;
  /** Ends who does not read. */
  readonly slowReaders: SlowReaders;
  /** Fastify makes several when it listens on `localhost`. */
  readonly #secured: { setSecureContext(options: object): void }[] = [];

  /** @throws ConfigError TLS_CERTIFICATE */
  constructor(settings: ListenerSettings, log: Logger, slowReaders: Partial<SlowReaderLimits> = {}) {
    this.slowReaders = new SlowReaders(log, slowReaders);
    const { apiTlsCert: certFile, apiTlsKey: keyFile } = settings;
    this.#log = log;
    this.#idle = new IdleConnections(log);
    this.#maxViewers = settings.maxHttpViewers ?? 0;
    const fromElsewhere = maxConnections + this.#maxViewers - keptForLocal;
    this.#shares = new ConnectionShares({ fromElsewhere, fromOne: fromElsewhere - keptForOthers });
    if (certFile === undefined || keyFile === undefined) return;
    this.#certificate = watchCertificate({
      ...{ certFile, keyFile, certFlag: '--api-tls-cert', keyFlag: '--api-tls-key', log },
      // Connections that are open keep what they agreed on; new ones get the new certificate.
      onChange: ({ cert, key }) => {
        for (const server of this.#secured) server.setSecureContext({ cert, key, minVersion: 'TLSv1.2' });
      },
    });
  }

  /** What is wrong with the certificate. */
  get problems(): readonly CertificateProblem[] {
    const problem = this.#certificate?.problem ?? null;
    return problem === null ? [] : [problem];
  }

  get isSecure(): boolean {
    return this.#certificate !== undefined;
  }

  /** For Fastify's `serverFactory`. */
  readonly create = (handler: RequestListener): Server => {
    const options = {
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      keepAliveTimeout: keepAliveTimeoutMs,
      connectionsCheckingInterval: 2000,
    };
    const server = this.#certificate === undefined ? createServer(options, handler) : this.#secure(handler, options);
    // All of them are kept, within the 16 KB that a head may have; how many there may be is judged by `checkHead`.
    server.maxHeadersCount = 0;
    // Viewers must not take the operator's connections.
    server.maxConnections = maxConnections + this.#maxViewers;
    // Without it Node would end the process at the first connection that it cannot accept.
    watchAccepts(server, 'the listener of the API', this.#log);
    server.on('connection', this.#shares.admit);
    server.on('connection', this.#idle.admit);
    server.prependListener('request', this.#idle.busy);
    server.on(this.isSecure ? 'secureConnection' : 'connection', this.slowReaders.watch);
    return server;
  };

  /** The media backend watches viewers itself. */
  leave(socket: Socket): void {
    this.slowReaders.leave(socket);
    this.#idle.leave(socket);
  }

  close(): void {
    this.#certificate?.close();
    this.slowReaders.close();
  }

  #secure(handler: RequestListener, options: object): Server {
    const { cert, key } = this.#certificate?.current ?? {};
    const server = createSecureServer(
      { ...options, cert, key, minVersion: 'TLSv1.2', handshakeTimeout: tlsHandshakeTimeoutMs },
      handler,
    );
    server.on('tlsClientError', (error: NodeJS.ErrnoException) => {
      this.#log.debug('a TLS handshake failed', { code: error.code ?? error.message });
    });
    this.#secured.push(server);
    return server;
  }
}
