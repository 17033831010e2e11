import { describe, expect, it } from 'vitest';
import { codeOf } from '../../src/errors.js';
import { inStretches } from '../../src/fairness/stretch.js';
import { decodeState } from '../../src/model/document/decode.js';
import { mergeEditSteps } from '../../src/model/merge.js';
import { type DesiredState, emptyState } from '../../src/model/model.js';
import { allOf } from '../../src/model/steps.js';
import { largeState } from '../api/large-node.js';
import { longestHoldMs } from '../support/loop-holds.js';

const now = '2026-01-01T00:00:00.000Z';

/** A camera of so many pushes. */
function stateOf(pushes: number, host: string, more: object = {}): string {
  const entries = Array.from({ length: pushes }, (_, i) => [
    `p${i}`,
    { url: `rtmp://${host}/live/p${i}`, createdAt: now },
  ]);
  return JSON.stringify({
    version: 1,
    cameras: { gate: { pushes: Object.fromEntries(entries), createdAt: now }, ...more },
  });
}

describe('an edit by hand beside changes that the journal holds', () => {
  it('of 10,000 cameras holds up nobody', async () => {
    const base = decodeState(largeState(10_000), emptyState, now);
    const edited = decodeState(largeState(10_000, 'moved.example.org'), base, now);
    const added = decodeState(stateOf(1, 'new.example.org'), emptyState, now).cameras.get('gate')!;
    const running = { ...base, cameras: new Map([...base.cameras, ['gate', added]]) };
    let merged: DesiredState = running;
    const hold = await longestHoldMs(async () => {
      merged = await inStretches(mergeEditSteps(base, running, edited, now));
    }, 3);
    expect(hold).toBeLessThan(60);
    expect(merged.cameras.size).toBe(10_001);
    expect(merged.cameras.get('camera-00007')?.pushes['p-1']?.url).toContain('moved');
    expect(merged.cameras.get('gate')).toEqual(added);
  }, 120_000);

  it('of one camera of thousands of pushes copies them once, and leaves what it was made of alone', () => {
    const base = decodeState(stateOf(5000, 'one.example.org'), emptyState, now);
    const running = decodeState(stateOf(5001, 'one.example.org'), base, now);
    const edited = decodeState(stateOf(4990, 'two.example.org', { other: { createdAt: now } }), base, now);
    const before = JSON.stringify([...running.cameras]);
    const merged = allOf(mergeEditSteps(base, running, edited, now));
    const pushes = merged.cameras.get('gate')?.pushes ?? {};
    expect(Object.keys(pushes)).toHaveLength(4991);
    expect(pushes.p5000?.url).toContain('one.example.org');
    expect(Object.values(pushes).filter(({ url }) => url?.includes('two.example.org'))).toHaveLength(4990);
    expect(merged.cameras.has('other')).toBe(true);
    expect(JSON.stringify([...running.cameras])).toBe(before);
  });

  it('is refused where both changed the same thing', () => {
    const base = decodeState(stateOf(3, 'one.example.org'), emptyState, now);
    const running = decodeState(stateOf(3, 'two.example.org'), base, now);
    const edited = decodeState(stateOf(3, 'three.example.org'), base, now);
    const merge = (): unknown => allOf(mergeEditSteps(base, running, edited, now));
    expect(merge).toThrow(/cameras\.gate\.pushes\.p0/);
    try {
      merge();
    } catch (error) {
      expect(codeOf(error)).toBe('STATE_CONFLICT');
    }
  });
});
