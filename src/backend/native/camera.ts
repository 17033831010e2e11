import { maskTarget } from '../../address/rtmp-url.js';
import type { PublishKeyRule } from '../../admission/stream-keys.js';
import { CodedError } from '../../errors.js';
import { FlightRecorder, type RecordedEvent } from '../../events/flight-recorder.js';
import type { Logger } from '../../log/log.js';
import type { Dialer } from '../../net/dialer.js';
import { heardMs, setHeardTimeout } from '../../process/standstill.js';
import { Push } from '../../push/push.js';
import type { TargetWatch } from '../../push/target-watch.js';
import type { FlushScheduler } from '../../relay/flush-scheduler.js';
import { metadataValues } from '../../relay/headers.js';
import { LiveStream, type MessageKind } from '../../relay/live-stream.js';
import { RateMeter } from '../../relay/rate-meter.js';
import type { SlabPool } from '../../relay/slab-pool.js';
import { parseVia, viaOfMetadata } from '../../relay/via.js';
import { testPatternFlashVer } from '../../rtmp/publisher.js';
import type { NetSettings } from '../../rtmp/settings.js';
import type { Ingest, Playback, Publisher, Viewer } from '../../rtmp/stream-host.js';
import { stillMp4 } from '../../wire/still-mp4.js';
import type {
  BackendObserver,
  CameraSnapshot,
  DesiredCamera,
  DesiredPush,
  FlvPlayback,
  StillPicture,
} from '../backend.js';
import { CameraConditions, describeMissing } from './conditions.js';
import { FlvViewer } from './flv-viewer.js';
import type { LivePublisher } from './live-publisher.js';
import { describeMetadata, type MetadataFacts, noFacts } from './metadata.js';
import { cameraSnapshot, pushSnapshot } from './snapshot.js';

/** The message stream id that nearly every server gives to the first stream; the shared log is made for it. */
const usualStreamId = 1;

export interface CameraSettings extends NetSettings {
  readonly gopMaxBytes: number;
  readonly withoutKeyFrames: 'drop' | 'pass';
  readonly flushWindowMs: number;
  readonly publishTakeoverMs: number;
  readonly publishGraceMs: number;
  readonly maxViewersPerCamera: number;
  readonly maxViewersPerAddress: number;
  readonly mediaMaxBytes: number;
  readonly maxBitrateKbps: number;
}

/** What all cameras of one backend share. */
export interface CameraContext {
  readonly settings: CameraSettings;
  readonly log: Logger;
  readonly scheduler: FlushScheduler;
  readonly watch: TargetWatch;
  readonly dialer: Dialer;
  readonly pool: SlabPool;
  /** Whether all streams together may keep so many bytes more; asked before a GOP is copied. */
  readonly mayKeep: (bytes: number) => boolean;
  /** This aggregator among those that a stream came through: hexadecimal digits, of this process's life. */
  readonly nodeId: string;
  /** Whoever wants to be told of what happens. */
  readonly observer?: () => BackendObserver | null;
}

/**
 * One registered camera: its publisher, when there is one, and all who get its stream.
 *
 *   gone --publish--> live --publisher leaves--> grace --publish--> live (the same stream goes on)
 *     ^                                            |
 *     '-------------- nobody came back ------------'
 */
