import { createServer, type Server } from 'node:net';
import type { Logger } from '../log/log.js';
import type { ConnectionLimits } from './connection-limits.js';
import { listenOn } from './listen.js';
import type { MediaSocket } from './media-socket.js';
import { type ServerCertificate, TlsAcceptor } from './tls-acceptor.js';

export type { ServerCertificate } from './tls-acceptor.js';

/**
 * A listener for RTMP inside TLS. Connections are counted before their TLS handshake, which costs more than anything
 * else that a stranger can ask for.
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
    /** A connection whose handshake is done. @param onClosed to be called once, when it is over */
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

  /** For connections from now on; those that are open stay as they are. */
  setCertificate(certificate: ServerCertificate): void {
    this.#acceptor.setCertificate(certificate);
  }

  /** Takes no new connections, and ends handshakes that are under way. Resolves when all connections are gone. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#listener.close(() => resolve()));
    this.#acceptor.close();
    await closed;
  }
}
