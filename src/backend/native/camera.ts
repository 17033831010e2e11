import type { PublishKeyRule } from '../../admission/stream-keys.js';
import { CodedError } from '../../errors.js';
import type { RecordedEvent } from '../../events/flight-recorder.js';
import type { CameraEvidence } from '../../health/evidence.js';
import { IngestSelector } from '../../ingest/ingest-selector.js';
import { PublisherSource } from '../../ingest/publisher-source.js';
import { type RelayOrigin, RelaySource } from '../../ingest/relay-source.js';
import type { SelectorListener } from '../../ingest/selector-options.js';
import { type Ingest, mainIngest, type Source } from '../../ingest/source.js';
import type { SourceIngest } from '../../ingest/source-ingest.js';
import type { MessageKind } from '../../ingest/source-ingest-options.js';
import { heardMs } from '../../process/standstill.js';
import type { Push } from '../../push/push.js';
import type { LiveStream } from '../../relay/live-stream.js';
import type { Transcoder } from '../../relay/transcoded-sound.js';
import type { Playback, Publisher, Viewer } from '../../rtmp/stream-host.js';
import { AudioTranscoder } from '../../transcode/audio-transcoder.js';
import type {
  BackendProblem,
  CameraSnapshot,
  DesiredCamera,
  FlvPlayback,
  PushSnapshot,
  StillPicture,
  ViewedTracks,
} from '../backend.js';
import { type CameraContext, newStream } from './camera-context.js';
import { CameraHops } from './camera-hops.js';
import { CameraPulls } from './camera-pulls.js';
import { CameraPushes } from './camera-pushes.js';
import { CameraReport } from './camera-report.js';
import { CameraViewers } from './camera-viewers.js';
import { evidenceOf } from './evidence.js';
import { FlvViewer } from './flv-viewer.js';
import { ingestSnapshots, publishKeysOf, SwitchRecord } from './ingests.js';
import { pictureOf } from './last-pictures.js';
import { cameraSnapshot, pushSnapshot } from './snapshot.js';

/**
 * One registered camera: what feeds its stream (`IngestSelector`), and all who get it.
 */
export class NativeCamera implements SelectorListener {
  readonly name: string;
  readonly #context: CameraContext;
  readonly #report: CameraReport;
  readonly #selector: IngestSelector;
  readonly #pushes: CameraPushes;
  readonly #hops: CameraHops;
  readonly #pulls: CameraPulls;
  readonly #viewers: CameraViewers;
  #declared: DesiredCamera;
  readonly #switches = new SwitchRecord();
  /** What it sent when that was last known, bits per second. */
  #lastBps = 0;

