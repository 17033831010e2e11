import { type ClientRequest, request as httpRequest } from 'node:http';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { hostInUrl } from '../address/host.js';
import { SourceError } from '../errors.js';
import type { Dialer } from '../net/dialer.js';
import { setHeardTimeout } from '../process/standstill.js';

/** Where a device is asked. */
export interface DeviceAddress {
  readonly isSecure: boolean;
  readonly host: string;
  readonly port: number;
}

/** What a device answered. */
export interface Exchanged {
  /** Of HTTP. */
  readonly status: number;
  readonly body: Buffer;
  /** The values of `WWW-Authenticate`. */
  readonly challenges: readonly string[];
  readonly contentType: string;
}

/** A question to a device, and its limits. */
export interface ExchangeOptions {
  readonly dialer: Dialer;
  /** For all of it, from the dial to the last byte. */
  readonly timeoutMs: number;
  /** Of the answer's body; more are SOURCE_PROTOCOL. */
  readonly maxBytes: number;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Ends it: SOURCE_CLOSED. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * One question to a device, by the rules of where sources may be: a connection of its own, one deadline for all of it, and no
 * more bytes than are allowed. Redirects are not followed. The certificate is not looked at, since cameras make their own.
 * @throws (rejects) SourceError SOURCE_TIMEOUT, SOURCE_PROTOCOL; TargetError TARGET_FORBIDDEN; errors of sockets
 */
export function exchange(address: DeviceAddress, options: ExchangeOptions): Promise<Exchanged> {
  const { isSecure, host, port } = address;
  const { dialer, timeoutMs, maxBytes, method, path, body = '', signal } = options;
  const endpoint = `${hostInUrl(host)}:${port}`;
  const stopped = (): SourceError => new SourceError('SOURCE_CLOSED', `${endpoint} is not asked: this program stops`);
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) throw stopped();
    const socket = dialer.knock(host, port, timeoutMs);
    // What a socket says to nobody ends the process: somebody listens before anything else may fail.
    let fail: (error: Error) => void = () => {};
    socket.on('error', (error) => fail(error));
    let stream: Duplex = socket;
    let asked: ClientRequest;
    try {
      if (isSecure) stream = connectTls({ socket, ...dialer.tlsOptions(host), rejectUnauthorized: false });
      asked = httpRequest({
        ...{ method, path: escapedPath(path), setHost: false },
        createConnection: () => stream,
        maxHeaderSize: 16 * 1024,
        headers: {
          host: port === (isSecure ? 443 : 80) ? hostInUrl(host) : endpoint,
          'user-agent': 'media-aggregator',
          connection: 'close',
          ...(method === 'POST' ? { 'content-length': String(Buffer.byteLength(body)) } : {}),
          ...options.headers,
        },
      });
    } catch (error) {
      socket.destroy();
      reject(error);
      return;
    }
    const stop = (): void => fail(stopped());
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', stop);
      asked.destroy();
      stream.destroy();
      socket.destroy();
    };
    fail = (error) => {
      end();
      reject(error);
    };
    const timer = setHeardTimeout(
      () => fail(new SourceError('SOURCE_TIMEOUT', `${endpoint} did not answer within ${timeoutMs / 1000} s`)),
      timeoutMs,
    );
    signal?.addEventListener('abort', stop);
    if (stream !== socket) stream.on('error', fail);
    const noHttp = (why: string): void =>
      fail(new SourceError('SOURCE_PROTOCOL', `${endpoint} does not speak HTTP as it should: ${why}`));
    // What its parser says is of what came, and not of the way there.
    asked.on('error', (error) => {
      if ('code' in error && String(error.code).startsWith('HPE_')) noHttp(error.message);
      else fail(error);
    });
    asked.once('upgrade', () => noHttp('it changes to another protocol'));
    asked.once('response', (response) => {
      const parts: Buffer[] = [];
      let bytes = 0;
      response.on('data', (data: Buffer) => {
        bytes += data.length;
        if (bytes > maxBytes) {
          fail(new SourceError('SOURCE_PROTOCOL', `${endpoint} answers with more than ${maxBytes} bytes`));
          return;
        }
        parts.push(data);
      });
      response.on('error', fail);
      response.once('close', () => {
        if (!response.complete) fail(new SourceError('SOURCE_CLOSED', `${endpoint} closed the connection`));
      });
      response.once('end', () => {
        if (!response.complete) return;
        end();
        const challenges: string[] = [];
        for (let at = 0; at + 1 < response.rawHeaders.length; at += 2) {
          if (response.rawHeaders[at]?.toLowerCase() === 'www-authenticate')
            challenges.push(response.rawHeaders[at + 1] ?? '');
        }
        const contentType = response.headers['content-type'] ?? '';
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(parts), challenges, contentType });
      });
    });
    // Node.js writes the head in the encoding of a body that is text; a login in it is bytes.
    asked.end(Buffer.from(body));
  });
}

/** As HTTP takes it, whatever a device named: what is no visible ASCII is escaped. */
function escapedPath(path: string): string {
  const withSlash = path.startsWith('/') ? path : `/${path}`;
  return withSlash.replace(/[^\x21-\x7e]/gu, (sign) => encodeURIComponent(sign));
}
