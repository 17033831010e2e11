import { type AudioFormat, audioFormat, formatOfFrame } from './audio-codecs.js';
import type { Packet } from './flv-packet.js';
import { audioStart, fragment, type Sample, videoStart } from './fragments.js';
import { formatWithoutHeader, needsHeader, type VideoFormat, videoFormat } from './video-codecs.js';

/** The duration of a frame whose successor came at the same time, or none. */
const minDurationMs = 1;

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
  #samples: Sample[] = [];
  #sequence = 0;
  #lastMs = -minDurationMs;
  #durationMs = minDurationMs;
  readonly #ready: Uint8Array[] = [];
  /** Bytes that wait to be taken. */
  waitingBytes = 0;
  #isAtKey = false;

  /** @param sizeOf the size of the picture as far as it is known */
  constructor(kind: 'video' | 'audio', sizeOf: () => PictureSize) {
    this.kind = kind;
    this.#sizeOf = sizeOf;
  }

  /** `video/mp4; codecs="..."`; null before it is known. */
  get mime(): string | null {
    return this.#format === null ? null : `${this.kind}/mp4; codecs="${this.#format.mime}"`;
  }

  /** Takes what came of the track. @param atMs when it is decoded, as `MediaTimes` has it */
  add(packet: Packet, atMs: number): void {
    this.codec = packet.codec;
    if (packet.role === 'end' || packet.data.length === 0 || packet.codec === null) return;
    if (packet.role === 'header') this.#takeHeader(packet.codec, packet.data);
    else this.#takeFrame(packet.codec, packet, atMs);
  }

  #takeHeader(codec: string, data: Uint8Array): void {
    if (this.#header !== null && this.#format !== null && isEqual(this.#header, data)) return;
    this.#header = data;
    this.#begin(this.kind === 'video' ? videoFormat(codec, data) : audioFormat(codec, data));
  }

  #begin(format: VideoFormat | AudioFormat | null): void {
    const held = this.#held;
    // What was held belongs to the configuration before.
    if (held !== null) this.#samples.push({ ...held, durationMs: this.#durationMs });
    this.#held = null;
    this.#close();
    this.#format = format;
    this.#isAtKey = false;
    if (format === null) return;
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
    const held = this.#held;
    const at = Math.max(atMs, this.#lastMs + minDurationMs);
    if (held !== null) {
      this.#durationMs = at - held.atMs;
      this.#samples.push({ ...held, durationMs: this.#durationMs });
    }
    this.#held = { atMs: at, compositionMs, isKey, data };
    this.#lastMs = at;
    this.waitingBytes += data.length;
  }

  /** What is to be appended now, in order; empty when there is nothing. */
  take(): Uint8Array[] {
    this.#close();
    this.waitingBytes = this.#held?.data.length ?? 0;
    return this.#ready.splice(0);
  }

  /** Writes what there is, with its beginning. */
  #close(): void {
    if (this.#start !== null) this.#ready.push(this.#start);
    if (this.#samples.length > 0) this.#ready.push(fragment(++this.#sequence, this.#samples));
    this.#start = null;
    this.#samples = [];
  }
}

function isEqual(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}
