import { CodedError } from '../errors.js';
import { heardMs, setHeardTimeout } from '../process/standstill.js';
import { wallMsAt } from '../process/wall-clock.js';
import type { LiveStream } from '../relay/live-stream.js';
import { StandbyGop } from '../relay/standby-gop.js';
import { parseVia, viaOfMetadata } from '../relay/via.js';
import { type DesiredIngests, Failover, type FailoverHost, type SwitchReason } from './failover.js';
import type { SelectorOptions } from './selector-options.js';
import { Slate, slateIngest } from './slate.js';
import { type Ingest, isOfIngest, mainIngest, type Source } from './source.js';
import { SourceIngest } from './source-ingest.js';
import type { IngestListener, MessageKind } from './source-ingest-options.js';
import { watchTimer } from './watch-timer.js';

const noneConnected: ReadonlyMap<string, SourceIngest> = new Map();

const oneIngest: DesiredIngests = { names: [mainIngest], switchBackMs: null, slate: null };

/**
 * The sources of one camera, and the decision which of them feeds its stream. A camera may have several ingests, each with
 * one source: one feeds the stream, the others stand by with their own headers and GOP (`StandbyGop`). When to go over to
 * another one is `Failover`'s to say.
 *
 *   gone --open--> live --last source ends--> grace --open--> live (the same stream goes on)
 *     ^              | ^ open, when the source is silent        |
 *     |              '-'   or of a lower priority               |
 *     '--------------------- nobody came back ------------------'
 */
export class IngestSelector implements IngestListener<SourceIngest>, FailoverHost {
  readonly failover: Failover;
  readonly #options: SelectorOptions;
  #desired = oneIngest;
  /** Those that are connected, by the name of their ingest. What feeds the stream may be none of them: a test pattern. */
  #connected: Map<string, SourceIngest> | null = null;
  #kept: Map<SourceIngest, StandbyGop> | null = null;
  /** The source that feeds the stream, or in the grace the last one that did. */
  #ingest: SourceIngest | null = null;
  #isLive = false;
  /** A slate was shown since an ingest was ready last: there is not another one. */
  #isSlateSpent = false;
  #stream: LiveStream | null = null;
  #graceTimer: NodeJS.Timeout | null = null;
  /** When the grace ends, on the monotonic clock. */
  #graceEndMs = 0;
  #pastBytes = 0;

  constructor(options: SelectorOptions) {
    this.#options = options;
    this.failover = new Failover(this, options.settings.standbyAfterMs);
  }

  /** What feeds the stream; null when nothing does. */
  get live(): SourceIngest | null {
    return this.#isLive ? this.#ingest : null;
  }

  /** As `live`, but for the grace too: what fed it last. */
  get latest(): SourceIngest | null {
    return this.#ingest;
  }

  /** Null when the camera is gone; kept during the grace. */
  get stream(): LiveStream | null {
    return this.#stream;
  }

  get desired(): DesiredIngests {
    return this.#desired;
  }

  /** Those that are connected, by the name of their ingest. */
  get connected(): ReadonlyMap<string, SourceIngest> {
    return this.#connected ?? noneConnected;
  }

  /** Until when a source may return, milliseconds since 1970; null when none is waited for. */
  get graceUntilMs(): number | null {
    return this.#graceTimer === null ? null : Math.round(wallMsAt(this.#graceEndMs));
  }

