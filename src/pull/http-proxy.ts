import { randomBytes } from 'node:crypto';
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls, createSecureContext, type SecureContext, TLSSocket } from 'node:tls';
import { parseSourceUrl } from '../address/source-url.js';
import { SourceError } from '../errors.js';
import type { Dialer } from '../net/dialer.js';
import { setHeardTimeout } from '../process/standstill.js';
import { loopbackCertificate } from './loopback-certificate.js';
import { sourceErrorOf } from './source-error.js';

/** Headers that are about one connection and not about what is asked (RFC 9110, 7.6.1). */
const ofConnection: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** What a program is answered where there is no way to what it asks for; no server of media says these by itself. */
export const proxyStatuses = {
  SOURCE_FORBIDDEN: 451,
  SOURCE_REFUSED: 561,
  SOURCE_UNREACHABLE: 562,
  SOURCE_DNS: 563,
  SOURCE_TLS: 564,
} as const;

function statusOf(error: unknown): number {
  const { code } = sourceErrorOf(error, '');
  return Object.entries(proxyStatuses).find(([name]) => name === code)?.[1] ?? 502;
}

/**
 * An HTTP proxy on the loopback for the programs of this process alone. Playlists name segments and keys by any URL, and
 * answers redirect: whatever a program asks for by HTTP goes through here, and each address is judged as it is dialled.
 * A secret of this life keeps out others on the machine.
 *
 * ffmpeg looks at no certificate of what a playlist names. So TLS ends here, and goes on from here to a server whose
 * certificate is trusted, as that of any target.
 */
export class HttpProxy {
  readonly #dialer: Dialer;
  readonly #connectTimeoutMs: number;
  readonly #secret = randomBytes(16).toString('hex');
  readonly #sockets = new Set<Socket>();
  #context: SecureContext | null = null;
  #server: Server | null = null;
  #listening: Promise<string> | null = null;

  constructor(dialer: Dialer, connectTimeoutMs: number) {
    this.#dialer = dialer;
    this.#connectTimeoutMs = connectTimeoutMs;
  }

  /** What stands in the environment of a program as `http_proxy`. Opens the listener at the first call. */
  url(): Promise<string> {
    this.#listening ??= this.#listen().catch((error: unknown) => {
      this.#listening = null;
      throw error;
    });
    return this.#listening;
  }

  close(): void {
    this.#server?.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #listen(): Promise<string> {
    const server = createServer((request, response) => this.#forward(request, response));
    this.#server = server;
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    server.on('connect', (request, socket, head) => this.#tunnel(request, socket, head));
    server.unref();
    return new Promise((resolve, reject) => {
      // Behind that, one connection could not be taken (no descriptor is left): who made it is told so.
      server.on('error', reject);
      server.listen(0, '127.0.0.1', () => {
        const { port } = server.address() as AddressInfo;
        resolve(`http://pull:${this.#secret}@127.0.0.1:${port}`);
      });
    });
  }

  #ownContext(): SecureContext {
    this.#context ??= createSecureContext(loopbackCertificate());
    return this.#context;
  }

  #isOurs({ headers }: IncomingMessage): boolean {
    const expected = `Basic ${Buffer.from(`pull:${this.#secret}`).toString('base64')}`;
    return headers['proxy-authorization'] === expected;
  }

  #forward(request: IncomingMessage, response: ServerResponse): void {
    response.on('error', () => {});
    if (!this.#isOurs(request)) {
      response.writeHead(407, { 'proxy-authenticate': 'Basic realm="pull"' }).end();
      return;
    }
    try {
      const { host, port, path } = parseSourceUrl(request.url ?? '');
      const socket = this.#dialer.knock(host, port, this.#connectTimeoutMs);
      const headers = Object.entries(request.headers).filter(([name]) => !ofConnection.has(name));
      const asked = httpRequest({
        ...{ method: request.method, path: path === '' ? '/' : path, setHost: false },
        headers: Object.fromEntries(headers),
        createConnection: () => socket,
      });
      asked.on('error', (error) => this.#failed(response, error));
      asked.once('response', (answer) => {
        answer.on('error', () => response.destroy());
        const { statusCode = 0 } = answer;
        // Node.js reads more numbers than it writes.
        if (statusCode < 200) {
          asked.destroy();
          this.#failed(response, new SourceError('SOURCE_PROTOCOL', `HTTP status ${statusCode}`));
          return;
        }
        response.writeHead(statusCode, withoutHops(answer.headers));
        answer.pipe(response);
      });
      response.once('close', () => asked.destroy());
      asked.end();
    } catch (error) {
      this.#failed(response, error);
    }
  }

  #failed(response: ServerResponse, error: unknown): void {
    if (response.headersSent) response.destroy();
    else response.writeHead(statusOf(error)).end();
  }

  #tunnel(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => {});
    const refuse = (status: string): void => {
      socket.end(`HTTP/1.1 ${status}\r\nproxy-authenticate: Basic realm="pull"\r\ncontent-length: 0\r\n\r\n`);
    };
    if (!this.#isOurs(request)) {
      refuse('407 Proxy Authentication Required');
      return;
    }
    try {
      const { host, port } = parseSourceUrl(`https://${request.url ?? ''}`);
      const line = this.#dialer.knock(host, port, this.#connectTimeoutMs);
      const far = connectTls({ socket: line, ...this.#dialer.tlsOptions(host) });
      let near: TLSSocket | null = null;
      const failed = (error: unknown): void => {
        line.destroy();
        if (near === null) refuse(`${statusOf(error)} No Way There`);
        else near.destroy();
      };
      line.once('error', failed);
      far.on('error', failed);
      socket.once('close', () => line.destroy());
      line.once('connect', () => {
        // Its own deadline is over by now.
        const timer = setHeardTimeout(() => failed(silent(host, port)), this.#connectTimeoutMs);
        far.once('close', () => clearTimeout(timer));
        far.once('secureConnect', () => clearTimeout(timer));
      });
      far.once('secureConnect', () => {
        socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
        if (head.length > 0) socket.unshift(head);
        near = new TLSSocket(socket, { isServer: true, secureContext: this.#ownContext() });
        near.on('error', () => line.destroy());
        near.once('close', () => line.destroy());
        far.once('close', () => near?.destroy());
        near.pipe(far).pipe(near);
      });
    } catch (error) {
      refuse(`${statusOf(error)} No Way There`);
    }
  }
}

function silent(host: string, port: number): SourceError {
  return new SourceError('SOURCE_UNREACHABLE', `${host}:${port} does not finish the TLS handshake`);
}

function withoutHops(headers: IncomingMessage['headers']): IncomingMessage['headers'] {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !ofConnection.has(name)));
}
