import { cleanText } from '../../log/pino.js';
import type { painter } from '../io.js';

type Paint = ReturnType<typeof painter>;

/** An event of the API, of whichever type. */
export interface ShownEvent {
  readonly id?: number;
  readonly at?: string;
  readonly type: string;
  readonly [field: string]: unknown;
}

const ownPlace = new Set(['id', 'at', 'type', 'camera', 'push', 'engine', 'node']);
/** Said in words, or only of use to programs. */
const leftOut = new Set([
  'since',
  'from',
  'nextRetryAt',
  'firstCode',
  'firstReason',
  'downSince',
  'enabled',
  'returned',
]);

/** An event as a line: time, type, what it is about, and its facts. */
export function eventLine(event: ShownEvent, paint: Paint): string {
  const isOfNode = event.type.startsWith('node.');
  const subject = isOfNode ? event.node : (event.camera ?? event.engine);
  const what = [subject, event.push].filter((name) => typeof name === 'string').join(' ');
  const words = eventWords(event);
  const node = isOfNode || typeof event.node !== 'string' ? '' : `(node ${cleanText(event.node)})`;
  return `${localTime(event.at)}  ${paint(styleOf(event), cleanText(event.type).padEnd(18))} ${[
    cleanText(what),
    words,
    node,
  ]
    .filter((part) => part !== '')
    .join('  ')}\n`;
}

function eventWords(event: ShownEvent): string {
  const text = (key: string): string => (event[key] == null ? '' : cleanText(String(event[key])));
  switch (event.type) {
    case 'push.state': {
      const why = event.code == null ? '' : `  ${text('code')}: ${text('reason')}`;
      const attempt = typeof event.attempt === 'number' && event.attempt > 1 ? ` (attempt ${event.attempt})` : '';
      return `${text('from')} -> ${text('state')}${attempt}${why}`;
    }
    case 'problem.raised':
    case 'problem.cleared':
      return `${text('code')}: ${text('message')}`;
    case 'source.moved': {
      const ingest = event.ingest === 'main' ? '' : `${text('ingest')}: `;
      return `${ingest}${text('from')} -> ${text('to')}  serial number ${text('serial')}`;
    }
    case 'publisher.refused':
      return `${text('code')}: ${text('message')}  ${text('name')} from ${text('address')}`;
    case 'camera.live':
      return [event.returned === true ? 'returned' : '', `${text('publisher')}  ${text('encoder')}`.trim()]
        .filter((part) => part !== '')
        .join('  ');
    default:
      return Object.entries(event)
        .filter(([key, value]) => !ownPlace.has(key) && !leftOut.has(key) && value != null)
        .map(([key, value]) => `${cleanText(key)}=${cleanText(String(value))}`)
        .join('  ');
  }
}

function styleOf({ type, state }: ShownEvent): Parameters<Paint>[0] {
  if (type === 'node.unknown' || type === 'node.left') return 'yellow';
  if (type === 'problem.raised' || type === 'publisher.refused') return 'red';
  if (type === 'camera.live' || type === 'problem.cleared' || state === 'active') return 'green';
  if (type === 'camera.stopped' || state === 'waiting' || state === 'stalled') return 'yellow';
  return 'bold';
}

/** `2026-11-22 15:00:00.123` where the reader is. */
export function localTime(at: string | undefined): string {
  const date = new Date(at ?? Number.NaN);
  if (Number.isNaN(date.getTime())) return '-'.padEnd(23);
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `${day} ${time}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}
