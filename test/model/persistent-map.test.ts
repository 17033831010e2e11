import fc from 'fast-check';
import { expect, it } from 'vitest';
import { encodeState } from '../../src/model/document/encode.js';
import { type Camera, emptyPushes } from '../../src/model/model.js';
import { differingNames, sortedNames, withEntry, withoutEntry } from '../../src/model/persistent-map.js';

const camera = (name: string, type: string): Camera => ({ name, type, createdAt: 'x', pushes: emptyPushes });

const steps = fc.array(
  fc.record({ remove: fc.boolean(), name: fc.integer({ min: 0, max: 300 }).map((n) => `c${n}`), type: fc.string() }),
  { maxLength: 400, size: 'max' },
);

it('behaves as a copied Map would, over any changes, and is written as one', () => {
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 50 }), (all, every) => {
      let persistent: ReadonlyMap<string, Camera> = new Map();
      let encoded = persistent;
      const plain = new Map<string, Camera>();
      for (const [index, { remove, name, type }] of all.entries()) {
        const before = persistent;
        const copy = new Map(plain);
        const value = camera(name, type);
        persistent = remove ? withoutEntry(persistent, name) : withEntry(persistent, name, value);
        if (remove) plain.delete(name);
        else plain.set(name, value);
        expect([before.size, before.get(name)]).toEqual([copy.size, copy.get(name)]);
        expect([persistent.size, persistent.has(name), persistent.get(name)]).toEqual([
          plain.size,
          plain.has(name),
          plain.get(name),
        ]);
        expect([...differingNames(before, persistent)]).toEqual(remove && !copy.has(name) ? [] : [name]);
        if (index % every !== 0) continue;
        expect([...persistent.keys()].sort()).toEqual([...plain.keys()].sort());
        expect(sortedNames(persistent)).toEqual([...plain.keys()].sort());
        expect([...persistent.values()].length).toBe(plain.size);
        const changed = [...new Set([...encoded.keys(), ...plain.keys()])].filter(
          (one) => encoded.get(one) !== plain.get(one),
        );
        expect([...differingNames(encoded, persistent)].sort()).toEqual(changed.sort());
        encoded = persistent;
        const state = { cameras: persistent, engines: new Map() };
        expect(encodeState(state)).toBe(encodeState({ cameras: new Map(plain), engines: new Map() }));
      }
    }),
    { numRuns: 40 },
  );
});

it('leaves every version as it was', () => {
  const versions: [ReadonlyMap<string, Camera>, string[]][] = [];
  let map: ReadonlyMap<string, Camera> = new Map([['a', camera('a', '0')]]);
  for (let index = 0; index < 2000; index++) {
    const name = `c${index % 700}`;
    map = index % 3 === 2 ? withoutEntry(map, name) : withEntry(map, name, camera(name, String(index)));
    if (index % 97 === 0) versions.push([map, [...map.values()].map(({ type }) => String(type))]);
  }
  for (const [version, types] of versions) expect([...version.values()].map(({ type }) => type)).toEqual(types);
});
