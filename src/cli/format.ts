import { loopbackOf } from '../address/every-address.js';
import { cleanText } from '../log/pino.js';

/** Rows under headings, in columns as wide as they need to be. Numbers stand to the right. */
export function table(headings: readonly string[], rows: readonly (readonly (string | number | null)[])[]): string {
  const cells = rows.map((row) => row.map((cell) => (cell === null || cell === '' ? '-' : cleanText(String(cell)))));
  const isNumber = headings.map((_, column) => rows.some((row) => typeof row[column] === 'number'));
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...cells.map((row) => row[column]!.length)),
  );
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => (isNumber[column] ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)))
      .join('  ')
      .trimEnd();
  return `${[line(headings), ...cells.map(line)].join('\n')}\n`;
}

/** `4.4 Mbit/s`. */
export function formatBitrate(bitsPerSecond: number): string {
  return scaled(bitsPerSecond, 1000, ['bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s']);
}

/** `1.5 MB`; 1 KB = 1024 bytes, as in the settings. */
export function formatBytes(bytes: number): string {
  return scaled(bytes, 1024, ['bytes', 'KB', 'MB', 'GB', 'TB']);
}

function scaled(value: number, step: number, units: readonly string[]): string {
  let unit = 0;
  let rest = value;
  while (rest >= step && unit < units.length - 1) {
    rest /= step;
    unit++;
  }
  return `${unit === 0 || rest >= 100 ? Math.round(rest) : rest.toFixed(1)} ${units[unit]}`;
}

/** How long ago it was: `12s`, `5m`, `3h`, `2d`. */
export function formatAge(since: string, nowMs = Date.now()): string {
  const seconds = Math.max(0, Math.round((nowMs - Date.parse(since)) / 1000));
  if (seconds < 120) {
    return `${seconds}s`;
  }
  if (seconds < 7200) {
    return `${Math.floor(seconds / 60)}m`;
  }
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)}h` : `${Math.floor(seconds / 86_400)}d`;
}

/** Whole seconds until a time that another machine may have noted; 0 when it is over. */
export function secondsUntil(time: string, nowMs = Date.now()): number {
  return Math.max(0, Math.round((Date.parse(time) - nowMs) / 1000));
}

/** The same for programs, in a form that is readable too. */
export function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** A host as it stands in a URL. */
export function urlHost(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

/** An address to connect to, for a listener that may listen on all. */
export const reachableHost = loopbackOf;
