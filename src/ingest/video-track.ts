import { RateMeter } from '../relay/rate-meter.js';
import type { PictureSize } from '../wire/avc.js';
import { fourCcOf, videoCodecName } from '../wire/flv-codecs.js';
import { describeVideoHeader, type Hdr, keyFrameSize } from '../wire/video-facts.js';
import { hdrOfColours } from './colours.js';
import { KeyFrameWatch, type WithoutKeyFrames } from './key-frame-watch.js';
import { StillWatch } from './still-watch.js';

/** Video that sends nothing for so long, while other tracks go on, is not waited for by those who join. */
const silentAfterMs = 10_000;

/** An interval above this is no interval: the clock was set. */
const maxIntervalMs = 600_000;

/** One video track of a source: whether it may be passed on, and what is measured of it. */
export class VideoTrack {
  /** 0 to 255. */
  readonly id: number;
  /** It is the default track of its kind. */
  isDefault = false;
  readonly #mode: WithoutKeyFrames;
  #keyFrames: KeyFrameWatch;
  /** What it says, noted here: every frame asks, and it changes seldom. */
  #missesKeyFrames = false;
  #passes = false;
  #leavesAudioAlone = false;
  /** A frame came, passed on or not. */
  #isSeen = false;
  #isSilent = false;
  #lastFrameMs = 0;
  #lastKeyTimestamp = -1;
  /** A key frame came since the source feeds this stream. */
  isBegun = false;
  /** The source said that it ends, and nothing of it was passed on since. */
  isEnded = false;
  /** Its sequence header is known. */
  hasHeader = false;
  /** By its header, or where a codec has none, by its first frame; null: not known. */
  codec: string | null = null;
  /** By which it is sent; null: by a number of FLV. */
  fourCc: string | null = null;
  /** From its header, or its key frames; null: not known. */
  size: PictureSize | null = null;
  profile: string | null = null;
  readonly #still = new StillWatch();
  /** Frames since the last key frame that it was told of, and their bytes. */
  #inters = 0;
  #interBytes = 0;
  #hdr: Hdr | null = null;
  #saidHdr: Hdr | null = null;
  /** Frames that were passed on. */
  #frames = 0;
  /** Frames, as if they were bytes. */
  readonly #rate = new RateMeter();
  /** Milliseconds between the last two key frames, by their timestamps; 0 before the second. */
  keyFrameIntervalMs = 0;

  constructor(id: number, mode: WithoutKeyFrames) {
    this.id = id;
    this.#mode = mode;
    this.#keyFrames = new KeyFrameWatch(mode);
  }

  /** Frames a second, averaged over about 10 s. */
  get framesPerSecond(): number {
    return this.#rate.bitsPerSecond / 8;
  }

  /** Null: its range of brightness is the usual one, or not known. */
  get hdr(): Hdr | null {
    return this.#saidHdr ?? this.#hdr;
  }

  /** Call about once a second. */
  tick(nowMs: number): void {
    this.#rate.look(this.#frames, nowMs);
  }

  /** Its sequence header came. */
  noteHeader(payload: Buffer): void {
    this.hasHeader = true;
    const codec = videoCodecName(payload) ?? this.codec;
    const facts = describeVideoHeader(payload);
    // Of another codec, nothing of what was known counts.
    this.size = facts?.size ?? (codec === this.codec ? this.size : null);
    this.profile = facts?.profile ?? null;
    this.#hdr = facts?.hdr ?? null;
    this.codec = codec;
    this.fourCc = fourCcOf(true, payload);
  }

  /** Its colours were said. */
  noteColours(payload: Buffer): void {
    this.codec ??= videoCodecName(payload);
    this.#saidHdr = hdrOfColours(payload);
  }

  /** A frame is passed on. */
  noteFrame(payload: Buffer, isKeyFrame: boolean, nowMs: number): void {
    this.#frames++;
    if (isKeyFrame) {
      this.#still.noteKey(payload, nowMs, this.#inters === 0 ? 0 : this.#interBytes / this.#inters);
      this.#inters = this.#interBytes = 0;
    } else {
      this.#inters++;
      this.#interBytes += payload.length;
    }
    if (this.codec === null) {
      this.codec = videoCodecName(payload);
      this.fourCc = fourCcOf(true, payload);
    }
    if (isKeyFrame) this.size = keyFrameSize(payload) ?? this.size;
  }

  /** For how long its picture has not changed; 0: it does. @param nowMs a monotonic clock */
  stillForMs(nowMs: number): number {
    return this.#still.stillForMs(nowMs);
  }

  /** True while who joins begins with it. */
  get isShown(): boolean {
    return this.#isSeen && !this.isEnded && !this.#isSilent && !this.#leavesAudioAlone;
  }

  get missesKeyFrames(): boolean {
    return this.#missesKeyFrames;
  }

  /** True if its frames are passed on although no key frame came before them. */
  get passes(): boolean {
    return this.#passes;
  }

  /** A key frame came. */
  noteKeyFrame(timestampMs: number, nowMs: number): void {
    this.#see(nowMs);
    this.isBegun = true;
    this.#keyFrames.noteKeyFrame(nowMs);
    this.#noteWatch();
    // On the circle of 32 bits. A clock that was set says nothing of the interval.
    const interval = this.#lastKeyTimestamp < 0 ? 0 : (timestampMs - this.#lastKeyTimestamp) | 0;
    if (interval > 0 && interval <= maxIntervalMs) this.keyFrameIntervalMs = interval;
    this.#lastKeyTimestamp = timestampMs;
  }

  /**
   * Another frame came.
   * @param isKept whether newcomers can start at its last key frame
   * @param hasSetup whether its codec needs no header, or has got one: else it is of no use to anybody
   * @returns whether it may be passed on: frames before the first key frame are not, unless none comes
   */
  admits(isKept: boolean, hasSetup: boolean, nowMs: number): boolean {
    this.#see(nowMs);
    // Nothing is missed.
    if (this.isBegun && isKept && !this.#missesKeyFrames) return true;
    if (this.#keyFrames.noteInterFrame(nowMs, isKept, this.keyFrameIntervalMs)) this.#noteWatch();
    return this.isBegun || (this.#passes && hasSetup);
  }

  /** The source says that it ends. Should it go on, then with a key frame. */
  end(): void {
    this.isEnded = true;
    this.isBegun = false;
    // One without key frames stays one.
    if (this.#missesKeyFrames) return;
    this.#keyFrames = new KeyFrameWatch(this.#mode);
    this.#noteWatch();
  }

  /** True when from now on it counts as silent. @param othersMs when anything else of the source came last */
  fallsSilent(othersMs: number): boolean {
    if (!this.#isSeen || this.#isSilent || this.isEnded || othersMs - this.#lastFrameMs < silentAfterMs) return false;
    this.#isSilent = true;
    return true;
  }

  #noteWatch(): void {
    const watch = this.#keyFrames;
    this.#missesKeyFrames = watch.isMissing;
    this.#passes = watch.passes;
    this.#leavesAudioAlone = watch.leavesAudioAlone;
  }

  #see(nowMs: number): void {
    this.#isSeen = true;
    this.#isSilent = false;
    this.#lastFrameMs = nowMs;
  }
}
