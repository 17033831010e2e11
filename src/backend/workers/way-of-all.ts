import type { SocketWay } from '../../net/socket-way.js';

/** The best first. */
const modes: readonly SocketWay['mode'][] = ['uring', 'direct', 'plain'];

/** How one worker reads and writes. */
export interface WayOfWorker extends SocketWay {
  /** 1 for the first. */
  readonly number: number;
}

/**
 * How the workers read and write, in one word: all are of the same machine and build, so that another way is news. Where
 * they differ it is the worst, and the reason names who has it, and what the others have.
 * @returns null: none has said yet
 */
export function wayOfAll(ways: readonly WayOfWorker[]): SocketWay | null {
  const worst = modes.findLast((mode) => ways.some((way) => way.mode === mode));
  if (worst === undefined) return null;
  // Those that are alike in mode and reason, the best first.
  const groups = new Map<string, { readonly mode: string; readonly why: string | null; readonly numbers: number[] }>();
  for (const { number, mode, why } of ways.toSorted((a, b) => modes.indexOf(a.mode) - modes.indexOf(b.mode))) {
    const key = `${mode} ${why}`;
    const group = groups.get(key) ?? { mode, why, numbers: [] };
    groups.set(key, group);
    group.numbers.push(number);
  }
  if (groups.size === 1) return { mode: worst, why: ways[0]!.why };
  const texts = [...groups.values()].map(({ mode, why, numbers }) => {
    const who = numbers.length === 1 ? `media worker ${numbers[0]}` : `media workers ${numbers.join(', ')}`;
    return `${who}: ${mode}${why === null ? '' : `, since ${why}`}`;
  });
  return { mode: worst, why: texts.join('; ') };
}
