import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import type { Aggregator } from '../../support/aggregator.js';
import { startNode } from '../../support/cluster.js';
import { TestEtcd } from '../../support/etcd.js';
import { testWith } from '../../support/peers.js';
import { testScope } from '../../support/scope.js';
import { waitFor } from '../../support/wait.js';

interface ClusterBody {
  readonly id: string;
  readonly nodes: readonly { readonly id: string; readonly location: string | null }[];
}

async function nodesOf(node: Aggregator): Promise<string[]> {
  const { nodes } = (await node.apiOk('GET', '/v1/cluster')) as ClusterBody;
  return nodes.map(({ id }) => id);
}

async function camerasOf(node: Aggregator): Promise<string[]> {
  const { items } = (await node.apiOk('GET', '/v1/cameras')) as { items: { name: string }[] };
  return items.map(({ name }) => name);
}

async function problemsOf(node: Aggregator): Promise<string[]> {
  const { problems } = (await node.apiOk('GET', '/v1/config')) as { problems: { code: string }[] };
  return problems.map(({ code }) => code);
}

describe('nodes that share their state in etcd', () => {
  const test = testWith('etcd');

  test.concurrent('what one node is told, all know; a node that dies leaves the list; without etcd all goes on but changes', async (context) => {
    const scope = testScope(context);
    const etcd = await TestEtcd.start(scope);
    const [a, b] = await Promise.all([startNode(scope, etcd, 'a'), startNode(scope, etcd, 'b', { location: 'paris' })]);

    await waitFor(async () => (await nodesOf(a)).join() === 'a,b' && (await nodesOf(b)).join() === 'a,b', {
      what: 'both nodes to know each other',
    });
    await a.addCamera('gate');
    await waitFor(async () => (await camerasOf(b)).includes('gate'), { what: 'b to know what a was told' });
    // The same camera at both at once, and others: none is lost.
    await Promise.all(
      [a, b].flatMap((node, index) => [
        node.addCamera('both'),
        ...Array.from({ length: 10 }, (_, each) => node.addCamera(`cam-${index}-${each}`)),
      ]),
    );
    for (const node of [a, b]) {
      await waitFor(async () => (await camerasOf(node)).length === 22, { what: 'all cameras at every node' });
    }
    // A tag that one node gave is taken by the other.
    const [atA, atB] = await Promise.all(
      [a, b].map(async (node) => (await fetch(`${node.apiUrl}/v1/cameras/gate`)).headers.get('etag')),
    );
    expect(atA).toBe(atB);

    // A value that somebody wrote by hand.
    await etcd.ctl('put', '/media-aggregator/state/cameras/gate', '{"type": 5}');
    await waitFor(async () => (await problemsOf(b)).includes('STATE_INVALID'), { what: 'b to say what is wrong' });
    expect(await camerasOf(b)).toContain('gate');
    // It is not written over by who does not know what it means.
    expect(await b.api('PATCH', '/v1/cameras/gate', { type: 'plane' })).toMatchObject({
      status: 409,
      body: { code: 'CLUSTER_ENTRY_REFUSED' },
    });
    await etcd.ctl('put', '/media-aggregator/state/cameras/gate', '{"type": "360", "colour": "red"}');
    await waitFor(async () => (await problemsOf(b)).length === 0, { what: 'the good value to be taken' });
    // A field of a newer version is still there after this version wrote the entry.
    await b.apiOk('PATCH', '/v1/cameras/gate', { type: 'plane' });
    expect(
      JSON.parse(await etcd.ctl('get', '--print-value-only', '/media-aggregator/state/cameras/gate')),
    ).toMatchObject({
      colour: 'red',
      type: 'plane',
    });

    await b.kill9();
    await waitFor(async () => (await nodesOf(a)).join() === 'a', {
      what: 'the dead node to leave the list',
      timeoutMs: 30_000,
    });

    await etcd.kill();
    await waitFor(async () => (await problemsOf(a)).includes('CLUSTER_UNAVAILABLE'), {
      what: 'a to say that etcd is away',
    });
    const refused = await a.api('POST', '/v1/cameras', { name: 'late' });
    expect(refused).toMatchObject({ status: 503, body: { code: 'CLUSTER_UNAVAILABLE' } });
    // Nobody knows whether it was replaced.
    const admin = readFileSync(join(a.dataDir, 'admin-token'), 'utf8').trim();
    expect(await a.api('POST', `/v1/cluster/accept?token=${admin}`)).toMatchObject({ status: 503 });
    expect(await camerasOf(a)).toHaveLength(22);
    // It starts without etcd, with what it knew.
    await a.restart();
    expect(await camerasOf(a)).toHaveLength(22);

    etcd.run();
    await waitFor(async () => (await problemsOf(a)).length === 0, {
      what: 'etcd to be found again',
      timeoutMs: 20_000,
    });
    await a.addCamera('late');
    expect(await camerasOf(a)).toHaveLength(23);
  });
});
