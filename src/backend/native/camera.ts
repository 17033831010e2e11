import { CodedError } from '../../errors.js';
import type { Logger } from '../../log.js';
import { Push } from '../../net/push.js';
import type { NetSettings } from '../../net/settings.js';
import type { Ingest, Playback, Publisher, Viewer } from '../../net/stream-host.js';
import type { TargetWatch } from '../../net/target-watch.js';
import type { FlushScheduler } from '../../relay/flush-scheduler.js';
import { LiveStream } from '../../relay/live-stream.js';
import { RateMeter } from '../../relay/rate-meter.js';
import { maskUrl } from '../../wire/url.js';
import type { CameraSnapshot, DesiredCamera, PushSnapshot } from '../backend.js';
import { describeMetadata, type MetadataFacts, noFacts } from './metadata.js';

/** The message stream id that nearly every server gives to the first stream; the shared log is made for it. */
const usualStreamId = 1;

export interface CameraSettings extends NetSettings {
  readonly gopMaxBytes: number;
  readonly publishTakeoverMs: number;
  readonly maxViewersPerCamera: number;
}

/** What all cameras of one backend share. */
export interface CameraContext {
  readonly settings: CameraSettings;
  readonly log: Logger;
  readonly scheduler: FlushScheduler;
  readonly watch: TargetWatch;
}

interface Live {
  readonly stream: LiveStream;
  readonly publisher: Publisher;
  readonly sinceMs: number;
  readonly meter: RateMeter;
}

/** One registered camera: its publisher, when there is one, and all who get its stream. */
export class NativeCamera {
  readonly name: string;
  readonly #context: CameraContext;
  readonly #log: Logger;
  readonly #pushes = new Map<string, Push>();
  readonly #viewers = new Set<Viewer>();
  #live: Live | null = null;
  #pastBytesOut = 0;
  #facts: MetadataFacts = noFacts;
  #factsOf: Buffer | null = null;
  /** Pushes that were removed and say goodbye. */
  readonly #leaving = new Map<Push, Promise<void>>();

  constructor(name: string, context: CameraContext) {
    this.name = name;
    this.#context = context;
    this.#log = context.log.child({ camera: name });
  }

  get live(): boolean {
    return this.#live !== null;
  }

  get viewers(): number {
    return this.#viewers.size;
  }

