import { isAudioFrame } from '../wire/flv.js';
import { MessageType } from '../wire/message.js';
import { unwrapTrack } from '../wire/tracks.js';
import type { Header } from './headers.js';
import { aacHeader } from './silence.js';
import { isAac, isOfTrack, type Sound, type WriteSounded } from './sound.js';
import type { MessageRole, StreamFeed } from './stream-feed.js';

/** Makes AAC of a camera's sound, elsewhere: an encoder is no part of a relay. Nothing of it throws or waits. */
export interface Transcoder {
  /** One message of FLV of one track, unwrapped. Bytes are copied where they are kept. */
  write(timestampMs: number, payload: Buffer): void;
  close(): void;
}

/** @param onFrame takes each frame: a message of FLV of the form of `aacHeader`, with the times that were given */
export type OpenTranscoder = (onFrame: (timestampMs: number, payload: Buffer) => void) => Transcoder;

/** So long pictures and sound wait at most for each other. */
const holdMs = 500;
/** Where nothing of a kind came for so long, it is not waited for. */
const flowMs = 1000;
/** Sound that begins may be behind the pictures for so long. */
const catchUpMs = 2000;
/** What waits at most; more is a burst that nobody waits for. */
const maxHeldBytes = 8 * 1024 * 1024;
const lookMs = 50;

interface Held {
  readonly type: number;
  readonly timestampMs: number;
  readonly payload: Buffer;
  readonly role: MessageRole;
  readonly track: number;
  readonly headers: readonly Header[];
  readonly atMs: number;
}

/**
 * `aac`: sound that is AAC goes on as it is. Any other is transcoded, which takes a moment, and comes of messages that are
 * longer or shorter than a frame of AAC; so pictures and sound wait for each other, and go on in the order of their times.
 * Where the transcoder gives nothing, pictures wait for nothing.
 *
 *   passing --sound of another codec--> transcoding --AAC--> passing
 */
export class TranscodedSound implements Sound {
  readonly #write: WriteSounded;
  readonly #feed: () => Pick<StreamFeed, 'defaultAudio' | 'startsAtVideo' | 'headers'>;
  readonly #open: OpenTranscoder;
  readonly #onLate: () => void;
  #transcoder: Transcoder | null = null;
  /** What is no sound and waits, as it came; and sound that waits. */
  readonly #held: Held[] = [];
  readonly #sound: Held[] = [];
  #heldBytes = 0;
  #timer: NodeJS.Timeout | null = null;
  /** When the last sound came from the transcoder, on the monotonic clock. */
  #soundAtMs = Number.NEGATIVE_INFINITY;
  /** When the last picture came, and its time. */
  #videoAtMs = Number.NEGATIVE_INFINITY;
  #videoMs = 0;
  /** The times of the last picture and of the last transcoded sound in the log. */
  #lastMs = 0;
  #lastSoundMs = 0;
  /** The header of the transcoded sound is in the log. */
  #isAnnounced = false;
  /** Until when sound is left out whose pictures are in the log already, on the monotonic clock; 0: it is not. */
  #catchUpUntilMs = 0;

  /**
   * @param options.feed what feeds the stream now
   * @param options.onLate something was put into the log outside of `take`
   */
  constructor(options: {
    readonly write: WriteSounded;
    readonly feed: () => Pick<StreamFeed, 'defaultAudio' | 'startsAtVideo' | 'headers'>;
    readonly open: OpenTranscoder;
    readonly onLate: () => void;
  }) {
    this.#write = options.write;
    this.#feed = options.feed;
    this.#open = options.open;
    this.#onLate = options.onLate;
  }

  get keptBytes(): number {
    return this.#heldBytes;
  }

  readonly take: WriteSounded = (type, timestampMs, payload, role, nowMs, track, headers) => {
    if (type === MessageType.Audio) {
      this.#takeSound(timestampMs, payload, role, nowMs, headers);
      return;
    }
    if (type === MessageType.Video) {
      this.#videoAtMs = nowMs;
      this.#videoMs = timestampMs;
    }
    if (nowMs - this.#soundAtMs > flowMs) {
      this.#release(nowMs, true);
      this.#put(type, timestampMs, payload, role, nowMs, track, headers);
      return;
    }
    // A copy: the payload is a view of what was read from a socket.
    this.#held.push({ type, timestampMs, payload: Buffer.from(payload), role, track, headers, atMs: nowMs });
    this.#heldBytes += payload.length;
    this.#release(nowMs, this.#heldBytes > maxHeldBytes);
    this.#timer ??= setTimeout(this.#look, lookMs);
  };

  copy(type: number, timestampMs: number, payload: Buffer, nowMs: number): void {
    // What was not transcoded when it came is not any more: it would come far too late.
    if (type === MessageType.Audio) {
      const { defaultAudio, headers } = this.#feed();
      if (!isAac(payload) || !isOfTrack(payload, defaultAudio ?? 0)) return;
      this.#write(type, timestampMs, unwrapTrack(false, payload), 'frame', nowMs, 0, headers);
    } else this.#put(type, timestampMs, payload, type === MessageType.DataAmf0 ? 'data' : 'frame', nowMs, 0, []);
  }

  restart(): void {
    this.settle();
    this.#isAnnounced = false;
  }

