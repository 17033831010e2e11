import type { RecordedEvent } from '../api/types.js';

/** A line of a flight recorder. */
export interface RecorderLine extends RecordedEvent {
  /** The push that it is of; undefined: the camera itself. */
  readonly push: string | undefined;
}

/** All lines of one outage of a push, as one entry. */
export interface Outage {
  readonly push: string;
  readonly from: string;
  readonly at: string;
  /** Tries that failed. */
  readonly failures: number;
  readonly first: string;
  readonly last: string;
  /** Oldest first. */
  readonly lines: readonly RecorderLine[];
}

export type RecorderEntry = RecorderLine | Outage;

export function isOutage(entry: RecorderEntry): entry is Outage {
  return 'failures' in entry;
}

/** Fewer failures are shown as they are. */
const leastFailures = 2;

/** Folds the retries of each outage of one push into one entry. @param lines of this push, oldest first */
export function foldOutages(push: string, lines: readonly RecorderLine[]): RecorderEntry[] {
  const entries: RecorderEntry[] = [];
  let outage: RecorderLine[] = [];
  const flush = () => {
    const errors = outage.filter(({ kind }) => kind === 'error');
    const [first, last] = [errors[0], errors.at(-1)];
    if (first !== undefined && last !== undefined && errors.length >= leastFailures) {
      const [from, at] = [outage[0]?.at ?? first.at, outage.at(-1)?.at ?? last.at];
      entries.push({ push, from, at, failures: errors.length, first: first.text, last: last.text, lines: outage });
    } else entries.push(...outage);
    outage = [];
  };
  for (const line of lines) {
    const isOver = line.kind === 'state' && /-> (?:active|idle|disabled)$/.test(line.text);
    if (isOver) flush();
    if (!isOver && (outage.length > 0 || line.kind === 'error' || / -> waiting$/.test(line.text))) outage.push(line);
    else entries.push(line);
  }
  flush();
  return entries;
}
