import { expect, it } from 'vitest';
import type { WatchEvent } from '../../../src/etcd/protocol.js';
import { Arrivals } from '../../../src/store/etcd/arrivals.js';
import { ClusterEntries, type EntryEvent } from '../../../src/store/etcd/entries.js';
import { ClusterKeys } from '../../../src/store/etcd/keys.js';

const now = '2026-01-01T00:00:00.000Z';

/** As the watch tells what somebody wrote by hand, with any bytes. */
function written(key: string | Buffer, value: string | Buffer, revision: number): WatchEvent {
  const kv = {
    ...{ key: Buffer.from(key), value: Buffer.from(value), version: '1', lease: '0' },
    ...{ createRevision: String(revision), modRevision: String(revision) },
  };
  return { type: 'PUT', kv };
}

/** The state of a node whose watch tells of these. */
function nodeTold(...events: readonly WatchEvent[]): ClusterEntries {
  const entries = new ClusterEntries();
  const apply = (told: readonly EntryEvent[]) => void entries.apply(told, now);
  const arrivals = new Arrivals(new ClusterKeys('/x'), { change: apply, edit: apply, head: () => {}, torn: () => {} });
  arrivals.take(events);
  return entries;
}

const good = written('/x/state/cameras/gate', '{"type":"360"}', 2);
const deep = (depth: number): string => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
const manyPushes = Object.fromEntries(
  Array.from({ length: 2000 }, (_, index) => [`p${index}`, { url: `rtmp://h/a/${index}`, lane: index }]),
);

it.each<[what: string, value: string | Buffer, reason: RegExp]>([
  ['a megabyte of one word', 'x'.repeat(1_400_000), /a value must stand here/],
  ['a megabyte of open brackets', '['.repeat(1_400_000), /nested too deep/],
  ['objects in objects', deep(100_000), /nested too deep/],
  ['objects in a field that nobody knows', `{"lane":${deep(40)}}`, /nested too deep/],
  ['a number of a megabyte', `{"slateSeconds":${'9'.repeat(1_400_000)}}`, /slateSeconds/],
  ['a type of a megabyte', `{"type":"${'x'.repeat(1_400_000)}"}`, /type/],
  [
    'bytes that are no UTF-8 in a text',
    Buffer.concat([Buffer.from('{"type":"a'), Buffer.of(0xff, 0xfe), Buffer.from('"}')]),
    /is not UTF-8/,
  ],
  ['half of a character', Buffer.concat([Buffer.from('{"type":"'), Buffer.of(0xc3)]), /is not UTF-8/],
  ['nothing', '', /the end of the text/],
  ['null', 'null', /must be an object/],
  ['a list', '[]', /must be an object/],
  ['pushes that are a list', '{"pushes":[]}', /pushes/],
  ['a push that is a number', '{"pushes":{"p":1}}', /pushes\.p/],
  ['a prototype of a push', '{"pushes":{"__proto__":{"url":"rtmp://h/a/b"}}}', /__proto__/],
  ['ingests that are an object', '{"ingests":{"0":"main"}}', /ingests/],
  ['an ingest that is null', '{"ingests":[null]}', /ingests/],
  ['a key twice', '{"type":"a","type":"b"}', /stands twice/],
  ['a byte of zero', '{"type":"a\u0000"}', /control character/],
])('%s is refused and named, and the last good value stays', (_, value, reason) => {
  const entries = nodeTold(good, written('/x/state/cameras/gate', value, 3));
  expect(entries.state.cameras.get('gate')?.type).toBe('360');
  expect(entries.refused).toMatchObject([{ section: 'cameras', name: 'gate', reason: expect.stringMatching(reason) }]);
  expect(entries.refused[0]!.reason.length).toBeLessThan(1000);
});

it('2,000 pushes with fields of a newer version are one entry, and no wrong one', () => {
  const entries = nodeTold(written('/x/state/cameras/gate', JSON.stringify({ pushes: manyPushes }), 2));
  expect(Object.keys(entries.state.cameras.get('gate')?.pushes ?? {})).toHaveLength(2000);
});

it.each<[what: string, key: string | Buffer]>([
  ['no name', '/x/state/cameras/'],
  ['a way up', '/x/state/cameras/../engines/a'],
  ['a folder', '/x/state/cameras/a/b'],
  ['a prototype', '/x/state/cameras/__proto__'],
  ['a line break', '/x/state/cameras/a\nb'],
  ['a zero', '/x/state/cameras/a\u0000b'],
  ['a hundred thousand letters', `/x/state/cameras/${'a'.repeat(100_000)}`],
  ['bytes that are no UTF-8', Buffer.concat([Buffer.from('/x/state/cameras/a'), Buffer.of(0xff)])],
])('a camera whose key has %s is refused, and all others stay', (_, key) => {
  for (const value of ['{}', 'no JSON']) {
    const entries = nodeTold(good, written(key, value, 3));
    expect([...entries.state.cameras.keys()]).toEqual(['gate']);
    expect(entries.refused).toHaveLength(1);
    const { reason } = entries.refused[0]!;
    expect(reason).toMatch(/^cameras\./);
    expect(reason.length).toBeLessThan(1000);
    // Nothing that a terminal or a log would take for something else.
    expect(reason).not.toMatch(/\p{Cc}/u);
  }
});

it.each([
  ['no JSON', '{'],
  ['a number', '5'],
  ['brackets', '['.repeat(1_000_000)],
  ['an id that is an object', '{"id":{"toString":1},"more":true}'],
  ['a promise of more', '{"id":"x","more":"yes"}'],
])('a head that is %s holds up no change', (_, head) => {
  const entries = nodeTold(written('/x/state/head', head, 2), written('/x/state/cameras/gate', '{"type":"360"}', 2));
  expect(entries.state.cameras.get('gate')?.type).toBe('360');
});

it('keys beside the entries are nobody of the state', () => {
  const entries = nodeTold(good, written('/x/state/other/gate', '{}', 3), written('/x/state/cameras', '{}', 4));
  expect([entries.state.cameras.size, entries.refused.length]).toEqual([1, 0]);
});
