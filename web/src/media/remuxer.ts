import { type AudioFormat, audioFormat, formatOfFrame } from './audio-codecs.js';
import type { Packet } from './flv-packet.js';
import { audioStart, fragment, type Sample, videoStart } from './fragments.js';
import { formatWithoutHeader, needsHeader, type VideoFormat, videoFormat } from './video-codecs.js';

/** The duration of a frame whose successor came at the same time, or none. */
const minDurationMs = 1;

/** Frames that go to the browser as they are lie so far from their times at most, milliseconds. */
const maxDriftMs = 100;

/** Frames that are appended as they are. */
export interface BareFrames {
  readonly data: Uint8Array;
  /** Where they begin, milliseconds; null: where those before end. */
  readonly startMs: number | null;
}

export interface PictureSize {
  readonly width: number;
  readonly height: number;
}

/** What one track becomes: fragments of MP4, and before them, and at each change, the beginning of a file. */
export class TrackRemuxer {
  readonly kind: 'video' | 'audio';
  /** As the API names it; null before the first packet. */
  codec: string | null = null;
  /** True once a frame came that could be played. */
  hasFrames = false;
  readonly #sizeOf: () => PictureSize;
  #format: VideoFormat | AudioFormat | null = null;
  #header: Uint8Array | null = null;
  /** The beginning that is to be written before the next samples. */
  #start: Uint8Array | null = null;
  /** Its successor says how long it lasts. */
  #held: Omit<Sample, 'durationMs'> | null = null;
  /** The last of the configuration before: it is shown until the first of the new one, so that there is no gap. */
  #tail: { readonly mime: string; readonly sample: Omit<Sample, 'durationMs'> } | null = null;
  #samples: Sample[] = [];
  #sequence = 0;
  #lastMs = -minDurationMs;
  #durationMs = minDurationMs;
  readonly #ready: { readonly mime: string; readonly part: Uint8Array | BareFrames }[] = [];
  /** What `mime` was of the parts that were taken last. */
  takenMime: string | null = null;
  readonly #takesBare: (mime: string) => boolean;
  /** Where the bare frames so far end, for the browser; null: there are none. */
  #bareEndMs: number | null = null;
  /** Bytes that wait to be taken. */
  waitingBytes = 0;
  #isAtKey = false;

  /**
   * @param sizeOf the size of the picture as far as it is known
   * @param takesBare whether the browser takes frames of this type without MP4 around them
   */
  constructor(kind: 'video' | 'audio', sizeOf: () => PictureSize, takesBare: (mime: string) => boolean = () => false) {
    this.kind = kind;
    this.#takesBare = takesBare;
    this.#sizeOf = sizeOf;
  }

  /** `video/mp4; codecs="..."`, or the type of bare frames; null before it is known. */
  get mime(): string | null {
    const bare = this.#bare;
    if (bare !== null) return bare.mime;
    return this.#format === null ? null : `${this.kind}/mp4; codecs="${this.#format.mime}"`;
  }

  /** Takes what came of the track. @param atMs when it is decoded, as `MediaTimes` has it */
  add(packet: Packet, atMs: number): void {
    // What was known is of another codec; frames that need no header come next.
    if (packet.codec !== this.codec && this.#format !== null && packet.role === 'frame') this.#begin(null);
    this.codec = packet.codec;
    if (packet.role === 'end' || packet.data.length === 0 || packet.codec === null) return;
    if (packet.role === 'header') this.#takeHeader(packet.codec, packet.data);
    else this.#takeFrame(packet.codec, packet, atMs);
  }

  get #bare(): NonNullable<AudioFormat['bare']> | null {
    const format = this.#format;
    if (format === null || !('bare' in format) || format.bare === undefined) return null;
    return this.#takesBare(format.bare.mime) ? format.bare : null;
  }

  #takeHeader(codec: string, data: Uint8Array): void {
    if (this.#header !== null && this.#format !== null && isEqual(this.#header, data)) return;
    this.#header = data;
    this.#begin(this.kind === 'video' ? videoFormat(codec, data) : audioFormat(codec, data));
  }

