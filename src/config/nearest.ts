/** Levenshtein distance, two rows at a time: the number of single characters to insert, delete or replace. */
function editDistance(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const replaced = previous[column - 1]! + (from[row - 1] === to[column - 1] ? 0 : 1);
      current.push(Math.min(replaced, previous[column]! + 1, current[column - 1]! + 1));
    }
    previous = current;
  }
  return previous[to.length]!;
}

/** `rtmpPort`, `RTMP_PORT` and `rtmp-port` are the same slip of the pen. */
function normalise(key: string): string {
  return key
    .replace(/([a-z0-9])([A-Z])/g, '$1-$2')
    .replaceAll('_', '-')
    .toLowerCase();
}

/**
 * The candidate that the user most likely meant. Long input is cut, so that a hostile key costs nothing.
 * @param maxDistance letters that may differ; never more than half of the candidate's.
 * @returns undefined when no candidate is near
 */
export function nearest(word: string, candidates: readonly string[], maxDistance = 64): string | undefined {
  const wanted = normalise(word.slice(0, 64));
  let best: string | undefined;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const distance = editDistance(wanted, normalise(candidate));
    if (distance < bestDistance && distance <= Math.min(maxDistance, candidate.length / 2)) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}
