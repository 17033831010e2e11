import { endpointText } from '../address/plain-address.js';
import { CodedError, type ErrorCode, type SourceError } from '../errors.js';
import type { Logger } from '../log/log.js';
import { newConnectionId } from '../process/connection-ids.js';
import { heardMs } from '../process/standstill.js';
import { RepairedMedia } from '../pull/repaired-media.js';
import { TsProgram } from '../pull/ts-program.js';
import type { Ingest, Publisher, SrtFacts } from '../rtmp/stream-host.js';
import type { SrtSession } from './srt-session.js';

/** Payloads are handed to ffmpeg when so much came, or 10 ms went by. */
const flushBytes = 64 * 1024;

/** A stream that ffmpeg gave up before came to nothing, whatever media it had: its encoder comes again at once. */
const wellAfterMs = 5000;

/** What an encoder's stream goes through, and its limits. */
export interface SrtPublisherSettings {
  /** The program, as a path or a name that is looked for in PATH. */
  readonly ffmpeg: string;
  /** The largest message of FLV that its ffmpeg may make. */
  readonly maxMessageBytes: number;
  /** A publisher that sends nothing of use for so long is disconnected. */
  readonly idleTimeoutMs: number;
}

/** Who it is, and who is told when it is over. */
export interface SrtPublisherOptions {
  readonly address: string;
  readonly port: number;
  /** Of its library: 0x010503 is 1.5.3. */
  readonly version: number;
  readonly camera: string;
  readonly settings: SrtPublisherSettings;
  readonly log: Logger;
  /** It is over, exactly once. @param failure it had come to nothing: ffmpeg had no media of it, or gave it up soon */
  readonly onOver: (failure: SourceError | null) => void;
}

/**
 * An encoder that publishes by SRT: what its connection brings goes through an ffmpeg to its camera. It lives until one of
 * the three ends.
 */
export class SrtPublisher implements Publisher {
  readonly id = newConnectionId();
  readonly remote: string;
  readonly flashVer: string;
  readonly via = '';
  readonly ignoredMessages = 0;
  lastMediaMs = performance.now();
  readonly #options: SrtPublisherOptions;
  readonly #log: Logger;
  readonly #begunMs = performance.now();
  readonly #media: RepairedMedia;
  #session: SrtSession | null = null;
  #ingest: Ingest | null = null;
  #program: TsProgram | null = null;
  #payloads: Buffer[] = [];
  #bytes = 0;
  #bytesIn = 0;
  #hasMedia = false;
  #isOver = false;

  constructor(options: SrtPublisherOptions) {
    this.#options = options;
    const { address, port, version, log, camera } = options;
    this.remote = endpointText(address, port);
    this.flashVer = `SRT ${version >>> 16}.${(version >>> 8) & 0xff}.${version & 0xff}`;
    this.#log = log.child({ camera, remote: this.remote });
    this.#media = new RepairedMedia(() => {
      this.#log.info('the picture of the encoder changed; its new header is sent');
    });
  }

  get srt(): SrtFacts | null {
    return this.#session?.figures ?? null;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** It was let in: what comes by the session goes to the camera. */
  begin(session: SrtSession, ingest: Ingest): void {
    this.#session = session;
    this.#ingest = ingest;
    const { settings } = this.#options;
    this.#log.info('an encoder publishes by SRT', { encoder: this.flashVer, ...session.figures });
    this.#program = new TsProgram({
      endpoint: this.remote,
      ...{ ffmpeg: settings.ffmpeg, maxMessageBytes: settings.maxMessageBytes },
      onSoundLeftOut: (reason) =>
        this.#log.warn('RTMP cannot carry the audio of the encoder; the audio is left out', { reason }),
      listener: {
        onMedia: (type, timestampMs, payload) => this.#takeMedia(type, timestampMs, payload),
        onEnded: (error) => this.#finish(error, this.#wentWell ? null : error),
      },
    });
  }

  /** What the session brought, in its order. */
  takePayload(payload: Buffer): void {
    this.#payloads.push(payload);
    this.#bytes += payload.length;
    if (this.#bytes >= flushBytes) this.flush();
  }

  /** Every 10 ms. */
  flush(): void {
    if (this.#bytes === 0) return;
    const data = this.#payloads.length === 1 && this.#payloads[0] ? this.#payloads[0] : Buffer.concat(this.#payloads);
    this.#payloads = [];
    this.#bytesIn += this.#bytes;
    this.#bytes = 0;
    this.#program?.feed(data);
  }

  /** Call about once a second: ends what says nothing of use. */
  tick(nowMs: number): void {
    const { idleTimeoutMs } = this.#options.settings;
    if (this.#isOver || heardMs(this.lastMediaMs, nowMs) <= idleTimeoutMs) return;
    this.close(new CodedError('RTMP_TIMEOUT', `the publisher sent nothing of use for ${idleTimeoutMs / 1000} s`));
  }

  close(reason: CodedError): void {
    this.#finish(reason, null);
  }

  /** The encoder ended it, or is gone. @param reason in words */
  ended(reason: string): void {
    this.#finish({ message: reason }, null);
  }

  #takeMedia(type: number, timestampMs: number, payload: Buffer): void {
    const ingest = this.#ingest;
    if (ingest === null) return;
    this.#hasMedia = true;
    const nowMs = performance.now();
    if (this.#media.write(ingest, type, timestampMs, payload, nowMs)) this.lastMediaMs = nowMs;
  }

  get #wentWell(): boolean {
    return this.#hasMedia && performance.now() - this.#begunMs > wellAfterMs;
  }

  #finish(reason: { readonly code?: ErrorCode; readonly message: string }, failure: SourceError | null): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { session, ingest, program } = this.#parts;
    this.#ingest = null;
    session?.shutDown();
    program?.close();
    ingest?.end(reason.message);
    const seconds = Math.round((performance.now() - this.#begunMs) / 100) / 10;
    const { code, message } = reason;
    const level = failure === null ? 'info' : 'warn';
    const why = code === undefined ? message : `${code}: ${message}`;
    this.#log[level]('the SRT connection is over', {
      reason: why,
      seconds,
      bytesIn: this.#bytesIn,
      ...session?.figures,
    });
    this.#options.onOver(failure);
  }

  get #parts() {
    return { session: this.#session, ingest: this.#ingest, program: this.#program };
  }
}
