import { type LogLevel, logLevels } from '../../log/levels.js';
import type { RecentLine, RecentLines } from '../../log/recent-lines.js';

/** A line of the log as the API has it. */
export interface LogLineView {
  readonly id: number;
  readonly at: string;
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: Record<string, unknown>;
}

export interface LinesAsked {
  /** Only lines of these cameras; undefined: all. */
  readonly cameras: ReadonlySet<string> | undefined;
  /** The least important lines; undefined: all. */
  readonly level: string | undefined;
  /** Only those after this one; undefined: the newest. */
  readonly after: number | undefined;
  readonly limit: number;
}

/** The lines that are asked for, and where the next ones begin. */
export function readLines(
  recent: RecentLines,
  { cameras, level, after, limit }: LinesAsked,
): { items: LogLineView[]; next: number; missed: boolean } {
  const least = level === undefined ? 0 : (logLevels as readonly string[]).indexOf(level);
  const wants = ({ level: own, fields }: LogLineView): boolean =>
    logLevels.indexOf(own) >= least &&
    (cameras === undefined || (typeof fields.camera === 'string' && cameras.has(fields.camera)));
  const items: LogLineView[] = [];
  if (after === undefined) {
    for (const line of recent.newestFirst()) {
      if (items.length >= limit) break;
      const view = viewOf(line);
      if (view !== undefined && wants(view)) items.push(view);
    }
    return { items: items.reverse(), next: recent.newestId, missed: false };
  }
  const { lines, missed } = recent.since(after);
  let next = recent.newestId;
  for (const line of lines) {
    if (items.length >= limit) {
      next = line.id - 1;
      break;
    }
    const view = viewOf(line);
    if (view !== undefined && wants(view)) items.push(view);
  }
  return { items, next, missed };
}

function viewOf({ id, json }: RecentLine): LogLineView | undefined {
  let line: unknown;
  try {
    line = JSON.parse(json);
  } catch {
    return undefined;
  }
  if (typeof line !== 'object' || line === null) return undefined;
  const { time, level, message, ...fields } = line as Record<string, unknown>;
  const known = logLevels.find((each) => each === level);
  if (known === undefined || typeof time !== 'string') return undefined;
  return { id, at: time, level: known, message: typeof message === 'string' ? message : '', fields };
}
