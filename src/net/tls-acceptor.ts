import type { Socket } from 'node:net';
import { createServer as createTlsServer, type SecureContextOptions, type Server as TlsServer } from 'node:tls';
import type { Logger } from '../log/log.js';
import { setHeardTimeout } from '../process/standstill.js';
import type { MediaSocket } from './media-socket.js';
import { streamSocket } from './node-socket.js';

/** A server's certificate with the chain behind it, and its key: PEM. */
export interface ServerCertificate {
  readonly cert: Buffer;
  readonly key: Buffer;
}

const nodesTimeoutMs = 86_400_000;

interface Handshake {
  readonly socket: Socket;
  readonly onSecure: (secured: MediaSocket) => void;
}

/** The server side of TLS on accepted connections. */
export class TlsAcceptor {
  readonly #tls: TlsServer;
  readonly #log: Logger;
  /** Keyed by the remote end, which two connections cannot share. */
  readonly #handshakes = new Map<string, Handshake>();
  readonly #handshakeTimeoutMs: number;

  constructor(options: {
    certificate: ServerCertificate;
    /** Longest that a TLS handshake may take. */
    handshakeTimeoutMs: number;
    log: Logger;
  }) {
    this.#handshakeTimeoutMs = options.handshakeTimeoutMs;
    this.#log = options.log;
    // The deadline of Node.js would count times in which this process stood still. It is set so that it is never
    // reached.
    this.#tls = createTlsServer({ ...secureOptions(options.certificate), handshakeTimeout: nodesTimeoutMs });
    this.#tls.on('secureConnection', (socket) => {
      const key = farEnd(socket);
      const handshake = this.#handshakes.get(key);
      this.#handshakes.delete(key);
      if (handshake === undefined) socket.destroy();
      else handshake.onSecure(streamSocket(socket));
    });
    this.#tls.on('tlsClientError', (error, socket) => {
      this.#failed(error, socket.remoteAddress);
      socket.destroy();
    });
  }

  /**
   * Does the handshake, and calls one of the two, once: `onSecure` when it is done, which takes over the connection, or
   * `onFailed` if the connection ended before.
   */
  accept(socket: Socket, onSecure: (secured: MediaSocket) => void, onFailed: () => void): void {
    const key = farEnd(socket);
    this.#handshakes.set(key, { socket, onSecure });
    const timer = setHeardTimeout(() => {
      if (this.#handshakes.get(key)?.socket !== socket) return;
      this.#failed(new Error(`no handshake within ${this.#handshakeTimeoutMs / 1000} s`), socket.remoteAddress);
      socket.destroy();
    }, this.#handshakeTimeoutMs);
    timer.unref();
    socket.once('close', () => {
      clearTimeout(timer);
      // Otherwise it is a complete connection, which its owner closes.
      if (this.#handshakes.get(key)?.socket !== socket) return;
      this.#handshakes.delete(key);
      onFailed();
    });
    this.#tls.emit('connection', socket);
  }

  /** Applies to new connections; open ones keep their certificate. */
  setCertificate(certificate: ServerCertificate): void {
    this.#tls.setSecureContext(secureOptions(certificate));
  }

  /** Ends the handshakes in progress. */
  close(): void {
    for (const { socket } of this.#handshakes.values()) socket.destroy();
  }

  /** Port scanners cause many of these; the log sums them up. */
  #failed(error: Error & { readonly code?: string }, address: string | undefined): void {
    const reason = 'reason' in error ? String(error.reason) : (error.code ?? error.message);
    this.#log.info('TLS handshakes failed', { address: address ?? 'unknown', reason });
  }
}

function secureOptions({ cert, key }: ServerCertificate): SecureContextOptions {
  return { cert, key, minVersion: 'TLSv1.2' };
}

function farEnd({ remoteAddress, remotePort }: Pick<Socket, 'remoteAddress' | 'remotePort'>): string {
  return `${remoteAddress} ${remotePort}`;
}
