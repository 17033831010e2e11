import { type CameraHealth, cameraHealth } from '../../state/health.js';
import type { CameraEntry } from '../../state/store.js';

type Compare = (left: CameraEntry, right: CameraEntry) => number;

/** cam-2 before cam-10. */
const collator = new Intl.Collator('en', { numeric: true });

export function byName(left: CameraEntry, right: CameraEntry): number {
  return collator.compare(left.name, right.name);
}

const healthOrder: readonly CameraHealth[] = ['trouble', 'returning', 'live', 'offline'];

function byHealth(left: CameraEntry, right: CameraEntry): number {
  const rank = ({ view }: CameraEntry): number => healthOrder.indexOf(cameraHealth(view.value));
  return rank(left) - rank(right);
}

function byNumber(numberOf: (entry: CameraEntry) => number): Compare {
  return (left, right) => numberOf(left) - numberOf(right);
}

function byText(textOf: (entry: CameraEntry) => string): Compare {
  return (left, right) => collator.compare(textOf(left), textOf(right));
}

const rate = byNumber(({ view }) => (view.value.live ? (view.value.bitrateInBps ?? 0) : -1));
const since = byText(({ view }) => view.value.liveSince ?? '');

/** Columns of the table, each with the order of its heading. */
export const columns: readonly { key: string; label: string; kind?: string; compare: Compare }[] = [
  { key: 'name', label: 'Camera', compare: byName },
  { key: 'trouble', label: 'State', compare: byHealth },
  { key: 'since', label: 'Since', kind: 'number', compare: (left, right) => since(right, left) },
  { key: 'video', label: 'Video', compare: byText(({ view }) => view.value.videoCodec ?? '') },
  { key: 'fps', label: 'Frame rate', kind: 'number', compare: byNumber(({ view }) => view.value.frameRate ?? -1) },
  { key: 'in', label: 'In', kind: 'number', compare: rate },
  { key: 'pushes', label: 'Pushes', compare: byNumber(({ view }) => view.value.pushes.length) },
  {
    key: 'targets',
    label: 'To',
    compare: byText(({ view }) => view.value.pushes.map((push) => push.engine ?? push.url).join()),
  },
];

/** What the cards are sorted by. */
export const cardOrders: readonly { readonly key: string; readonly label: string }[] = [
  { key: 'name', label: 'Name' },
  { key: 'trouble', label: 'Trouble first' },
  { key: '-in', label: 'Bitrate' },
  { key: 'since', label: 'Live since' },
];

/** The order of a query: the key of a column, with a minus for the other way round. Names decide between equals. */
export function orderOf(query: string | null): Compare {
  const key = (query ?? 'name').replace(/^-/, '');
  const sign = query?.startsWith('-') === true ? -1 : 1;
  const compare = columns.find((column) => column.key === key)?.compare ?? byName;
  return (left, right) => sign * compare(left, right) || byName(left, right);
}

export function directionOf(query: string | null, key: string): 'ascending' | 'descending' | undefined {
  if ((query ?? 'name') === key) return 'ascending';
  return query === `-${key}` ? 'descending' : undefined;
}
