import type { PushPolicy } from '../../address/push-policy.js';
import { maskTarget } from '../../address/rtmp-url.js';
import { plural } from '../../plural.js';
import { elapsedMs } from '../../process/wall-clock.js';
import {
  type CameraSnapshot,
  type DesiredCamera,
  type DesiredPush,
  type PushSnapshot,
  unknownCamera,
  unknownPush,
} from '../backend.js';
import type { HostNames } from './host-names.js';
import { type Observer, viewersOf } from './observer.js';
import { forbidden, targetOf } from './push-target.js';
import type { LiveCamera, OldCamera, Worker } from './workers.js';

/** The state of a push and what is to be said of it. */
type PushFacts = Pick<PushSnapshot, 'state' | 'reason' | 'lastError' | 'nextRetryAt' | 'droppedFrames'>;

// Snapshots are filled into copies of this. A literal that overrides what it spreads is a hundred times slower.
const emptyPush: PushSnapshot = { id: '', url: '', state: 'idle', since: '', ...unknownPush };

export interface SnapshotSource {
  readonly observer: Observer;
  readonly hosts: HostNames;
  readonly policy: PushPolicy;
  /** Since when a push is in a state; ISO 8601, UTC. */
  readonly sinceOf: (camera: string, push: string, state: string) => string;
}

export function cameraSnapshot(camera: DesiredCamera, source: SnapshotSource): CameraSnapshot {
  const { observer } = source;
  const { name } = camera;
  const current = observer.current(name);
  const old = current === undefined ? observer.old(name) : undefined;
  const pushes = camera.pushes.map((push) => pushSnapshot(name, push, source));
  const live = current?.camera ?? old?.camera;
  const seen = { name, bytesIn: 0, bitrateInBps: 0, viewers: 0, pushes };
  if (live === undefined) return Object.assign({ ...unknownCamera }, seen);
  const { stream, publisher } = live;
  const snapshot = Object.assign({ ...unknownCamera }, seen, {
    live: true,
    liveSince: new Date(publisher.sinceMs).toISOString(),
    publisher: publisherOf(live, old),
    encoder: publisher.encoder || null,
    videoCodec: codecName(stream.videoCodec),
    audioCodec: codecName(stream.audioCodec),
    width: stream.width || null,
    height: stream.height || null,
    bytesIn: old === undefined ? stream.bytesIn : (old.socket?.bytesReceived ?? null),
    bitrateInBps: observer.bitrateOf(name),
    viewers: old === undefined ? viewersOf(stream.clients) : null,
  });
  return old === undefined ? snapshot : Object.assign(snapshot, { notice: noticeOf(old) });
}

export function pushSnapshot(camera: string, push: DesiredPush, source: SnapshotSource): PushSnapshot {
  const seen = pushFacts(camera, push, source);
  const since = source.sinceOf(camera, push.id, seen.state);
  // Retries of nginx are not seen: it waits as long as the target does not take it.
  const isDown = seen.state === 'waiting';
  return Object.assign({ ...emptyPush }, seen, {
    id: push.id,
    url: maskTarget(push.url, camera),
    since,
    downSince: isDown ? since : null,
    firstError: isDown ? seen.lastError : null,
  });
}

function facts(known: Partial<PushFacts> & Pick<PushFacts, 'state'>): PushFacts {
  return Object.assign({ lastError: null, nextRetryAt: null, droppedFrames: null }, known);
}

function pushFacts(camera: string, push: DesiredPush, { observer, hosts, policy }: SnapshotSource): PushFacts {
  if (!push.enabled) return facts({ state: 'disabled' });
  const target = targetOf(push);
  if ('code' in target) {
    const lastError = { ...target, at: new Date().toISOString() };
    return facts({ state: 'waiting', reason: target.message, lastError });
  }
  const refusal = forbidden(target, policy, hosts);
  if (refusal !== undefined) {
    const { code, message } = refusal;
    return facts({ state: 'waiting', reason: message, lastError: { code, message, at: new Date().toISOString() } });
  }
  const host = target.host === null ? undefined : hosts.state(target.host);
  const current = observer.current(camera);
  const old = current === undefined ? observer.old(camera) : undefined;
  const worker = current?.worker ?? old?.worker;
  const isInForce = worker?.pushes.get(camera)?.has(push.id) === true;
  if (!isInForce && host !== undefined && host.failingSinceMs !== null) {
    const nowMs = performance.now();
    const message = `the host ${target.host} does not resolve; nginx takes the push when it does`;
    return facts({
      state: 'waiting',
      reason: message,
      lastError: { code: 'TARGET_DNS', message, at: new Date(host.failingSinceMs).toISOString() },
      nextRetryAt: new Date(Date.now() + ((host.nextLookMs ?? nowMs) - nowMs)).toISOString(),
    });
  }
  if (worker === undefined) {
    return facts({ state: 'waiting-for-publish', reason: 'the camera is not live; nginx begins when it publishes' });
  }
  if (!isInForce) {
    const reason =
      'the camera has been live since before this push was added; nginx begins it when the camera publishes the next time';
    return facts({ state: 'waiting-for-publish', reason });
  }
  if (old !== undefined) return onOldWorker(old, target, host?.addresses ?? [target.address], observer);
  return onCurrentWorker(current?.camera, target.address);
}

