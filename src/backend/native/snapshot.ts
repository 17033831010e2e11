import type { SourceIngest } from '../../ingest/source-ingest.js';
import { causeOf } from '../../push/outage.js';
import type { Push } from '../../push/push.js';
import type { PushFailure } from '../../push/push-failure.js';
import type { BackendProblem, CameraSnapshot, Failure, IngestSnapshot, PushSnapshot } from '../backend.js';
import type { TrackSnapshot } from '../observed.js';
import { keyFrameWait } from './key-frame-wait.js';

/** What there is to see of a camera, as plain values. */
export function cameraSnapshot(seen: {
  name: string;
  /** What feeds its stream; null: nothing. */
  live: SourceIngest | null;
  graceUntilMs: number | null;
  viewers: number;
  pushes: ReadonlyMap<string, Push>;
  conditions: readonly BackendProblem[];
  /** Undefined: it has one. */
  ingests?: readonly IngestSnapshot[];
  switches?: CameraSnapshot['switches'];
  lastSwitch?: CameraSnapshot['lastSwitch'];
  nowMs: number;
}): CameraSnapshot {
  const { name, live, conditions, nowMs, ingests, switches, lastSwitch } = seen;
  const source = live?.source;
  const meter = live?.meter;
  return {
    name,
    ...(conditions.length === 0 ? {} : { conditions }),
    ...(ingests === undefined ? {} : { ingests }),
    ...(switches === undefined ? {} : { switches }),
    ...(lastSwitch === undefined ? {} : { lastSwitch }),
    live: live !== null,
    liveSince: live === null ? null : iso(live.sinceMs),
    publisher: source?.remote ?? null,
    encoder: live?.facts.encoder ?? (source?.encoder || null),
    videoCodec: live?.videoCodec ?? null,
    audioCodec: live?.audioCodec ?? null,
    tracks: live === null ? [] : tracksOf(live),
    width: live?.pictureSize?.width ?? live?.facts.width ?? null,
    height: live?.pictureSize?.height ?? live?.facts.height ?? null,
    bytesIn: live?.bytesIn ?? 0,
    bitrateInBps: live?.bitsPerSecond ?? 0,
    frameRate: live === null ? null : Math.round(live.framesPerSecond * 10) / 10,
    keyFrameIntervalMs: live?.keyFrameIntervalMs || null,
    timestampJumps: meter?.timestampJumps ?? 0,
    ignoredMessages: source?.ignoredMessages ?? 0,
    jitterMs: meter === undefined ? null : Math.round(meter.jitterMs * 10) / 10,
    lastFrameAt: meter === undefined || meter.lastFrameMs === 0 ? null : iso(Date.now() - (nowMs - meter.lastFrameMs)),
    graceUntil: seen.graceUntilMs === null ? null : iso(seen.graceUntilMs),
    viewers: seen.viewers,
    pushes: [...seen.pushes].map(([id, push]) =>
      pushSnapshot(id, push, nowMs, conditions, live?.keyFrameIntervalMs ?? 0),
    ),
  };
}

function tracksOf({ videoTracks, audioTracks }: SourceIngest): TrackSnapshot[] {
  const unknown = { profile: null, width: null, height: null, hdr: null, frameRate: null, keyFrameIntervalMs: null };
  const video = videoTracks.map(({ id, codec, profile, size, hdr, framesPerSecond, keyFrameIntervalMs }, index) => ({
    ...{ kind: 'video' as const, id, isDefault: index === 0, codec, profile, hdr },
    width: size?.width ?? null,
    height: size?.height ?? null,
    frameRate: Math.round(framesPerSecond * 10) / 10,
    keyFrameIntervalMs: keyFrameIntervalMs || null,
    channels: null,
  }));
  const audio = audioTracks.map(({ id, codec, profile, channels }, index) => ({
    ...unknown,
    ...{ kind: 'audio' as const, id, isDefault: index === 0, codec, profile, channels },
  }));
  return [...video, ...audio];
}

/** What there is to see of a push, as plain values. */
export function pushSnapshot(
  id: string,
  push: Push,
  nowMs: number,
  conditions: readonly BackendProblem[] = [],
  keyFrameIntervalMs = 0,
): PushSnapshot {
  const status = push.status(nowMs);
  const isSending = status.phase === 'active' || status.phase === 'stalled' || status.phase === 'connecting';
  const { lastFailure, outage, droppedFrames } = status;
  const wait = keyFrameWait(status, keyFrameIntervalMs);
  const cause = (outage === null ? undefined : causeOf(outage)) ?? wait?.reason;
  const all = wait?.condition === undefined ? conditions : [...conditions, wait.condition];
  return {
    id,
    url: push.shownUrl,
    state: status.phase,
    since: iso(status.sinceMs),
    ...(isSending && all.length > 0 ? { conditions: all } : {}),
    attempt: status.attempt,
    ...(cause === undefined ? {} : { reason: cause }),
    lastError: failureView(lastFailure),
    downSince: outage === null || outage.sinceMs === null ? null : iso(outage.sinceMs),
    firstError: failureView(outage?.first ?? null),
    nextRetryAt: status.nextRetryAtMs === null ? null : iso(status.nextRetryAtMs),
    connects: status.connects,
    bytesOut: status.bytesOut,
    framesOut: status.framesOut,
    bytesAcknowledged: status.bytesAcknowledged,
    roundTripMs: status.roundTripMs,
    bitrateBps: status.bitrateBps,
    queueBytes: status.queueBytes,
    queueAgeMs: status.queueAgeMs,
    droppedFrames: droppedFrames.bytes + droppedFrames.age + droppedFrames.total,
    droppedBy: droppedFrames,
    lastKeyFrameAt: status.lastKeyFrameAtMs === null ? null : iso(status.lastKeyFrameAtMs),
  };
}

function failureView(failure: PushFailure | null): Failure | null {
  return failure === null ? null : { code: failure.code, message: failure.message, at: iso(failure.atMs) };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
