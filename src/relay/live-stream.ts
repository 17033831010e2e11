import { maxMessageLength } from '../wire/chunk-limits.js';
import { MessageType } from '../wire/message.js';
import { changedHeaders } from './changed-headers.js';
import { isClearing } from './data-message.js';
import type { FlushScheduler } from './flush-scheduler.js';
import { Flushable } from './flushable.js';
import type { FormatLog } from './format-log.js';
import { FormatLogs, type FormatLogsOwner } from './format-logs.js';
import { farewells } from './gone-tracks.js';
import { chooseHeaders, dataPayload, encodeHeaders, type Header } from './headers.js';
import { type KeyFrame, readKeyFrame } from './key-frame.js';
import { audioTrack, type MediaLog } from './media-log.js';
import { metadataWithSound } from './metadata-sound.js';
import type { Outlet } from './outlet.js';
import { presentationEndMs } from './presentation-end.js';
import { RidePlan } from './ride-plan.js';
import { SlabPool } from './slab-pool.js';
import { headersWithSound, NoSound, SilentSound, type Sound, type WriteSounded } from './sound.js';
import type { StandbyGop } from './standby-gop.js';
import { type MessageRole, noFeed, type StreamFeed, type StreamNeeds } from './stream-feed.js';
import type { StreamFormat } from './stream-format.js';
import { Timeline } from './timeline.js';
import type { ChosenTracks, TrackChoice } from './track-choice.js';
import { type OpenTranscoder, TranscodedSound } from './transcoded-sound.js';
import { withVia } from './via.js';

/**
 * GOPs that go out at once, at switches between sources that fail, may bring the stream so far ahead of the clock. Beyond, a
 * switch waits for a key frame, which nobody misses who has that much in store.
 */
const maxAheadMs = 60_000;

/** A source sends its headers, and the first frames of all its tracks, within this time. */
const tracksBeginWithinMs = 3000;

/** Newcomers start at most so long ago, where they start at no key frame. */
const markEveryMs = 2000;

/** What so many outlets need is fetched before the first of them writes. */
const nearOutlets = 4;

const noTranscoder: OpenTranscoder = () => ({ write() {}, close() {} });

export interface LiveStreamOptions {
  /** The format of most outlets. Its log always exists, since it holds the GOP. */
  readonly format: StreamFormat;
  /** Maximum bytes of the current GOP that are kept for newcomers. */
  readonly gopMaxBytes: number;
  readonly scheduler: FlushScheduler;
  /** Makes AAC of sound for who gets it so; undefined: nobody can, and those get none. */
  readonly openTranscoder?: OpenTranscoder;
  /** Whether this many more bytes may be kept; called before a GOP is copied. Undefined: always. */
  readonly mayKeep?: (bytes: number) => boolean;
  /** Shared by streams; undefined: one of its own. */
  readonly pool?: SlabPool;
}

/**
 * A camera's stream for all who want it, whatever feeds it: keeps the current GOP, encodes every message once for each
 * format in use, and lets the outlets read. Nothing is ever decoded or altered; only timestamps are moved, as a whole,
 * when another source begins. What is remembered of a source, and judged of its messages, is the source's (`StreamFeed`).
 */
export class LiveStream extends Flushable implements FormatLogsOwner {
  readonly #options: LiveStreamOptions;
  readonly #scheduler: FlushScheduler;
  #feed: StreamFeed = noFeed;
  readonly #logs: FormatLogs;
  /** That of the primary one. */
  readonly #log: MediaLog;
  readonly #timeline = new Timeline();
  /** The headers of the source before, until it is told what of them does not count any more. */
  #before: readonly Header[] | null = null;
  /** When the first frame of the source came; NaN before that. */
  #followedAtMs = Number.NaN;
  readonly #ridePlan = new RidePlan();
  /** Of what was prefetched: it says nothing. */
  #seen = 0;
  /** Video tracks whose frames are in the logs. Made anew at each change. */
  #tracks: readonly number[] = [];
  /** The last key frame before the encoder ended its video. */
  #ended: (KeyFrame & { readonly atMs: number }) | null = null;

  constructor(options: LiveStreamOptions, nowMs: number) {
    super();
    this.#options = options;
    this.#scheduler = options.scheduler;
    const { format, gopMaxBytes, mayKeep, pool = new SlabPool() } = options;
    this.#logs = new FormatLogs({ owner: this, format, gopMaxBytes, mayKeep, pool }, nowMs);
    this.#log = this.#logs.primary.log;
  }

