import type { CodedError } from '../../errors.js';
import type { RecordedEvent } from '../../events/flight-recorder.js';
import type { CameraEvidence } from '../../health/evidence.js';
import { IngestSelector } from '../../ingest/ingest-selector.js';
import type { SelectorListener } from '../../ingest/selector-options.js';
import { mainIngest } from '../../ingest/source.js';
import type { SourceIngest } from '../../ingest/source-ingest.js';
import type { MessageKind } from '../../ingest/source-ingest-options.js';
import { heardMs } from '../../process/standstill.js';
import type { Push } from '../../push/push.js';
import type { LiveStream } from '../../relay/live-stream.js';
import type { BackendProblem, CameraSnapshot, DesiredCamera, PushSnapshot } from '../backend.js';
import { type CameraContext, newStream, openTranscoder } from './camera-context.js';
import { CameraDoor } from './camera-door.js';
import { CameraHops, type CameraHopsOptions } from './camera-hops.js';
import { CameraPulls, hasSource } from './camera-pulls.js';
import { CameraPushes, type CameraPushesOptions } from './camera-pushes.js';
import { CameraReport } from './camera-report.js';
import { CameraRoom } from './camera-room.js';
import { CameraViewers } from './camera-viewers.js';
import { CameraViewing } from './camera-viewing.js';
import { evidenceOf } from './evidence.js';
import { ingestSnapshots, ingestsOf, SwitchRecord } from './ingests.js';
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
  readonly #viewers: CameraViewers;
  /** Made when they are used first: of ten thousand cameras, most are idle. */
  #madePulls: CameraPulls | null = null;
  #madeRoom: CameraRoom | null = null;
  #madeDoor: CameraDoor | null = null;
  #madeViewing: CameraViewing | null = null;
  #declared: DesiredCamera;
  #switches: SwitchRecord | null = null;

  constructor(name: string, context: CameraContext) {
    this.name = name;
    this.#context = context;
    this.#report = new CameraReport(name, context);
    const { settings, nodeId, pool } = context;
    this.#viewers = new CameraViewers(name, settings);
    this.#declared = { name, pushes: [] };
    // No spread: what is made by one has a hidden class of its own, a quarter of a kilobyte each.
    this.#selector = new IngestSelector({
      camera: name,
      nodeId,
      settings,
      log: this.#report.log,
      listener: this,
      pool,
      newStream: () => newStream(context, (onFrame) => openTranscoder(context.pulls, this.#report, onFrame)),
      openSlate: (file) => context.slates.open(file),
    });
    this.#pushes = new CameraPushes(() => this.#pushOptions());
    this.#hops = new CameraHops(() => this.#hopOptions());
  }

  #pushOptions(): CameraPushesOptions {
    const { settings, watch, dialer } = this.#context;
    const { log, recorder } = this.#report;
    return {
      ...{ camera: this.name, settings, watch, dialer, log, recorder },
      takeRoom: (id, wasRefused) => this.#room.takeForPush(id, wasRefused),
      onPhase: (id, push) => {
        const seen = { id, push, node: this.#pushes.nodeOf(id) };
        const { observer } = this.#report;
        observer?.pushState(this.name, pushSnapshot(seen, performance.now(), this.#conditions));
      },
    };
  }

  #hopOptions(): CameraHopsOptions {
    const { hops, relaying } = this.#context;
    const { log, recorder } = this.#report;
    return {
      ...{ ...hops, camera: this.name, log, recorder },
      takeRoom: (to, wasRefused) => this.#room.take('the copy', wasRefused, ` for node ${to}`),
      ticketFor: (to) => relaying.ticketFor(this.name, to),
      onState: (to, state) => relaying.hopChanged(this.name, to, state),
    };
  }

  /** Of a camera that has sources, or is to have them. */
  get #pulls(): CameraPulls {
    const context = this.#context;
    this.#madePulls ??= new CameraPulls({
      ...{ context: context.pulls, log: this.#report.log, recorder: this.#report.recorder },
      onCondition: (condition, isRaised) => this.#report.condition(condition, isRaised),
      open: (source, ingest) => this.door.open(source, ingest),
      claim: () => {
        const refusal = this.#room.refusal();
        return refusal === undefined ? context.claim(this.name, true) : Promise.reject(refusal);
      },
      release: () => {
        if (this.stream === null) context.onOver?.(this.name);
      },
    });
    return this.#madePulls;
  }

  get #conditions(): readonly BackendProblem[] {
    const own = this.#report.conditions;
    return this.#madePulls?.withConditions(own) ?? own;
  }

  get #room(): CameraRoom {
    this.#madeRoom ??= new CameraRoom(this.name, this.#context.capacity, {
      bitsPerSecond: () => this.#selector.live?.bitsPerSecond ?? 0,
      hasStream: () => this.stream !== null,
      wantedCopies: () => this.#pushes.wanted + this.#viewers.count,
    });
    return this.#madeRoom;
  }

  /** What it sends, or sent when it was last live, bits per second; 0: not known. */
  get bitrateBps(): number {
    return this.#room.bitrateBps;
  }

  /** Copies of it that are sent, or have room. */
  get copies(): number {
    return this.#pushes.holdingRoom + this.#hops.holdingRoom + (this.stream === null ? 0 : this.#viewers.count);
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
    this.#madePulls?.freed();
  }

  get silentRelayMs(): number {
    const source = this.#selector.live?.source;
    return source?.kind === 'relay' ? heardMs(source.lastMediaMs) : 0;
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
    return this.stream !== null || this.#viewers.count > 0 || this.#madePulls?.isUsed === true;
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

  /** Lets in what feeds it. */
  get door(): CameraDoor {
    this.#madeDoor ??= new CameraDoor({
      ...{ selector: this.#selector, room: this.#room, viewers: this.#viewers },
      refusalOf: (ingest) => this.#madePulls?.refusalOf(ingest),
      declared: () => this.#declared,
    });
    return this.#madeDoor;
  }

  /** Converges to what is declared. A push that is declared as it was is left alone, and so is what feeds the stream. */
  declare(desired: DesiredCamera): void {
    this.#declared = desired;
    // Before: what is fetched for an ingest that is no more ends by itself.
    if (this.#madePulls !== null || hasSource(desired)) this.#pulls.declare(desired);
    // Who publishes what is fetched from now on would keep its source out.
    for (const { name, source } of [...this.#selector.connected.values()]) {
      const refusal = source.kind === 'publisher' ? this.#madePulls?.refusalOf(name) : undefined;
      if (refusal !== undefined) source.close(refusal);
    }
    this.#selector.declare(ingestsOf(desired));
    this.#pushes.declare(desired.pushes);
    this.#hops.declare(desired.hops);
    this.#noteDemand();
  }

  /** Has the stream go on with another ingest. @throws (rejects) CodedError INGEST_NOT_FOUND, INGEST_NOT_READY */
  switchIngest(ingest: string | undefined): Promise<void> {
    return this.#selector.failover.ask(ingest);
  }

  onLive({ source }: SourceIngest, stream: LiveStream, returned: boolean): void {
    if (!returned) this.#room.enter();
    this.#report.live(source, returned);
    // First: what of its pushes runs here depends on it.
    this.#context.relaying.sourceChanged(this.name, source);
    this.#pushes.begin(stream, source.kind !== 'relay');
    this.#hops.begin(stream);
    this.#madePulls?.onLive();
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
    this.#room.leave();
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
    this.#switches ??= new SwitchRecord();
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

  /** Lets its viewers in. */
  get viewing(): CameraViewing {
    this.#madeViewing ??= new CameraViewing({
      ...{ camera: this.name, context: this.#context, selector: this.#selector, viewers: this.#viewers },
      ...{ room: this.#room, report: this.#report, onDemand: () => this.#noteDemand() },
    });
    return this.#madeViewing;
  }

  /** Has its sources on demand come. Resolves when it is live, or `ms` went by; at once where there is nothing to wait for. */
  async wake(ms: number): Promise<void> {
    if (this.stream === null) await this.#madePulls?.wake(ms);
  }

  #noteDemand(): void {
    const { pushes, hops = [] } = this.#declared;
    // A hop is what another node's pushes and viewers want.
    this.#madePulls?.demand(this.#viewers.count > 0 || hops.length > 0 || pushes.some(({ enabled }) => enabled));
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
    this.#madePulls?.close('the aggregator is shutting down');
    this.#selector.finish();
    await Promise.all([this.#pushes.drained(), this.#hops.drained()]);
  }

  /** Ends everything of this camera. Resolves when its targets were told. */
  async close(reason: CodedError): Promise<void> {
    this.#madePulls?.close(reason.message);
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
      source: this.#madePulls?.snapshot(mainIngest),
      ...(this.#declared.ingests === undefined
        ? {}
        : { ingests: ingestSnapshots(this.#selector, nowMs, (ingest) => this.#madePulls?.snapshot(ingest)) }),
      ...this.#switches?.facts,
      nowMs,
    });
  }
}