  #begin(format: VideoFormat | AudioFormat | null): void {
    this.#close();
    const { mime } = this;
    if (this.#held !== null && mime !== null) this.#tail = { mime, sample: this.#held };
    this.#held = null;
    this.#start = null;
    this.#format = format;
    this.#isAtKey = false;
    this.#bareEndMs = null;
    if (format === null || this.#bare !== null) return;
    this.#start = 'box' in format ? videoStart(format, this.#sizeOf()) : audioStart(format);
  }

  #takeFrame(codec: string, { data, isKey, compositionMs }: Packet, atMs: number): void {
    if (this.#format === null && isKey) {
      if (this.kind === 'audio') this.#begin(formatOfFrame(codec, data));
      else if (!needsHeader(codec)) this.#begin(formatWithoutHeader(codec, data));
    }
    if (this.#format === null) return;
    // Behind a new beginning, a decoder wants a key frame.
    this.#isAtKey ||= isKey;
    if (!this.#isAtKey) return;
    this.hasFrames = true;
    this.waitingBytes += data.length;
    this.#endTail(atMs);
    const bare = this.#bare;
    if (bare !== null) {
      // The browser counts the times itself, frame by frame; it is told where they are where it would be wrong.
      const isThere = this.#bareEndMs !== null && Math.abs(this.#bareEndMs - atMs) <= maxDriftMs;
      const startMs = isThere ? null : atMs;
      this.#bareEndMs = (startMs ?? this.#bareEndMs ?? atMs) + bare.frameMs;
      this.#ready.push({ mime: bare.mime, part: { data, startMs } });
      return;
    }
    const held = this.#held;
    const at = Math.max(atMs, this.#lastMs + minDurationMs);
    if (held !== null) {
      this.#durationMs = at - held.atMs;
      this.#samples.push({ ...held, durationMs: this.#durationMs });
    }
    this.#held = { atMs: at, compositionMs, isKey, data };
    this.#lastMs = at;
  }

  #endTail(atMs: number): void {
    const tail = this.#tail;
    if (tail === null) return;
    const durationMs = Math.max(atMs - tail.sample.atMs, minDurationMs);
    this.#ready.push({ mime: tail.mime, part: fragment(++this.#sequence, [{ ...tail.sample, durationMs }]) });
    this.#tail = null;
  }

  /** What is to be appended now, in order, all of one type (`takenMime`); empty when there is nothing. */
  take(): (Uint8Array | BareFrames)[] {
    this.#close();
    const ready = this.#ready;
    const first = ready[0];
    if (first === undefined) return [];
    this.takenMime = first.mime;
    const end = ready.findIndex(({ mime }) => mime !== first.mime);
    const taken = ready.splice(0, end < 0 ? ready.length : end).map(({ part }) => part);
    const bytes = ready.reduce((sum, { part }) => sum + (part instanceof Uint8Array ? part : part.data).length, 0);
    this.waitingBytes = bytes + (this.#held?.data.length ?? 0);
    return first.part instanceof Uint8Array ? taken : joined(taken);
  }

  /** Writes what there is, with its beginning. */
  #close(): void {
    // What comes next stands behind it.
    if (this.#tail !== null) return;
    const { mime } = this;
    if (mime !== null && this.#start !== null) this.#ready.push({ mime, part: this.#start });
    if (mime !== null && this.#samples.length > 0) {
      this.#ready.push({ mime, part: fragment(++this.#sequence, this.#samples) });
    }
    this.#start = null;
    this.#samples = [];
  }
}

/** Bare frames that follow each other go to the browser at once: it takes long for each time. */
function joined(parts: readonly (Uint8Array | BareFrames)[]): BareFrames[] {
  const runs: { startMs: number | null; frames: Uint8Array[] }[] = [];
  for (const part of parts) {
    if (part instanceof Uint8Array) continue;
    const run = runs.at(-1);
    if (run === undefined || part.startMs !== null) runs.push({ startMs: part.startMs, frames: [part.data] });
    else run.frames.push(part.data);
  }
  return runs.map(({ startMs, frames }) => {
    const data = new Uint8Array(frames.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const frame of frames) {
      data.set(frame, at);
      at += frame.length;
    }
    return { data, startMs };
  });
}

function isEqual(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}