  /** True if newcomers begin with video; false if only audio is forwarded. */
  get startsAtVideo(): boolean {
    return this.#feed.startsAtVideo;
  }

  get tracks(): readonly number[] {
    return this.#tracks;
  }

  get defaultVideo(): number | null {
    return this.#feed.defaultVideo;
  }

  get defaultAudio(): number | null {
    return this.#feed.defaultAudio;
  }

  get videoCodec(): string | null {
    return this.#feed.videoCodec;
  }

  get audioCodec(): string | null {
    return this.#feed.audioCodec;
  }

  /** What it has, by now, that not everybody takes. */
  needsOf(choice: TrackChoice): StreamNeeds {
    return this.#feed.needsOf(choice);
  }

  /** The ids of its tracks, as far as they are known. */
  get trackIds(): StreamFeed['trackIds'] {
    return this.#feed.trackIds;
  }

  /** The aggregators that it came through, this one included; what targets are told. */
  get via(): readonly string[] {
    return this.#feed.via;
  }

  /** True while those who join can start at a frame of this video track that is kept. */
  keeps(track: number): boolean {
    return this.#log.markOf(track) !== null;
  }

  /**
   * From now on this source feeds the stream. Where another one did, outlets go on, with timestamps that keep going up,
   * and with new headers and a key frame before anything else of its video.
   */
  follow(feed: StreamFeed): void {
    this.#before = this.#feed.headers.length === 0 ? null : this.#feed.headers;
    this.#followedAtMs = Number.NaN;
    this.#feed = feed;
    this.#timeline.restart();
    this.#tracks = [];
    this.#logs.restart(performance.now());
  }

  /** Looks at what `append` will need, so that the processor fetches it; the number says nothing. */
  prefetchAppend(): number {
    return this.rideNumber + this.#timeline.prefetch() + this.#ridePlan.prefetch() + this.#log.prefetch();
  }

