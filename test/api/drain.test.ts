import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ClusterMember, ClusterView } from '../../src/api/v1/cluster.js';
import { Drain } from '../../src/cluster/drain.js';
import type { ClusterNodes } from '../../src/cluster/nodes.js';
import { silentLogger } from '../../src/log/log.js';
import { startTestApi, type TestApi } from './harness.js';

const all: { id: string; isDraining?: boolean; isFull?: boolean }[] = [{ id: 'a' }];
const live = new Set<string>();
const drain = new Drain({
  nodes: { self: { id: 'a' }, all, tell: async () => undefined } as unknown as ClusterNodes,
  claims: undefined,
  cameras: { live: () => live, askToReconnect: () => true, letGo: () => undefined },
  log: silentLogger,
});
const cluster: ClusterView = {
  ...{
    id: 'a',
    etcd: [],
    prefix: '/',
    holders: () => ({ id: 'a', reachesEtcd: true, cameras: [] }),
    secretId: 's',
    drain,
  },
  nodes: [{ id: 'a' } as ClusterMember],
  others: { ids: [], ask: () => Promise.reject(new Error()), follow: () => Promise.reject(new Error()) },
  sealAnew: async () => 0,
  accept: async () => undefined,
};

let node: TestApi;
beforeAll(async () => {
  node = await startTestApi({ apiAuth: 'off' }, silentLogger, undefined, undefined, cluster);
});
afterAll(async () => {
  drain.close();
  await node.close();
});

const ask = async (body: object): Promise<{ status: number; code?: string; isDraining?: boolean }> => {
  const response = await fetch(`${node.base}/v1/nodes/a/drain`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.status, ...((await response.json()) as object) };
};

test('the only node is not drained while cameras are live there, unless that is forced', async () => {
  live.add('gate');
  for (const body of [{}, { seconds: 1 }, { force: false }]) {
    expect(await ask(body)).toMatchObject({ status: 409, code: 'DRAIN_NOWHERE_TO_GO', field: 'force' });
  }
  expect(drain.isOn).toBe(false);
  all.push({ id: 'b', isFull: true });
  expect(await ask({})).toMatchObject({ status: 409, code: 'DRAIN_NOWHERE_TO_GO' });
  expect(await ask({ force: true })).toMatchObject({ status: 200, isDraining: true, camerasLeft: 1 });
  // It drains already: asked again, it says how many are left.
  expect(await ask({})).toMatchObject({ status: 200, isDraining: true, camerasLeft: 1 });
  expect(await ask({ on: false })).toMatchObject({ status: 200, isDraining: false });
});

test('a node whose cameras another one takes is drained, and the only one too while it has none', async () => {
  all.push({ id: 'c' });
  expect(await ask({})).toMatchObject({ status: 200, isDraining: true });
  expect(await ask({ on: false })).toMatchObject({ status: 200, isDraining: false });
  all.splice(1);
  live.clear();
  expect(await ask({})).toMatchObject({ status: 200, isDraining: true, camerasLeft: 0 });
});
