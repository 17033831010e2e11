import { createServer, type ServerResponse } from 'node:http';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { ClusterEvents } from '../../src/api/events/cluster-events.js';
import { NodeReader } from '../../src/api/events/node-reader.js';
import type { ClusterMember, ClusterView } from '../../src/api/v1/cluster.js';
import { NodeTokens } from '../../src/cluster/node-token.js';
import type { ClusterNodes } from '../../src/cluster/nodes.js';
import { Peers } from '../../src/cluster/peers.js';
import { ClusterSecret } from '../../src/cluster/secret.js';
import type { Control } from '../../src/control/control.js';
import type { Figures } from '../../src/control/live-stats.js';
import { EventFeed } from '../../src/events/event-feed.js';
import { silentLogger } from '../../src/log/log.js';
import { waitFor } from '../support/wait.js';
import { startTestApi, type TestApi } from './harness.js';

/** What the other node answers now. */
let answer: (response: ServerResponse, path: string) => void = (response) => void response.end();
const asked: string[] = [];
const server = createServer((request, response) => {
  asked.push(request.url ?? '');
  answer(response, request.url ?? '');
});
const open: { close(): void }[] = [];
let peers: Peers;
let node: TestApi;

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const api = `http://127.0.0.1:${Object(server.address()).port}`;
  const secret = ClusterSecret.fromText('5ec2e7'.padEnd(64, '0'));
  peers = new Peers({ all: [{ id: 'b', api }] } as unknown as ClusterNodes, new NodeTokens(secret, '/x/', 'a'));
  const cluster: ClusterView = {
    ...{ id: 'a', etcd: [], prefix: '/', holders: () => ({ id: 'a', reachesEtcd: true, cameras: [] }), secretId: 's' },
    nodes: [{ id: 'a' } as ClusterMember],
    others: others(),
    drain: { isOn: false, isOfUse: true, camerasLeft: 0, start: () => undefined, end: () => undefined },
    sealAnew: async () => 0,
    accept: async () => undefined,
  };
  node = await startTestApi({ apiAuth: 'off' }, silentLogger, undefined, undefined, cluster);
  await node.control.cameras.add({ name: 'gate' }, undefined);
  node.control.places.join({
    selfId: 'a',
    peers: ['a', 'b'].map((id) => ({ id, rtmp: `rtmp://${id}:1935`, api })),
    holderOf: (camera) => (camera === 'gate' ? 'b' : undefined),
  } as Parameters<Control['places']['join']>[0]);
});
afterEach(() => {
  for (const each of open.splice(0)) each.close();
  server.closeAllConnections();
  asked.length = 0;
});
afterAll(async () => {
  await node.close();
  server.close();
});

const others = (): ClusterView['others'] => ({
  ids: ['b'],
  ask: (id, request) => peers.ask(id, request as Parameters<Peers['ask']>[1]),
  follow: (id, request) => peers.follow(id, request as Parameters<Peers['follow']>[1]),
});

const events = (response: ServerResponse): ServerResponse =>
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });

/** @returns why the node counts as silent, each time; and how many events it told */
function read(): { readonly silent: string[]; readonly seen: string[] } {
  const silent: string[] = [];
  const seen: string[] = [];
  const reader = new NodeReader({
    ...{ nodes: others(), node: 'b', path: () => '/v1/events' },
    onOpen: () => undefined,
    onEvent: ({ data }) => seen.push(data),
    onSilent: (why) => silent.push(why),
  });
  open.push(reader);
  return { silent, seen };
}

test('a node that answers with what are no events, redirects, or never ends a line does not answer', async () => {
  const wrong: [(response: ServerResponse) => void, RegExp][] = [
    [(response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<p>hello'), /answers with text\/html/],
    [(response) => response.writeHead(302, { location: 'http://127.0.0.1:9/' }).end(), /redirect/],
    [(response) => response.writeHead(500).end('no'), /it answers 500: it does not say why/],
    [(response) => events(response).end(Buffer.alloc(9 << 20, 'x')), /an event has no end/],
  ];
  for (const [how, why] of wrong) {
    answer = how;
    const { silent, seen } = read();
    await waitFor(() => silent.length > 0, { what: 'the reason' });
    expect(silent[0]).toMatch(why);
    expect(seen).toEqual([]);
    for (const each of open.splice(0)) each.close();
  }
});

test('a node whose streams end as soon as they begin is asked more and more seldom', async () => {
  answer = (response) => void events(response).end();
  read();
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect(asked.length).toBeGreaterThan(1);
  expect(asked.length).toBeLessThan(8);
});

const noFigures = { at: '', totals: {}, cameras: {} } as unknown as Figures;

test('garbage, and 30,000 events at once, cost no more than what is kept, and nothing that is wrong is told', async () => {
  const line = (id: number, more: object) =>
    `event: camera.live\ndata: ${JSON.stringify({ id, at: '2026-01-01T00:00:00Z', type: 'camera.live', ...more })}\n\n`;
  answer = (response, path) => {
    events(response);
    if (path.includes('stats=1')) {
      const facts = Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`f${index}`, 1]));
      const cameras = {
        gate: { ...facts, bitrateInBps: { a: 1 }, pushes: { 'a b': {}, out: { state: 'active' } } },
        'a b': {},
      };
      response.write(`event: stats\ndata: ${JSON.stringify({ totals: 7, cameras })}\n\n`);
      for (const data of ['null', '[]', '{"cameras":3}', '{"cameras":{"x":{"pushes":null}}}', 'no']) {
        response.write(`event: stats\ndata: ${data}\n\n`);
      }
      return;
    }
    response.write('\n\n:\n\nevent: camera.live\ndata: no\n\nevent: reset\ndata: null\n\n');
    response.write(line(1, { text: Array.from({ length: 100 }, () => 'x'.repeat(1000)) }));
    response.write(line(2, { type: 'camera.live\nid: 7' }));
    let text = '';
    for (let id = 3; id < 30_003; id += 1) text += line(id, { camera: 'gate' });
    response.write(text);
  };
  const control = {
    feed: new EventFeed(),
    stats: { names: [], figuresOf: () => noFigures, subscribe: () => () => undefined },
    places: { elsewhere: () => 'b' },
  } as unknown as Control;
  const all = new ClusterEvents(control, others(), 'a');
  open.push(all);
  let newest: { id?: number; node?: string } = {};
  let told = 0;
  all.feed.subscribe(({ json }) => {
    newest = JSON.parse(json);
    told += 1;
    expect(json.length).toBeLessThan(500);
  });
  await all.enter();
  all.stats.subscribe(() => undefined);
  await waitFor(() => told >= 10_000, { what: 'the events', timeoutMs: 30_000 });
  expect(newest).toMatchObject({ type: 'camera.live', camera: 'gate', node: 'b' });
  expect(all.feed.since(all.feed.idBefore(1e6, () => true))).toHaveLength(5000);
  await waitFor(() => [...all.stats.names].includes('gate'), { what: 'the figures', timeoutMs: 20_000 });
  expect([...all.stats.names]).toEqual(['gate']);
  const { pushes, ...facts } = all.stats.figuresOf(['gate']).cameras.gate!;
  expect(pushes).toEqual({ out: { state: 'active' } });
  expect(Object.keys(facts).length).toBeLessThanOrEqual(100);
  expect(facts).not.toHaveProperty('bitrateInBps');
});

