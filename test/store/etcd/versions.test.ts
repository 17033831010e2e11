import { expect, it } from 'vitest';
import { decodeTokens } from '../../../src/access/token-file.js';
import { holderIn } from '../../../src/cluster/live-cameras.js';
import type { KeyValue } from '../../../src/etcd/protocol.js';
import { withEntry } from '../../../src/model/persistent-map.js';
import { ClusterEntries } from '../../../src/store/etcd/entries.js';
import { stepsBetween } from '../../../src/store/etcd/transactions.js';

// Nodes of different versions write side by side: what another one knows and this one does not is still there afterwards.

const now = '2026-01-01T00:00:00.000Z';
const tag = 'a'.repeat(64);
const keys = [{ id: 'k1', tag }, { id: 'k2' }];

/** Every field that an entry can have, in every shape. */
const camera = {
  type: 'plane',
  createdAt: now,
  slate: 'built-in',
  slateSeconds: 5,
  switchBackSeconds: 9,
  ingests: [
    { name: 'main', keys },
    { name: 'backup', source: { url: 'rtsp://192.0.2.1/a', mode: 'on-demand', transport: 'udp' } },
  ],
  pushes: {
    one: {
      url: 'rtmp://192.0.2.2/live/x',
      enabled: true,
      createdAt: now,
      via: 'direct',
      videoTrack: 1,
      enhanced: 'off',
      audio: 'silence',
    },
    two: { engine: 'paris', enabled: false, createdAt: now, queueMaxBytes: 1 << 20, audioTrack: 3 },
  },
};
const pulled = { createdAt: now, source: { url: 'rtmp://192.0.2.1/a/b', mode: 'on-demand' }, pushes: {} };
const keyed = { createdAt: now, keys, pushes: {} };
const engine = {
  ...{ host: '192.0.2.3', location: 'paris', createdAt: now },
  ...{ pushUrl: 'rtmp://{host}/live/{name}', playbackUrl: 'http://{host}/{name}.m3u8' },
};

/** The value with a field of a newer version in each of its objects; those of a record have names that mean something. */
function withNews(value: unknown, isRecord = false): unknown {
  if (Array.isArray(value)) return value.map((item) => withNews(item));
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).map(([name, field]) => [name, withNews(field, name === 'pushes')]);
  return { ...Object.fromEntries(fields), ...(isRecord ? {} : { lane: { deep: [1, { x: null }] } }) };
}

it.each([
  ['a camera with ingests and pushes', 'cameras', 'gate', camera],
  ['a camera that is pulled', 'cameras', 'gate', pulled],
  ['a camera with keys', 'cameras', 'gate', keyed],
  ['an engine', 'engines', 'rome', engine],
] as const)(
  '%s with fields of a newer version in every place is taken, and keeps them when it is written',
  (_, section, name, value) => {
    const entries = new ClusterEntries();
    const newer = withNews(value);
    entries.apply(
      [
        { section: 'engines', name: 'paris', text: JSON.stringify(engine), revision: 1 },
        { section, name, text: JSON.stringify(newer), revision: 2 },
      ],
      now,
    );
    expect(entries.refused).toEqual([]);
    const { state } = entries;
    const next =
      section === 'cameras'
        ? { ...state, cameras: withEntry(state.cameras, name, { ...state.cameras.get(name)!, type: 'other' }) }
        : { ...state, engines: withEntry(state.engines, name, { ...state.engines.get(name)!, location: 'rome' }) };
    const [step] = stepsBetween(state, next, entries);
    const changed = section === 'cameras' ? { type: 'other' } : { location: 'rome' };
    expect(JSON.parse(step!.entries[0]!.text!)).toEqual({ ...(newer as object), ...changed });
  },
);

it('an ingest that is removed takes its unknown fields with it, and the others keep theirs where they go', () => {
  const entries = new ClusterEntries();
  entries.apply([{ section: 'engines', name: 'paris', text: JSON.stringify(engine), revision: 1 }], now);
  const text = JSON.stringify({
    ingests: [
      { name: 'main', lane: 1 },
      { name: 'backup', lane: 2 },
    ],
  });
  entries.apply([{ section: 'cameras', name: 'gate', text, revision: 2 }], now);
  const { state } = entries;
  const gate = state.cameras.get('gate')!;
  const next = { ...gate, ingests: [{ name: 'third' }, gate.ingests![1]!] };
  const [step] = stepsBetween(state, { ...state, cameras: withEntry(state.cameras, 'gate', next) }, entries);
  expect(JSON.parse(step!.entries[0]!.text!).ingests).toEqual([{ name: 'third' }, { name: 'backup', lane: 2 }]);
});

it('a token and a claim of a newer version count for what this version knows of them', () => {
  const stored = { id: '0123456789ab', scope: 'read', sha256: 'ab'.repeat(32), createdAt: now, lane: [1] };
  const text = JSON.stringify({ version: 1, tokens: { manager: stored }, lane: { x: 1 } });
  expect(decodeTokens('a token', text).get('manager')).toMatchObject({ id: '0123456789ab', scope: 'read' });
  const value = Buffer.from(JSON.stringify({ node: 'b', since: now, lane: { deep: [1] } }));
  expect(holderIn({ value } as KeyValue)).toBe('b');
});
