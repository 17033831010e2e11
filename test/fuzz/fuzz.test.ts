import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { allTargets, examine, fuzz } from './fuzzer.js';
import { inputOf, type Vector } from './input.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const regressions = new URL('regressions/', import.meta.url);
const targets = allTargets(root);
const vectors = readdirSync(regressions).filter((name) => name.endsWith('.json'));

describe('inputs that went wrong once', () => {
  it.each(vectors)('%s', (name) => {
    const vector = JSON.parse(readFileSync(new URL(name, regressions), 'utf8')) as Vector;
    const target = targets.find((each) => each.name === vector.target)!;
    expect(examine(target, inputOf(vector)).finding?.message).toBeUndefined();
  });
});

it('ten seconds of mutated sessions find nothing; npm run fuzz has more', async () => {
  const figures = await fuzz(targets, { seed: 20_240_601, inputs: 100_000, seconds: 10 });
  expect(figures.finds.map(({ target, kind, message, index }) => ({ target, kind, message, index }))).toEqual([]);
  expect([...figures.byTarget.keys()].sort()).toEqual(targets.map(({ name }) => name).sort());
});
