import type { Logger } from '../../log/log.js';
import { StateProblem } from '../store.js';
import type { RefusedEntry } from './entries.js';

/** Values that are refused are named up to this number: with another secret, they are all. */
const maxTold = 20;

/** What is shown of the values in etcd that are refused. */
export function refusalProblems(refused: readonly RefusedEntry[]): StateProblem[] {
  const problems = refused
    .slice(0, maxTold)
    .map(
      ({ reason, since }) =>
        new StateProblem('STATE_INVALID', `in etcd, ${reason}; the last good value stays in force`, since),
    );
  const next = refused[maxTold];
  if (next !== undefined) {
    const message = `${refused.length - maxTold} more values in etcd are refused`;
    problems.push(new StateProblem('STATE_INVALID', message, next.since));
  }
  return problems;
}

/** Logs those that were refused since there were `before` of them. */
export function logRefusals(refused: readonly RefusedEntry[], before: number, log: Logger): void {
  for (const { reason } of refused.slice(before, before + maxTold)) {
    log.error('a value in etcd is refused; the last good one stays in force', { reason });
  }
  const more = refused.length - before - maxTold;
  if (more > 0) log.error('more values in etcd are refused', { more });
}
