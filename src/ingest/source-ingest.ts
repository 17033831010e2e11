import { readableData } from '../relay/data-message.js';
import { type Header, mayNotRepeat, metadataValues } from '../relay/headers.js';
import { RateMeter } from '../relay/rate-meter.js';
import type { MessageRole, StreamFeed, StreamNeeds } from '../relay/stream-feed.js';
import type { TrackChoice } from '../relay/track-choice.js';
import type { PictureSize } from '../wire/avc.js';
import {
  audioHeaderKey,
  isAudioEnd,
  isAudioFrame,
  isVideoEnd,
  isVideoFrame,
  isVideoKeyFrame,
  trackOf,
  videoHeaderKey,
} from '../wire/flv.js';
import { needsVideoHeader } from '../wire/flv-codecs.js';
import { isReadableAudio, isReadableVideo } from '../wire/flv-validity.js';
import { MessageType } from '../wire/message.js';
import { holdsManyTracks, splitTracks } from '../wire/tracks.js';
import { AudioTrack } from './audio-track.js';
import { ingestFigures } from './ingest-figures.js';
import { IngestMeter } from './ingest-meter.js';
import { describeMetadata, type MetadataFacts, noFacts } from './metadata.js';
import { type Ingest, mainIngest, type Source } from './source.js';
import type { FedStream, IngestListener, MessageKind, SourceIngestOptions } from './source-ingest-options.js';
import { StreamHeaders } from './stream-headers.js';
import { trackFigures } from './track-figures.js';
import { trackNeeds } from './track-needs.js';
import { TrackTable } from './track-table.js';
import { VideoTrack } from './video-track.js';

/**
 * One source as a camera sees it: takes each message, judges it, remembers what a decoder needs, measures, and hands it to
 * the stream while it feeds one. All that is known of a source is here and not in the stream, so that another source can
 * be ready beside the one that feeds it.
 *
 *   feeding <--feed--> standing by (it feeds a `StandbyGop`);  any --release--> released: nothing is taken any more
 */
export class SourceIngest implements Ingest, StreamFeed {
  readonly source: Source;
  /** The name of the camera's ingest that it came in by. */
  readonly name: string;
  readonly via: readonly string[];
  /** Milliseconds since 1970. */
  readonly sinceMs = Date.now();
  /** The same on the monotonic clock. */
  readonly begunMs = performance.now();
  readonly meter = new IngestMeter();
  readonly #listener: IngestListener<SourceIngest>;
  readonly #headers = new StreamHeaders();
  readonly #video: TrackTable<VideoTrack>;
  readonly #audio = new TrackTable((id) => new AudioTrack(id));
  readonly #bytes = new RateMeter();
  /** Frames, as if they were bytes. */
  readonly #frames = new RateMeter();
  readonly #unreadable: Record<MessageKind, number> = { audio: 0, video: 0, data: 0 };
  #stream: FedStream | null = null;
  /** The tracks that came last. */
  #videoTrack: VideoTrack | null = null;
  #audioTrack: AudioTrack | null = null;
  /** Some video track is shown to those who join. */
  #startsAtVideo = false;
  /** Key frames of some video track are missed. */
  #missesKeyFrames = false;
  /** Read of this metadata when somebody asked: publishers send it far more often than anybody looks. */
  #factsOf: Buffer | null = null;
  #facts: MetadataFacts = noFacts;
  #bytesIn = 0;
  /** How often the source was given it and has not ended it: some encoders publish once more on the same connection. */
  #uses = 1;
  #isReleased = false;

  constructor({ source, name = mainIngest, via, withoutKeyFrames, listener }: SourceIngestOptions<SourceIngest>) {
    this.source = source;
    this.name = name;
    this.via = via;
    this.#listener = listener;
    this.#video = new TrackTable((id) => new VideoTrack(id, withoutKeyFrames));
  }

  get headers(): readonly Header[] {
    return this.#headers.current();
  }

  get startsAtVideo(): boolean {
    return this.#startsAtVideo;
  }

  get defaultVideo(): number | null {
    return this.#video.leading?.id ?? null;
  }

  get defaultAudio(): number | null {
    return this.#audio.leading?.id ?? null;
  }

