import { CodedError, messageOf } from '../errors.js';
import type { Header } from '../relay/headers.js';
import { videoHeaderKey } from '../wire/flv.js';
import { videoCodecName } from '../wire/flv-codecs.js';
import { MessageType } from '../wire/message.js';
import { sendPaced } from './pacer.js';
import { type Silence, silenceLike } from './silent-aac.js';
import { type Ingest, type Source, sourcePriorities } from './source.js';
import type { Tag, TagSource } from './tag-source.js';

/** The name that a slate has among the ingests of a camera. */
export const slateIngest = 'slate';

let nextNumber = 1;

export interface SlateOptions {
  /** Opens the clip. @throws (rejects) CodedError FLV_INVALID */
  readonly open: () => Promise<TagSource>;
  /** For how long it is shown at most. */
  readonly durationMs: number;
  /** What was sent before it: the codec of its pictures, and its headers. */
  readonly before: { readonly videoCodec: string | null; readonly headers: readonly Header[] };
  /** Why it is not shown, when it is not. */
  readonly onFailed: (reason: string) => void;
}

/** A clip in place of a camera: its pictures over and over, with silence in the form of the camera's own sound. */
export class Slate implements Source {
  readonly kind = 'slate';
  readonly priority = sourcePriorities.slate;
  readonly id = `slate ${nextNumber++}`;
  readonly remote = slateIngest;
  readonly encoder = '';
  readonly via = '';
  readonly ignoredMessages = 0;
  readonly #options: SlateOptions;
  readonly #ended = new AbortController();
  #ingest: Ingest | null = null;
  #lastMediaMs = performance.now();

  constructor(options: SlateOptions) {
    this.#options = options;
  }

  get lastMediaMs(): number {
    return this.#lastMediaMs;
  }

  /** Writes the clip into its ingest until it is closed or its time is over. Never rejects. Call once. */
  async play(ingest: Ingest): Promise<void> {
    this.#ingest = ingest;
    let why = 'the time of the slate is over';
    try {
      const { open, durationMs, before } = this.#options;
      const clip = await open();
      await checkCodec(clip, before.videoCodec);
      const silence = silenceIn(before.headers);
      const send = soundless(silence, (type, timestampMs, payload) => {
        const nowMs = performance.now();
        if (ingest.write(type, timestampMs, payload, nowMs)) this.#lastMediaMs = nowMs;
      });
      await sendPaced(withoutSound(clip), { loop: true, durationMs, signal: this.#ended.signal, send });
    } catch (error) {
      why = `the slate cannot be shown: ${messageOf(error)}`;
      this.#options.onFailed(why);
    }
    this.#end(why);
  }

  close(reason: CodedError): void {
    this.#end(reason.message);
  }

  #end(reason: string): void {
    const ingest = this.#ingest;
    this.#ingest = null;
    this.#ended.abort();
    ingest?.end(reason);
  }
}

/** Targets that take one codec seldom take another in its place. @throws CodedError FLV_INVALID */
async function checkCodec(clip: TagSource, wanted: string | null): Promise<void> {
  for await (const batch of clip.pass()) {
    for (const { type, payload } of batch) {
      if (type !== MessageType.Video || videoHeaderKey(payload) === null) continue;
      const codec = videoCodecName(payload);
      if (wanted === null || codec === wanted) return;
      throw new CodedError(
        'FLV_INVALID',
        `its video is ${codec ?? 'of an unknown codec'}, and that of the camera ${wanted}`,
      );
    }
  }
  throw new CodedError('FLV_INVALID', 'it has no video with a sequence header');
}

function silenceIn(headers: readonly Header[]): Silence | undefined {
  for (const { type, payload } of headers) {
    const silence = type === MessageType.Audio ? silenceLike(payload) : undefined;
    if (silence !== undefined) return silence;
  }
  return undefined;
}

function withoutSound(clip: TagSource): TagSource {
  return {
    async *pass() {
      for await (const batch of clip.pass()) yield batch.filter(({ type }: Tag) => type !== MessageType.Audio);
    },
  };
}

type Send = (type: number, timestampMs: number, payload: Buffer) => undefined;

/** Sends silence along with what is sent, as far as that has come. */
function soundless(silence: Silence | undefined, send: (...args: Parameters<Send>) => void): Send {
  let soundMs: number | undefined;
  return (type, timestampMs, payload) => {
    send(type, timestampMs, payload);
    if (silence === undefined || type !== MessageType.Video || videoHeaderKey(payload) !== null) return undefined;
    if (soundMs === undefined) {
      send(MessageType.Audio, timestampMs, silence.header);
      soundMs = timestampMs;
    }
    // The clock of the clip passes the end of 32 bits after seven weeks, which no slate is shown for.
    for (; soundMs <= timestampMs; soundMs += silence.frameMs) {
      send(MessageType.Audio, Math.round(soundMs), silence.frame);
    }
    return undefined;
  };
}
