import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { NodeTokens } from '../../../src/cluster/node-token.js';
import { ClusterSecret } from '../../../src/cluster/secret.js';
import { type Aggregator, nodePath, programPath } from '../../support/aggregator.js';
import { clusterSecret, startNode } from '../../support/cluster.js';
import { TestEtcd } from '../../support/etcd.js';
import { makeClip, publish } from '../../support/ffmpeg.js';
import { testWith } from '../../support/peers.js';
import { runOk } from '../../support/process.js';
import { startRtmpSink } from '../../support/rtmp-sink.js';
import { testScope } from '../../support/scope.js';
import { waitFor } from '../../support/wait.js';

interface Listed {
  readonly items: readonly {
    readonly name: string;
    readonly live: boolean;
    readonly node: string | null;
    readonly endpoint: string;
    readonly unknown?: string;
    readonly pushes: readonly { readonly state: string }[];
  }[];
  readonly unknown?: readonly string[];
}

const get = async <T = Listed>(node: Aggregator, path: string): Promise<T> => (await node.apiOk('GET', path)) as T;

async function command(node: Aggregator, ...args: string[]): Promise<string> {
  return (await runOk(nodePath, [programPath, ...args, '--data-dir', node.dataDir])).stdout;
}

describe('the nodes of a cluster as one system', () => {
  const test = testWith('etcd', 'ffmpeg');

  test('every node answers for all; a node is drained; strangers are refused', async (context) => {
    const scope = testScope(context);
    const [etcd, clip, sink] = await Promise.all([
      TestEtcd.start(scope),
      makeClip({ seconds: 60, keyFrameSeconds: 1 }),
      startRtmpSink(scope),
    ]);
    // Longer than a node is stopped below: it is silent then, and not gone.
    const flags = ['--node-lease', '20s', '--location-networks', 'paris=127.0.0.2'];
    const [a, b, c] = await Promise.all([
      startNode(scope, etcd, 'a', { flags }),
      startNode(scope, etcd, 'b', { flags }),
      startNode(scope, etcd, 'c', { location: 'paris', flags: [...flags, '--srt-port', '0'] }),
    ]);
    const nodes = { a, b, c };
    await waitFor(async () => (await get<Listed>(a, '/v1/nodes')).items.length === 3, { what: 'three nodes' });

    // The same answer wherever it is asked, and in the place that was said.
    const register = (node: Aggregator, location: string) =>
      node.apiOk('POST', '/registerCamera', { name: 'gate', location }) as Promise<{ endpoints: string[] }>;
    const answers = await Promise.all(Object.values(nodes).map((node) => register(node, 'berlin')));
    for (const answer of answers) expect(answer).toEqual(answers[0]);
    // By SRT, the node that takes it.
    const { srtPort } = JSON.parse(readFileSync(join(c.dataDir, 'runtime.json'), 'utf8')) as { srtPort: number };
    expect(answers[0]).toMatchObject({ srtEndpoint: `srt://127.0.0.1:${srtPort}?streamid=gate` });
    const endpoints = answers[0]!.endpoints;
    expect(endpoints).toHaveLength(3);
    expect(endpoints[2]).toBe(c.url('gate'));
    expect((await register(b, 'paris')).endpoints[0]).toBe(c.url('gate'));
    expect(endpoints).toContain(b.url('gate'));

    // Live at b, and seen from everywhere as it is there.
    await waitFor(async () => (await b.api('GET', '/v1/cameras/gate?node=self')).status === 200, {
      what: 'b to know it',
    });
    await a.addPush('gate', sink.url('gate'), 'out');
    const publisher = publish(scope, clip, b.url('gate'));
    const seenFrom = async (node: Aggregator) => {
      await waitFor(
        async () => {
          const [found] = (await get(node, '/v1/cameras?live=true')).items;
          return found?.name === 'gate' && found.node === 'b' && found.pushes[0]?.state === 'active';
        },
        { what: 'the live camera in the list of every node', timeoutMs: 30_000 },
      );
      expect(await get(node, '/v1/cameras/gate')).toMatchObject({ live: true, node: 'b' });
      expect((await get(node, '/v1/cameras?prefix=gate')).items).toMatchObject([{ live: true, node: 'b' }]);
      expect((await get<{ items: unknown[] }>(node, '/v1/cameras/gate/events')).items.length).toBeGreaterThan(0);
      expect(await get(node, '/v1/cameras/gate/pushes/out')).toMatchObject({ state: 'active' });
    };
    await Promise.all(Object.values(nodes).map(seenFrom));
    expect((await get(a, '/v1/cameras?live=true&node=self')).items).toEqual([]);
    expect(await command(c, 'node', 'list')).toMatch(/^b .* 1 +\S+ +2/m);

    // What happened at b is told by every node, once, and by a node that is asked by another one of itself alone.
    const isLiveAtB = (text: string) => text.split('\n').filter((line) => /camera.live.* gate .*\(node b\)/.test(line));
    const told = await Promise.all([
      ...Object.values(nodes).map((node) => command(node, 'events')),
      command(a, 'events', '--own'),
    ]);
    expect(told.map((text) => isLiveAtB(text).length)).toEqual([1, 1, 1, 0]);
    const ofA = new NodeTokens(ClusterSecret.fromText(clusterSecret), '/media-aggregator/', 'c').issue('a', 'read');
    const stream = await fetch(`${a.apiUrl}/v1/events?recent=9999&types=camera`, {
      headers: { authorization: `Bearer ${ofA}` },
      signal: AbortSignal.timeout(30_000),
    });
    let seen = '';
    for await (const bytes of stream.body!) {
      seen += Buffer.from(bytes).toString();
      if (seen.includes('event: reset')) break;
    }
    expect(seen).toContain('"camera":"gate"');
    expect(seen).not.toContain('"node":"b"');

    // A node that does not answer: its state is unknown, the rest is answered.
    b.process.signal('SIGSTOP');
    const list = await get(a, '/v1/cameras');
    expect(list).toMatchObject({ unknown: ['b'], items: [{ name: 'gate', node: 'b' }] });
    expect(list.items[0]?.unknown).toMatch(/node b does not answer/);
    expect((await get<Listed>(c, '/v1/nodes')).unknown).toEqual(['b']);
    expect(await a.api('GET', '/v1/cameras/gate/events')).toMatchObject({
      status: 503,
      body: { code: 'NODE_UNAVAILABLE' },
    });
    b.process.signal('SIGCONT');

    // Tokens of nodes: for one node, of this cluster.
    const ask = async (text: string, path = '/v1/cameras', method = 'GET', body?: object) => {
      const type = body === undefined ? {} : { 'content-type': 'application/json' };
      const response = await fetch(`${b.apiUrl}${path}`, {
        ...{ method, headers: { ...type, authorization: `Bearer ${text}` } },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return { status: response.status, body: JSON.stringify(await response.json()) };
    };
    const [ours, theirs] = [clusterSecret, '0123456789abcdef'.repeat(4)].map((text) => ClusterSecret.fromText(text));
    const tokens = (secret: ClusterSecret, prefix = '/media-aggregator/') => new NodeTokens(secret, prefix, 'a');
    expect((await ask(tokens(ours!).issue('b', 'read'))).status).toBe(200);
    const question = await ask(tokens(ours!).issue('b', 'read'), '/v1/cluster/holders', 'POST', { cameras: ['gate'] });
    expect(question.status, question.body).toBe(200);
    // What a node never asks of another one is not its to ask: a token that is read on the way makes nothing that lasts.
    for (const [method, path] of [
      ['GET', '/v1/tokens'],
      ['POST', '/v1/cluster/seal'],
      ['DELETE', '/v1/cameras/gate'],
    ]) {
      const refused = await ask(tokens(ours!).issue('b', 'admin'), path, method);
      expect(refused, path).toMatchObject({ status: 403, body: expect.stringContaining('what nodes ask each other') });
    }
    expect((await ask(tokens(ours!).issue('c', 'read'))).body).toContain('it is for another node, c');
    expect((await ask(tokens(theirs!).issue('b', 'admin'))).body).toContain('another cluster secret');
    expect((await ask(tokens(ours!, '/other/').issue('b', 'admin'))).body).toContain(
      'not signed by a node of this cluster',
    );
    expect((await ask(tokens(ours!).issue('b', 'read', Date.now() - 300_000))).body).toContain('it has expired');

    // A node that somebody wrote into etcd, to be sent tokens and cameras.
    const evil = { id: 'evil', rtmp: 'rtmp://192.0.2.1:1935', api: 'http://192.0.2.1', version: '1', startedAt: '' };
    await etcd.ctl('put', '/media-aggregator/nodes/evil', JSON.stringify(evil));
    await etcd.ctl(
      'put',
      '/media-aggregator/nodes/c2',
      await etcd.ctl('get', '--print-value-only', '/media-aggregator/nodes/c'),
    );
    await waitFor(() => a.logLines().filter(({ code }) => code === 'CLUSTER_NODE_REFUSED').length >= 2, {
      what: 'both entries to be named in the log',
    });
    expect((await get<{ nodes: { id: string }[] }>(a, '/v1/cluster')).nodes.map(({ id }) => id)).toEqual([
      'a',
      'b',
      'c',
    ]);

    // Drained: its camera goes, no other comes, and nobody is sent there.
    expect(await command(a, 'node', 'drain', 'b', '--over', '1')).toBe('b is drained, and empty.\n');
    await publisher.exited;
    const again = publish(scope, clip, b.url('gate'));
    await again.exited;
    await b.waitForLine('node b is draining');
    await waitFor(async () => !(await register(a, 'berlin')).endpoints.includes(b.url('gate')), {
      what: 'the drained node not to be named any more',
    });
    publish(scope, clip, a.url('gate'));
    await a.waitForLive('gate');
    expect(await command(a, 'node', 'drain', 'b', '--off')).toBe('b takes cameras.\n');
    await waitFor(async () => (await register(a, 'berlin')).endpoints.includes(b.url('gate')), {
      what: 'the node to be named again',
    });
  });
});
