import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect as connectTls } from 'node:tls';
import { hostInUrl } from '../address/host.js';
import { parseSourceUrl, type SourceUrl } from '../address/source-url.js';
import { SourceError } from '../errors.js';
import type { Dialer } from '../net/dialer.js';
import { setHeardTimeout } from '../process/standstill.js';
import { FlvTagReader } from '../wire/flv-reader.js';
import type { PullLife, PullListener } from './life.js';
import { sourceErrorOf } from './source-error.js';

/** How often an answer may send the puller elsewhere. */
const maxRedirects = 5;
/** What an MPEG transport stream begins each packet with, and how long those are (ISO/IEC 13818-1, 2.4.3.2). */
const transportSync = 0x47;

export interface HttpPullSettings {
  readonly connectTimeoutMs: number;
  readonly maxMessageBytes: number;
}

/** So many of the first bytes say what it is; the header of FLV and the shortest playlist of use are longer. */
const formBytes = 13;
const noBytes = Buffer.alloc(0);

/** What is there is no FLV: a playlist (HLS), or a transport stream. */
export type OtherForm = 'hls' | 'ts';

/**
 * Fetches FLV over HTTP. Redirects are followed, each by the rules of where sources may be.
 * @param onOther there is something else; nothing more comes
 * @throws InputError INVALID_ADDRESS, TargetError TARGET_FORBIDDEN, OPEN_FILES_LIMIT
 */
export function pullHttp(
  text: string,
  { settings, dialer }: { readonly settings: HttpPullSettings; readonly dialer: Dialer },
  listener: PullListener,
  onOther: (form: OtherForm) => void,
): PullLife {
  return new HttpPull(parseSourceUrl(text), settings, dialer, listener, onOther);
}

class HttpPull implements PullLife {
  readonly #settings: HttpPullSettings;
  readonly #dialer: Dialer;
  readonly #listener: PullListener;
  readonly #onOther: (form: OtherForm) => void;
  readonly #timer: NodeJS.Timeout;
  #reader: FlvTagReader | null = null;
  /** What came until it is known what it is. */
  #head = noBytes;
  #redirects = 0;
  #endpoint = '';
  #abort: () => void = () => {};
  #isOver = false;

