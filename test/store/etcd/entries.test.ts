import { expect, it } from 'vitest';
import { DocumentError } from '../../../src/model/document/document-error.js';
import { withEntry, withoutEntry } from '../../../src/model/persistent-map.js';
import type { EntryEvent } from '../../../src/store/etcd/entries.js';
import { ClusterEntries } from '../../../src/store/etcd/entries.js';
import { stepsBetween } from '../../../src/store/etcd/transactions.js';

const now = '2026-01-01T00:00:00.000Z';
const engineText = JSON.stringify({ host: '10.0.0.7' });
const cameraText = JSON.stringify({ pushes: { p: { engine: 'paris' } } });

function put(section: 'cameras' | 'engines', name: string, text: string, revision: number): EntryEvent {
  return { section, name, text, revision };
}
function gone(section: 'cameras' | 'engines', name: string, revision: number): EntryEvent {
  return { section, name, text: undefined, revision };
}

it('takes what is named before what names it, whatever the order of the events', () => {
  const entries = new ClusterEntries();
  entries.apply([put('cameras', 'gate', cameraText, 5), put('engines', 'paris', engineText, 5)], now);
  expect(entries.refused).toEqual([]);
  expect(entries.state.cameras.get('gate')?.pushes.p?.engine).toBe('paris');
  const change = entries.apply([gone('engines', 'paris', 6), gone('cameras', 'gate', 6)], now);
  expect([entries.state.cameras.size, entries.state.engines.size, entries.refused.length]).toEqual([0, 0, 0]);
  expect([[...change.cameras], [...change.engines]]).toEqual([['gate'], ['paris']]);
});

it('an event that comes twice, or late, does nothing', () => {
  const entries = new ClusterEntries();
  entries.apply([put('cameras', 'gate', '{"type":"b"}', 7)], now);
  const { cameras } = entries.apply(
    [put('cameras', 'gate', '{"type":"a"}', 6), put('cameras', 'gate', '{"type":"b"}', 7)],
    now,
  );
  expect(cameras.size).toBe(0);
  expect(entries.state.cameras.get('gate')?.type).toBe('b');
});

it.each([
  ['no JSON', 'cameras', 'gate', '{"type": '],
  ['a wrong type', 'cameras', 'gate', '{"type": 5}'],
  ['an engine that is not there', 'cameras', 'gate', '{"pushes":{"p":{"engine":"rome"}}}'],
  ['a name that is none', 'cameras', '../etc', '{}'],
  ['a prototype', 'cameras', 'gate', '{"__proto__":{}}'],
  ['a URL that is none', 'cameras', 'gate', '{"pushes":{"p":{"url":"http://x/y"}}}'],
  ['an engine without a host', 'engines', 'paris', '{}'],
] as const)('%s is refused and named, and the last good value stays', (_what, section, name, text) => {
  const entries = new ClusterEntries();
  entries.apply([put('engines', 'paris', engineText, 1), put('cameras', 'gate', '{"type":"360"}', 2)], now);
  const before = entries.state;
  const change = entries.apply([put(section, name, text, 3)], now);
  expect(entries.state).toBe(before);
  expect(change.cameras.size + change.engines.size).toBe(0);
  expect(entries.refused).toMatchObject([{ section, name, since: now }]);
  // The next good value is taken, and nothing is refused any more.
  if (name === '../etc') entries.apply([gone(section, name, 4)], now);
  else entries.apply([put(section, name, section === 'engines' ? engineText : '{"type":"plane"}', 4)], now);
  expect(entries.refused).toEqual([]);
});

it('an engine that pushes go to stays, until none does', () => {
  const entries = new ClusterEntries();
  entries.apply([put('engines', 'paris', engineText, 1), put('cameras', 'gate', cameraText, 2)], now);
  entries.apply([gone('engines', 'paris', 3)], now);
  expect(entries.state.engines.has('paris')).toBe(true);
  expect(entries.refused[0]?.reason).toContain('ENGINE_IN_USE');
  entries.apply([put('cameras', 'gate', '{}', 4)], now);
  expect(entries.state.engines.has('paris')).toBe(false);
  expect(entries.refused).toEqual([]);
});

it('what was refused for want of an engine is taken when it comes', () => {
  const entries = new ClusterEntries();
  entries.apply([put('cameras', 'gate', cameraText, 1)], now);
  expect(entries.state.cameras.size).toBe(0);
  entries.apply([put('engines', 'paris', engineText, 2)], now);
  expect(entries.state.cameras.size).toBe(1);
});

