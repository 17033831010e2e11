import { hostInUrl } from '../address/host.js';
import { parseSourceUrl, type SourceUrl, secretsOfSource } from '../address/source-url.js';
import { SourceError, type TargetError } from '../errors.js';
import type { Logger } from '../log/log.js';
import type { Dialer } from '../net/dialer.js';
import { type ProgramEnd, SupervisedProgram } from '../process/supervised-program.js';
import { FlvTagReader } from '../wire/flv-reader.js';
import { ffmpegArguments, ffmpegInput, isProgramScheme, type ProgramScheme } from './ffmpeg-input.js';
import { cleanLine, endOfFfmpeg, isForSound, isRedirect } from './ffmpeg-messages.js';
import type { HttpProxy } from './http-proxy.js';
import type { PullLife, PullListener } from './life.js';
import { sourceErrorOf } from './source-error.js';

export interface ProgramSettings {
  /** The program, as a path or a name that is looked for in PATH. */
  readonly ffmpeg: string;
  readonly stallTimeoutMs: number;
  readonly maxMessageBytes: number;
}

export interface ProgramPullOptions {
  readonly url: string;
  readonly transport?: 'udp' | undefined;
  readonly settings: ProgramSettings;
  readonly dialer: Dialer;
  readonly proxy: HttpProxy;
  readonly log: Logger;
}

/**
 * Fetches what ffmpeg can read and RTMP can carry: RTSP, SRT, HLS, MPEG-TS. One ffmpeg for one source copies it into FLV and
 * writes that into a pipe; nothing is encoded. The address is looked up and judged here, and ffmpeg is given that address
 * and not the name; what it fetches by HTTP goes through the proxy of this process.
 */
export function pullByProgram(options: ProgramPullOptions, listener: PullListener): PullLife {
  return new ProgramPull(options, listener);
}

class ProgramPull implements PullLife {
  readonly #options: ProgramPullOptions;
  readonly #listener: PullListener;
  readonly #url: SourceUrl;
  readonly #scheme: ProgramScheme;
  readonly #secrets: readonly string[];
  #program: SupervisedProgram | null = null;
  #reader: FlvTagReader;
  #withAudio = true;
  #isOver = false;

  constructor(options: ProgramPullOptions, listener: PullListener) {
    this.#options = options;
    this.#listener = listener;
    this.#url = parseSourceUrl(options.url);
    const { scheme } = this.#url;
    if (!isProgramScheme(scheme)) throw new SourceError('SOURCE_PROTOCOL', `${scheme}:// takes no program`);
    this.#scheme = scheme;
    this.#secrets = secretsOfSource(options.url);
    this.#reader = this.#newReader();
    void this.#start();
  }

  close(): void {
    this.#isOver = true;
    this.#program?.stop();
  }

  get #endpoint(): string {
    return `${hostInUrl(this.#url.host)}:${this.#url.port}`;
  }

  async #start(): Promise<void> {
    try {
      const { dialer, proxy, settings, transport } = this.#options;
      const isHttp = this.#scheme === 'http' || this.#scheme === 'https';
      const [address] = await dialer.resolve(this.#url.host, this.#url.port);
      if (address === undefined) throw new SourceError('SOURCE_DNS', `${this.#endpoint} has no address`);
      const httpProxy = isHttp ? await proxy.url() : undefined;
      if (this.#isOver) return;
      const pinned = isHttp ? {} : { address };
      const input = ffmpegInput(this.#url, { ...pinned, transport, timeoutMs: settings.stallTimeoutMs });
      this.#program = new SupervisedProgram({
        file: settings.ffmpeg,
        args: ffmpegArguments(this.#scheme, this.#withAudio),
        env: {
          PATH: process.env.PATH ?? '',
          LC_ALL: 'C',
          ...(httpProxy === undefined ? {} : { http_proxy: httpProxy, no_proxy: '' }),
        },
        input,
        onOutput: (data) => this.#take(data),
        onLine: (line) => this.#onLine(line),
        onEnd: (end) => this.#ended(end),
      });
    } catch (error) {
      this.#fail(sourceErrorOf(error, this.#endpoint));
    }
  }

  #newReader(): FlvTagReader {
    return new FlvTagReader(
      (type, timestampMs, payload) => {
        if (!this.#isOver) this.#listener.onMedia(type, timestampMs, payload);
      },
      { maxTagBytes: this.#options.settings.maxMessageBytes },
    );
  }

  #take(data: Buffer): void {
    if (this.#isOver) return;
    try {
      this.#reader.feed(data);
    } catch (error) {
      this.#fail(sourceErrorOf(error, this.#endpoint));
    }
  }

  #onLine(line: string): void {
    if (!isRedirect(line) || this.#isOver) return;
    const text = `${this.#endpoint} redirects elsewhere, which is not followed: give the URL that it redirects to`;
    this.#fail(new SourceError('SOURCE_PROTOCOL', text));
  }

  #ended(end: ProgramEnd): void {
    if (this.#isOver) return;
    if (this.#withAudio && isForSound(end.lines)) {
      this.#withAudio = false;
      this.#reader = this.#newReader();
      const reason = end.lines.filter((line) => line.includes('[error]')).at(0) ?? '';
      const said = cleanLine(reason, this.#secrets);
      this.#options.log.warn('the sound of the source cannot be carried by RTMP; it is left out', { reason: said });
      void this.#start();
      return;
    }
    const { ffmpeg: file } = this.#options.settings;
    this.#fail(endOfFfmpeg(end, { endpoint: this.#endpoint, secrets: this.#secrets, file }));
  }

  #fail(error: SourceError | TargetError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#program?.stop();
    this.#listener.onEnded(error);
  }
}
