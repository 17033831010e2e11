import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type SecureContextOptions, type Server as TlsServer } from 'node:tls';
import type { Logger } from '../log.js';
import type { ConnectionLimits } from './connection-limits.js';
import { listenOn } from './listen.js';
import type { MediaSocket } from './media-socket.js';
import { streamSocket } from './node-socket.js';

/** A server's certificate with the chain behind it, and its key: PEM. */
export interface ServerCertificate {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** Handshakes that fail are logged at most this often: port scanners have a lot of them. */
const failureLogEveryMs = 5000;

interface Handshake {
  readonly socket: Socket;
  readonly release: () => void;
}

/**
 * A listener for RTMP inside TLS. Connections are counted before their TLS handshake, which costs more than anything
 * else that a stranger can ask for.
 */
export class TlsListener {
  readonly #listener: Server;
  readonly #tls: TlsServer;
  readonly #log: Logger;
  /** By the far end, which two connections cannot share. */
  readonly #handshakes = new Map<string, Handshake>();
  #failures = 0;
  #lastFailureLogMs = Number.NEGATIVE_INFINITY;

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
    const { handshakeTimeoutMs } = options;
    this.#tls = createTlsServer({ ...secureOptions(options.certificate), handshakeTimeout: handshakeTimeoutMs });
    this.#tls.on('secureConnection', (socket) => {
      const key = farEnd(socket);
      const handshake = this.#handshakes.get(key);
      this.#handshakes.delete(key);
      if (handshake === undefined) socket.destroy();
      else onSocket(streamSocket(socket), handshake.release);
    });
    this.#tls.on('tlsClientError', (error, socket) => {
      this.#failed(error, socket.remoteAddress);
      socket.destroy();
    });
    this.#listener = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 }, (socket) => {
      socket.on('error', () => {});
      const release = limits.admit(socket.remoteAddress);
      if (release === undefined) {
        socket.destroy();
        return;
      }
      const key = farEnd(socket);
      this.#handshakes.set(key, { socket, release });
      socket.once('close', () => {
        // Else it is a connection by now, whose owner lets it go.
        if (this.#handshakes.get(key)?.socket !== socket) return;
        this.#handshakes.delete(key);
        release();
      });
      this.#tls.emit('connection', socket);
    });
  }

  /** Opens it. @throws CodedError ADDRESS_IN_USE, INVALID_ADDRESS */
  listen(host: string, port: number): Promise<{ host: string; port: number }> {
    return listenOn(this.#listener, host, port, this.#log);
  }

  /** For connections from now on; those that are open stay as they are. */
  setCertificate(certificate: ServerCertificate): void {
    this.#tls.setSecureContext(secureOptions(certificate));
  }

  /** Takes no new connections, and ends handshakes that are under way. Resolves when all connections are gone. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#listener.close(() => resolve()));
    for (const { socket } of this.#handshakes.values()) socket.destroy();
    await closed;
  }

  #failed(error: Error & { readonly code?: string }, address: string | undefined): void {
    this.#failures++;
    const nowMs = performance.now();
    if (nowMs - this.#lastFailureLogMs < failureLogEveryMs) return;
    this.#lastFailureLogMs = nowMs;
    const reason = 'reason' in error ? String(error.reason) : (error.code ?? error.message);
    this.#log.info('TLS handshakes failed', { failures: this.#failures, lastAddress: address, reason });
    this.#failures = 0;
  }
}

function secureOptions({ cert, key }: ServerCertificate): SecureContextOptions {
  return { cert, key, minVersion: 'TLSv1.2' };
}

function farEnd({ remoteAddress, remotePort }: Pick<Socket, 'remoteAddress' | 'remotePort'>): string {
  return `${remoteAddress} ${remotePort}`;
}