test('a list is answered although a node answers with what is none', async () => {
  for (const body of [
    'no',
    'null',
    '{"items":[null]}',
    '{"items":[{"name":"gate"}]}',
    '{"items":[{"name":"gate","pushes":[3]}]}',
  ]) {
    answer = (response) => void response.writeHead(200, { 'content-type': 'application/json' }).end(body);
    const list = await fetch(`${node.base}/v1/cameras`);
    expect(list.status, body).toBe(200);
    expect(await list.json()).toMatchObject({ items: [{ name: 'gate' }], unknown: ['b'] });
    const one = await fetch(`${node.base}/v1/cameras/gate`);
    expect(one.status, body).toBe(200);
    expect(await one.json()).toMatchObject({ name: 'gate', unknown: expect.any(String) });
  }
});

// One `{` after the other took a hundred bytes each of whoever parsed them: a node that ran wild could end all others.
test('an answer of brackets in brackets costs next to nothing, and is none', async () => {
  const text = Buffer.alloc(4 << 20, '[');
  answer = (response) => void response.writeHead(200, { 'content-type': 'application/json' }).end(text);
  const before = process.memoryUsage().heapUsed;
  const ask = () => peers.ask('b', { method: 'GET', path: '/v1/cameras', scope: 'read' });
  // A connection of the test before may be the first one to be tried.
  const why = () => ask().catch((error: unknown) => String(error));
  await waitFor(async () => /nested more than 64 deep/.test(String(await why())), { what: 'the reason' });
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(64 << 20);
  const quoted = JSON.stringify([`${'['.repeat(1000)}\\"`, { deep: [[[]]] }]);
  answer = (response) => void response.end(quoted);
  expect((await ask()).bytes.toString()).toBe(quoted);
});

test('what is no description of a node is not shown as one, and what is no history is a node that does not answer', async () => {
  for (const body of ['{"items":[{"name":"cam-1","pushes":[null]}],"next":{}}', '{"items":5}', '<p>', 'null']) {
    answer = (response) => void response.writeHead(200, { 'content-type': 'application/json' }).end(body);
    expect(await (await fetch(`${node.base}/v1/nodes`)).json()).toMatchObject({ items: [{}], unknown: ['b'] });
    const history = await fetch(`${node.base}/v1/cameras/gate/history`);
    expect([history.status, ((await history.json()) as { code: string }).code], body).toEqual([
      503,
      'NODE_UNAVAILABLE',
    ]);
  }
});

test('a node that is silent is waited for once', async () => {
  const seen: string[] = [];
  answer = (_, path) => void seen.push(path);
  await node.control.pushes.add('gate', { id: 'out', url: 'rtmp://192.0.2.1/live/x' });
  const one = await fetch(`${node.base}/v1/cameras/gate`);
  expect(await one.json()).toMatchObject({ unknown: expect.stringContaining('no answer within') });
  await fetch(`${node.base}/v1/cameras`);
  expect(seen.filter((path) => path.startsWith('/v1/cameras/gate')).length).toBe(1);
  expect(seen.filter((path) => path.startsWith('/v1/cameras?')).length).toBe(1);
});

test('only "self" is a node that can be asked to answer alone', async () => {
  for (const query of [
    'node=b',
    'node=',
    'node=self&node=self',
    'node[]=self',
    'node=SELF',
    `node=${'x'.repeat(5000)}`,
  ]) {
    const response = await fetch(`${node.base}/v1/cameras?${query}`);
    expect(response.status, query).toBe(400);
    expect((await response.text()).length).toBeLessThan(1000);
  }
});