  constructor(
    url: SourceUrl,
    settings: HttpPullSettings,
    dialer: Dialer,
    listener: PullListener,
    onOther: (form: OtherForm) => void,
  ) {
    this.#settings = settings;
    this.#dialer = dialer;
    this.#listener = listener;
    this.#onOther = onOther;
    this.#timer = setHeardTimeout(() => {
      const text = `${this.#endpoint} did not answer within ${settings.connectTimeoutMs / 1000} s`;
      this.#fail(new SourceError('SOURCE_TIMEOUT', text));
    }, settings.connectTimeoutMs);
    try {
      this.#get(url);
    } catch (error) {
      clearTimeout(this.#timer);
      throw error;
    }
  }

  close(): void {
    this.#end();
  }

  /** @throws TargetError */
  #get(url: SourceUrl): void {
    const { scheme, host, port, path, username, password = '' } = url;
    const isSecure = scheme === 'https';
    this.#endpoint = `${hostInUrl(host)}:${port}`;
    const { connectTimeoutMs } = this.#settings;
    const socket = this.#dialer.knock(host, port, connectTimeoutMs);
    const stream = isSecure ? connectTls({ socket, ...this.#dialer.tlsOptions(host) }) : socket;
    // One that was given up for a redirect says so, too.
    let isLeft = false;
    const onError = (error: unknown): void => {
      if (!isLeft) this.#fail(sourceErrorOf(error, this.#endpoint));
    };
    socket.on('error', onError);
    const isUsual = port === (isSecure ? 443 : 80);
    const request = httpRequest({
      method: 'GET',
      path: pathOf(path),
      setHost: false,
      createConnection: () => stream,
      headers: {
        host: isUsual ? hostInUrl(host) : this.#endpoint,
        'user-agent': 'media-aggregator',
        accept: '*/*',
        ...(username === undefined
          ? {}
          : { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` }),
      },
    });
    this.#abort = () => {
      isLeft = true;
      request.destroy();
      stream.destroy();
      socket.destroy();
    };
    request.on('error', onError);
    request.once('response', (response) => {
      response.on('error', onError);
      if (!isLeft) this.#onResponse(response, url);
    });
    request.end();
  }

  #onResponse(response: IncomingMessage, url: SourceUrl): void {
    const { statusCode = 0, headers } = response;
    if (statusCode >= 300 && statusCode < 400 && headers.location !== undefined) {
      this.#follow(url, headers.location);
      return;
    }
    if (statusCode !== 200) {
      this.#fail(refusalOf(statusCode, this.#endpoint));
      return;
    }
    // What is missing from here on is media, which its owner waits for.
    clearTimeout(this.#timer);
    response.on('data', (data: Buffer) => this.#take(data));
    response.once('close', () => {
      this.#fail(new SourceError('SOURCE_CLOSED', `${this.#endpoint} ended the stream`));
    });
  }

  #follow(from: SourceUrl, location: string): void {
    try {
      if (++this.#redirects > maxRedirects) {
        throw new SourceError('SOURCE_PROTOCOL', `${this.#endpoint} redirects more than ${maxRedirects} times`);
      }
      const base = `${from.scheme}://${hostInUrl(from.host)}:${from.port}${pathOf(from.path)}`;
      const next = URL.canParse(location, base) ? parseSourceUrl(new URL(location, base).href) : undefined;
      if (next === undefined || (next.scheme !== 'http' && next.scheme !== 'https')) {
        throw new SourceError('SOURCE_PROTOCOL', `${this.#endpoint} redirects to something that is not an HTTP URL`);
      }
      // A password is for the host that it was given for.
      const isSame = next.host === from.host && next.port === from.port && next.scheme === from.scheme;
      const user = isSame && from.username !== undefined ? { username: from.username } : {};
      const secret = isSame && from.password !== undefined ? { password: from.password } : {};
      this.#abort();
      this.#timer.refresh();
      this.#get({ ...next, ...user, ...secret });
    } catch (error) {
      this.#fail(sourceErrorOf(error, this.#endpoint));
    }
  }

  #take(read: Buffer): void {
    if (this.#isOver) return;
    let data = read;
    if (this.#reader === null) {
      // A first read may be of any length, and end within the word that tells a playlist.
      data = this.#head = Buffer.concat([this.#head, read]);
      if (data.length < formBytes) return;
      const form = otherForm(data);
      if (form !== undefined) {
        this.#end();
        this.#onOther(form);
        return;
      }
    }
    this.#reader ??= new FlvTagReader(
      (type, timestampMs, payload) => {
        if (!this.#isOver) this.#listener.onMedia(type, timestampMs, payload);
      },
      { maxTagBytes: this.#settings.maxMessageBytes },
      true,
    );
    try {
      this.#reader.feed(data);
    } catch (error) {
      this.#fail(sourceErrorOf(error, this.#endpoint));
    }
  }

  #fail(error: SourceError): void {
    if (this.#isOver) return;
    this.#end();
    this.#listener.onEnded(error);
  }

  #end(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#abort();
  }
}

/** What the first bytes are, where they are no FLV. */
function otherForm(data: Buffer): OtherForm | undefined {
  if (data[0] === transportSync) return 'ts';
  return /^(?:\ufeff)?#EXTM3U/.test(data.toString('utf8', 0, 16)) ? 'hls' : undefined;
}

/** As HTTP takes it: what is not ASCII, and blanks, are escaped. */
function pathOf(path: string): string {
  const withSlash = path.startsWith('/') ? path : `/${path}`;
  return withSlash.replace(/[^\x21-\x7e]/gu, (char) => encodeURIComponent(char));
}

function refusalOf(status: number, endpoint: string): SourceError {
  if (status === 401 || status === 403) {
    const text = `${endpoint} wants another user name or password (HTTP ${status}); only Basic is known here`;
    return new SourceError('SOURCE_AUTH', text);
  }
  if (status === 404 || status === 410) {
    return new SourceError('SOURCE_NOT_FOUND', `${endpoint} has nothing at this path (HTTP ${status})`);
  }
  return new SourceError('SOURCE_PROTOCOL', `${endpoint} answers with HTTP status ${status}`);
}
