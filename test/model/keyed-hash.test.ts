import { expect, it } from 'vitest';
import { keyedHash, randomKey } from '../../src/model/keyed-hash.js';
import { withEntry } from '../../src/model/persistent-map.js';

/** FNV-1a, for which anybody can choose names. */
function fnv(name: string): number {
  let hash = 0x811c9dc5;
  for (const character of name) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193);
  return hash;
}

/** Names that a hash without a key would put into one place of 4,096. */
const chosen: string[] = [];
for (let n = 0; chosen.length < 300; n++) if ((fnv(`cam${n}`) & 0xfff) === 0x123) chosen.push(`cam${n}`);

const usual = Array.from({ length: 4096 }, (_, n) => `camera-${n}`);

/** How many of them are in the fullest of 4,096 places. */
function fullest(names: readonly string[], hash: (name: string) => number): number {
  const counts = new Map<number, number>();
  for (const name of names) counts.set(hash(name) & 0xfff, (counts.get(hash(name) & 0xfff) ?? 0) + 1);
  return Math.max(...counts.values());
}

it('puts chosen names and usual ones into different places, by any key', () => {
  expect(fullest(chosen, fnv)).toBe(300);
  for (let n = 0; n < 20; n++) {
    const hash = keyedHash(...randomKey());
    // By chance it is 2 or 3, and 6 or 7.
    expect(fullest(chosen, hash)).toBeLessThan(10);
    expect(fullest(usual, hash)).toBeLessThan(18);
  }
});

it('gives a text the same number always, and another one by another key', () => {
  const [one, other] = [keyedHash(1, 2), keyedHash(1, 3)];
  for (const text of ['', 'a', 'ab', 'abc', 'a'.repeat(64)]) {
    expect(one(text)).toBe(keyedHash(1, 2)(text));
    expect(one(text)).not.toBe(other(text));
  }
  const lengths = Array.from({ length: 64 }, (_, length) => one('a'.repeat(length)));
  expect(new Set(lengths).size).toBe(64);
});

it('keeps a map quick whose names somebody chose', () => {
  let map: ReadonlyMap<string, object> = new Map();
  for (const name of chosen) map = withEntry(map, name, {});
  const { branches } = map as unknown as { branches: ((readonly unknown[] | undefined)[] | undefined)[] };
  const leaves = branches.flatMap((branch) => (branch ?? []).map((leaf) => (leaf?.length ?? 0) / 2));
  expect(leaves.reduce((sum, entries) => sum + entries, 0)).toBe(300);
  expect(Math.max(...leaves)).toBeLessThan(10);
});