  /** Bytes handed to targets and viewers, ever. */
  get bytesOut(): number {
    let bytes = this.#pastBytesOut;
    for (const push of this.#pushes.values()) bytes += push.bytesOut;
    for (const push of this.#leaving.keys()) bytes += push.bytesOut;
    for (const viewer of this.#viewers) bytes += viewer.bytesOut;
    return bytes;
  }

  /** Media bytes of the current publisher. */
  get bytesIn(): number {
    return this.#live?.stream.bytesIn ?? 0;
  }

  /** Converges to the declared pushes. One that is declared as it was is left alone. */
  declare(desired: DesiredCamera): void {
    const wanted = new Map(desired.pushes.map((push) => [push.id, push]));
    for (const [id, push] of this.#pushes) if (wanted.get(id)?.url !== push.url) this.#removePush(id, push);
    for (const { id, url, enabled } of desired.pushes) {
      const existing = this.#pushes.get(id);
      if (existing !== undefined) {
        existing.setEnabled(enabled);
        continue;
      }
      const { settings, watch } = this.#context;
      const push = new Push({ url, enabled, settings, watch, log: this.#log.child({ push: id }) });
      this.#pushes.set(id, push);
      push.setStream(this.#live?.stream ?? null);
    }
  }

  /** Lets a publisher in. @throws CodedError PUBLISH_ALREADY_LIVE while another one sends */
  publish(publisher: Publisher): Ingest {
    const { settings, scheduler } = this.#context;
    const current = this.#live;
    if (current !== null) {
      const silentMs = performance.now() - current.publisher.lastDataMs;
      if (silentMs <= settings.publishTakeoverMs) {
        throw new CodedError(
          'PUBLISH_ALREADY_LIVE',
          `camera ${this.name} is live from ${current.publisher.remote}; a new publisher is let in when that one ` +
            `has been silent for ${settings.publishTakeoverMs / 1000} s`,
        );
      }
      const seconds = Math.round(silentMs / 100) / 10;
      current.publisher.close(
        new CodedError('PUBLISH_ALREADY_LIVE', `silent for ${seconds} s, so ${publisher.remote} takes over`),
      );
    }
    const stream = new LiveStream(
      {
        format: { chunkBytes: settings.outChunkBytes, streamId: usualStreamId, publishing: true },
        gopMaxBytes: settings.gopMaxBytes,
        scheduler,
      },
      performance.now(),
    );
    const live: Live = { stream, publisher, sinceMs: Date.now(), meter: new RateMeter() };
    this.#live = live;
    this.#log.info('camera is live', { remote: publisher.remote, encoder: publisher.flashVer });
    for (const push of this.#pushes.values()) push.setStream(stream);
    for (const viewer of this.#viewers) viewer.setStream(stream);
    return { stream, end: () => this.#unpublish(live) };
  }

  /** Lets a viewer in, whether the camera is live or not. @throws CodedError LIMIT_REACHED */
  play(viewer: Viewer): Playback {
    const { maxViewersPerCamera } = this.#context.settings;
    if (this.#viewers.size >= maxViewersPerCamera) {
      throw new CodedError(
        'LIMIT_REACHED',
        `camera ${this.name} has ${this.#viewers.size} viewers; the limit is ${maxViewersPerCamera}`,
      );
    }
    this.#viewers.add(viewer);
    return {
      stream: this.#live?.stream ?? null,
      end: () => {
        if (this.#viewers.delete(viewer)) this.#pastBytesOut += viewer.bytesOut;
      },
    };
  }

  /** Call about once a second. */
  tick(nowMs: number): void {
    this.#live?.meter.look(this.#live.stream.bytesIn, nowMs);
    for (const push of this.#pushes.values()) push.tick(nowMs);
  }

  /** Resolves when the pushes sent what a stream that ended still had for them. */
  async drain(): Promise<void> {
    await Promise.all([...this.#pushes.values()].map((push) => push.drained()));
  }

  /** Ends everything of this camera. Resolves when its targets were told. */
  async close(reason: CodedError): Promise<void> {
    this.#live?.publisher.close(reason);
    for (const viewer of [...this.#viewers]) viewer.close(reason);
    for (const [id, push] of this.#pushes) this.#removePush(id, push);
    await Promise.all(this.#leaving.values());
  }

  snapshot(nowMs: number): CameraSnapshot {
    const live = this.#live;
    const facts = this.#readMetadata();
    return {
      name: this.name,
      live: live !== null,
      liveSince: live === null ? null : new Date(live.sinceMs).toISOString(),
      publisher: live?.publisher.remote ?? null,
      encoder: live === null ? null : (facts.encoder ?? (live.publisher.flashVer || null)),
      videoCodec: live?.stream.videoCodec ?? null,
      audioCodec: live?.stream.audioCodec ?? null,
      width: live === null ? null : facts.width,
      height: live === null ? null : facts.height,
      bytesIn: this.bytesIn,
      bitrateInBps: live?.meter.bitsPerSecond ?? 0,
      viewers: this.#viewers.size,
      pushes: [...this.#pushes].map(([id, push]) => snapshotOf(id, push, nowMs)),
    };
  }

  #unpublish(live: Live): void {
    if (this.#live !== live) return;
    this.#live = null;
    this.#log.info('camera is not live any more', { bytesIn: live.stream.bytesIn });
    for (const push of this.#pushes.values()) push.setStream(null);
    for (const viewer of this.#viewers) viewer.setStream(null);
  }

  #removePush(id: string, push: Push): void {
    this.#pushes.delete(id);
    const leaving = push.close().finally(() => {
      this.#leaving.delete(push);
      this.#pastBytesOut += push.bytesOut;
    });
    this.#leaving.set(push, leaving);
  }

  /** Metadata changes rarely and is asked for often. */
  #readMetadata(): MetadataFacts {
    const metadata = this.#live?.stream.metadata ?? null;
    if (metadata !== null && (this.#factsOf === null || !metadata.equals(this.#factsOf))) {
      this.#facts = describeMetadata(metadata);
    }
    if (metadata === null) this.#facts = noFacts;
    this.#factsOf = metadata;
    return this.#facts;
  }
}

function snapshotOf(id: string, push: Push, nowMs: number): PushSnapshot {
  const status = push.status(nowMs);
  const { lastFailure } = status;
  return {
    id,
    url: maskUrl(push.url),
    state: status.phase,
    since: new Date(status.sinceMs).toISOString(),
    attempt: status.attempt,
    lastError:
      lastFailure === null
        ? null
        : { code: lastFailure.code, message: lastFailure.message, at: new Date(lastFailure.atMs).toISOString() },
    nextRetryAt: status.nextRetryAtMs === null ? null : new Date(status.nextRetryAtMs).toISOString(),
    connects: status.connects,
    bytesOut: status.bytesOut,
    bytesAcknowledged: status.bytesAcknowledged,
    bitrateBps: status.bitrateBps,
    queueBytes: status.queueBytes,
    queueAgeMs: status.queueAgeMs,
    droppedFrames: status.droppedFrames,
  };
}
