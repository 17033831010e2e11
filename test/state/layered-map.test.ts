import fc from 'fast-check';
import { expect, it } from 'vitest';
import { encodeState } from '../../src/state/file/encode.js';
import { differingNames, withEntry, withoutEntry } from '../../src/state/layered-map.js';
import { type Camera, emptyPushes } from '../../src/state/model.js';

const camera = (name: string, type: string): Camera => ({ name, type, createdAt: 'x', pushes: emptyPushes });

const steps = fc.array(
  fc.record({ remove: fc.boolean(), name: fc.integer({ min: 0, max: 300 }).map((n) => `c${n}`), type: fc.string() }),
  { maxLength: 400, size: 'max' },
);

it('behaves as a copied Map would, over any changes, and is written as one', () => {
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 50 }), (all, every) => {
      let layered: ReadonlyMap<string, Camera> = new Map();
      let encoded = layered;
      const plain = new Map<string, Camera>();
      for (const [index, { remove, name, type }] of all.entries()) {
        const before = layered;
        const copy = new Map(plain);
        const value = camera(name, type);
        layered = remove ? withoutEntry(layered, name) : withEntry(layered, name, value);
        if (remove) plain.delete(name);
        else plain.set(name, value);
        expect([before.size, before.get(name)]).toEqual([copy.size, copy.get(name)]);
        expect([layered.size, layered.has(name), layered.get(name)]).toEqual([
          plain.size,
          plain.has(name),
          plain.get(name),
        ]);
        expect([...differingNames(before, layered)]).toEqual(remove && !copy.has(name) ? [] : [name]);
        if (index % every !== 0) continue;
        expect([...layered.keys()].sort()).toEqual([...plain.keys()].sort());
        expect([...layered.values()].length).toBe(plain.size);
        const changed = [...new Set([...encoded.keys(), ...plain.keys()])].filter(
          (one) => encoded.get(one) !== plain.get(one),
        );
        expect([...differingNames(encoded, layered)].sort()).toEqual(changed.sort());
        encoded = layered;
        const state = { cameras: layered, engines: new Map() };
        expect(encodeState(state)).toBe(encodeState({ cameras: plain, engines: new Map() }));
      }
    }),
    { numRuns: 40 },
  );
});