/** A push that was just added is given so long before it counts as one that fails. */
const beginningMs = 4_000;

function onCurrentWorker(camera: LiveCamera | undefined, address: string): PushFacts {
  const client = camera?.stream.clients.find((each) => each.address === address && !each.publishing);
  if (client !== undefined) return facts({ state: 'active', droppedFrames: client.dropped });
  const isNew = camera !== undefined && elapsedMs(camera.publisher.sinceMs) < beginningMs;
  if (isNew) return facts({ state: 'connecting' });
  const reason = 'the target does not take it; nginx tries again every 3 s, and says why in its error log';
  return facts({ state: 'waiting', reason });
}

/** The statistics know nothing of it; the kernel knows how many connections the worker has to the target's port. */
function onOldWorker(
  { worker, camera }: OldCamera,
  target: { port: number; host: string | null; address: string },
  addresses: readonly string[],
  observer: Observer,
): PushFacts {
  const hosts = target.host === null ? [hostOf(target.address)] : addresses;
  const sockets = observer.outgoingOf(worker.pid, hosts, target.port);
  const unknown = 'the camera is live on an old worker of nginx, which tells nothing of its pushes';
  if (sockets === undefined) return facts({ state: 'active', reason: `${unknown}; it goes on as it was` });
  if (sockets.length === 0) {
    return facts({ state: 'waiting', reason: `${unknown}; it has no connection to this target` });
  }
  const others = otherPushes(worker, camera.name);
  return others === 0
    ? facts({ state: 'active', reason: `${unknown}; its connection to the target is there` })
    : facts({
        state: 'active',
        reason: `${unknown}; it has ${plural(sockets.length, 'connection')} to this target's port`,
      });
}

function otherPushes(worker: Worker, name: string): number {
  let count = (worker.pushes.get(name)?.size ?? 1) - 1;
  for (const camera of worker.cameras.keys()) if (camera !== name) count += worker.pushes.get(camera)?.size ?? 0;
  return count;
}

function hostOf(address: string): string {
  return /^\[([^\]]*)\]/.exec(address)?.[1] ?? address.slice(0, address.indexOf(':'));
}

function noticeOf({ certainty, socket, camera }: OldCamera): string {
  const since = 'it is live on an old worker of nginx since a reload, and nginx tells no more of it';
  if (certainty === 'unknown') return `${since}; whether it still is cannot be known before that worker ends`;
  if (certainty === 'one-of') {
    return `${since}; some cameras of ${camera.publisher.host} have left that worker, and which ones cannot be told`;
  }
  return socket === undefined ? since : `${since} than its bytes, which the kernel counts with what RTMP adds`;
}

function publisherOf(live: LiveCamera, old: OldCamera | undefined): string {
  const { host } = live.publisher;
  const port = old?.socket?.peerPort ?? (live.socket === null ? undefined : /:(\d+) \d+$/.exec(live.socket)?.[1]);
  if (port === undefined) return host;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

const codecs: Readonly<Record<string, string>> = {
  H264: 'h264',
  'Sorenson-H263': 'h263',
  ScreenVideo: 'screen',
  'On2-VP6': 'vp6',
  'On2-VP6-Alpha': 'vp6a',
  ScreenVideo2: 'screen2',
  AAC: 'aac',
  MP3: 'mp3',
  'MP3-8K': 'mp3',
  ADPCM: 'adpcm',
  LinearLE: 'pcm',
  Nellymoser16: 'nellymoser',
  Nellymoser8: 'nellymoser',
  Nellymoser: 'nellymoser',
  G711A: 'g711a',
  G711U: 'g711u',
  Speex: 'speex',
};

/** The module's names in ours; others as they are. */
function codecName(name: string): string | null {
  return codecs[name] ?? (name === '' ? null : name.toLowerCase());
}