  constructor(name: string, context: CameraContext) {
    this.name = name;
    this.#context = context;
    this.#report = new CameraReport(name, context);
    const { log, recorder } = this.#report;
    const { settings, watch, dialer, nodeId, pool } = context;
    this.#viewers = new CameraViewers(name, settings);
    this.#declared = { name, pushes: [] };
    this.#selector = new IngestSelector({
      ...{ camera: name, nodeId, settings, log, listener: this, pool },
      newStream: () => newStream(context, (onFrame) => this.#transcoder(onFrame)),
      openSlate: (file) => context.slates.open(file),
    });
    this.#pulls = new CameraPulls({
      ...{ context: context.pulls, log, recorder },
      onCondition: (condition, isRaised) => this.#report.condition(condition, isRaised),
      open: (source, ingest) => {
        this.checkRoom();
        return this.#selector.open(source, ingest);
      },
      claim: () => {
        const refusal = this.#refusalFor(this.#copies);
        return refusal === undefined ? context.claim(name, true) : Promise.reject(refusal);
      },
      release: () => {
        if (this.stream === null) context.onOver?.(name);
      },
    });
    this.#pushes = new CameraPushes({
      ...{ camera: name, settings, watch, dialer, log, recorder },
      takeRoom: (id, wasRefused) => context.capacity.take(this.bitrateBps, wasRefused, `push ${id} of camera ${name}`),
      onPhase: (id, push) => {
        const seen = { id, push, node: this.#pushes.nodeOf(id) };
        const { observer } = this.#report;
        observer?.pushState(name, pushSnapshot(seen, performance.now(), this.#conditions));
      },
    });
    this.#hops = new CameraHops({
      ...context.hops,
      ...{ camera: name, log, recorder },
      takeRoom: (to, wasRefused) =>
        context.capacity.take(this.bitrateBps, wasRefused, `the copy of camera ${name} for node ${to}`),
      ticketFor: (to) => context.relaying.ticketFor(name, to),
      onState: (to, state) => context.relaying.hopChanged(name, to, state),
    });
  }

  /** Makes AAC of its sound, for those who get it so. */
  #transcoder(onFrame: (timestampMs: number, payload: Buffer) => void): Transcoder {
    const { ffmpeg } = this.#context.pulls.settings;
    const onProblem = (problem: string | null): void => this.#report.transcoding(problem);
    return new AudioTranscoder({ ffmpeg, log: this.#report.log, onFrame, onProblem });
  }

  get #conditions(): readonly BackendProblem[] {
    return this.#pulls.withConditions(this.#report.conditions);
  }

  /** What it sends, or sent when it was last live, bits per second; 0: not known. */
  get bitrateBps(): number {
    const bps = this.#selector.live?.bitsPerSecond ?? 0;
    if (bps > 0) this.#lastBps = bps;
    return this.#lastBps;
  }

  /** Copies of it that are sent, or have room. */
  get copies(): number {
    return this.#pushes.holdingRoom + this.#hops.holdingRoom + (this.stream === null ? 0 : this.#viewers.count);
  }

  /** Copies that are to be sent of it once it is live. */
  get #copies(): number {
    return this.#pushes.wanted + this.#viewers.count;
  }

  #refusalFor(copies: number, isRelay = false): CodedError | undefined {
    return this.stream === null
      ? this.#context.capacity.refusesCamera(this.name, this.bitrateBps, copies, isRelay)
      : undefined;
  }

  /** @throws CodedError NODE_FULL where it is not live and there is no room for it */
  checkRoom(): void {
    const refusal = this.#refusalFor(this.#copies);
    if (refusal !== undefined) throw refusal;
  }

  get live(): boolean {
    return this.#selector.live !== null;
  }

  /** True when what feeds it has sent nothing for `publish-takeover`, is away, or is a test pattern. */
  get isSilent(): boolean {
    const { live } = this.#selector;
    if (live === null || live.source.kind === 'test-pattern') return true;
    return heardMs(live.source.lastMediaMs) > this.#context.settings.publishTakeoverMs;
  }

  /** Asks what feeds it to connect anew. False: it cannot. */
  askToReconnect(): boolean {
    return this.#selector.live?.source.askToReconnect?.() ?? false;
  }

  /** True while a source of this node's own feeds it, or is waited for; not what another node sends. */
  get isOwn(): boolean {
    return this.stream !== null && this.#selector.latest?.source.kind !== 'relay';
  }

  /** No other node has it any more. */
  freed(): void {
    this.#pulls.freed();
  }

  /** Ends what another node sends. */
  endRelay(reason: CodedError): void {
    const source = this.#selector.live?.source;
    if (source?.kind === 'relay') source.close(reason);
  }

  /** Ends what feeds it; targets and viewers are told, and viewers stay. */
  letGo(reason: CodedError): void {
    this.#selector.close(reason);
    this.#selector.finish();
  }

  /** Null when nothing feeds it and nothing is waited for. */
  get stream(): LiveStream | null {
    return this.#selector.stream;
  }

  get viewers(): number {
    return this.#viewers.count;
  }

  /** True while there is nothing to count or to look after: it was never live, and nobody waits for it. */
  get isUntouched(): boolean {
    return this.#pushes.isAsleep && this.#viewers.isUntouched;
  }

  /** True while anything of it may change by itself: it is live, may return, or is watched. */
  get isActive(): boolean {
    return this.stream !== null || this.#viewers.count > 0 || this.#pulls.isUsed;
  }

  /** Bytes handed to targets and viewers, ever. */
  get bytesOut(): number {
    return this.#pushes.bytesOut + this.#hops.bytesOut + this.#viewers.bytesOut;
  }

  /** Media bytes of all its sources, ever. */
  get bytesIn(): number {
    return this.#selector.bytesIn;
  }

  /** Bytes that its stream keeps for newcomers and slow outlets. */
  get keptBytes(): number {
    return (this.stream?.keptBytes ?? 0) + this.#selector.keptBytes;
  }

  /** Gives back what it can of them. */
  shed(): void {
    this.#report.recorder.note(
      'shed',
      `${this.keptBytes} bytes were kept; media-max-bytes was exceeded by all cameras`,
    );
    // Of what stands by first: nobody gets that yet.
    if (!this.#selector.shed()) this.stream?.shed();
  }

  get events(): RecordedEvent[] {
    return this.#report.events;
  }

  /** Undefined also for one of a camera that was never live: there is nothing to be seen of it. */
  push(id: string): Push | undefined {
    return this.#pushes.all.get(id);
  }

  /**
   * The keys that publishers of an ingest may show, where they need one. @param ingest undefined: the first
   * @throws CodedError PUBLISH_NOT_REGISTERED; PUBLISH_FORBIDDEN for one that is pulled from its source
   */
  publishKeysOf(ingest: string | undefined): readonly PublishKeyRule[] {
    this.#checkPublished(ingest);
    return publishKeysOf(this.#declared, ingest);
  }

  /** Converges to what is declared. A push that is declared as it was is left alone, and so is what feeds the stream. */
  declare(desired: DesiredCamera): void {
    this.#declared = desired;
    // Before: what is fetched for an ingest that is no more ends by itself.
    this.#pulls.declare(desired);
    // Who publishes what is fetched from now on would keep its source out.
    for (const { name, source } of [...this.#selector.connected.values()]) {
      const refusal = source.kind === 'publisher' ? this.#pulls.refusalOf(name) : undefined;
      if (refusal !== undefined) source.close(refusal);
    }
    this.#selector.declare({
      names: desired.ingests?.map(({ name }) => name) ?? [mainIngest],
      switchBackMs: desired.switchBackMs ?? null,
      slate: desired.slate ?? null,
    });
    this.#pushes.declare(desired.pushes);
    this.#hops.declare(desired.hops);
    this.#noteDemand();
  }

  /**
   * Lets a publisher in. @param ingest the one that it names; undefined: the first
   * @throws CodedError PUBLISH_ALREADY_LIVE while another one sends by the same ingest, PUBLISH_LOOP, PUBLISH_NOT_REGISTERED,
   *   PUBLISH_FORBIDDEN
   */
  publish(publisher: Publisher, ingest?: string): Ingest {
    // Again: the source may be newer than the question whether it may publish.
    this.#checkPublished(ingest);
    this.checkRoom();
    return this.#selector.open(new PublisherSource(publisher), ingest);
  }

  /** True while somebody publishes by this ingest. @param ingest undefined: the first */
  isTaken(ingest: string | undefined): boolean {
    const { connected, desired } = this.#selector;
    return connected.get(ingest ?? desired.names[0] ?? mainIngest)?.source.kind === 'publisher';
  }

  /** @throws CodedError PUBLISH_FORBIDDEN */
  #checkPublished(ingest: string | undefined): void {
    const refusal = this.#pulls.refusalOf(ingest ?? this.#declared.ingests?.[0]?.name ?? mainIngest);
    if (refusal !== undefined) throw refusal;
  }

  /** Lets in what another node sends. @throws CodedError PUBLISH_ALREADY_LIVE, PUBLISH_LOOP */
  publishRelay(publisher: Publisher, origin: RelayOrigin): Ingest {
    const refusal = this.#refusalFor(Math.max(origin.copies ?? 0, this.#viewers.count), true);
    if (refusal !== undefined) throw refusal;
    return this.#selector.open(new RelaySource(publisher, origin));
  }

  /** Has the stream go on with another ingest. @throws (rejects) CodedError INGEST_NOT_FOUND, INGEST_NOT_READY */
  switchIngest(ingest: string | undefined): Promise<void> {
    return this.#selector.failover.ask(ingest);
  }

  /** As `publish`, for any kind of source. */
  open(source: Source): Ingest {
    this.checkRoom();
    return this.#selector.open(source);
  }

  onLive({ source }: SourceIngest, stream: LiveStream, returned: boolean): void {
    if (!returned) this.#context.capacity.enter(this.name);
    this.#report.live(source, returned);
    // First: what of its pushes runs here depends on it.
    this.#context.relaying.sourceChanged(this.name, source);
    this.#pushes.begin(stream, source.kind !== 'relay');
    this.#hops.begin(stream);
    this.#pulls.onLive();
    if (!returned) this.#viewers.setStream(stream);
  }

  onStopped({ bytesIn }: SourceIngest, reason: string, graceMs: number): void {
    this.#report.stopped(reason, bytesIn);
    this.stream?.settle(false);
    if (graceMs === 0) return;
    this.#pushes.pause();
    this.#hops.pause();
  }

  /** Targets and viewers are told. */
  onOver(stream: LiveStream, latest: SourceIngest | null): void {
    this.#context.capacity.leave(this.name);
    this.#context.lastPictures?.keepOf(this.name, stream, latest);
    stream.settle(true);
    this.#pushes.end();
    this.#hops.end();
    this.#context.relaying.sourceChanged(this.name, null);
    this.#viewers.setStream(null);
    this.#context.onOver?.(this.name);
  }

  onIngest(ingest: SourceIngest, reason: string | null): void {
    if (this.#declared.ingests !== undefined) this.#report.ingest(ingest, reason);
  }

  onSwitched({ name: from }: SourceIngest, { name: to }: SourceIngest, reason: string): void {
    this.#switches.note({ from, to, reason });
    this.#report.switched({ from, to, reason });
  }

  onSlateFailed(reason: string): void {
    this.#report.slateFailed(reason);
  }

  onUnreadable(ingest: SourceIngest, kind: MessageKind, bytes: number): void {
    this.#report.unreadable(ingest, kind, bytes);
  }

  onKeyFrames(missing: boolean): void {
    this.#report.keyFrames(missing);
  }

  /** Lets a viewer in, whether the camera is live or not. @throws CodedError LIMIT_REACHED, NODE_FULL */
  play(viewer: Viewer): Playback {
    this.#viewers.add(viewer);
    const giveBack = this.stream === null ? undefined : this.#roomFor(viewer);
    this.#noteDemand();
    this.#report.viewer('play', viewer.remote);
    this.#context.relaying.viewersChanged(this.name, true);
    return {
      stream: this.stream,
      end: () => {
        if (!this.#viewers.remove(viewer)) return;
        giveBack?.();
        this.#noteDemand();
        this.#report.viewer('stop', viewer.remote);
        if (this.#viewers.count === 0) this.#context.relaying.viewersChanged(this.name, false);
      },
    };
  }

  /** @returns gives it back, so that who comes and goes all the time makes no node full @throws CodedError NODE_FULL */
  #roomFor(viewer: Viewer): () => void {
    const { capacity } = this.#context;
    const { looks } = capacity;
    const bps = this.bitrateBps;
    const lack = capacity.take(bps, false, `a viewer of camera ${this.name}`);
    if (lack === undefined) return () => capacity.giveBack(bps, looks);
    this.#viewers.remove(viewer);
    throw new CodedError('NODE_FULL', lack.message);
  }

  /** Has its sources on demand come. Resolves when it is live, or `ms` went by; at once where there is nothing to wait for. */
  async wake(ms: number): Promise<void> {
    if (this.stream === null) await this.#pulls.wake(ms);
  }

  #noteDemand(): void {
    const { pushes, hops = [] } = this.#declared;
    // A hop is what another node's pushes and viewers want.
    this.#pulls.demand(this.#viewers.count > 0 || hops.length > 0 || pushes.some(({ enabled }) => enabled));
  }

  /** Lets in a viewer who gets FLV, while there is a stream. @throws CodedError CAMERA_NOT_LIVE, LIMIT_REACHED */
  openFlv(remote: string, tracks: ViewedTracks): FlvPlayback {
    if (this.stream === null) throw new CodedError('CAMERA_NOT_LIVE', `camera ${this.name} is not live`);
    const { queueMaxBytes, queueMaxAgeMs, stallTimeoutMs } = this.#context.settings;
    const viewer = new FlvViewer({ remote, limits: { queueMaxBytes, queueMaxAgeMs }, stallTimeoutMs, tracks });
    viewer.playback = this.play(viewer);
    return viewer;
  }

  /** The newest key frame, or the last one if the stream is over; null when there is none that can be shown. */
  picture(knownTag: string | undefined): StillPicture | null {
    const { stream, latest } = this.#selector;
    // Until its first key frame, a stream has no picture of its own.
    const own = stream === null ? null : pictureOf(stream, latest, knownTag);
    return own ?? this.#context.lastPictures?.shown(this.name, knownTag) ?? null;
  }

  /** Call about once a second. */
  tick(nowMs: number): void {
    this.#selector.tick(nowMs);
    this.#pushes.tick(nowMs);
    this.#hops.tick(nowMs);
    this.#viewers.tick(nowMs);
  }

  /** Ends the grace, if there is one. Resolves when the pushes sent what the stream still had for them. */
  async drain(): Promise<void> {
    this.#pulls.close('the aggregator is shutting down');
    this.#selector.finish();
    await Promise.all([this.#pushes.drained(), this.#hops.drained()]);
  }

  /** Ends everything of this camera. Resolves when its targets were told. */
  async close(reason: CodedError): Promise<void> {
    this.#pulls.close(reason.message);
    this.#selector.close(reason);
    this.#selector.finish();
    this.#viewers.close(reason);
    await Promise.all([this.#pushes.close(), this.#hops.close()]);
  }

  /** What its health is judged by; null while nothing feeds it. */
  evidence(nowMs: number): CameraEvidence | null {
    const { live } = this.#selector;
    // A slate says nothing of the camera; and of one that is elsewhere its own node judges.
    return live === null || live.source.kind === 'slate' || live.source.kind === 'relay'
      ? null
      : { ...evidenceOf(live, nowMs), ...this.#pushes.codecEvidence };
  }

  /** Undefined also for one of a camera that was never live. */
  pushSnapshot(id: string, nowMs: number): PushSnapshot | undefined {
    const push = this.push(id);
    if (push === undefined) return undefined;
    const seen = { id, push, node: this.#pushes.nodeOf(id) };
    return pushSnapshot(seen, nowMs, this.#conditions, this.#selector.live?.keyFrameIntervalMs);
  }

  snapshot(nowMs: number): CameraSnapshot {
    return cameraSnapshot({
      name: this.name,
      live: this.#selector.live,
      graceUntilMs: this.#selector.graceUntilMs,
      viewers: this.#viewers.count,
      pushes: this.#pushes.all,
      nodeOf: (id) => this.#pushes.nodeOf(id),
      hops: this.#hops.snapshots(nowMs),
      conditions: this.#conditions,
      source: this.#pulls.snapshot(mainIngest),
      ...(this.#declared.ingests === undefined
        ? {}
        : { ingests: ingestSnapshots(this.#selector, nowMs, (ingest) => this.#pulls.snapshot(ingest)) }),
      ...this.#switches.facts,
      nowMs,
    });
  }
}
