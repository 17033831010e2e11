import { formatAge, formatBitrate, formatBytes } from '../format.js';
import { compareNames } from '../many/names.js';
import { isDown } from '../troubles.js';
import type { CameraView } from '../views.js';

export const sortKeys = ['name', 'state', 'in', 'out', 'queue'] as const;
export type SortKey = (typeof sortKeys)[number];

/** One line of the table: a camera, or one of its pushes. */
export interface TopRow {
  readonly cells: readonly string[];
  /** In place of the first cell where each line stands for itself: `gate-1 / p-1a2b3c4d`. */
  readonly fullName: string;
  /** How it fares, for the colour. */
  readonly mood: 'good' | 'bad' | 'idle';
}

export const topHeadings = ['CAMERA / PUSH', 'STATE', 'IN/OUT', 'FPS', 'QUEUE', 'DROPPED', 'WHY'] as const;

/** Cameras with their pushes, those that are live or fail first; `filter` is part of a camera's name, state or target. */
export function topRows(cameras: readonly CameraView[], options: { sort: SortKey; filter: string }): TopRow[] {
  const wanted = options.filter.toLowerCase();
  return cameras
    .filter((camera) => wanted === '' || textOf(camera).includes(wanted))
    .map((camera) => ({ camera, rank: rankOf(camera, options.sort) }))
    .sort((left, right) => right.rank - left.rank || compareNames(left.camera.name, right.camera.name))
    .flatMap(({ camera }) => rowsOf(camera));
}

function textOf({ name, live, conditions = [], pushes }: CameraView): string {
  const words = conditions.flatMap(({ code, label = '' }) => [code, label]);
  const parts = [name, live ? 'live' : 'idle', ...words, ...pushes.flatMap(({ id, state, url }) => [id, state, url])];
  return parts.join('\n').toLowerCase();
}

/** Higher comes first. */
function rankOf({ live, bitrateInBps, conditions = [], pushes }: CameraView, sort: SortKey): number {
  const total = (of: (push: CameraView['pushes'][number]) => number | null) =>
    pushes.reduce((sum, push) => sum + (of(push) ?? 0), 0);
  switch (sort) {
    case 'name':
      return 0;
    case 'state':
      return (conditions.length + pushes.filter(isDown).length) * 2 + (live ? 1 : 0);
    case 'in':
      return bitrateInBps ?? 0;
    case 'out':
      return total(({ bitrateBps }) => bitrateBps);
    case 'queue':
      return total(({ queueBytes }) => queueBytes);
  }
}

function rowsOf(camera: CameraView): TopRow[] {
  const { name, live, bitrateInBps, frameRate, conditions = [], pushes } = camera;
  const [gravest] = conditions;
  const state = gravest?.label ?? (gravest === undefined ? (live ? 'live' : 'idle') : gravest.code);
  const why = conditions.map(({ code }) => code).join(' ');
  const first: TopRow = {
    cells: [name, state, live ? bitrate(bitrateInBps) : '', number(frameRate), '', '', why],
    fullName: name,
    mood: gravest !== undefined ? 'bad' : live ? 'good' : 'idle',
  };
  return [
    first,
    ...pushes.map(
      ({ id, state, bitrateBps, queueBytes, droppedFrames, lastError, firstError, downSince }): TopRow => ({
        cells: [
          `  ${id}`,
          state,
          state === 'active' || state === 'stalled' ? bitrate(bitrateBps) : '',
          '',
          queueBytes === null || queueBytes === 0 ? '' : formatBytes(queueBytes),
          droppedFrames === null || droppedFrames === 0 ? '' : String(droppedFrames),
          isDown({ state, downSince }) ? `${down(downSince)}${(firstError ?? lastError)?.code ?? ''}` : '',
        ],
        fullName: `${name} / ${id}`,
        mood: isDown({ state, downSince }) ? 'bad' : state === 'active' ? 'good' : 'idle',
      }),
    ),
  ];
}

function down(since: string | null): string {
  return since === null ? '' : `down ${formatAge(since)} `;
}

function bitrate(bps: number | null): string {
  return bps === null ? '' : formatBitrate(bps);
}

function number(value: number | null): string {
  return value === null ? '' : String(Math.round(value));
}
