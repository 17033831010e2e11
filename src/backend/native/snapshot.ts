import { RelaySource } from '../../ingest/relay-source.js';
import type { SourceIngest } from '../../ingest/source-ingest.js';
import { isoTime } from '../../process/wall-clock.js';
import type { Push } from '../../push/push.js';
import {
  type BackendProblem,
  type CameraSnapshot,
  type IngestSnapshot,
  type PushSnapshot,
  unseenCamera,
  unseenPush,
} from '../backend.js';
import { keyFrameWait } from './key-frame-wait.js';

// Snapshots are filled into copies of these. A literal that overrides what it spreads is a hundred times slower.
const emptyCamera: CameraSnapshot = { name: '', ...unseenCamera, pushes: [] };
const emptyPush: PushSnapshot = { id: '', url: '', state: 'idle', since: '', ...unseenPush };

/** What is seen of a camera that nothing ever happened to. */
export function idleSnapshot(name: string): CameraSnapshot {
  return Object.assign({ ...emptyCamera }, { name });
}

/** What is seen of a camera, as plain values. The figures come from its ingest. */
export function cameraSnapshot(seen: {
  name: string;
  /** What feeds its stream; null: nothing. */
  live: SourceIngest | null;
  graceUntilMs: number | null;
  viewers: number;
  pushes: ReadonlyMap<string, Push>;
  /** The node that runs a push, where it is another one. */
  nodeOf: (id: string) => string | undefined;
  /** Undefined: no other node gets its stream from this one. */
  hops: CameraSnapshot['hops'] | undefined;
  conditions: readonly BackendProblem[];
  /** Undefined: it has one. */
  ingests?: readonly IngestSnapshot[];
  /** Undefined: it publishes, or has several ingests. */
  source?: CameraSnapshot['source'];
  switches?: CameraSnapshot['switches'];
  lastSwitch?: CameraSnapshot['lastSwitch'];
  nowMs: number;
}): CameraSnapshot {
  const { name, live, graceUntilMs, viewers, conditions, nowMs, ingests, source, switches, lastSwitch } = seen;
  const measured: Partial<CameraSnapshot> = live?.figures(nowMs) ?? {};
  const snapshot: CameraSnapshot = Object.assign({ ...emptyCamera }, measured, {
    name,
    live: live !== null,
    graceUntil: graceUntilMs === null ? null : isoTime(graceUntilMs),
    viewers,
    pushes: [...seen.pushes].map(([id, push]) =>
      pushSnapshot({ id, push, node: seen.nodeOf(id) }, nowMs, conditions, live?.keyFrameIntervalMs ?? 0),
    ),
  });
  if (conditions.length > 0) Object.assign(snapshot, { conditions });
  if (ingests !== undefined) Object.assign(snapshot, { ingests });
  if (source !== undefined) Object.assign(snapshot, { source });
  if (switches !== undefined) Object.assign(snapshot, { switches });
  if (lastSwitch !== undefined) Object.assign(snapshot, { lastSwitch });
  if (seen.hops !== undefined) Object.assign(snapshot, { hops: seen.hops });
  const feeding = live?.source;
  if (feeding instanceof RelaySource) {
    const { from, owner } = feeding.origin;
    Object.assign(snapshot, { relayedFrom: { node: from, owner } });
  }
  return snapshot;
}

/** What is seen of a push, as plain values. The figures come from the push. */
export function pushSnapshot(
  { id, push, node }: { readonly id: string; readonly push: Push; readonly node: string | undefined },
  nowMs: number,
  conditions: readonly BackendProblem[] = [],
  keyFrameIntervalMs = 0,
): PushSnapshot {
  const measured: Partial<PushSnapshot> = push.status(nowMs);
  const snapshot: PushSnapshot = Object.assign({ ...emptyPush }, measured, { id, url: push.shownUrl });
  const { state } = snapshot;
  if (state === 'elsewhere' && node !== undefined) Object.assign(snapshot, { node, reason: `node ${node} runs it` });
  const wait = keyFrameWait({ state, awaitedSinceMs: push.keyFrameAwaitedSinceMs(nowMs) }, keyFrameIntervalMs);
  const why = wait?.reason ?? push.shortfall;
  if (why != null && snapshot.reason === undefined) Object.assign(snapshot, { reason: why });
  const trouble = push.codecTrouble;
  const own = [
    ...(wait?.condition === undefined ? [] : [wait.condition]),
    ...(trouble === null ? [] : [codecCondition(trouble, snapshot.since)]),
  ];
  const all = own.length === 0 ? conditions : [...conditions, ...own];
  const isSending = state === 'active' || state === 'stalled' || state === 'connecting';
  if (isSending && all.length > 0) return Object.assign(snapshot, { conditions: all });
  return own.length > 0 ? Object.assign(snapshot, { conditions: own }) : snapshot;
}

/** That a target is not expected to take the codecs. */
function codecCondition(message: string, since: string): BackendProblem {
  const advice = 'Set the camera to H.264 and AAC, or change what the push sends: audio, enhanced.';
  return { code: 'TARGET_CODEC', message, since, label: 'codec not taken', advice };
}
