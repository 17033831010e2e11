import { describe, expect } from 'vitest';
import type { Aggregator } from '../../support/aggregator.js';
import { startNode } from '../../support/cluster.js';
import { TestEtcd } from '../../support/etcd.js';
import { makeClip, publish } from '../../support/ffmpeg.js';
import { startNginxRtmp } from '../../support/nginx-rtmp.js';
import { expectUnbroken, packetsOf } from '../../support/packets.js';
import { testWith } from '../../support/peers.js';
import { testScope } from '../../support/scope.js';
import { waitFor } from '../../support/wait.js';

interface Hop {
  readonly to: string;
  readonly state: string;
  readonly bytesOut: number;
  readonly roundTripMs: number | null;
}
interface PlacedPush {
  readonly id: string;
  readonly state: string;
  readonly node?: string;
  readonly engine?: string;
  readonly bytesOut: number;
}
interface Placed {
  readonly live: boolean;
  readonly relayedFrom?: { readonly node: string; readonly owner: string };
  readonly hops?: readonly Hop[];
  readonly pushes: readonly PlacedPush[];
}
const look = async (node: Aggregator, camera: string): Promise<Placed> =>
  (await node.apiOk('GET', `/v1/cameras/${camera}?node=self`)) as Placed;

describe('streams between places', () => {
  const test = testWith('etcd', 'ffmpeg', 'nginx-rtmp');

  test('one copy of each camera crosses, every engine gets every packet, and changes disturb nobody', async (context) => {
    const scope = testScope(context);
    const [etcd, nginx, clip] = await Promise.all([
      TestEtcd.start(scope),
      startNginxRtmp(scope),
      makeClip({ seconds: 20, keyFrameSeconds: 2 }),
    ]);
    const [a, b, c] = await Promise.all([
      startNode(scope, etcd, 'a'),
      startNode(scope, etcd, 'b', { location: 'paris' }),
      startNode(scope, etcd, 'c', { location: 'paris' }),
    ]);
    const engines = { e1: 'paris', e2: 'paris', e3: 'paris', home: 'berlin' };
    await Promise.all(
      Object.entries(engines).map(async ([name, location]) => {
        const pushUrl = `rtmp://{host}:${nginx.port}/live/{name}-${name}`;
        await a.apiOk('PUT', `/v1/engines/${name}`, { host: '127.0.0.1', pushUrl, location });
      }),
    );
    const cameras = ['gate-1', 'gate-2', 'gate-3', 'gate-4', 'gate-5', 'gate-6'];
    await Promise.all(
      cameras.map(async (name) => {
        await a.addCamera(name);
        for (const engine of Object.keys(engines)) {
          await a.apiOk('POST', `/v1/cameras/${name}/pushes`, { id: engine, engine });
        }
      }),
    );
    const publishers = cameras.map((name) => publish(scope, clip, a.url(name)));
    const nodes = { b, c };
    const expectPlaced = async (name: string): Promise<void> => {
      await waitFor(
        async () => {
          const { hops = [], pushes } = await look(a, name);
          const isPlaced = pushes.every(({ state, engine }) => state === (engine === 'home' ? 'active' : 'elsewhere'));
          return hops.length === 1 && hops[0]?.state === 'active' && isPlaced;
        },
        { what: `${name} to be placed` },
      );
      const gateway = nodes[(await look(a, name)).hops?.[0]?.to as 'b' | 'c'];
      const there = await waitFor(
        async () => {
          const seen = await look(gateway, name);
          return (
            seen.pushes.every(({ state, engine }) => state === (engine === 'home' ? 'elsewhere' : 'active')) && seen
          );
        },
        { what: `the pushes of ${name} to run in its place` },
      );
      expect(there.relayedFrom).toEqual({ node: 'a', owner: 'a' });
      expect(there.pushes.find(({ id }) => id === 'home')?.node).toBe('a');
    };
    await Promise.all(cameras.map(expectPlaced));

    // Every node shows each push as the node shows it that runs it, in lists, alone, and as the answer to a change.
    const gateway = (await look(a, 'gate-1')).hops?.[0]?.to ?? '';
    for (const node of [a, b, c]) {
      const { items } = (await node.apiOk('GET', '/v1/cameras?prefix=gate')) as { items: Placed[] };
      for (const { pushes } of items) expect(pushes.map(({ state }) => state)).toEqual(Array(4).fill('active'));
      expect(await node.apiOk('GET', '/v1/cameras?pushState=elsewhere')).toMatchObject({ items: [] });
      const e1 = { state: 'active', node: gateway, bytesOut: expect.any(Number) };
      expect(await node.apiOk('GET', '/v1/cameras/gate-1/pushes/e1')).toMatchObject(e1);
      const bytes = 2_000_000 + [a, b, c].indexOf(node);
      expect(await node.apiOk('PATCH', '/v1/cameras/gate-1/pushes/e1', { queueMaxBytes: bytes })).toMatchObject({
        ...e1,
        queueMaxBytes: bytes,
      });
      expect(await node.apiOk('PATCH', '/v1/cameras/gate-1', { type: `t${bytes}` })).toMatchObject({
        ...{ live: true, node: 'a', type: `t${bytes}` },
        pushes: [e1, { state: 'active' }, { state: 'active' }, { id: 'home', state: 'active' }],
      });
      // A content manager that asks any node is told the same.
      expect(await node.apiOk('GET', '/getStream?name=gate-1&location=berlin')).toMatchObject({
        push: { id: 'home', state: 'active' },
      });
      const told = (await node.apiOk('GET', '/v1/cameras/gate-1/pushes/e1/events')) as { items: { text: string }[] };
      expect(told.items.map(({ text }) => text).join('\n')).toMatch(/active/);
    }

    // Other cameras, engines and pushes come and go meanwhile, at all nodes.
    for (let turn = 0; turn < 25; turn += 1) {
      const node = [a, b, c][turn % 3] ?? a;
      await node.addCamera(`other-${turn}`);
      await node.apiOk('POST', `/v1/cameras/gate-1/pushes`, {
        id: `x-${turn}`,
        url: nginx.url(`other-${turn}`),
        via: turn % 2 === 0 ? 'paris' : 'direct',
      });
      await node.apiOk('DELETE', `/v1/cameras/gate-1/pushes/x-${turn}`);
    }

    const last = await look(a, 'gate-2');
    const crossed = last.hops?.reduce((sum, { bytesOut }) => sum + bytesOut, 0) ?? 0;
    const once = last.pushes.find(({ id }) => id === 'home')?.bytesOut ?? 0;
    console.info(
      `crossed: ${crossed} bytes for three engines; one engine at home: ${once} bytes; round trip ${last.hops?.[0]?.roundTripMs} ms`,
    );
    expect(crossed).toBeGreaterThan(once * 0.8);
    expect(crossed).toBeLessThan(once * 1.2);

    await Promise.all(publishers.map(({ exited }) => exited));
    for (const name of cameras) await a.waitForLive(name, false);
    for (const node of [b, c]) for (const name of cameras) await node.waitForLive(name, false);
    // Of a camera that nobody has, nothing is at another node.
    for (const node of [a, b, c]) {
      for (const name of cameras) {
        const isIdle = async () => (await look(node, name)).pushes.every(({ state }) => state === 'idle');
        await waitFor(isIdle, { what: `the pushes of ${name} to be idle` });
      }
    }
    const source = await packetsOf(clip);
    const expectWhole = async (name: string): Promise<void> => {
      expect(nginx.recordings(name).length, name).toBe(1);
      const { video, audio } = expectUnbroken(source, await packetsOf(await nginx.recording(name)));
      expect(video?.from).toBe(0);
      // Who joins starts at the key frame, which may be behind the first sound.
      expect(audio?.from).toBeLessThan(4);
    };
    for (const name of cameras) {
      await Promise.all(Object.keys(engines).map((engine) => expectWhole(`${name}-${engine}`)));
    }
  });
});