export class NativeCamera {
  readonly name: string;
  readonly #context: CameraContext;
  readonly #log: Logger;
  readonly #recorder: FlightRecorder;
  /** What was declared, while the camera was never live: ten thousand idle cameras shall cost little. */
  #asleep: readonly DesiredPush[] | null = [];
  readonly #pushes = new Map<string, Push>();
  readonly #viewers = new Set<Viewer>();
  #publishKeys: readonly PublishKeyRule[] = [];
  /** Null when the camera is gone; kept during the grace. */
  #stream: LiveStream | null = null;
  #live: LivePublisher | null = null;
  /** What the current publisher said of its stream. */
  #facts: MetadataFacts = noFacts;
  #graceTimer: NodeJS.Timeout | null = null;
  #graceUntilMs = 0;
  #pastBytesIn = 0;
  #pastBytesOut = 0;
  readonly #conditions = new CameraConditions((condition, isRaised) => {
    this.#recorder.note('condition', `${condition.code} ${isRaised ? 'raised' : 'cleared'}`);
    this.#context.observer?.()?.cameraCondition?.(this.name, condition, isRaised);
  });
  /** Pushes that were removed and say goodbye. */
  readonly #leaving = new Map<Push, Promise<void>>();

  constructor(name: string, context: CameraContext) {
    this.name = name;
    this.#context = context;
    this.#log = context.log.child({ camera: name });
    this.#recorder = new FlightRecorder({ log: this.#log });
  }

  get live(): boolean {
    return this.#live !== null;
  }

  get viewers(): number {
    return this.#viewers.size;
  }

  /** True while there is nothing to count or to look after: it was never live, and nobody waits for it. */
  get isUntouched(): boolean {
    return this.#asleep !== null && this.#viewers.size === 0 && this.#pastBytesOut === 0;
  }

  /** True while anything of it may change by itself: it is live, may return, or is watched. */
  get isActive(): boolean {
    return this.#stream !== null || this.#viewers.size > 0;
  }

  /** Bytes handed to targets and viewers, ever. */
  get bytesOut(): number {
    let bytes = this.#pastBytesOut;
    for (const push of this.#pushes.values()) bytes += push.bytesOut;
    for (const push of this.#leaving.keys()) bytes += push.bytesOut;
    for (const viewer of this.#viewers) bytes += viewer.bytesOut;
    return bytes;
  }

  /** Media bytes of all its publishers, ever. */
  get bytesIn(): number {
    return this.#pastBytesIn + (this.#stream?.bytesIn ?? 0);
  }

  /** Bytes that its stream keeps for newcomers and slow outlets. */
  get keptBytes(): number {
    return this.#stream?.keptBytes ?? 0;
  }

  /** Gives back what it can of them. */
  shed(): void {
    this.#recorder.note('shed', `${this.keptBytes} bytes were kept; media-max-bytes was exceeded by all cameras`);
    this.#stream?.shed();
  }

  get events(): RecordedEvent[] {
    return this.#recorder.events();
  }

  /** Undefined also for one of a camera that was never live: there is nothing to be seen of it. */
  push(id: string): Push | undefined {
    return this.#pushes.get(id);
  }

  /** The keys that its publishers may show, where they need one. */
  get publishKeys(): readonly PublishKeyRule[] {
    return this.#publishKeys;
  }

  /** Converges to the declared pushes. One that is declared as it was is left alone, and so is who publishes. */
  declare(desired: DesiredCamera): void {
    this.#publishKeys = desired.publishKeys ?? [];
    if (this.#asleep !== null) {
      this.#asleep = desired.pushes;
      return;
    }
    const wanted = new Map(desired.pushes.map((push) => [push.id, push]));
    for (const [id, push] of this.#pushes) {
      const declared = wanted.get(id);
      if (declared?.url !== push.url) this.#removePush(id, push);
    }
    for (const declared of desired.pushes) {
      const existing = this.#pushes.get(declared.id);
      if (existing === undefined) {
        this.#addPush(declared);
        continue;
      }
      existing.setLimits(this.#limitsOf(declared));
      existing.setEnabled(declared.enabled);
    }
  }

  /** Lets a publisher in. @throws CodedError PUBLISH_ALREADY_LIVE while another one sends, PUBLISH_LOOP */
  publish(publisher: Publisher): Ingest {
    const via = parseVia(publisher.via);
    if (via.includes(this.#context.nodeId)) throw this.#loopError(publisher);
    const known = this.#live;
    if (known !== null && known.publisher === publisher && this.#stream !== null) {
      known.uses++;
      return { stream: this.#stream, end: (reason) => this.#unpublish(known, reason) };
    }
    this.#takeOver(publisher);
    this.#wake();
    if (this.#graceTimer !== null) clearTimeout(this.#graceTimer);
    this.#graceTimer = null;
    const returned = this.#stream !== null;
    const stream = this.#stream ?? this.#newStream();
    if (returned) stream.restart();
    stream.via = [...via, this.#context.nodeId];
    this.#stream = stream;
    const live: LivePublisher = {
      publisher,
      sinceMs: Date.now(),
      bytesBefore: stream.bytesIn,
      bytes: new RateMeter(),
      frames: new RateMeter(),
      uses: 1,
    };
    this.#live = live;
    this.#facts = noFacts;
    this.#log.info(returned ? 'camera is live again' : 'camera is live', {
      remote: publisher.remote,
      encoder: publisher.flashVer,
    });
    this.#recorder.note('publish', `${publisher.remote} ${publisher.flashVer}${returned ? ', goes on' : ''}`);
    this.#context.observer?.()?.cameraLive(this.name, {
      publisher: publisher.remote,
      encoder: publisher.flashVer || null,
      returned,
    });
    for (const push of this.#pushes.values()) push.begin(stream);
    if (!returned) for (const viewer of this.#viewers) viewer.setStream(stream);
    return { stream, end: (reason) => this.#unpublish(live, reason) };
  }

  /** Lets a viewer in, whether the camera is live or not. @throws CodedError LIMIT_REACHED */
  play(viewer: Viewer): Playback {
    const { maxViewersPerCamera, maxViewersPerAddress } = this.#context.settings;
    if (this.#viewers.size >= maxViewersPerCamera) {
      throw new CodedError(
        'LIMIT_REACHED',
        `camera ${this.name} has ${this.#viewers.size} viewers; the limit is ${maxViewersPerCamera}`,
      );
    }
    if (viewer.share !== undefined && this.#viewersOf(viewer.share) >= maxViewersPerAddress) {
      throw new CodedError(
        'LIMIT_REACHED',
        `camera ${this.name} has ${maxViewersPerAddress} viewers from this address, which is its share (max-viewers-per-address)`,
      );
    }
    this.#viewers.add(viewer);
    this.#recorder.note('play', viewer.remote);
    this.#context.observer?.()?.viewersChanged?.(this.name);
    return {
      stream: this.#stream,
      end: () => {
        if (!this.#viewers.delete(viewer)) return;
        this.#pastBytesOut += viewer.bytesOut;
        this.#recorder.note('stop', viewer.remote);
        this.#context.observer?.()?.viewersChanged?.(this.name);
      },
    };
  }

  /** Counted when somebody comes, which is seldom; one more number for each address would have to be kept right. */
  #viewersOf(share: string): number {
    let count = 0;
    for (const viewer of this.#viewers) if (viewer.share === share) count++;
    return count;
  }

  /** Lets in a viewer who gets FLV, while there is a stream. @throws CodedError CAMERA_NOT_LIVE, LIMIT_REACHED */
  openFlv(remote: string): FlvPlayback {
    if (this.#stream === null) throw new CodedError('CAMERA_NOT_LIVE', `camera ${this.name} is not live`);
    const { queueMaxBytes, queueMaxAgeMs, stallTimeoutMs } = this.#context.settings;
    const viewer = new FlvViewer({ remote, limits: { queueMaxBytes, queueMaxAgeMs }, stallTimeoutMs });
    viewer.playback = this.play(viewer);
    return viewer;
  }

  /** The newest key frame; null when there is none that can be shown. */
  picture(knownTag: string | undefined): StillPicture | null {
    const stream = this.#stream;
    const atMs = stream?.keyFrameAtMs ?? null;
    if (stream === null || atMs === null) return null;
    const tag = atMs.toFixed(3);
    const at = new Date(Date.now() - (performance.now() - atMs)).toISOString();
    if (tag === knownTag) return { tag, at, mp4: null };
    const keyFrame = stream.keyFrame();
    if (keyFrame === null) return null;
    const { width, height } = stream.pictureSize ?? this.#facts;
    const mp4 = stillMp4(keyFrame.header, keyFrame.frame, { width: width ?? 0, height: height ?? 0 });
    return mp4 === null ? null : { tag, at, mp4 };
  }

  /** Call about once a second. */
  tick(nowMs: number): void {
    const stream = this.#stream;
    if (this.#live !== null && stream !== null) {
      this.#live.bytes.look(stream.bytesIn, nowMs);
      this.#live.frames.look(stream.meter.videoFrames, nowMs);
      this.#limitBitrate(this.#live);
    }
    for (const push of this.#pushes.values()) push.tick(nowMs);
    for (const viewer of this.#viewers) viewer.tick?.(nowMs);
  }

  /** Ends the grace, if there is one. Resolves when the pushes sent what the stream still had for them. */
  async drain(): Promise<void> {
    this.#end();
    await Promise.all([...this.#pushes.values()].map((push) => push.drained()));
  }

  /** Ends everything of this camera. Resolves when its targets were told. */
  async close(reason: CodedError): Promise<void> {
    this.#live?.publisher.close(reason);
    this.#end();
    for (const viewer of [...this.#viewers]) viewer.close(reason);
    for (const [id, push] of this.#pushes) this.#removePush(id, push);
    await Promise.all(this.#leaving.values());
  }

  snapshot(nowMs: number): CameraSnapshot {
    return cameraSnapshot({
      name: this.name,
      live: this.#live,
      stream: this.#stream,
      facts: this.#facts,
      graceUntilMs: this.#graceTimer === null ? null : this.#graceUntilMs,
      viewers: this.#viewers.size,
      pushes: this.#pushes,
      conditions: this.#conditions.list,
      nowMs,
    });
  }

  #newStream(): LiveStream {
    const { settings, scheduler, pool, mayKeep } = this.#context;
    const format = { chunkBytes: settings.outChunkBytes, streamId: usualStreamId, publishing: true };
    const onMetadata = (payload: Buffer): void => {
      this.#facts = describeMetadata(metadataValues(payload));
      this.#lookForLoop(payload);
    };
    const onUnreadable = (kind: MessageKind, bytes: number): void => {
      const what = `a message of ${kind} with ${bytes} bytes that no strict reader takes is not passed on`;
      this.#recorder.note('unreadable', what);
      this.#log.warn(`${what}, nor are others like it`, { remote: this.#live?.publisher.remote });
    };
    const { gopMaxBytes, withoutKeyFrames } = settings;
    const onKeyFrames = (missing: boolean): void => {
      if (!missing) this.#conditions.clear('NO_KEY_FRAME');
      else if (this.#conditions.raise('NO_KEY_FRAME', describeMissing(withoutKeyFrames))) {
        this.#log.warn('the camera sends no key frames', { code: 'NO_KEY_FRAME', withoutKeyFrames });
      }
    };
    return new LiveStream(
      { format, gopMaxBytes, withoutKeyFrames, scheduler, pool, mayKeep, onMetadata, onUnreadable, onKeyFrames },
      performance.now(),
    );
  }

  /** Servers in between pass on the metadata, if nothing else. */
  #lookForLoop(metadata: Buffer): void {
    const publisher = this.#live?.publisher;
    if (publisher === undefined || !viaOfMetadata(metadata).includes(this.#context.nodeId)) return;
    // Not now: the publisher's bytes are being read.
    setImmediate(() => publisher.close(this.#loopError(publisher)));
  }

  #loopError(publisher: Publisher): CodedError {
    return new CodedError(
      'PUBLISH_LOOP',
      `what ${publisher.remote} publishes as camera ${this.name} came from this aggregator: a ring of pushes`,
    );
  }

  #limitBitrate({ publisher, bytes }: LivePublisher): void {
    const { maxBitrateKbps } = this.#context.settings;
    const kbps = Math.round(bytes.bitsPerSecond / 1000);
    if (kbps <= maxBitrateKbps) return;
    publisher.close(
      new CodedError('RTMP_LIMIT', `camera ${this.name} sends ${kbps} kbit/s; max-bitrate-kbps is ${maxBitrateKbps}`),
    );
  }

  /**
   * Makes room for a new publisher when the old one is silent (its connection is half open, or its encoder froze), or
   * when it is but a test pattern.
   */
  #takeOver(publisher: Publisher): void {
    const current = this.#live?.publisher;
    if (current === undefined) return;
    const { publishTakeoverMs } = this.#context.settings;
    const silentMs = heardMs(current.lastMediaMs);
    const isForReal = isTestPattern(current) && !isTestPattern(publisher);
    if (silentMs <= publishTakeoverMs && !isForReal) {
      throw new CodedError(
        'PUBLISH_ALREADY_LIVE',
        `camera ${this.name} is live from ${current.remote}; a new publisher is let in when that one has been ` +
          `silent for ${publishTakeoverMs / 1000} s`,
      );
    }
    const seconds = Math.round(silentMs / 100) / 10;
    const who = isForReal ? 'a test pattern' : 'a silent publisher';
    this.#log.info(`${who} gives way`, { remote: current.remote, to: publisher.remote, seconds });
    // Before it is closed: the stream goes on, its end is nobody's concern.
    this.#live = null;
    const why = isForReal ? 'a test pattern' : `silent for ${seconds} s`;
    current.close(new CodedError('PUBLISH_ALREADY_LIVE', `${why}, so ${publisher.remote} takes over`));
  }

  #unpublish(live: LivePublisher, reason: string): void {
    live.uses--;
    if (this.#live !== live || live.uses > 0) return;
    this.#live = null;
    const { publishGraceMs } = this.#context.settings;
    this.#conditions.end();
    this.#recorder.note('unpublish', reason);
    this.#context.observer?.()?.cameraStopped(this.name, reason);
    this.#log.info('camera is not live any more', { reason, bytesIn: (this.#stream?.bytesIn ?? 0) - live.bytesBefore });
    if (publishGraceMs === 0) {
      this.#end();
      return;
    }
    for (const push of this.#pushes.values()) push.pause();
    this.#graceUntilMs = Date.now() + publishGraceMs;
    this.#graceTimer = setHeardTimeout(() => this.#end(), publishGraceMs);
  }

  /** The camera is gone for good: targets and viewers are told. */
  #end(): void {
    if (this.#graceTimer !== null) clearTimeout(this.#graceTimer);
    this.#graceTimer = null;
    if (this.#stream === null) return;
    this.#pastBytesIn += this.#stream.bytesIn;
    this.#stream = null;
    for (const push of this.#pushes.values()) push.end();
    for (const viewer of this.#viewers) viewer.setStream(null);
  }

  /** Makes the pushes that were declared. */
  #wake(): void {
    const declared = this.#asleep;
    this.#asleep = null;
    for (const push of declared ?? []) this.#addPush(push);
  }

  #addPush({ id, url, enabled, ...budget }: DesiredPush): void {
    const { settings, watch, dialer } = this.#context;
    const limits = this.#limitsOf(budget);
    const push = new Push({
      url,
      shownUrl: maskTarget(url, this.name),
      enabled,
      limits,
      settings,
      watch,
      dialer,
      log: this.#log.child({ push: id }),
      onPhase: () =>
        this.#context
          .observer?.()
          ?.pushState(this.name, pushSnapshot(id, push, performance.now(), this.#conditions.list)),
    });
    this.#pushes.set(id, push);
    this.#recorder.note('push', `${id} added`);
    if (this.#live !== null && this.#stream !== null) push.begin(this.#stream);
  }

  #removePush(id: string, push: Push): void {
    this.#pushes.delete(id);
    this.#recorder.note('push', `${id} removed`);
    const leaving = push.close().finally(() => {
      this.#leaving.delete(push);
      this.#pastBytesOut += push.bytesOut;
    });
    this.#leaving.set(push, leaving);
  }

  #limitsOf(budget: Pick<DesiredPush, 'queueMaxBytes' | 'queueMaxAgeMs'>): {
    queueMaxBytes: number;
    queueMaxAgeMs: number;
  } {
    const { settings } = this.#context;
    return {
      queueMaxBytes: budget.queueMaxBytes ?? settings.queueMaxBytes,
      queueMaxAgeMs: budget.queueMaxAgeMs ?? settings.queueMaxAgeMs,
    };
  }
}

function isTestPattern({ flashVer }: Publisher): boolean {
  return flashVer === testPatternFlashVer;
}