  /**
   * Takes one message of the source that feeds the stream, which has judged it; it is of one track. `payload` is copied.
   * @param nowMs a monotonic clock, milliseconds
   * @param track of video, 0 to 255; says nothing for other messages
   */
  append(type: number, timestampMs: number, payload: Buffer, role: MessageRole, nowMs: number, track = 0): void {
    const isFrame = role !== 'header' && role !== 'data';
    if (isFrame && this.#before !== null) this.#sayFarewell(this.#before, nowMs);
    this.#put(type, this.#timeline.map(timestampMs, isFrame, nowMs), payload, role, nowMs, track);
    const scheduler = this.#scheduler;
    if (type === MessageType.Audio && role === 'frame') {
      const sinceMs = this.rideNumber === 0 ? nowMs : this.rideSinceMs;
      if (this.#ridePlan.noteAudio(nowMs, sinceMs, scheduler.rideMs)) scheduler.ride(this, nowMs);
      else scheduler.scheduleSoon(this, nowMs);
      return;
    }
    if (type === MessageType.Video && isFrame) this.#ridePlan.noteFrame(nowMs);
    scheduler.schedule(this, nowMs);
  }

  /**
   * As `follow`, for a source that stood by: what is kept of it goes out at once, behind those of its headers that outlets
   * do not have. So the picture goes on without waiting for a key frame. Where nothing is kept it goes on with the next one.
   * @returns whether what is kept went out
   */
  switchTo(feed: StreamFeed, kept: StandbyGop, nowMs: number): boolean {
    const { oldest, newestMs, newestAtMs, stepMs, compositionMs } = kept;
    const before = this.#feed;
    const shownMs = presentationEndMs(this.#log);
    this.follow(feed);
    const isAhead = this.#timeline.aheadMs > maxAheadMs;
    const headers = isAhead ? feed.headers : (oldest?.headers ?? feed.headers);
    for (const { type, payload } of changedHeaders(before, feed, headers)) {
      this.#put(type, this.#timeline.lastMs, payload, 'header', nowMs);
    }
    this.#options.scheduler.schedule(this, nowMs);
    // Pictures of the other one may be shown later than the last is decoded; the key frame is shown behind them.
    const behindMs = shownMs === null ? 0 : Math.max(0, (shownMs - this.#timeline.lastMs) | 0);
    if (oldest === null || isAhead) {
      this.#timeline.restart(stepMs + behindMs);
      return false;
    }
    const laterMs = Math.max(0, behindMs - compositionMs);
    this.#timeline.goOnFrom({ keyMs: oldest.timestampMs, newestMs, newestAtMs, minStepMs: stepMs + laterMs });
    kept.replay((type, timestampMs, payload, role, track, headers) => {
      const isFrame = role !== 'header' && role !== 'data';
      const out = isFrame ? this.#timeline.mapKept(timestampMs, newestAtMs) : this.#timeline.lastMs;
      if (out !== null) this.#put(type, out, payload, role, nowMs, track, headers);
    });
    return true;
  }

  /** Once the new source has had time to begin its tracks, targets hear of those that are gone. */
  #sayFarewell(before: readonly Header[], nowMs: number): void {
    if (Number.isNaN(this.#followedAtMs)) this.#followedAtMs = nowMs;
    if (nowMs - this.#followedAtMs < tracksBeginWithinMs) return;
    this.#before = null;
    for (const { type, payload, track } of farewells(before, this.#feed, this.#tracks)) {
      this.#put(type, this.#timeline.lastMs, payload, 'data', nowMs, track);
    }
  }

  /** @param out its time in the stream @param headers what a decoder needs before it, where it is a key frame */
  #put(
    type: number,
    out: number,
    payload: Buffer,
    role: MessageRole,
    nowMs: number,
    track = 0,
    headers: readonly Header[] = this.#feed.headers,
  ): void {
    if (role === 'key-frame') this.#logs.dropEmpty();
    if (role === 'key-frame' || (role === 'start' && type === MessageType.Video)) this.#noteTrack(track);
    // The sound of the primary one is the camera's, and it is a copy of none.
    this.#putInto(this.#log, type, out, payload, role, nowMs, track, headers);
    for (const { log, copy, sound } of this.#logs.others) {
      if (copy !== null) continue; // which will come to it
      if (sound === null) this.#putInto(log, type, out, payload, role, nowMs, track, headers);
      else sound.take(type, out, payload, role, nowMs, track, headers);
    }
  }

  #putInto(
    log: MediaLog,
    type: number,
    out: number,
    payload: Buffer,
    role: MessageRole,
    nowMs: number,
    track: number,
    headers: readonly Header[],
  ): void {
    if (role === 'key-frame') log.setMark(track, headers, out, nowMs);
    else if (role === 'start')
      this.#markWithoutKeyFrame(log, type === MessageType.Video ? track : audioTrack, out, nowMs);
    if (type === MessageType.DataAmf0 && isClearing(payload) && !log.format.publishing) return;
    const data = type === MessageType.DataAmf0 ? this.dataFor(log.format, payload) : payload;
    log.append(type, out, data, nowMs);
    if (role === 'header') log.noteHeader();
    this.#logs.trim(log);
  }

  /** As `FormatLogOwner`. */
  soundFor({ log }: FormatLog): Sound | null {
    const { audio } = log.format;
    if (audio === undefined) return null;
    const write: WriteSounded = (type, timestampMs, payload, role, nowMs, track, headers) =>
      this.#putInto(log, type, timestampMs, payload, role, nowMs, track, headers);
    if (audio === 'none') return new NoSound(write);
    if (audio === 'silence') return new SilentSound(write, () => this.#feed.startsAtVideo);
    const { openTranscoder: open = noTranscoder, scheduler } = this.#options;
    const onLate = (): void => scheduler.schedule(this, performance.now());
    return new TranscodedSound({ write, feed: () => this.#feed, open, onLate });
  }

  /** What waits for its sound goes out without. @param isOver the stream ends */
  settle(isOver: boolean): void {
    this.#logs.settle(isOver);
    this.#options.scheduler.schedule(this, performance.now());
  }

  /** Whoever joins waits for what comes next to start at. */
  forgetGop(): void {
    for (const { log } of this.#logs.all) log.clearMark();
  }

  /**
   * Whoever joins waits for the next key frame of this video track.
   * @param isOver it ended, so that there is nothing to wait for
   */
  forgetTrack(track: number, isOver: boolean): void {
    const atMs = this.keyFrameAtMs;
    const last = isOver && track === 0 ? this.keyFrame() : null;
    if (last !== null && atMs !== null) this.#ended = { ...last, atMs };
    for (const { log } of this.#logs.all) {
      log.clearTrack(track);
      log.clearTrack(audioTrack);
    }
    if (isOver && this.#tracks.includes(track)) this.#tracks = this.#tracks.filter((other) => other !== track);
  }

  /** Lets an outlet follow from the current GOP on, or from the next key frame where there is none. */
  attach(outlet: Outlet, nowMs: number): void {
    this.#logs.attach(outlet, nowMs);
  }

  detach(outlet: Outlet): void {
    this.#logs.detach(outlet);
  }

  /** When the newest key frame came, on the monotonic clock; null when there is none, or it is not kept. */
  get keyFrameAtMs(): number | null {
    const { mark } = this.#log;
    return mark?.isKeyFrame ? mark.atMs : null;
  }

  /** A copy of the newest key frame; null as `keyFrameAtMs`, and where no header says how to decode it. */
  keyFrame(): KeyFrame | null {
    return this.keyFrameAtMs === null ? null : readKeyFrame(this.#log);
  }

  /** The newest key frame, or that of a video that was ended by its encoder: for the last picture of a camera. */
  lastKeyFrame(): (KeyFrame & { readonly atMs: number }) | null {
    const atMs = this.keyFrameAtMs;
    const keyFrame = this.keyFrame();
    return keyFrame === null || atMs === null ? this.#ended : { ...keyFrame, atMs };
  }

  /** Bytes that are kept for newcomers and for outlets that are behind. */
  get keptBytes(): number {
    return this.#logs.keptBytes;
  }

  /**
   * Frees memory, because all streams together use too much: first the queues of slow outlets, and if none is slow, the
   * GOP. Newcomers then wait for the next key frame.
   */
  shed(): void {
    let shed = false;
    this.#logs.dropEmpty(0);
    // What only waits to be written together is not behind: else who keeps up would lose its picture up to the next key frame.
    this.flush(performance.now());
    for (const { outlets } of this.#logs.all) for (const outlet of outlets) shed = outlet.shed() || shed;
    if (!shed) this.forgetGop();
  }

  override prefetch(): number {
    const { outlets } = this.#logs.primary;
    let seen = this.#log.prefetch();
    for (let i = 0; i < outlets.length && i < nearOutlets; i++) seen += outlets[i]!.prefetch();
    return seen;
  }

  /** Writes what is new to all outlets. */
  override flush(nowMs: number): void {
    this.#flushLog(this.#logs.primary, nowMs);
    for (const entry of this.#logs.others) this.#flushLog(entry, nowMs);
  }

  #flushLog({ log, outlets }: FormatLog, nowMs: number): void {
    let seen = 0;
    for (let i = 0; i < outlets.length; i++) {
      if (i + nearOutlets < outlets.length) seen += outlets[i + nearOutlets]!.prefetch();
      outlets[i]!.flush(nowMs);
    }
    this.#seen = (this.#seen + seen) & 0xffff;
    log.reclaim();
  }

  encodeHeaders(
    format: StreamFormat,
    headers: readonly Header[] = this.#feed.headers,
    timestampMs: number = this.#timeline.lastMs,
    chosen: ChosenTracks | null = null,
  ): Buffer {
    const own = format.audio === undefined ? headers : headersWithSound(format.audio, headers, this.#feed);
    return encodeHeaders(chosen === null ? own : chooseHeaders(own, chosen), format, timestampMs, (payload) =>
      this.dataFor(format, payload),
    );
  }

  /** The payload of a data message as those of a format get it. */
  dataFor(format: StreamFormat, payload: Buffer): Buffer {
    const { audio } = format;
    const said = audio === undefined ? payload : metadataWithSound(audio, payload);
    const data = format.publishing ? withVia(said, this.via) : dataPayload(said, false);
    if (data.length <= maxMessageLength) return data;
    return said.length > maxMessageLength ? payload : said;
  }

  /**
   * Where there is no video, a decoder can start anywhere: newcomers get the last moments, and nobody misses the first.
   * Where video has no key frames, a decoder has to make do with any of its frames.
   */
  #markWithoutKeyFrame(log: MediaLog, track: number, timestampMs: number, nowMs: number): void {
    const mark = log.markOf(track);
    if (mark !== null && nowMs - mark.atMs < markEveryMs) return;
    log.setMark(track, this.#feed.headers, timestampMs, nowMs, false);
  }

  #noteTrack(track: number): void {
    if (!this.#tracks.includes(track)) this.#tracks = [...this.#tracks, track];
  }
}
