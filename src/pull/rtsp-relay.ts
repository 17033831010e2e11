import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { plainAddress } from '../address/plain-address.js';
import type { SourceUrl } from '../address/source-url.js';
import { SourceError } from '../errors.js';
import type { Dialer } from '../net/dialer.js';
import { setHeardTimeout } from '../process/standstill.js';

/**
 * A status that ffmpeg may take for a redirect. It takes any word for the version, skips carriage returns wherever they are,
 * and reads numbers by `atoi`, which skips white space and wraps (`ff_rtsp_read_reply`): what is a number, and not plainly the
 * status of something else, is one.
 */
const redirect = /RTSP\/[^ \t]*[ \t]+(?![12456]\d\d(?:[ \t]|$))[\v\f]*[-+]?\d/;
/** Where media comes from, as an answer to SETUP says (RFC 2326, 12.39); ffmpeg sends datagrams there. */
const mediaSource = /source[ \t]*=[ \t]*"?([^;,"\s]*)/gi;
/** How much of a line that has not ended is looked at again with what follows: ffmpeg keeps 4,095 characters of one. */
const lineChars = 8192;
/** What a client asks once it knows all about a stream; ffmpeg follows no redirect behind it. */
const play = /\nPLAY /;
/** So many characters of a read are looked at again with the next. */
const playChars = 8;

/** `redirect`: it sends its client elsewhere. `media-elsewhere`: it says that its datagrams come from another address. */
export type RtspRefusal = 'redirect' | 'media-elsewhere';

export interface RtspRelayOptions {
  readonly timeoutMs: number;
  readonly transport?: 'udp' | undefined;
  /** The relay is closed. */
  readonly onRefused: (why: RtspRefusal) => void;
}

/**
 * The way of one ffmpeg to one RTSP server: it is connected from here, by the rules of where sources may be, and ffmpeg
 * connects to this on the loopback. An answer that would send ffmpeg to another host, past those rules, ends it, and so does one by which its
 * datagrams of UDP would go to another host. TLS is spoken
 * from here, too, without a look at the certificate, since cameras make their own.
 */
export class RtspRelay {
  readonly #far: Duplex;
  readonly #server: Server;
  readonly #onRefused: (why: RtspRefusal) => void;
  readonly #isUdp: boolean;
  #near: Socket | null = null;
  /** The line that has not ended. */
  #fromFar = '';
  #fromNear = '\n';
  #isPlaying = false;

  /** The server's own. */
  readonly #address: string;

  private constructor(far: Duplex, address: string, options: RtspRelayOptions) {
    this.#far = far;
    this.#address = address;
    this.#onRefused = options.onRefused;
    this.#isUdp = options.transport === 'udp';
    this.#server = createServer((socket) => this.#accept(socket));
    far.on('error', () => this.close());
    far.on('close', () => this.#near?.end());
  }

  /**
   * Connects to the server.
   * @throws (rejects) SourceError SOURCE_UNREACHABLE, TargetError TARGET_FORBIDDEN, OPEN_FILES_LIMIT; errors of sockets
   */
  static async open({ scheme, host, port }: SourceUrl, dialer: Dialer, options: RtspRelayOptions): Promise<RtspRelay> {
    const { timeoutMs } = options;
    const socket = dialer.knock(host, port, timeoutMs);
    const isSecure = scheme === 'rtsps';
    const far = isSecure ? connectTls({ socket, ...dialer.tlsOptions(host), rejectUnauthorized: false }) : socket;
    await new Promise<void>((resolve, reject) => {
      const timer = setHeardTimeout(() => {
        socket.destroy();
        reject(new SourceError('SOURCE_UNREACHABLE', `${host}:${port} did not answer within ${timeoutMs / 1000} s`));
      }, timeoutMs);
      const failed = (error: Error): void => {
        clearTimeout(timer);
        socket.destroy();
        reject(error);
      };
      socket.once('error', failed);
      far.once('error', failed);
      far.once(isSecure ? 'secureConnect' : 'connect', () => {
        clearTimeout(timer);
        resolve();
      });
    });
    return new RtspRelay(far, plainAddress(socket.remoteAddress ?? ''), options);
  }

  /** Where ffmpeg connects to, once. @throws (rejects) Error when there is no port */
  listen(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.on('error', reject);
      this.#server.listen(0, '127.0.0.1', 1, () => resolve((this.#server.address() as AddressInfo).port));
    });
  }

  close(): void {
    this.#server.close();
    this.#near?.destroy();
    this.#far.destroy();
  }

  #accept(near: Socket): void {
    if (this.#near !== null) {
      near.destroy();
      return;
    }
    this.#near = near;
    this.#server.close();
    near.on('error', () => this.close());
    near.on('close', () => this.#far.destroy());
    near.on('data', (data: Buffer) => {
      this.#lookAtRequest(data);
      if (!this.#far.write(data)) near.pause();
    });
    this.#far.on('drain', () => near.resume());
    this.#far.on('data', (data: Buffer) => {
      if (this.#redirects(data)) return;
      if (!near.write(data)) this.#far.pause();
    });
    near.on('drain', () => this.#far.resume());
  }

  #lookAtRequest(data: Buffer): void {
    if (this.#isPlaying) return;
    const text = this.#fromNear + data.toString('latin1');
    this.#isPlaying = play.test(text);
    this.#fromNear = text.slice(-playChars);
  }

  #redirects(data: Buffer): boolean {
    if (this.#isPlaying) return false;
    const text = this.#fromFar + data.toString('latin1').replaceAll('\r', '');
    const lines = text.split('\n');
    this.#fromFar = (lines.pop() ?? '').slice(-lineChars);
    // ffmpeg follows one when its last line, an empty one, has come.
    const why = lines.some((line) => redirect.test(line))
      ? 'redirect'
      : this.#isUdp && lines.some((line) => this.#namesOther(line))
        ? 'media-elsewhere'
        : null;
    if (why === null) return false;
    this.close();
    this.#onRefused(why);
    return true;
  }

  #namesOther(line: string): boolean {
    if (!/^\s*transport/i.test(line)) return false;
    for (const [, source = ''] of line.matchAll(mediaSource)) if (plainAddress(source) !== this.#address) return true;
    return false;
  }
}
