import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { type Aggregator, nodePath, programPath } from '../../support/aggregator.js';
import { clusterSecret, startNode } from '../../support/cluster.js';
import { TestEtcd } from '../../support/etcd.js';
import { testWith } from '../../support/peers.js';
import { runOk } from '../../support/process.js';
import { testScope } from '../../support/scope.js';
import { waitFor } from '../../support/wait.js';

async function command(node: Aggregator, ...args: string[]): Promise<string> {
  return (await runOk(nodePath, [programPath, ...args, '--data-dir', node.dataDir])).stdout;
}

/** What a node answers to a call with this token, over TCP. */
async function statusWith(node: Aggregator, token: string): Promise<number> {
  return (await fetch(`${node.apiUrl}/v1/session`, { headers: { authorization: `Bearer ${token}` } })).status;
}

async function camerasOf(node: Aggregator): Promise<string[]> {
  const { items } = (await node.apiOk('GET', '/v1/cameras')) as { items: { name: string }[] };
  return items.map(({ name }) => name);
}

async function problemsOf(node: Aggregator): Promise<string[]> {
  const { problems } = (await node.apiOk('GET', '/v1/config')) as { problems: { code: string }[] };
  return problems.map(({ code }) => code);
}

describe('what the nodes of a cluster share and keep from others', () => {
  const test = testWith('etcd');

  test('tokens hold everywhere, etcd shows no secret, the secret is changed, and a restored etcd waits for a person', async (context) => {
    const scope = testScope(context);
    const etcd = await TestEtcd.start(scope);
    // In the middle of a change of the secret: the second one was in use until now.
    const next = '0123456789abcdef'.repeat(4);
    const flags = ['--publish-auth', 'key'];
    const a = await startNode(scope, etcd, 'a', { flags });
    const b = await startNode(scope, etcd, 'b', { secret: `${next}\n${clusterSecret}`, flags });

    const token = await a.makeToken('manager', 'operate');
    await waitFor(async () => (await statusWith(b, token)) === 200, { what: 'the token to hold at b' });
    const stale = { id: '000000000000', scope: 'admin', sha256: '00'.repeat(32), createdAt: '2026-01-01T00:00:00Z' };
    const forged = JSON.stringify({ version: 1, tokens: { forged: stale } });
    await etcd.ctl('put', '/media-aggregator/tokens/forged', forged);
    await waitFor(() => JSON.stringify(a.logLines()).includes('/media-aggregator/tokens/forged'), {
      what: 'the forged token to be named',
    });
    expect(await command(a, 'token', 'list')).not.toContain('forged');

    // A URL with a stream key: nothing of it is in etcd, nor on disk, and both nodes know it.
    await a.addCamera('gate');
    await a.addPush('gate', 'rtmp://192.0.2.1/live/STREAM-KEY', 'out');
    await b.apiOk('PUT', '/v1/engines/one', { host: '192.0.2.2', pushUrl: 'rtmp://user:PASSWORD@{host}/live/{name}' });
    const all = () => etcd.ctl('get', '--prefix', '/media-aggregator/');
    expect(await all()).toContain('state/cameras/gate');
    expect(await all()).not.toMatch(/STREAM-KEY|PASSWORD/);
    await waitFor(() => readFileSync(join(a.dataDir, 'cluster-state.jsonl'), 'utf8').includes('"one"'), {
      what: 'the copy on disk to be written',
    });
    expect(readFileSync(join(a.dataDir, 'cluster-state.jsonl'), 'utf8')).not.toMatch(/STREAM-KEY|PASSWORD/);
    // b wrote with the new secret, which a has not: the engine is refused there, named, and nothing else changes.
    await waitFor(async () => (await problemsOf(a)).includes('STATE_INVALID'), { what: 'a to refuse it' });
    await a.waitForLine('that is not in the cluster-secret-file of this node');
    // Publish keys are the same with either secret.
    const keyAt = async (node: Aggregator) =>
      new URL(((await node.apiOk('GET', '/v1/cameras/gate?node=self')) as { endpoint: string }).endpoint).search;
    expect(await keyAt(a)).toMatch(/^\?key=.{8}/);
    expect(await keyAt(b)).toBe(await keyAt(a));

    // Everything is sealed with the new secret: a node that has it alone can start.
    expect(await command(b, 'cluster', 'rotate-secret')).toMatch(/^[1-9]\d* keys? (was|were) sealed again/);
    expect(await command(b, 'cluster', 'rotate-secret')).toMatch(/^0 keys/);
    await a.process.stop();
    const c = await startNode(scope, etcd, 'c', { secret: next, flags });
    expect(await statusWith(c, token)).toBe(200);
    expect(await keyAt(c)).toBe(await keyAt(b));
    expect(await c.apiOk('GET', '/v1/cameras/gate')).toMatchObject({ pushes: [{ id: 'out' }] });

    await command(c, 'token', 'revoke', 'manager');
    await waitFor(async () => (await statusWith(b, token)) === 401, { what: 'the token to be refused at b' });

    // A restored backup changes nothing until a person says so.
    const saved = await etcd.save();
    await b.addCamera('late');
    await waitFor(async () => (await camerasOf(c)).includes('late'), { what: 'c to know it' });
    await etcd.restore(saved);
    for (const node of [b, c]) {
      await waitFor(async () => (await problemsOf(node)).includes('CLUSTER_REPLACED'), {
        what: 'both nodes to notice the restored etcd',
        timeoutMs: 30_000,
      });
      expect(await camerasOf(node)).toEqual(['gate', 'late']);
    }
    expect(await b.api('POST', '/v1/cameras', { name: 'x' })).toMatchObject({ body: { code: 'CLUSTER_REPLACED' } });
    await command(c, 'cluster', 'accept');
    for (const node of [b, c]) {
      await waitFor(async () => (await camerasOf(node)).join() === 'gate', {
        what: 'the restored state at both nodes',
        timeoutMs: 30_000,
      });
    }
    // They see each other, and make changes.
    await b.addCamera('after');
    await waitFor(async () => (await camerasOf(c)).includes('after'), { what: 'changes to be told again' });
    await waitFor(async () => ((await b.apiOk('GET', '/v1/cluster')) as { nodes: unknown[] }).nodes.length === 2, {
      what: 'both nodes in the list',
      timeoutMs: 30_000,
    });
  });
});