  settle(): void {
    this.#release(performance.now(), true);
  }

  close(): void {
    this.settle();
    this.#stop();
  }

  #stop(): void {
    this.#transcoder?.close();
    this.#transcoder = null;
    this.#soundAtMs = Number.NEGATIVE_INFINITY;
    this.#isAnnounced = false;
  }

  #takeSound(timestampMs: number, payload: Buffer, role: MessageRole, nowMs: number, headers: readonly Header[]): void {
    const { defaultAudio } = this.#feed();
    if (!isOfTrack(payload, defaultAudio ?? 0)) return;
    const plain = unwrapTrack(false, payload);
    if (isAac(plain)) {
      if (this.#transcoder !== null) {
        this.#release(nowMs, true);
        this.#stop();
      }
      this.#write(MessageType.Audio, timestampMs, plain, role, nowMs, 0, headers);
    } else if (role === 'header' || isAudioFrame(plain)) {
      this.#transcoder ??= this.#begin(timestampMs, role, headers);
      this.#transcoder.write(timestampMs, plain);
    }
  }

  #begin(timestampMs: number, role: MessageRole, headers: readonly Header[]): Transcoder {
    const transcoder = this.#open((outMs, payload) => {
      if (transcoder === this.#transcoder) this.#takeTranscoded(outMs, payload);
    });
    if (role === 'header') return transcoder;
    const track = this.#feed().defaultAudio ?? 0;
    for (const { type, payload } of headers) {
      if (type === MessageType.Audio && isOfTrack(payload, track)) {
        transcoder.write(timestampMs, unwrapTrack(false, payload));
      }
    }
    return transcoder;
  }

  #takeTranscoded(timestampMs: number, payload: Buffer): void {
    const nowMs = performance.now();
    const { startsAtVideo, headers } = this.#feed();
    // Nothing waited for the first of it. From now on pictures do, and it soon is of their time.
    if (nowMs - this.#soundAtMs > flowMs && startsAtVideo) this.#catchUpUntilMs = nowMs + catchUpMs;
    this.#soundAtMs = nowMs;
    if (nowMs < this.#catchUpUntilMs && ((timestampMs - this.#lastMs) | 0) < 0) return;
    this.#catchUpUntilMs = 0;
    const role = startsAtVideo ? 'frame' : 'start';
    this.#sound.push({ type: MessageType.Audio, timestampMs, payload, role, track: 0, headers, atMs: nowMs });
    this.#heldBytes += payload.length;
    if (!this.#isAnnounced) {
      this.#isAnnounced = true;
      this.#write(MessageType.Audio, timestampMs, aacHeader, 'header', nowMs, 0, headers);
    }
    this.#release(nowMs, this.#heldBytes > maxHeldBytes || !startsAtVideo);
    if (this.#held.length + this.#sound.length > 0) this.#timer ??= setTimeout(this.#look, lookMs);
    this.#onLate();
  }

  readonly #look = (): void => {
    this.#timer = null;
    const before = this.#held.length + this.#sound.length;
    this.#release(performance.now(), false);
    const after = this.#held.length + this.#sound.length;
    if (after > 0) this.#timer = setTimeout(this.#look, lookMs);
    if (after < before) this.#onLate();
  };

  /** Puts into the log what waited, by time, as far as both kinds have come. @param isAll all of it, whatever is missing */
  #release(nowMs: number, isAll: boolean): void {
    let held = 0;
    let sound = 0;
    for (;;) {
      const other = this.#held[held];
      const own = this.#sound[sound];
      if (own !== undefined && (other === undefined || ((own.timestampMs - other.timestampMs) | 0) <= 0)) {
        const isDue = other !== undefined || ((own.timestampMs - this.#videoMs) | 0) <= 0;
        if (!isAll && !isDue && !this.#isLate(own, this.#videoAtMs, nowMs)) break;
        sound++;
        this.#lastSoundMs = own.timestampMs;
        this.#heldBytes -= own.payload.length;
        this.#write(own.type, own.timestampMs, own.payload, own.role, nowMs, 0, own.headers);
      } else if (other !== undefined) {
        const isDue = own !== undefined || ((other.timestampMs - this.#lastSoundMs) | 0) <= 0;
        if (!isAll && !isDue && !this.#isLate(other, this.#soundAtMs, nowMs)) break;
        held++;
        this.#heldBytes -= other.payload.length;
        this.#put(other.type, other.timestampMs, other.payload, other.role, nowMs, other.track, other.headers);
      } else break;
    }
    if (held > 0) this.#held.splice(0, held);
    if (sound > 0) this.#sound.splice(0, sound);
  }

  /** It waited for long enough, or the other kind does not come at all. */
  #isLate({ atMs }: Held, othersAtMs: number, nowMs: number): boolean {
    return nowMs - atMs > holdMs || nowMs - othersAtMs > flowMs;
  }

  #put(
    type: number,
    timestampMs: number,
    payload: Buffer,
    role: MessageRole,
    nowMs: number,
    track: number,
    headers: readonly Header[],
  ): void {
    if (type === MessageType.Video) this.#lastMs = timestampMs;
    this.#write(type, timestampMs, payload, role, nowMs, track, headers);
  }
}
