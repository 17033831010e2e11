import { audioHeaderKey, trackOf } from '../wire/flv.js';
import { audioCodecName } from '../wire/flv-codecs.js';
import { MessageType } from '../wire/message.js';
import { unwrapTrack } from '../wire/tracks.js';
import type { Header } from './headers.js';
import { aacHeader, SilenceClock, silentFrame } from './silence.js';
import type { MessageRole } from './stream-feed.js';
import type { AudioPolicy } from './stream-format.js';

/** Puts a message into the log whose sound it is; `role` as in `LiveStream`. */
export type WriteSounded = (
  type: number,
  timestampMs: number,
  payload: Buffer,
  role: MessageRole,
  nowMs: number,
  track: number,
  headers: readonly Header[],
) => void;

/**
 * What makes the log of a stream with another sound than the camera's. It takes each message of the stream and puts into its
 * log what is to be in it, at once or later, always in the order of the stream.
 */
export interface Sound {
  readonly take: WriteSounded;
  /** As `take`, for what is kept of the stream from before this log was made. */
  copy(type: number, timestampMs: number, payload: Buffer, nowMs: number): void;
  /** Another source feeds the stream from now on. */
  restart(): void;
  /** What waits is put into the log now. */
  settle(): void;
  /** Nobody wants it any more. */
  close(): void;
  /** Bytes that wait. */
  readonly keptBytes: number;
}

const noHeaders: readonly Header[] = [];

/** `none`: sound is left out. */
export class NoSound implements Sound {
  readonly keptBytes = 0;
  readonly #write: WriteSounded;

  constructor(write: WriteSounded) {
    this.#write = write;
  }

  readonly take: WriteSounded = (type, timestampMs, payload, role, nowMs, track, headers) => {
    if (type !== MessageType.Audio) this.#write(type, timestampMs, payload, role, nowMs, track, headers);
  };

  copy(type: number, timestampMs: number, payload: Buffer, nowMs: number): void {
    this.take(type, timestampMs, payload, 'frame', nowMs, 0, noHeaders);
  }

  restart(): void {}
  settle(): void {}
  close(): void {}
}

/** `silence`: the clock is that of the pictures; where there are none, that of the sound which is left out. */
export class SilentSound implements Sound {
  readonly keptBytes = 0;
  readonly #write: WriteSounded;
  readonly #hasVideo: () => boolean;
  readonly #clock = new SilenceClock();
  #isAnnounced = false;

  constructor(write: WriteSounded, hasVideo: () => boolean) {
    this.#write = write;
    this.#hasVideo = hasVideo;
  }

  readonly take: WriteSounded = (type, timestampMs, payload, role, nowMs, track, headers) => {
    const isFrame = role !== 'header' && role !== 'data';
    const isSound = type === MessageType.Audio;
    const hasVideo = this.#hasVideo();
    if (isFrame && isSound !== hasVideo) {
      if (!this.#isAnnounced) {
        this.#isAnnounced = true;
        this.#write(MessageType.Audio, timestampMs, aacHeader, 'header', nowMs, 0, headers);
      }
      const silentRole = hasVideo ? 'frame' : 'start';
      for (let ms = this.#clock.next(timestampMs); ms >= 0; ms = this.#clock.next(timestampMs)) {
        this.#write(MessageType.Audio, ms, silentFrame, silentRole, nowMs, 0, headers);
      }
    }
    if (!isSound) this.#write(type, timestampMs, payload, role, nowMs, track, headers);
  };

  copy(type: number, timestampMs: number, payload: Buffer, nowMs: number): void {
    // Marks are set by who copies. What is a header here has the time of the frame that it stands before.
    const role = type === MessageType.DataAmf0 ? 'data' : 'frame';
    this.take(type, timestampMs, payload, role, nowMs, 0, noHeaders);
  }

  restart(): void {
    this.#isAnnounced = false;
  }

  settle(): void {}
  close(): void {}
}

/** What of a source's headers those get who get this sound. @param audioCodec that of the default track; null: none */
export function headersWithSound(
  policy: AudioPolicy,
  headers: readonly Header[],
  { audioCodec, defaultAudio }: { readonly audioCodec: string | null; readonly defaultAudio: number | null },
): readonly Header[] {
  if (headers.length === 0) return headers;
  const others = headers.filter(({ type }) => type !== MessageType.Audio);
  if (policy === 'none' || (policy === 'aac' && audioCodec === null)) return others;
  if (policy === 'silence' || audioCodec !== 'aac') return [...others, ownHeader];
  return headers.flatMap((header) => {
    if (header.type !== MessageType.Audio) return [header];
    return isOfTrack(header.payload, defaultAudio ?? 0)
      ? [{ ...header, payload: unwrapTrack(false, header.payload) }]
      : [];
  });
}

const ownHeader: Header = { type: MessageType.Audio, payload: aacHeader, isWhole: true };

/** Whether a message of sound is of this track, and says something that those know who know no tracks. */
export function isOfTrack(payload: Buffer, track: number): boolean {
  return trackOf(false, payload) === track && !audioHeaderKey(payload)?.startsWith('audio:channels');
}

/** Whether sound is AAC already. */
export function isAac(payload: Buffer): boolean {
  return audioCodecName(payload) === 'aac';
}
