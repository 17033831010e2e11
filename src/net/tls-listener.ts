import { createServer, type Server } from 'node:net';
import type { Logger } from '../log/log.js';
import type { ConnectionLimits } from './connection-limits.js';
import { listenOn } from './listen.js';
import type { MediaSocket } from './media-socket.js';
import { type ServerCertificate, TlsAcceptor } from './tls-acceptor.js';

export type { ServerCertificate } from './tls-acceptor.js';

/**
 * A listener for RTMP over TLS. Connections are counted before their TLS handshake, because that is the most expensive
 * thing that an unknown peer can cause.
 */
export class TlsListener {
  readonly #listener: Server;
  readonly #acceptor: TlsAcceptor;
  readonly #log: Logger;

  constructor(options: {
    certificate: ServerCertificate;
    /** Longest that a TLS handshake may take. */
    handshakeTimeoutMs: number;
    limits: ConnectionLimits;
    log: Logger;
    /** A connection whose handshake is done. @param onClosed call it once the connection is closed */
    onSocket: (socket: MediaSocket, onClosed: () => void) => void;
  }) {
    const { limits, log, onSocket } = options;
    this.#log = log;
    this.#acceptor = new TlsAcceptor(options);
    this.#listener = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 }, (socket) => {
      socket.on('error', () => {});
      const release = limits.admit(socket.remoteAddress);
      if (release === undefined) socket.destroy();
      else this.#acceptor.accept(socket, (secured) => onSocket(secured, release), release);
    });
  }

  /** Opens it. @throws CodedError ADDRESS_IN_USE, INVALID_ADDRESS */
  listen(host: string, port: number): Promise<{ host: string; port: number }> {
    return listenOn(this.#listener, host, port, this.#log);
  }

  /** Applies to new connections; open ones keep their certificate. */
  setCertificate(certificate: ServerCertificate): void {
    this.#acceptor.setCertificate(certificate);
  }

  /** Accepts no new connections, and ends the handshakes in progress. Resolves when all connections are gone. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#listener.close(() => resolve()));
    this.#acceptor.close();
    await closed;
  }
}