  needsOf(choice: TrackChoice): StreamNeeds {
    return trackNeeds({ tracks: this.#video, choice: choice.video }, { tracks: this.#audio, choice: choice.audio });
  }

  get trackIds(): StreamFeed['trackIds'] {
    return { video: this.#video.all.map(({ id }) => id), audio: this.#audio.all.map(({ id }) => id) };
  }

  get videoCodec(): string | null {
    return this.#video.leading?.codec ?? null;
  }

  get audioCodec(): string | null {
    return this.#audio.leading?.codec ?? null;
  }

  /** Between the last two key frames of the default track, milliseconds; 0 before the second. */
  get keyFrameIntervalMs(): number {
    return this.#video.leading?.keyFrameIntervalMs ?? 0;
  }

  /** For how long the picture of the default track has not changed; 0: it does. @param nowMs a monotonic clock */
  stillForMs(nowMs: number): number {
    return this.#video.leading?.stillForMs(nowMs) ?? 0;
  }

  /** Of the default track, from its header or its key frames; null where they do not tell. */
  get pictureSize(): PictureSize | null {
    return this.#video.leading?.size ?? null;
  }

  get videoTracks(): readonly VideoTrack[] {
    return this.#video.all;
  }

  get audioTracks(): readonly AudioTrack[] {
    return this.#audio.all;
  }

  /** What it says of its stream. */
  get facts(): MetadataFacts {
    const { metadata } = this.#headers;
    if (metadata !== this.#factsOf) {
      this.#factsOf = metadata;
      this.#facts = metadata === null ? noFacts : describeMetadata(metadataValues(metadata));
    }
    return this.#facts;
  }

  /** True when key frames have been missed for too long. */
  get missesKeyFrames(): boolean {
    return this.#missesKeyFrames;
  }

  /** True once its pictures go to what it feeds, or where it has none. */
  get hasBegun(): boolean {
    const { leading } = this.#video;
    return leading === null || leading.isBegun;
  }

  /** Payload bytes of audio, video and data received. */
  get bytesIn(): number {
    return this.#bytesIn;
  }

  /** Averaged over about 10 s. */
  get bitsPerSecond(): number {
    return this.#bytes.bitsPerSecond;
  }

  /** Video frames a second, averaged over about 10 s. */
  get framesPerSecond(): number {
    return this.#frames.bitsPerSecond / 8;
  }

  /** Messages that are not passed on, since targets close for them. */
  get unreadable(): Readonly<Record<MessageKind, number>> {
    return this.#unreadable;
  }

  /** What is measured of it, by the names of `backend/observed.ts`. @param nowMs a monotonic clock */
  figures(nowMs: number) {
    return ingestFigures(this, trackFigures(this.#video, this.#audio), nowMs);
  }

  /**
   * Has it feed a stream.
   * @param isBegun whether key frames of a video track went there already, so that it goes on with its next frame, or with
   *   its next key frame; default: with its next key frame
   */
  feed(stream: FedStream, isBegun: (track: number) => boolean = () => false): void {
    this.#stream = stream;
    for (const track of this.#video.all) track.isBegun = isBegun(track.id);
  }

  /** Has it feed what keeps its GOP, instead of the stream. */
  standBy(kept: FedStream): void {
    this.#stream = kept;
  }

  /** The source is given it once more. */
  use(): void {
    this.#uses++;
  }

  /** Another one feeds the stream, or the source is gone: nothing is taken any more. */
  get isReleased(): boolean {
    return this.#isReleased;
  }

  release(): void {
    this.#isReleased = true;
    this.#stream = null;
  }

  noteTimeReset(): void {
    this.meter.timestampJumps++;
  }

  end(reason: string): void {
    if (--this.#uses === 0) this.#listener.onEnded(this, reason);
  }

  /** Call about once a second. */
  tick(nowMs: number): void {
    this.#bytes.look(this.#bytesIn, nowMs);
    this.#frames.look(this.meter.videoFrames, nowMs);
    for (const track of this.#video.all) {
      track.tick(nowMs);
      if (!track.fallsSilent(this.meter.lastFrameMs)) continue;
      this.#stream?.forgetTrack(track.id, false);
      this.#judgeVideo();
    }
  }

  /**
   * Takes one message. `payload` is copied where it is kept. What a strict reader of the specification would refuse is
   * counted and not passed on: it would have targets close, and be sent again at every reconnect.
   */
  write(type: number, timestampMs: number, payload: Buffer, atMs: number): boolean {
    if (this.#isReleased) return false;
    // Whole, for the fields that keep it (see `IngestMeter`).
    const nowMs = Math.floor(atMs);
    this.#bytesIn += payload.length;
    if (type === MessageType.Video) {
      if (!isReadableVideo(payload)) return this.#leaveOut('video', payload);
      if (holdsManyTracks(true, payload)) return this.#takeMany(type, timestampMs, payload, nowMs);
      return this.#takeVideo(timestampMs, payload, nowMs) || this.#leaveOut('video', payload);
    }
    if (type === MessageType.Audio) {
      if (!isReadableAudio(payload)) return this.#leaveOut('audio', payload);
      if (holdsManyTracks(false, payload)) return this.#takeMany(type, timestampMs, payload, nowMs);
      return this.#takeAudio(timestampMs, payload, nowMs) || this.#leaveOut('audio', payload);
    }
    const data = type === MessageType.DataAmf0 ? readableData(payload) : null;
    if (data === null) return this.#leaveOut('data', payload);
    this.#takeData(timestampMs, data, nowMs);
    return true;
  }

  prefetch(): number {
    const tracks = (this.#audioTrack?.id ?? 0) + (this.#videoTrack?.id ?? 0);
    const { lastFrameMs, lastKeyFrameAtMs } = this.meter;
    return (
      (this.#isReleased ? 1 : 0) + lastFrameMs + lastKeyFrameAtMs + tracks + (this.#stream?.prefetchAppend?.() ?? 0)
    );
  }

  #leaveOut(kind: MessageKind, payload: Buffer): false {
    this.#unreadable[kind]++;
    if (this.#unreadable[kind] === 1) this.#listener.onUnreadable(this, kind, payload.length);
    return false;
  }

  /**
   * A message of several tracks becomes one for each: they have key frames and headers of their own, and each that joins
   * starts at another place.
   */
  #takeMany(type: number, timestampMs: number, payload: Buffer, nowMs: number): boolean {
    const isVideo = type === MessageType.Video;
    const kind = isVideo ? 'video' : 'audio';
    const parts = splitTracks(isVideo, payload);
    if (parts === undefined) return this.#leaveOut(kind, payload);
    for (const part of parts) {
      const isTaken = isVideo ? this.#takeVideo(timestampMs, part, nowMs) : this.#takeAudio(timestampMs, part, nowMs);
      if (!isTaken) this.#leaveOut(kind, part);
    }
    return true;
  }

  /** False for a header that would take the place of a better one. */
  #takeVideo(timestampMs: number, payload: Buffer, nowMs: number): boolean {
    const key = videoHeaderKey(payload);
    const verdict = key === null ? 'none' : this.#headers.remember(MessageType.Video, payload);
    if (verdict === 'broken') return false;
    if (verdict === 'repeated' && mayNotRepeat(MessageType.Video, payload)) return true;
    const id = trackOf(true, payload);
    let track = this.#videoTrack;
    if (track?.id !== id) track = this.#videoTrack = this.#video.of(id);
    if (verdict !== 'none') {
      if (key?.startsWith('video:metadata')) track.noteColours(payload);
      else track.noteHeader(payload);
      this.#stream?.append(MessageType.Video, timestampMs, payload, 'header', nowMs, track.id);
      return true;
    }
    if (!isVideoFrame(payload)) return this.#takeVideoEnd(track, timestampMs, payload, nowMs);
    const isKeyFrame = isVideoKeyFrame(payload);
    if (isKeyFrame) track.noteKeyFrame(timestampMs, nowMs);
    else if (!this.#admitsInterFrame(track, payload, nowMs)) return true;
    if (track.missesKeyFrames !== this.#missesKeyFrames || track.isShown !== this.#startsAtVideo) this.#judgeVideo();
    if (track.isEnded) this.#revive(track, timestampMs, nowMs);
    track.noteFrame(payload, isKeyFrame, nowMs);
    if (track.isDefault) this.meter.note(MessageType.Video, timestampMs, isKeyFrame, nowMs);
    else this.meter.lastFrameMs = nowMs;
    const role: MessageRole = isKeyFrame ? 'key-frame' : track.passes ? 'start' : 'frame';
    this.#stream?.append(MessageType.Video, timestampMs, payload, role, nowMs, track.id);
    return true;
  }

  /** Takes what is neither header nor frame: most often the end of a sequence. It is passed on as it is. */
  #takeVideoEnd(track: VideoTrack, timestampMs: number, payload: Buffer, nowMs: number): boolean {
    this.#stream?.append(MessageType.Video, timestampMs, payload, 'frame', nowMs, track.id);
    if (!isVideoEnd(payload) || track.isEnded) return true;
    track.end();
    if (this.#video.judge()) this.meter.followVideo(nowMs);
    this.#headers.retire(track.id);
    this.#stream?.forgetTrack(track.id, true);
    this.#judgeVideo();
    return true;
  }

  /** A track that ended goes on: who joined meanwhile gets the headers that were not sent anew. */
  #revive(track: VideoTrack, timestampMs: number, nowMs: number): void {
    track.isEnded = false;
    if (this.#video.judge()) this.meter.followVideo(nowMs);
    for (const { payload } of this.#headers.revive(track.id)) {
      this.#stream?.append(MessageType.Video, timestampMs, payload, 'header', nowMs, track.id);
    }
    this.#judgeVideo();
  }

  /** As `#takeVideo`. */
  #takeAudio(timestampMs: number, payload: Buffer, nowMs: number): boolean {
    const isFrame = audioHeaderKey(payload) === null;
    const verdict = isFrame ? 'none' : this.#headers.remember(MessageType.Audio, payload);
    if (verdict === 'broken') return false;
    if (verdict === 'repeated' && mayNotRepeat(MessageType.Audio, payload)) return true;
    const id = trackOf(false, payload);
    let track = this.#audioTrack;
    if (track?.id !== id) track = this.#audioTrack = this.#audio.of(id);
    const isHeader = verdict !== 'none';
    if (isHeader) {
      track.noteHeader(payload);
    } else if (isAudioFrame(payload)) {
      if (track.isEnded) this.#endAudio(track, false, nowMs);
      track.noteFrame(payload);
      if (track.isDefault) this.meter.note(MessageType.Audio, timestampMs, false, nowMs);
      else this.meter.lastFrameMs = nowMs;
    } else if (isAudioEnd(payload)) this.#endAudio(track, true, nowMs);
    // Where there is no video, a decoder can start anywhere.
    const role = isHeader ? 'header' : this.#startsAtVideo ? 'frame' : 'start';
    this.#stream?.append(MessageType.Audio, timestampMs, payload, role, nowMs);
    return true;
  }

  #endAudio(track: AudioTrack, isEnded: boolean, nowMs: number): void {
    track.isEnded = isEnded;
    if (this.#audio.judge()) this.meter.followAudio(nowMs);
  }

  #takeData(timestampMs: number, payload: Buffer, nowMs: number): void {
    const verdict = this.#headers.remember(MessageType.DataAmf0, payload);
    const isMetadata = verdict !== 'none';
    // What is said again needs no second look.
    if (verdict === 'remembered') this.#listener.onMetadata(this, payload);
    this.#stream?.append(MessageType.DataAmf0, timestampMs, payload, isMetadata ? 'header' : 'data', nowMs);
  }

  #admitsInterFrame(track: VideoTrack, payload: Buffer, nowMs: number): boolean {
    const missed = track.missesKeyFrames;
    const isKept = this.#stream?.keeps(track.id) ?? false;
    const isAdmitted = track.admits(isKept, track.hasHeader || !needsVideoHeader(payload), nowMs);
    if (track.missesKeyFrames && !missed) this.#stream?.forgetTrack(track.id, false);
    if (!isAdmitted && track.isShown !== this.#startsAtVideo) this.#judgeVideo();
    if (!isAdmitted && track.missesKeyFrames !== this.#missesKeyFrames) this.#judgeVideo();
    return isAdmitted;
  }

  /** What the video tracks are together. Called when one may have changed. */
  #judgeVideo(): void {
    let misses = false;
    this.#startsAtVideo = false;
    for (const track of this.#video.all) {
      misses ||= track.missesKeyFrames;
      this.#startsAtVideo ||= track.isShown;
    }
    if (misses === this.#missesKeyFrames) return;
    this.#missesKeyFrames = misses;
    this.#listener.onKeyFrames(this, misses);
  }
}
