import { beforeEach, expect, test, vi } from 'vitest';
import { ClusterEntries } from '../../../src/store/etcd/entries.js';

const counted = vi.hoisted(() => ({ parsed: 0 }));
vi.mock('../../../src/json/strict-json.js', async (importOriginal) => {
  const real = await importOriginal<typeof import('../../../src/json/strict-json.js')>();
  const parseJson: typeof real.parseJson = (...args) => {
    counted.parsed++;
    return real.parseJson(...args);
  };
  return { ...real, parseJson };
});
beforeEach(() => {
  counted.parsed = 0;
});

const now = '2026-01-01T00:00:00.000Z';
const camera = (name: string, text: string | undefined, revision: number) =>
  ({ section: 'cameras', name, text, revision }) as const;

// Three hundred such keys had a node stand still for a minute after a thousand edits: each was parsed again for each edit.
test.each(['no JSON', '"no camera"', '{"type":7}'])(
  'a value is not parsed again for every other change: %s',
  (text) => {
    const entries = new ClusterEntries();
    const odd = Array.from({ length: 300 }, (_, index) => camera(`odd-${index}`, text, 1));
    entries.apply(odd, now);
    expect(entries.refused).toHaveLength(300);
    entries.apply([camera('gate', '{}', 1)], now);
    counted.parsed = 0;
    for (let revision = 2; revision < 12; revision++) {
      entries.applyByHand([camera('gate', JSON.stringify({ type: `t${revision}` }), revision)], now, () => undefined);
    }
    expect(counted.parsed).toBe(10);
    expect(entries.refused).toHaveLength(300);
    // A new value is looked at, and one that is removed is refused no more.
    entries.apply([camera('odd-0', '{"type":"a"}', 20), camera('odd-1', undefined, 20)], now);
    expect(entries.state.cameras.get('odd-0')?.type).toBe('a');
    expect(entries.refused).toHaveLength(298);
    // Valid once an engine is there, as ever.
    entries.apply([camera('odd-2', JSON.stringify({ pushes: { p: { engine: 'e' } } }), 21)], now);
    expect(entries.refused).toHaveLength(298);
    entries.apply([{ section: 'engines', name: 'e', text: '{"host":"10.0.0.7"}', revision: 22 }], now);
    expect(entries.refused).toHaveLength(297);
  },
);