  /** Media bytes of all sources, ever. */
  get bytesIn(): number {
    let bytes = this.#pastBytes;
    for (const { bytesIn } of this.#all()) bytes += bytesIn;
    return bytes;
  }

  /** Bytes that are kept of ingests that stand by. */
  get keptBytes(): number {
    let bytes = 0;
    for (const { keptBytes } of this.#kept?.values() ?? []) bytes += keptBytes;
    return bytes;
  }

  /** What is kept of an ingest that stands by; undefined: it never did. */
  keptOf(ingest: SourceIngest): StandbyGop | undefined {
    return this.#kept?.get(ingest);
  }

  /** Changes what ingests there are. The source of one that is no more is closed. */
  declare(desired: DesiredIngests = oneIngest): void {
    this.#desired = desired;
    for (const { name, source } of [...this.connected.values()]) {
      if (desired.names.includes(name)) continue;
      const what = `camera ${this.#options.camera} has no ingest "${name}" any more`;
      source.close(new CodedError('PUBLISH_NOT_REGISTERED', what));
    }
    this.#lookWhileNeeded();
  }

  /**
   * Lets a source in. It feeds the stream from its next key frame on, or stands by while another ingest is live.
   * @param name the ingest that it comes in by; undefined: the first
   * @throws CodedError PUBLISH_ALREADY_LIVE while another one does that need not give way; PUBLISH_LOOP;
   *   PUBLISH_NOT_REGISTERED where there is no such ingest
   */
  open(source: Source, name = this.#desired.names[0] ?? mainIngest): Ingest {
    const { nodeId, settings, camera } = this.#options;
    const via = parseVia(source.via);
    if (via.includes(nodeId)) throw this.#loopError(source);
    const isOwn = isOfIngest(source);
    if (isOwn && !this.#desired.names.includes(name)) {
      const names = this.#desired.names.join(', ');
      throw new CodedError('PUBLISH_NOT_REGISTERED', `camera ${camera} has no ingest "${name}"; it has: ${names}`);
    }
    const { live } = this;
    const known = (isOwn ? this.connected.get(name) : undefined) ?? null;
    if (known !== null && known.source.id === source.id) {
      known.use();
      return known;
    }
    if (known !== null) this.#makeRoom(known, source);
    // Of its own ingest there is nobody: who feeds the stream stays, unless it counts for less.
    const standsBy = live !== null && live !== known && isOwn && !isStopgap(live.source);
    if (live !== null && live !== known && !standsBy) this.#makeRoom(live, source);
    const { withoutKeyFrames } = settings;
    const ingest = new SourceIngest({ source, name, via: [...via, nodeId], withoutKeyFrames, listener: this });
    if (isOwn) {
      this.#connected ??= new Map();
      this.#connected.set(name, ingest);
    }
    if (standsBy) ingest.standBy(this.#keep(ingest));
    else this.#begin(ingest);
    if (isOwn) this.#options.listener.onIngest(ingest, null);
    this.#lookWhileNeeded();
    return ingest;
  }

  /** Call about once a second: measures, and ends what sends too much. */
  tick(nowMs: number): void {
    const { camera, settings } = this.#options;
    const { maxBitrateKbps } = settings;
    for (const ingest of [...this.#all()]) {
      ingest.tick(nowMs);
      const kbps = Math.round(ingest.bitsPerSecond / 1000);
      if (kbps <= maxBitrateKbps) continue;
      ingest.source.close(
        new CodedError('RTMP_LIMIT', `camera ${camera} sends ${kbps} kbit/s; max-bitrate-kbps is ${maxBitrateKbps}`),
      );
    }
  }

  /** @param nowMs a monotonic clock */
  look(nowMs: number): void {
    this.failover.look(nowMs);
  }

  /** Forgets what is kept of ingests that stand by, until their next key frames. False: there was nothing. */
  shed(): boolean {
    const hasSome = this.keptBytes > 0;
    for (const kept of this.#kept?.values() ?? []) kept.forgetGop();
    return hasSome;
  }

  /** Ends all sources, those that stand by first. */
  close(reason: CodedError): void {
    this.#isSlateSpent = true;
    const { live } = this;
    for (const ingest of [...this.#all()]) if (ingest !== live) ingest.source.close(reason);
    live?.source.close(reason);
  }

  /** Waits for no source any more: without one the stream is over. */
  finish(): void {
    this.#stopWaiting();
    this.failover.stop();
    const over = new CodedError('PUBLISH_NOT_REGISTERED', 'the stream of the camera has ended');
    for (const ingest of [...this.#all()]) {
      this.#retire(ingest);
      if (ingest.source.kind === 'slate') ingest.source.close(over);
    }
    this.#lookWhileNeeded();
    const stream = this.#stream;
    if (stream === null) return;
    const latest = this.#ingest;
    this.#stream = null;
    this.#ingest = null;
    this.#options.listener.onOver(stream, latest);
  }

  /** Goes on with an ingest that stands by: at once with what is kept of it, else with its next key frame. */
  switchTo(to: SourceIngest, { text }: SwitchReason): void {
    const from = this.live;
    const stream = this.#stream;
    if (from === null || stream === null || from === to) return;
    const kept = this.#keep(to);
    const isBegun = stream.switchTo(to, kept, this.now());
    to.feed(stream, (track) => isBegun && kept.keeps(track));
    kept.forgetGop();
    this.#ingest = to;
    const { listener, log } = this.#options;
    if (this.connected.get(from.name) === from) from.standBy(this.#keep(from));
    if (from.missesKeyFrames !== to.missesKeyFrames) listener.onKeyFrames(to.missesKeyFrames);
    log.info('the stream continues with another ingest', { from: from.name, to: to.name, reason: text });
    listener.onSwitched(from, to, text);
    if (isOfIngest(from.source)) return;
    // It was there for want of a publisher.
    this.#retire(from);
    from.source.close(new CodedError('PUBLISH_ALREADY_LIVE', `${to.source.remote} takes over`));
  }

  /** Goes on with the slate, where there is one to be shown. @returns false where there is none */
  showSlate(reason: string): boolean {
    const { slate } = this.#desired;
    const from = this.live;
    const stream = this.#stream;
    // It has pictures, and is in place of some.
    if (slate === null || this.#isSlateSpent || from === null || stream === null || from.videoCodec === null)
      return false;
    if (!isOfIngest(from.source)) return false;
    this.#isSlateSpent = true;
    const { openSlate, listener, log, settings, nodeId } = this.#options;
    const source = new Slate({
      open: () => openSlate(slate.file),
      durationMs: slate.durationMs,
      before: from,
      onFailed: (why) => listener.onSlateFailed(why),
    });
    const { withoutKeyFrames } = settings;
    const ingest = new SourceIngest({ source, name: slateIngest, via: [nodeId], withoutKeyFrames, listener: this });
    stream.follow(ingest);
    ingest.feed(stream);
    this.#ingest = ingest;
    if (this.connected.get(from.name) === from) from.standBy(this.#keep(from));
    if (from.missesKeyFrames) listener.onKeyFrames(false);
    log.info('the stream continues with the slate', { from: from.name, slate: slate.file, reason });
    listener.onSwitched(from, ingest, reason);
    this.#lookWhileNeeded();
    void source.play(ingest);
    return true;
  }

  /** An ingest is live and ready: should all of them fail again, there may be a slate again. */
  noteReady(): void {
    this.#isSlateSpent = false;
  }

  now(): number {
    return this.#options.now?.() ?? performance.now();
  }

  onMetadata({ source }: SourceIngest, payload: Buffer): void {
    // Servers in between pass on the metadata, if nothing else.
    if (!viaOfMetadata(payload).includes(this.#options.nodeId)) return;
    // Not now: its bytes are being read.
    setImmediate(() => source.close(this.#loopError(source)));
  }

  onUnreadable(ingest: SourceIngest, kind: MessageKind, payloadBytes: number): void {
    this.#options.listener.onUnreadable(ingest, kind, payloadBytes);
  }

  onKeyFrames(ingest: SourceIngest, missing: boolean): void {
    if (ingest === this.live) this.#options.listener.onKeyFrames(missing);
  }

  onEnded(ingest: SourceIngest, reason: string): void {
    const isLive = this.live === ingest;
    // One that gave way is of no concern: the stream goes on.
    if (!isLive && this.connected.get(ingest.name) !== ingest) return;
    const { listener, settings } = this.#options;
    const isOwn = this.connected.get(ingest.name) === ingest;
    // Before it is retired: the switch is from it.
    if (isOwn) this.#connected?.delete(ingest.name);
    const isReplaced = isLive && this.failover.replaceEnded(ingest, reason);
    this.failover.forget(ingest, reason);
    this.#retire(ingest);
    if (isOwn) listener.onIngest(ingest, reason);
    this.#lookWhileNeeded();
    if (!isLive || isReplaced) return;
    // Behind a slate nobody is waited for any more; and a relay ends when the stream is over at the node that has the camera.
    const publishGraceMs = isWaitedFor(ingest.source) ? settings.publishGraceMs : 0;
    listener.onStopped(ingest, reason, publishGraceMs);
    if (publishGraceMs === 0) {
      this.finish();
      return;
    }
    this.#graceEndMs = performance.now() + publishGraceMs;
    this.#graceTimer = setHeardTimeout(() => this.finish(), publishGraceMs);
  }

  /** Has it feed the stream from its first key frame on. */
  #begin(ingest: SourceIngest): void {
    const { newStream, listener } = this.#options;
    this.#stopWaiting();
    const returned = this.#stream !== null;
    const stream = this.#stream ?? newStream();
    this.#stream = stream;
    this.#ingest = ingest;
    this.#isLive = true;
    stream.follow(ingest);
    ingest.feed(stream);
    listener.onLive(ingest, stream, returned);
  }

  /** Nothing of it is taken any more. */
  #retire(ingest: SourceIngest): void {
    if (ingest.isReleased) return;
    if (this.live === ingest) this.#isLive = false;
    if (this.connected.get(ingest.name) === ingest) this.#connected?.delete(ingest.name);
    this.#kept?.get(ingest)?.forgetGop();
    this.#kept?.delete(ingest);
    this.#pastBytes += ingest.bytesIn;
    ingest.release();
  }

  *#all(): Generator<SourceIngest> {
    const { live } = this;
    yield* this.connected.values();
    if (live !== null && this.connected.get(live.name) !== live) yield live;
  }

  #keep(ingest: SourceIngest): StandbyGop {
    const known = this.#kept?.get(ingest);
    if (known !== undefined) return known;
    const { pool, settings } = this.#options;
    const onKeyFrame = (): void => this.failover.onKeyFrame(ingest);
    const made = new StandbyGop({ feed: ingest, pool, maxBytes: settings.gopMaxBytes, onKeyFrame }, this.now());
    this.#kept ??= new Map();
    this.#kept.set(ingest, made);
    return made;
  }

  #lookWhileNeeded(): void {
    const { live } = this;
    const isNeeded =
      live !== null && (this.connected.size > 1 || live.source.kind === 'slate' || this.#desired.slate !== null);
    (this.#options.watchTimer ?? watchTimer).want(this, isNeeded);
  }

  #stopWaiting(): void {
    if (this.#graceTimer !== null) clearTimeout(this.#graceTimer);
    this.#graceTimer = null;
  }

  /**
   * Ends a source in whose place another one comes, when it is silent (its connection is half open, or its encoder froze),
   * or when it is of a lower priority.
   */
  #makeRoom(known: SourceIngest, newcomer: Source): void {
    const { source } = known;
    const { camera, log, settings, listener } = this.#options;
    const { publishTakeoverMs } = settings;
    const silentMs = heardMs(source.lastMediaMs);
    const isOutranked = source.priority < newcomer.priority || newcomer.supersedes?.(source) === true;
    if (silentMs <= publishTakeoverMs && !isOutranked) {
      const which = this.#desired.names.length > 1 ? ` by its ingest "${known.name}"` : '';
      throw new CodedError(
        'PUBLISH_ALREADY_LIVE',
        `camera ${camera} is live${which} from ${source.remote}; a new publisher is let in when that one has been ` +
          `silent for ${publishTakeoverMs / 1000} s`,
      );
    }
    const seconds = Math.round(silentMs / 100) / 10;
    const what = source.kind === 'publisher' ? 'a silent publisher' : `a ${source.kind.replace('-', ' ')}`;
    log.info(`${what} gives way`, { remote: source.remote, to: newcomer.remote, seconds });
    const missedKeyFrames = this.live === known && known.missesKeyFrames;
    // Before it is closed: the stream goes on, its end is nobody's concern.
    this.#retire(known);
    if (missedKeyFrames) listener.onKeyFrames(false);
    const why = isOutranked ? what : `silent for ${seconds} s`;
    source.close(new CodedError('PUBLISH_ALREADY_LIVE', `${why}, so ${newcomer.remote} takes over`));
  }

  #loopError(source: Source): CodedError {
    return new CodedError(
      'PUBLISH_LOOP',
      `what ${source.remote} publishes as camera ${this.#options.camera} came from this aggregator: a ring of pushes`,
    );
  }
}

/** What feeds a camera only as long as it has no publisher. */
function isStopgap({ kind }: Source): boolean {
  return kind === 'test-pattern' || kind === 'relay';
}

function isWaitedFor({ kind }: Source): boolean {
  return kind !== 'slate' && kind !== 'relay';
}
