import type { Push } from '../../push/push.js';
import type { LiveStream } from '../../relay/live-stream.js';
import type { BackendProblem, CameraSnapshot, PushSnapshot } from '../backend.js';
import type { LivePublisher } from './live-publisher.js';
import { type MetadataFacts, noFacts } from './metadata.js';

/** What there is to see of a camera, as plain values. */
export function cameraSnapshot(seen: {
  name: string;
  live: LivePublisher | null;
  stream: LiveStream | null;
  facts: MetadataFacts;
  graceUntilMs: number | null;
  viewers: number;
  pushes: ReadonlyMap<string, Push>;
  conditions: readonly BackendProblem[];
  nowMs: number;
}): CameraSnapshot {
  const { name, live, nowMs } = seen;
  const stream = live === null ? null : seen.stream;
  const facts = live === null ? noFacts : seen.facts;
  const meter = stream?.meter;
  const { conditions } = seen;
  return {
    name,
    ...(conditions.length === 0 ? {} : { conditions }),
    live: live !== null,
    liveSince: live === null ? null : iso(live.sinceMs),
    publisher: live?.publisher.remote ?? null,
    encoder: live === null ? null : (facts.encoder ?? (live.publisher.flashVer || null)),
    videoCodec: stream?.videoCodec ?? null,
    audioCodec: stream?.audioCodec ?? null,
    width: stream?.pictureSize?.width ?? facts.width,
    height: stream?.pictureSize?.height ?? facts.height,
    bytesIn: live === null || stream === null ? 0 : stream.bytesIn - live.bytesBefore,
    bitrateInBps: live?.bytes.bitsPerSecond ?? 0,
    frameRate: live === null ? null : Math.round((live.frames.bitsPerSecond / 8) * 10) / 10,
    keyFrameIntervalMs: meter === undefined || meter.keyFrameIntervalMs === 0 ? null : meter.keyFrameIntervalMs,
    timestampJumps: meter?.timestampJumps ?? 0,
    ignoredMessages: live?.publisher.ignoredMessages ?? 0,
    jitterMs: meter === undefined ? null : Math.round(meter.jitterMs * 10) / 10,
    lastFrameAt: meter === undefined || meter.lastFrameMs === 0 ? null : iso(Date.now() - (nowMs - meter.lastFrameMs)),
    graceUntil: seen.graceUntilMs === null ? null : iso(seen.graceUntilMs),
    viewers: seen.viewers,
    pushes: [...seen.pushes].map(([id, push]) => pushSnapshot(id, push, nowMs, conditions)),
  };
}

/** What there is to see of a push, as plain values. */
export function pushSnapshot(
  id: string,
  push: Push,
  nowMs: number,
  conditions: readonly BackendProblem[] = [],
): PushSnapshot {
  const status = push.status(nowMs);
  const isSending = status.phase === 'active' || status.phase === 'stalled' || status.phase === 'connecting';
  const { lastFailure, droppedFrames } = status;
  return {
    id,
    url: push.shownUrl,
    state: status.phase,
    since: iso(status.sinceMs),
    ...(isSending && conditions.length > 0 ? { conditions } : {}),
    attempt: status.attempt,
    lastError:
      lastFailure === null ? null : { code: lastFailure.code, message: lastFailure.message, at: iso(lastFailure.atMs) },
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

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
