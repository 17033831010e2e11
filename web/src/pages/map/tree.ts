import type { CameraView, PushView } from '../../api/types.js';
import { type CameraHealth, cameraHealth, isInTrouble, type Tone } from '../../state/health.js';

/** A row on the left: a camera, or those that have no row of their own. */
export interface SourceRow {
  readonly key: string;
  readonly label: string;
  /** Undefined: a row of many. */
  readonly camera: string | undefined;
  readonly health: CameraHealth;
  readonly bitrateBps: number;
  /** Keys of the targets that it goes to. */
  readonly targets: ReadonlySet<string>;
}

/** A row on the right: everything that goes to one host, or to one engine. */
export interface TargetRow {
  readonly key: string;
  readonly label: string;
  readonly detail: string;
  readonly tone: Tone;
  readonly bitrateBps: number;
  readonly sources: ReadonlySet<string>;
}

export interface BrokenPush {
  readonly camera: string;
  readonly push: PushView;
}

export interface Tree {
  readonly sources: readonly SourceRow[];
  readonly targets: readonly TargetRow[];
  readonly broken: readonly BrokenPush[];
}

const others = 'others';
/** No target is called so: names have no space at their beginning. */
export const viewersKey = ' viewers';
const healthOrder: readonly CameraHealth[] = ['trouble', 'returning', 'live', 'offline'];

/** Puts what is broken first; cameras beyond `maxRows` share a row. */
export function buildTree(cameras: readonly CameraView[], viewers: number, maxRows: number): Tree {
  const sorted = cameras
    .map((camera) => ({ camera, health: cameraHealth(camera) }))
    .sort(
      (left, right) =>
        healthOrder.indexOf(left.health) - healthOrder.indexOf(right.health) ||
        left.camera.name.localeCompare(right.camera.name, 'en', { numeric: true }),
    );
  const single = sorted.length <= maxRows + 1 ? sorted : sorted.slice(0, maxRows);
  const rest = sorted.slice(single.length);
  const sources: SourceRow[] = single.map(({ camera, health }) => ({
    key: camera.name,
    label: camera.name,
    camera: camera.name,
    health,
    bitrateBps: camera.live ? (camera.bitrateInBps ?? 0) : 0,
    targets: new Set(camera.pushes.map(targetKey)),
  }));
  if (rest.length > 0) {
    const live = rest.filter(({ camera }) => camera.live);
    sources.push({
      key: others,
      label: `${rest.length} more, ${live.length} live`,
      camera: undefined,
      health: live.length > 0 ? 'live' : 'offline',
      bitrateBps: live.reduce((sum, { camera }) => sum + (camera.bitrateInBps ?? 0), 0),
      targets: new Set(rest.flatMap(({ camera }) => camera.pushes.map(targetKey))),
    });
  }
  const own = new Set(single.map(({ camera }) => camera.name));
  const broken = cameras.flatMap((camera) =>
    camera.pushes.filter((push) => camera.live && isInTrouble(push)).map((push) => ({ camera: camera.name, push })),
  );
  const targets = targetRows(cameras, (name) => (own.has(name) ? name : others));
  if (viewers > 0) {
    const sources = new Set(cameras.filter((camera) => (camera.viewers ?? 0) > 0).map(({ name }) => name));
    const detail = viewers === 1 ? '1 viewer' : `${viewers} viewers`;
    targets.push({ key: viewersKey, label: 'Viewers', detail, tone: 'ok', bitrateBps: 0, sources });
  }
  return { sources, targets, broken };
}

function targetRows(cameras: readonly CameraView[], rowOf: (camera: string) => string): TargetRow[] {
  const groups = new Map<string, { pushes: PushView[]; sources: Set<string> }>();
  for (const camera of cameras) {
    for (const push of camera.pushes) {
      const key = targetKey(push);
      let group = groups.get(key);
      if (group === undefined) {
        group = { pushes: [], sources: new Set() };
        groups.set(key, group);
      }
      group.pushes.push(push);
      group.sources.add(rowOf(camera.name));
    }
  }
  const rank: readonly Tone[] = ['bad', 'warn', 'busy', 'ok', 'off'];
  return [...groups]
    .map(([key, { pushes, sources }]) => ({
      key,
      label: key,
      detail: detailOf(pushes),
      tone: toneOf(pushes),
      bitrateBps: pushes.reduce((sum, push) => sum + (push.state === 'active' ? (push.bitrateBps ?? 0) : 0), 0),
      sources,
    }))
    .sort((left, right) => rank.indexOf(left.tone) - rank.indexOf(right.tone) || left.key.localeCompare(right.key));
}

/** The engine's name, else the host and port of the address. */
function targetKey(push: PushView): string {
  if (push.engine !== undefined) return push.engine;
  return /^\w+:\/\/(?:[^/@]*@)?([^/?]+)/.exec(push.url)?.[1] ?? push.url;
}

function detailOf(pushes: readonly PushView[]): string {
  const active = pushes.filter(({ state }) => state === 'active').length;
  return `${active} of ${pushes.length} active`;
}

function toneOf(pushes: readonly PushView[]): Tone {
  if (pushes.some(({ state }) => state === 'waiting')) return 'bad';
  if (pushes.some(isInTrouble)) return 'warn';
  if (pushes.some(({ state }) => state === 'active')) return 'ok';
  return pushes.some(({ state }) => state === 'connecting') ? 'busy' : 'off';
}
