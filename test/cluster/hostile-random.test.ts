import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CameraClaims } from '../../src/cluster/claims.js';
import { LiveCameras } from '../../src/cluster/live-cameras.js';
import { NodeRecords } from '../../src/cluster/node-record.js';
import { ClusterNodes } from '../../src/cluster/nodes.js';
import { RelayTickets } from '../../src/cluster/relay-tickets.js';
import { Sealer } from '../../src/cluster/sealer.js';
import { ClusterSecret } from '../../src/cluster/secret.js';
import { SharedTexts } from '../../src/cluster/shared-texts.js';
import { ViewerWants } from '../../src/cluster/viewer-wants.js';
import { CodedError } from '../../src/errors.js';
import type { KeyValue, WatchEvent } from '../../src/etcd/protocol.js';
import { type Logger, silentLogger } from '../../src/log/log.js';
import { Arrivals } from '../../src/store/etcd/arrivals.js';
import { ClusterEntries, type EntryEvent } from '../../src/store/etcd/entries.js';
import { ClusterKeys } from '../../src/store/etcd/keys.js';
import { Scope } from '../support/scope.js';
import { WrittenByHand } from '../support/written-by-hand.js';

const secret = ClusterSecret.fromText('5ec2e7'.padEnd(64, '0'));
const createdAt = '2026-01-01T00:00:00.000Z';

/** What is right for each kind of key: somebody makes something else of it. */
const records = new NodeRecords(secret, '/x/');
const right = {
  node: records.signed({
    ...{ id: 'b', location: 'paris', rtmp: 'rtmp://b:1', rtmps: 'rtmps://b:2', srt: 'srt://b:3', api: 'http://b:4' },
    ...{ version: '0.1.0', startedAt: createdAt, isDraining: false, relays: 1, cannotReach: ['c'], isFull: false },
    ...{ capacity: { outMbps: 100, cameras: 10 }, load: { outMbps: 5, cameras: 1 }, folder: '0'.repeat(32) },
  }),
  claim: { node: 'b', since: createdAt },
  camera: {
    ...{ type: '360', createdAt, ingests: ['main', { name: 'backup', source: 'rtsp://h/a' }], slateSeconds: 3 },
    pushes: { p: { url: 'rtmp://h/a/b', enabled: true, createdAt, audio: 'aac' }, q: { engine: 'e', via: 'paris' } },
  },
  engine: {
    host: '192.0.2.1',
    location: 'paris',
    pushUrl: 'rtmp://{host}/live/{name}',
    playbackUrl: 'http://{host}/{name}',
  },
  head: { id: 'a-1', node: 'a', more: false },
};

/** Any JSON; what is right with something else in one place; or any bytes. */
function hostile(value: object): fc.Arbitrary<Buffer> {
  const places = placesIn(value);
  const bent = fc.tuple(fc.constantFrom(...places), fc.oneof(fc.jsonValue(), oddities)).map(([place, other]) => {
    const copy = structuredClone(value) as Record<string, unknown>;
    let at: Record<string, unknown> = copy;
    for (const name of place.slice(0, -1)) at = at[name] as Record<string, unknown>;
    at[place.at(-1)!] = other;
    return JSON.stringify(copy);
  });
  const text = fc.oneof(
    { weight: 3, arbitrary: bent },
    fc.json(),
    oddities.map((odd) => JSON.stringify(odd)),
    fc.string(),
  );
  const torn = fc.tuple(text, fc.nat({ max: 200 })).map(([whole, length]) => whole.slice(0, length));
  return fc.oneof(
    { weight: 4, arbitrary: text.map((each) => Buffer.from(each)) },
    torn.map((each) => Buffer.from(each)),
    fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)),
  );
}

const oddities: fc.Arbitrary<fc.JsonValue> = fc.constantFrom<fc.JsonValue>(
  ...[null, '', '../b', 'b\nc', '__proto__', -1, 1e308, 0.5, [], {}, [[]], { toString: 1 }, { __proto__: null }],
  ...['x'.repeat(5000), Array.from({ length: 2000 }, () => 'b'), { length: 1e9 }, 'rtmp://b:99999', '\uD800'],
);

function placesIn(value: object, above: string[] = []): string[][] {
  return Object.entries(value).flatMap(([name, inner]) => [
    [...above, name],
    ...(typeof inner === 'object' && inner !== null ? placesIn(inner, [...above, name]) : []),
  ]);
}

/** The name of a key: what a person may have typed, or a program made. */
const names = fc.oneof(
  fc.constantFrom('', 'gate', '../gate', 'a/b', '__proto__', 'constructor', 'g\u0000', 'x'.repeat(2000), '/', '//'),
  fc.string({ maxLength: 20 }),
);

