import type { RecordedEvent } from '../api/types.js';

/** A line of a flight recorder. */
export interface RecorderLine extends RecordedEvent {
  /** The push that it is of; undefined: the camera itself. */
  readonly push: string | undefined;
}

/** All lines of one outage of a push, or of the source of the camera, as one entry. */
export interface Outage {
  /** Undefined: the source of the camera. */
  readonly push: string | undefined;
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

/** Lines of a push that end an outage, and of the source of a camera. */
const overOf = {
  push: { kind: 'state', text: /-> (?:active|idle|disabled)$/ },
  source: { kind: 'source', text: /-> (?:live|off)$/ },
} as const;

/**
 * Folds the retries of each outage of one push, or of the source of the camera, into one entry.
 * @param push undefined: of the source; what happens to the camera meanwhile keeps its lines
 * @param lines of this push, or of the camera, oldest first
 */
export function foldOutages(push: string | undefined, lines: readonly RecorderLine[]): RecorderEntry[] {
  const over = push === undefined ? overOf.source : overOf.push;
  const belongs = ({ kind }: RecorderLine) => push !== undefined || kind === 'source' || kind === 'error';
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
    if (!belongs(line)) {
      entries.push(line);
      continue;
    }
    const isOver = line.kind === over.kind && over.text.test(line.text);
    if (isOver) flush();
    if (!isOver && (outage.length > 0 || line.kind === 'error' || / -> waiting$/.test(line.text))) outage.push(line);
    else entries.push(line);
  }
  flush();
  return entries;
}
