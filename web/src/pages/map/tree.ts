import type { CameraView, PushView } from '../../api/types.js';
import { type CameraHealth, cameraHealth, isInTrouble, type Tone } from '../../state/health.js';
import { plural } from '../../ui/format.js';

/** A row on the left: a camera, or those that go to the same targets and need no row of their own. */
export interface SourceRow {
  readonly key: string;
  readonly label: string;
  /** Undefined: a row of many. */
  readonly camera: string | undefined;
  /** What finds the cameras of a row of many in the table. */
  readonly search: string;
  readonly health: CameraHealth;
  /** Whether anything comes: a camera whose source is down is in trouble, and not live. */
  readonly live: boolean;
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

/** No target is called so: names have no space at their beginning. */
export const viewersKey = ' viewers';
const healthOrder: readonly CameraHealth[] = ['trouble', 'returning', 'live', 'offline'];
/** Groups beyond these share a row. */
const maxGroups = 12;

interface Seen {
  readonly camera: CameraView;
  readonly health: CameraHealth;
}

/**
 * Puts what is broken first. With more than `maxRows` cameras, those that are well share a row with all that go to the same
 * targets: two hundred cameras of one engine are one row. Of those in trouble, `maxRows` have rows of their own.
 */
export function buildTree(cameras: readonly CameraView[], viewers: number, maxRows: number): Tree {
  const sorted = cameras
    .map((camera) => ({ camera, health: cameraHealth(camera) }))
    .sort(
      (left, right) =>
        healthOrder.indexOf(left.health) - healthOrder.indexOf(right.health) ||
        left.camera.name.localeCompare(right.camera.name, 'en', { numeric: true }),
    );
  const isWell = ({ health }: Seen): boolean => health === 'live' || health === 'offline';
  const single = sorted.length <= maxRows ? sorted : sorted.filter((seen) => !isWell(seen)).slice(0, maxRows);
  const rowOf = new Map(single.map(({ camera }) => [camera.name, camera.name]));
  const sources = single.map(
    ({ camera, health }): SourceRow => ({
      key: camera.name,
      label: camera.name,
      camera: camera.name,
      search: camera.name,
      health,
      live: camera.live,
      bitrateBps: camera.live ? (camera.bitrateInBps ?? 0) : 0,
      targets: new Set(camera.pushes.map(targetKey)),
    }),
  );
  for (const [key, members] of groupsOf(sorted.filter(({ camera }) => !rowOf.has(camera.name)))) {
    for (const { camera } of members) rowOf.set(camera.name, key);
    sources.push(groupRow(key, members));
  }
  const broken = cameras.flatMap((camera) =>
    camera.pushes.filter((push) => camera.live && isInTrouble(push)).map((push) => ({ camera: camera.name, push })),
  );
  const targets = targetRows(cameras, (name) => rowOf.get(name) ?? name);
  if (viewers > 0) {
    const watched = cameras.filter((camera) => (camera.viewers ?? 0) > 0).map(({ name }) => rowOf.get(name) ?? name);
    const detail = plural(viewers, 'viewer');
    targets.push({ key: viewersKey, label: 'Viewers', detail, tone: 'ok', bitrateBps: 0, sources: new Set(watched) });
  }
  return { sources, targets, broken };
}

/** By what they go to, the largest first; small ones share the last. */
function groupsOf(rest: readonly Seen[]): [key: string, members: readonly Seen[]][] {
  const groups = new Map<string, Seen[]>();
  for (const seen of rest) {
    const targets = [...new Set(seen.camera.pushes.map(targetKey))].sort();
    const key = ` ${targets.join(' ')}`;
    const members = groups.get(key);
    if (members === undefined) groups.set(key, [seen]);
    else members.push(seen);
  }
  const sorted = [...groups].sort((left, right) => right[1].length - left[1].length);
  if (sorted.length <= maxGroups) return sorted;
  const small = sorted.slice(maxGroups - 1).flatMap(([, members]) => members);
  return [...sorted.slice(0, maxGroups - 1), [' others', small]];
}

function groupRow(key: string, members: readonly Seen[]): SourceRow {
  const live = members.filter(({ camera }) => camera.live);
  const down = members.filter(({ health }) => health === 'trouble').length;
  const [first] = members;
  const name = members.length === 1 ? (first?.camera.name ?? '') : `${members.length} cameras`;
  return {
    key,
    label: `${name}, ${live.length} live`,
    camera: undefined,
    search: key === ' others' ? '' : key.trim(),
    health: down > 0 ? 'trouble' : live.length > 0 ? 'live' : 'offline',
    live: live.length > 0,
    bitrateBps: live.reduce((sum, { camera }) => sum + (camera.bitrateInBps ?? 0), 0),
    targets: new Set(members.flatMap(({ camera }) => camera.pushes.map(targetKey))),
  };
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
