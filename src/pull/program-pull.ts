import { hostInUrl } from '../address/host.js';
import { parseSourceUrl, type SourceUrl, secretsOfSource } from '../address/source-url.js';
import { SourceError, type TargetError } from '../errors.js';
import type { Logger } from '../log/log.js';
import type { Dialer } from '../net/dialer.js';
import { type ProgramEnd, SupervisedProgram } from '../process/supervised-program.js';
import { FlvTagReader } from '../wire/flv-reader.js';
import { ffmpegArguments, ffmpegInput, isProgramScheme, type ProgramScheme } from './ffmpeg-input.js';
import { cleanLine, endOfFfmpeg, isForSound } from './ffmpeg-messages.js';
import type { HttpProxy } from './http-proxy.js';
import type { PullLife, PullListener } from './life.js';
import { type RtspRefusal, RtspRelay } from './rtsp-relay.js';
import { sourceErrorOf } from './source-error.js';

/** How much longer than the watch over its source ffmpeg waits by itself, milliseconds. */
const graceMs = 10_000;

export interface ProgramSettings {
  /** The program, as a path or a name that is looked for in PATH. */
  readonly ffmpeg: string;
  readonly connectTimeoutMs: number;
  readonly stallTimeoutMs: number;
  readonly maxMessageBytes: number;
}

export interface ProgramPullOptions {
  readonly url: string;
  readonly transport?: 'udp' | undefined;
  /** How many tries of this source there were. */
  readonly tryNumber: number;
  readonly settings: ProgramSettings;
  readonly dialer: Dialer;
  readonly proxy: HttpProxy;
  readonly log: Logger;
}

/**
 * Fetches what ffmpeg can read and RTMP can carry: RTSP, SRT, HLS, MPEG-TS. One ffmpeg for one source copies it into FLV and
 * writes that into a pipe; nothing is encoded. Each address is judged here as it is dialled: ffmpeg reaches RTSP by a relay,
 * HTTP by the proxy of this process, and is given the judged address of SRT in place of the name.
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
  /** Of RTSP. */
  #relay: RtspRelay | null = null;
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
    this.#relay?.close();
    this.#program?.stop();
  }

  get #endpoint(): string {
    return `${hostInUrl(this.#url.host)}:${this.#url.port}`;
  }

  async #start(): Promise<void> {
    try {
      const { settings, transport } = this.#options;
      const way = await this.#wayThere();
      if (this.#isOver) {
        this.#relay?.close();
        return;
      }
      const { httpProxy, ...reached } = way;
      // Later than the pull's own watch, which knows whether the source was live and says so; ffmpeg tells both the same way.
      const timeoutMs = settings.connectTimeoutMs + settings.stallTimeoutMs + graceMs;
      const input = ffmpegInput(this.#url, { ...reached, transport, timeoutMs });
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
        onEnd: (end) => this.#ended(end),
      });
    } catch (error) {
      this.#fail(sourceErrorOf(error, this.#endpoint));
    }
  }

  /** By what ffmpeg gets to the source: whatever it is, each address was judged here. */
  async #wayThere(): Promise<{ readonly address?: string; readonly port?: number; readonly httpProxy?: string }> {
    const { dialer, proxy, settings, tryNumber } = this.#options;
    if (this.#scheme === 'http' || this.#scheme === 'https') return { httpProxy: await proxy.url() };
    if (this.#scheme === 'rtsp' || this.#scheme === 'rtsps') {
      this.#relay?.close();
      const relay = await RtspRelay.open(this.#url, dialer, {
        timeoutMs: settings.connectTimeoutMs,
        transport: this.#options.transport,
        onRefused: (why) => this.#refused(why),
      });
      this.#relay = relay;
      return { address: '127.0.0.1', port: await relay.listen() };
    }
    const addresses = await dialer.resolve(this.#url.host, this.#url.port);
    // A name with several: each try takes the next.
    const address = addresses[tryNumber % addresses.length];
    if (address === undefined) throw new SourceError('SOURCE_DNS', `${this.#endpoint} has no address`);
    return { address };
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

  #refused(why: RtspRefusal): void {
    const text =
      why === 'redirect'
        ? `${this.#endpoint} redirects elsewhere, which is not followed: give the URL that it redirects to`
        : `${this.#endpoint} names another address than its own as the source of its datagrams; use the transport tcp`;
    this.#fail(new SourceError('SOURCE_PROTOCOL', text));
  }

  #ended(end: ProgramEnd): void {
    if (this.#isOver) return;
    if (this.#withAudio && isForSound(end.lines)) {
      this.#withAudio = false;
      this.#reader = this.#newReader();
      const reason = end.lines.filter((line) => line.includes('[error]')).at(0) ?? '';
      const said = cleanLine(reason, this.#secrets);
      this.#options.log.warn('RTMP cannot carry the audio of the source; the audio is left out', { reason: said });
      void this.#start();
      return;
    }
    const { ffmpeg: file } = this.#options.settings;
    this.#fail(endOfFfmpeg(end, { endpoint: this.#endpoint, secrets: this.#secrets, file }));
  }

  #fail(error: SourceError | TargetError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#relay?.close();
    this.#program?.stop();
    this.#listener.onEnded(error);
  }
}