function eventOf(key: string, value: Buffer | string, revision: number): WatchEvent {
  const at = String(revision);
  const kv: KeyValue = {
    ...{ key: Buffer.from(key), value: Buffer.from(value), createRevision: at, modRevision: at, lease: '0' },
  };
  return { type: 'PUT', kv };
}

describe('whatever stands in etcd', () => {
  let scope = new Scope();
  let etcd = new WrittenByHand();
  let lines: string[] = [];
  const note = (message: string, fields: object = {}) => void lines.push(`${message} ${JSON.stringify(fields)}`);
  const log: Logger = { debug: () => {}, info: () => {}, warn: note, error: note, child: () => log };
  beforeEach(() => {
    scope = new Scope();
    etcd = new WrittenByHand();
    lines = [];
  });
  afterEach(() => scope.close());
  const watched = () => new Promise((resolve) => setTimeout(resolve, 20));
  const runs = { numRuns: 300 };

  test('as a node: it is named, or one by its own signature, and the next one is taken', async () => {
    const self = { id: 'a', rtmp: 'rtmp://h:1', api: 'http://h:2', version: '1', startedAt: '' };
    const nodes = new ClusterNodes({ client: etcd.client, prefix: '/x/', self, secret, leaseMs: 60_000, log });
    scope.defer(() => nodes.close(10));
    await nodes.start(false);
    await watched();
    const next = JSON.stringify(records.signed({ ...self, id: 'c' }));
    fc.assert(
      fc.property(hostile(right.node), (value) => {
        lines = [];
        etcd.put('/x/nodes/b', value);
        const found = nodes.all.find(({ id }) => id === 'b');
        if (found === undefined) expect(lines.join()).toMatch(/CLUSTER_NODE_REFUSED.*|"node":"b"/);
        else {
          const { id, rtmp, rtmps, api } = right.node;
          expect(found).toMatchObject({ id, rtmp, rtmps, api });
          expect([undefined, right.node.srt]).toContain(found.srt);
        }
        etcd.put('/x/nodes/c', next);
        expect(nodes.all.map(({ id }) => id)).toContain('c');
      }),
      runs,
    );
    fc.assert(
      fc.property(names, (name) => etcd.put(`/x/nodes/${name}`, JSON.stringify(right.node))),
      runs,
    );
    expect(nodes.all.map(({ id }) => id).filter((id) => !['a', 'b', 'c'].includes(id))).toEqual([]);
  });

  test("as a claim, or as the wish for one: it is nobody's and named, and the cameras here go on", async () => {
    const live = new LiveCameras({ client: etcd.client, prefix: '/x/', log });
    const nodes = {
      self: { id: 'a' },
      leaseId: '7',
      leaseSoon: async () => '7',
      all: [{ id: 'a' }],
      onLease: () => {},
    } as unknown as ClusterNodes;
    const letGo: string[] = [];
    const claims = new CameraClaims({
      ...{ client: etcd.client, prefix: '/x/', nodes, live, log: silentLogger },
      cameras: {
        ...{ isLive: (camera: string) => camera === 'yard', isSilent: () => true, live: () => ['yard'] },
        letGo: (camera) => void letGo.push(camera),
      },
    });
    scope.defer(() => claims.close());
    scope.defer(() => live.close());
    await live.ready;
    await watched();
    await claims.claim('yard');
    fc.assert(
      fc.property(hostile(right.claim), (value) => {
        for (const kind of ['live', 'wanted']) {
          lines = [];
          const isOther = named(value) !== undefined;
          etcd.put(`/x/claims/${kind}/gate`, value);
          if (kind === 'live') expect(live.holderOf('gate')).toBe(named(value));
          // Named once, until there is a right one.
          if (kind === 'live' && isOther) etcd.put('/x/claims/live/gate', JSON.stringify(right.claim));
          if (!isOther) etcd.put(`/x/claims/${kind}/yard`, value);
        }
        expect(letGo).toEqual([]);
      }),
      runs,
    );
    await watched();
    expect(claims.epochOf('yard')).toBeGreaterThan(0);
    lines = [];
    fc.assert(
      fc.property(names, fc.constantFrom('live/', 'wanted/', 'strange/', ''), (name, kind) => {
        if (name !== 'yard') etcd.put(`/x/claims/${kind}${name}`, JSON.stringify(right.claim));
      }),
      runs,
    );
    expect(lines.join()).toMatch(/\/x\/claims\/strange/);
    expect(letGo).toEqual([]);
    etcd.put('/x/claims/live/gate', JSON.stringify(right.claim));
    expect(live.holderOf('gate')).toBe('b');
  });

  test('as the wish of a viewer: only a name of a camera and of a node is one', async () => {
    const nodes = { self: { id: 'a' }, leaseId: undefined, onLease: () => {} } as unknown as ClusterNodes;
    const wants = new ViewerWants({ client: etcd.client, prefix: '/x/', nodes, log });
    scope.defer(() => wants.close());
    await watched();
    fc.assert(
      fc.property(names, names, (one, two) => etcd.put(`/x/views/${one}/${two}`, '{}')),
      runs,
    );
    for (const node of wants.of('gate')) expect(node).toMatch(/^[A-Za-z0-9][A-Za-z0-9._-]*$/);
    expect(lines.join()).toMatch(/\/x\/views\//);
    etcd.put('/x/views/shop/b', '{}');
    expect(wants.of('shop')).toEqual(['b']);
  });

  test('as a token: nothing but what is sealed for its place is one, and it is named', async () => {
    const sealer = new Sealer(secret);
    const file = join(scope.temporaryFolder(), 'shared.json');
    const texts = await SharedTexts.open({ client: etcd.client, prefix: '/x/', file, sealer, log });
    scope.defer(() => texts.close());
    await watched();
    const sealed = sealer.seal('text', '/x/gate');
    const bent = fc
      .tuple(fc.nat({ max: sealed.length - 1 }), fc.constantFrom('', 'A', '.', '~', '\u0000'))
      .map(([at, by]) => Buffer.from(sealed.slice(0, at) + by + sealed.slice(at + 1)));
    fc.assert(
      fc.property(fc.oneof(hostile({ hash: 'x', scope: 'admin' }), bent), (value) => {
        fc.pre(value.toString() !== sealed);
        etcd.put('/x/gate', value);
        expect(texts.all.has('gate')).toBe(false);
      }),
      runs,
    );
    expect(lines.join()).toContain('/x/gate');
    fc.assert(
      fc.property(names, (name) => etcd.put(`/x/${name}`, sealed)),
      runs,
    );
    expect([...texts.all.keys()]).toEqual(['gate']);
  });

  test('as a camera, an engine or the head: it is named with the reason, the last good one stays, and the next one is taken', () => {
    const keys = new ClusterKeys('/x');
    const entries = new ClusterEntries();
    const apply = (told: readonly EntryEvent[]) => void entries.apply(told, createdAt);
    const arrivals = new Arrivals(keys, { change: apply, edit: apply, head: () => {}, torn: () => {} });
    let revision = 1;
    const put = (key: string, value: Buffer | string): void => {
      revision += 1;
      arrivals.take([eventOf(key, value, revision)]);
    };
    put('/x/state/engines/e', JSON.stringify(right.engine));
    fc.assert(
      fc.property(hostile(right.camera), hostile(right.engine), hostile(right.head), (camera, engine, head) => {
        put('/x/state/cameras/gate', '{"type":"360"}');
        put('/x/state/cameras/gate', camera);
        put('/x/state/engines/f', engine);
        put('/x/state/head', head);
        const refused = new Set(entries.refused.map(({ section, name }) => `${section}/${name}`));
        const { cameras, engines } = entries.state;
        expect(cameras.has('gate')).toBe(true);
        if (refused.has('cameras/gate')) expect(cameras.get('gate')?.type).toBe('360');
        expect(engines.has('f') || refused.has('engines/f')).toBe(true);
        for (const { reason } of entries.refused) expect(reason.length).toBeLessThan(1000);
        const next = String(revision);
        put('/x/state/cameras/yard', `{"type":"${next}"}`);
        expect(entries.state.cameras.get('yard')?.type).toBe(next);
      }),
      runs,
    );
    arrivals.drop();
  });

  test('as a ticket: it is refused', () => {
    const [from, to] = ['b', 'a'].map((id) => new RelayTickets(secret, '/x/', id, 0)) as [RelayTickets, RelayTickets];
    const ticket = from.issue('gate', 'a', { owner: 'b', epoch: 5, avoid: ['c'] });
    const bent = fc
      .tuple(fc.nat({ max: ticket.length - 1 }), fc.constantFrom('', '0', '~', 'b', ',', '\n'))
      .map(([at, by]) => ticket.slice(0, at) + by + ticket.slice(at + 1));
    fc.assert(
      fc.property(fc.oneof(bent, fc.string(), fc.json()), (text) => {
        fc.pre(text !== ticket);
        expect(() => to.check('gate', text)).toThrow(CodedError);
      }),
      runs,
    );
    expect(to.check('gate', ticket)).toMatchObject({ from: 'b', owner: 'b', epoch: 5 });
  });
});

/** The node that a claim names, by the rule for it. */
function named(value: Buffer): string | undefined {
  if (value.length > 4096) return undefined;
  try {
    const { node } = JSON.parse(value.toString()) as { node?: unknown };
    return typeof node === 'string' && /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(node) ? node : undefined;
  } catch {
    return undefined;
  }
}