it('an edit by hand that breaks a rule for changes is refused as a whole', () => {
  const entries = new ClusterEntries();
  entries.apply([put('cameras', 'a', '{}', 1)], now);
  const before = entries.state;
  const check = () => {
    throw new DocumentError(['cameras', 'b'], 'too many', 'LIMIT_REACHED');
  };
  const change = entries.applyByHand(
    [put('cameras', 'b', '{}', 2), put('cameras', 'a', '{"type":"x"}', 2)],
    now,
    check,
  );
  expect(entries.state).toBe(before);
  expect(change.cameras.size).toBe(0);
  expect(entries.refused.map(({ name }) => name).sort()).toEqual(['a', 'b']);
  expect(entries.revisionOf('cameras', 'b')).toBe(2);
});

it('fields of a newer version are kept, at any depth, when this version writes the entry', () => {
  const entries = new ClusterEntries();
  const unknown: string[] = [];
  const text = '{"type":"a","colour":"red","pushes":{"p":{"url":"rtmp://h/a/b","lane":{"x":1}}}}';
  entries.apply([put('cameras', 'gate', text, 1)], now, (path) => unknown.push(path));
  expect(unknown).toEqual(['cameras/gate: colour', 'cameras/gate: pushes.p.lane']);
  const { state } = entries;
  const next = { ...state, cameras: withEntry(state.cameras, 'gate', { ...state.cameras.get('gate')!, type: 'b' }) };
  const [step] = stepsBetween(state, next, entries);
  expect(JSON.parse(step!.entries[0]!.text!)).toMatchObject({
    type: 'b',
    colour: 'red',
    pushes: { p: { url: 'rtmp://h/a/b', lane: { x: 1 } } },
  });
});

it('a change over a value that is refused here is known as one, unless it removes the entry', () => {
  const entries = new ClusterEntries();
  entries.apply([put('cameras', 'gate', '{"type":"a"}', 1), put('cameras', 'yard', '{}', 1)], now);
  entries.apply([put('cameras', 'gate', '{"type":"a","slate":"what a newer version knows"}', 2)], now);
  const { state } = entries;
  const changed = (name: string) => ({
    ...state,
    cameras: withEntry(state.cameras, name, { ...state.cameras.get(name)!, type: 'b' }),
  });
  expect(entries.refusedAmong(state, changed('gate'))).toMatchObject({ section: 'cameras', name: 'gate' });
  expect(entries.refusedAmong(state, changed('yard'))).toBeUndefined();
  expect(entries.refusedAmong(state, { ...state, cameras: withoutEntry(state.cameras, 'gate') })).toBeUndefined();
  entries.apply([put('cameras', 'gate', '{"type":"c"}', 3)], now);
  expect(entries.refusedAmong(state, changed('gate'))).toBeUndefined();
});

it('a state that is read anew takes away what is not in it, whatever its revisions', () => {
  const entries = new ClusterEntries();
  entries.apply([put('cameras', 'a', '{}', 50), put('cameras', 'b', '{}', 51)], now);
  const before = entries.state.cameras.get('a');
  const change = entries.replaceAll([put('cameras', 'a', '{}', 3), put('cameras', 'c', '{}', 4)], 5, now);
  expect([...entries.state.cameras.keys()].sort()).toEqual(['a', 'c']);
  expect([...change.cameras].sort()).toEqual(['b', 'c']);
  expect(entries.state.cameras.get('a')).toBe(before);
  expect(entries.revisionOf('cameras', 'a')).toBe(3);
  // From here on the revisions of the new one count.
  entries.apply([put('cameras', 'b', '{}', 6)], now);
  expect(entries.state.cameras.has('b')).toBe(true);
});

it('a change that is too large for one transaction goes in several, each of which leaves a valid state', () => {
  const entries = new ClusterEntries();
  entries.apply(
    [put('engines', 'old', engineText, 1), put('cameras', 'user', '{"pushes":{"p":{"engine":"old"}}}', 1)],
    now,
  );
  const { state } = entries;
  let { cameras } = state;
  for (let index = 0; index < 300; index += 1) {
    const name = `c${index}`;
    const push = { id: 'p', engine: 'new', enabled: true, createdAt: now };
    cameras = withEntry(cameras, name, { name, createdAt: now, pushes: { p: push } });
  }
  const engines = withEntry(withoutEntry(state.engines, 'old'), 'new', { ...state.engines.get('old')!, name: 'new' });
  const next = { cameras: withoutEntry(cameras, 'user'), engines };
  const steps = stepsBetween(state, next, entries);
  expect(steps.length).toBe(3);
  for (const [index, step] of steps.entries()) {
    expect(step.entries.length).toBeLessThanOrEqual(120);
    entries.apply(
      step.entries.map((entry) => ({ ...entry, revision: index + 2 })),
      now,
    );
    expect(entries.refused).toEqual([]);
  }
  expect([entries.state.cameras.size, [...entries.state.engines.keys()]]).toEqual([300, ['new']]);
});
