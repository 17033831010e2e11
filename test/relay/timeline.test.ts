import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Timeline } from '../../src/relay/timeline.js';

describe('timestamps of one continuous stream', () => {
  it('of the first publisher pass as they are, jumps and all', () => {
    const timeline = new Timeline();
    const given = [5000, 5040, 900_000, 20, 60, 0xffffffff, 7];
    expect(given.map((timestampMs, i) => timeline.map(timestampMs, true, i * 40))).toEqual(given);
  });

  it('of the next go on behind the last, by as much as went by, and keep their distances', () => {
    const timeline = new Timeline();
    timeline.map(10_000, true, 1000);
    timeline.restart();
    expect(timeline.map(0, false, 3990)).toBe(10_000);
    expect([0, 40, 80].map((timestampMs) => timeline.map(timestampMs, true, 4000))).toEqual([13_000, 13_040, 13_080]);
  });

  it('froze when the clock of a camera that returned was set back after its first frame', () => {
    const timeline = new Timeline();
    timeline.map(7000, true, 0);
    timeline.restart();
    timeline.map(3_600_000, true, 100);
    const out = [0, 20_000, 40_000].map((timestampMs, i) => timeline.map(timestampMs, true, 200 + i * 20_000));
    expect(out).toEqual([7200, 27_200, 47_200]);
  });

  it('never run backwards over a change of publishers, whatever they send', () => {
    const frames = fc.array(fc.integer({ min: 0, max: 0xffffffff }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffffffff }), frames, (before, after) => {
        const timeline = new Timeline();
        timeline.map(before, true, 0);
        timeline.restart();
        const first = timeline.map(after[0] ?? 0, true, 500);
        expect((first - before) | 0).toBe(500);
        for (const [i, timestampMs] of after.entries()) {
          const out = timeline.map(timestampMs, true, 500 + i);
          expect((out - before) | 0).toBeGreaterThan(-1);
          // Far jumps ahead are the publisher's own, and what follows them is measured by them.
          if (((out - before) | 0) > 60_000) return;
        }
      }),
    );
  });
});
