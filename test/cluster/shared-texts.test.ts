import { EventEmitter } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, type TestContext, test } from 'vitest';
import { Sealer } from '../../src/cluster/sealer.js';
import { ClusterSecret } from '../../src/cluster/secret.js';
import { SharedTexts } from '../../src/cluster/shared-texts.js';
import { ViewerWants } from '../../src/cluster/viewer-wants.js';
import type { EtcdClient } from '../../src/etcd/client.js';
import { silentLogger } from '../../src/log/log.js';

const header = (revision: number) => ({ clusterId: '1', memberId: '1', revision: String(revision) });

/** An etcd whose watch and answers come when a test says so. */
function fakeEtcd(txn: (request: unknown) => Promise<unknown>) {
  const stream = Object.assign(new EventEmitter(), { write: () => true, cancel: () => undefined });
  const client = {
    endpoint: 'fake',
    next: () => undefined,
    watch: async () => stream,
    range: async () => ({ header: header(1), kvs: [], more: false, count: '0' }),
    txn,
  } as unknown as EtcdClient;
  return { client, stream };
}

function folderFor(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'media-aggregator-test-'));
  context.onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 20));

test('what another node removed before the answer to its creation was read stays removed', async (context) => {
  let answer: (revision: number) => void = () => undefined;
  const { client, stream } = fakeEtcd(
    () =>
      new Promise((resolve) => {
        answer = (revision) => resolve({ header: header(revision), succeeded: true, responses: [] });
      }),
  );
  const sealer = new Sealer(ClusterSecret.fromText('0123456789abcdef'.repeat(4)));
  const file = join(folderFor(context), 'shared.json');
  const texts = await SharedTexts.open({ client, prefix: '/t/', file, sealer, log: silentLogger });
  context.onTestFinished(() => texts.close());
  await settled();
  stream.emit('data', {
    header: header(1),
    watchId: '0',
    created: true,
    canceled: false,
    compactRevision: '0',
    events: [],
  });

  const first = texts.create('a', 'text');
  answer(2);
  expect([await first, texts.all.get('a')]).toEqual([true, 'text']);

  const second = texts.create('b', 'text');
  const kv = {
    key: Buffer.from('/t/b'),
    value: Buffer.alloc(0),
    createRevision: '0',
    modRevision: '4',
    version: '0',
    lease: '0',
  };
  stream.emit('data', {
    header: header(4),
    watchId: '0',
    created: false,
    canceled: false,
    compactRevision: '0',
    events: [{ type: 'DELETE', kv }],
  });
  await settled();
  answer(3);
  expect([await second, texts.all.get('b')]).toEqual([true, undefined]);
});

test('what viewers want is written under the lease that there is, and each of many cameras once', async (context) => {
  let writes = 0;
  const leases = { id: '1' };
  let relet: () => void = () => undefined;
  const nodes = {
    self: { id: 'n' },
    get leaseId() {
      return leases.id;
    },
    onLease: (listener: () => void) => {
      relet = listener;
    },
  };
  const { client } = fakeEtcd(async () => {
    writes++;
    // The lease ends while the first is written.
    if (writes === 1) {
      leases.id = '2';
      relet();
    }
    return { header: header(2), succeeded: true, responses: [] };
  });
  const wants = new ViewerWants({ client, prefix: '/x/', nodes: nodes as never, log: silentLogger });
  context.onTestFinished(() => wants.close());
  for (let i = 0; i < 1000; i++) wants.want(`cam-${i}`, true);
  await settled();
  expect(writes).toBe(1001);
  wants.want('cam-5', false);
  wants.want('cam-5', true);
  await settled();
  expect(writes).toBeLessThanOrEqual(1003);
});
