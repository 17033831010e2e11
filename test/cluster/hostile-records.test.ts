import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LiveCameras } from '../../src/cluster/live-cameras.js';
import { NodeRecords } from '../../src/cluster/node-record.js';
import { ClusterNodes } from '../../src/cluster/nodes.js';
import { Sealer } from '../../src/cluster/sealer.js';
import { ClusterSecret } from '../../src/cluster/secret.js';
import { SharedTexts } from '../../src/cluster/shared-texts.js';
import { ViewerWants } from '../../src/cluster/viewer-wants.js';
import type { Logger } from '../../src/log/log.js';
import { Scope } from '../support/scope.js';
import { WrittenByHand } from '../support/written-by-hand.js';

const secret = ClusterSecret.fromText('5ec2e7'.padEnd(64, '0'));
const other = { id: 'b', rtmp: 'rtmp://b:1', api: 'http://b:2', version: '1', startedAt: '' };

const values: readonly [what: string, value: string | Buffer][] = [
  ['nothing', ''],
  ['no JSON', '{"node'],
  ['null', 'null'],
  ['a number', '5'],
  ['a list', '["b"]'],
  ['a megabyte', `{"node":"${'b'.repeat(1_000_000)}"}`],
  ['a megabyte of brackets', '['.repeat(1_000_000)],
  ['an object for a name', '{"node":{"toString":1},"id":{"toString":1}}'],
  ['a name that is none', '{"node":"../b","id":"../b"}'],
  ['a name with a line break', '{"node":"b\\nc","id":"b\\nc"}'],
  ['bytes that are no UTF-8', Buffer.concat([Buffer.from('{"node":"b'), Buffer.of(0xff), Buffer.from('"}')])],
];

describe('what somebody wrote into etcd by hand', () => {
  let etcd = new WrittenByHand();
  let lines: string[] = [];
  let scope = new Scope();
  const note = (message: string, fields: object = {}) => void lines.push(`${message} ${JSON.stringify(fields)}`);
  const log: Logger = { debug: () => {}, info: () => {}, warn: note, error: note, child: () => log };
  beforeEach(() => {
    etcd = new WrittenByHand();
    lines = [];
    scope = new Scope();
  });
  afterEach(() => scope.close());
  const watched = () => new Promise((resolve) => setTimeout(resolve, 10));

  const expectNamed = (words: RegExp): void => {
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(words);
    expect(lines[0]!.length).toBeLessThan(1000);
  };

  test.each(values)("%s as a claim is nobody's, and named", async (_, value) => {
    const live = new LiveCameras({ client: etcd.client, prefix: '/x/', log });
    scope.defer(() => live.close());
    await live.ready;
    await watched();
    etcd.put('/x/claims/live/yard', '{"node":"b","since":"2026-01-01T00:00:00Z"}');
    etcd.put('/x/claims/live/gate', value);
    expect([...live.all.keys()]).toEqual(['yard']);
    etcd.put('/x/claims/live/gate', value);
    expectNamed(/gate/);
  });

  test.each(values)('%s as a node is none, and named', async (_, value) => {
    const self = { id: 'a', rtmp: 'rtmp://h:1', api: 'http://h:2', version: '1', startedAt: '' };
    const nodes = new ClusterNodes({ client: etcd.client, prefix: '/x/', self, secret, leaseMs: 60_000, log });
    scope.defer(() => nodes.close(10));
    await nodes.start(false);
    await watched();
    etcd.put('/x/nodes/b', value);
    expect(nodes.all.map(({ id }) => id)).toEqual(['a']);
    expectNamed(/CLUSTER_NODE_REFUSED/);
  });

  test('an address for SRT that no node of the cluster signed is left out, and named', () => {
    const records = new NodeRecords(secret, '/x/');
    const signed = records.signed({ ...other, srt: 'srt://b:8890' });
    expect(records.read('b', Buffer.from(JSON.stringify(signed)))).toEqual({ node: signed });
    const bent = { ...signed, srt: 'srt://stranger:8890' };
    const { node, refusal } = records.read('b', Buffer.from(JSON.stringify(bent)));
    expect(node).toMatchObject({ id: 'b', rtmp: other.rtmp });
    expect(node).not.toHaveProperty('srt');
    expect(refusal).toMatch(/SRT is not signed/);
    // Neither signature is good in place of the other.
    const swapped = { ...signed, proof: signed.srtProof };
    expect(records.read('b', Buffer.from(JSON.stringify(swapped))).node).toBeUndefined();
  });

  test('a node of an older version, which signs without SRT, is one; so is one of a newer version with more to say', () => {
    const records = new NodeRecords(secret, '/x/');
    const old = records.signed(other);
    expect(old).not.toHaveProperty('srtProof');
    expect(records.read('b', Buffer.from(JSON.stringify(old)))).toEqual({ node: old });
    // To an older version, `srt` is a field that it does not know: what it checks is the same without.
    const { srt: _, srtProof: _proof, ...seenByOld } = records.signed({ ...other, srt: 'srt://b:8890' });
    expect(seenByOld).toEqual(old);
    const newer = { ...old, gravity: { g: 9.81 } };
    expect(records.read('b', Buffer.from(JSON.stringify(newer)))).toEqual({ node: newer });
  });

  test.each(values)('%s as a token is none, and named', async (_, value) => {
    const file = join(scope.temporaryFolder(), 'shared.json');
    const texts = await SharedTexts.open({ client: etcd.client, prefix: '/x/', file, sealer: new Sealer(secret), log });
    scope.defer(() => texts.close());
    await watched();
    etcd.put('/x/manager', value);
    expect(texts.all.size).toBe(0);
    expectNamed(/\/x\/manager/);
  });

  test('a sealed token that was moved to another name is none', async () => {
    const sealer = new Sealer(secret);
    const file = join(scope.temporaryFolder(), 'shared.json');
    const texts = await SharedTexts.open({ client: etcd.client, prefix: '/x/', file, sealer, log });
    scope.defer(() => texts.close());
    await watched();
    etcd.put('/x/viewer', sealer.seal('text', '/x/viewer'));
    etcd.put('/x/admin', sealer.seal('text', '/x/viewer'));
    expect([...texts.all.keys()]).toEqual(['viewer']);
    expectNamed(/\/x\/admin.*sealed for another place/);
  });

  test.each([
    ['no node', '/x/views/gate/'],
    ['no camera', '/x/views//b'],
    ['more than two names', '/x/views/gate/b/c'],
    ['one name', '/x/views/gate'],
  ])("a wish of a viewer with %s is nobody's", async (_, key) => {
    const nodes = { self: { id: 'a' }, leaseId: undefined, onLease: () => {} } as unknown as ClusterNodes;
    const wants = new ViewerWants({ client: etcd.client, prefix: '/x/', nodes, log });
    scope.defer(() => wants.close());
    await watched();
    etcd.put(key, '{}');
    expect([wants.of('gate'), wants.of('')]).toEqual([[], []]);
  });
});
