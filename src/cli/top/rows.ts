import { formatBitrate, formatBytes } from '../format.js';
import type { CameraView } from '../views.js';

export const sortKeys = ['name', 'state', 'in', 'out', 'queue'] as const;
export type SortKey = (typeof sortKeys)[number];

/** One line of the table: a camera, or one of its pushes. */
export interface TopRow {
  readonly cells: readonly string[];
  /** How it fares, for the colour. */
  readonly mood: 'good' | 'bad' | 'idle';
}

export const topHeadings = ['CAMERA / PUSH', 'STATE', 'IN/OUT', 'FPS', 'QUEUE', 'DROPPED', 'WHY'] as const;

const badStates = new Set(['waiting', 'stalled']);

/** Cameras with their pushes, those that are live or fail first; `filter` is part of a camera's name, state or target. */
export function topRows(cameras: readonly CameraView[], options: { sort: SortKey; filter: string }): TopRow[] {
  const wanted = options.filter.toLowerCase();
  return cameras
    .filter((camera) => wanted === '' || textOf(camera).includes(wanted))
    .map((camera) => ({ camera, rank: rankOf(camera, options.sort) }))
    .sort((left, right) => right.rank - left.rank || (left.camera.name < right.camera.name ? -1 : 1))
    .flatMap(({ camera }) => rowsOf(camera));
}

function textOf({ name, live, pushes }: CameraView): string {
  const parts = [name, live ? 'live' : 'idle', ...pushes.flatMap(({ id, state, url }) => [id, state, url])];
  return parts.join('\n').toLowerCase();
}

/** Higher comes first. */
function rankOf({ live, bitrateInBps, pushes }: CameraView, sort: SortKey): number {
  const total = (of: (push: CameraView['pushes'][number]) => number | null) =>
    pushes.reduce((sum, push) => sum + (of(push) ?? 0), 0);
  switch (sort) {
    case 'name':
      return 0;
    case 'state':
      return pushes.filter(({ state }) => badStates.has(state)).length * 2 + (live ? 1 : 0);
    case 'in':
      return bitrateInBps ?? 0;
    case 'out':
      return total(({ bitrateBps }) => bitrateBps);
    case 'queue':
      return total(({ queueBytes }) => queueBytes);
  }
}

function rowsOf(camera: CameraView): TopRow[] {
  const { name, live, bitrateInBps, frameRate, pushes } = camera;
  const first: TopRow = {
    cells: [name, live ? 'live' : 'idle', live ? bitrate(bitrateInBps) : '', number(frameRate), '', '', ''],
    mood: live ? 'good' : 'idle',
  };
  return [
    first,
    ...pushes.map(
      ({ id, state, bitrateBps, queueBytes, droppedFrames, lastError }): TopRow => ({
        cells: [
          `  ${id}`,
          state,
          state === 'active' || state === 'stalled' ? bitrate(bitrateBps) : '',
          '',
          queueBytes === null || queueBytes === 0 ? '' : formatBytes(queueBytes),
          droppedFrames === null || droppedFrames === 0 ? '' : String(droppedFrames),
          badStates.has(state) ? (lastError?.code ?? '') : '',
        ],
        mood: state === 'active' ? 'good' : badStates.has(state) ? 'bad' : 'idle',
      }),
    ),
  ];
}

function bitrate(bps: number | null): string {
  return bps === null ? '' : formatBitrate(bps);
}

function number(value: number | null): string {
  return value === null ? '' : String(Math.round(value));
}
