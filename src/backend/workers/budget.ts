/**
 * What each worker may keep of a budget that is for all of them together: what it keeps, and an equal part of what is
 * free. Where they keep more than the budget in all, each gives back in proportion.
 * @param kept bytes that each keeps now
 */
export function shareBudget(totalBytes: number, kept: readonly number[]): number[] {
  const sum = kept.reduce((all, bytes) => all + bytes, 0);
  if (sum > totalBytes) return kept.map((bytes) => Math.floor((bytes / sum) * totalBytes));
  const part = Math.floor((totalBytes - sum) / kept.length);
  return kept.map((bytes) => bytes + part);
}
