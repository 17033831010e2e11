import { describe, expect } from 'vitest';
import type { Aggregator } from '../../support/aggregator.js';
import { startNode } from '../../support/cluster.js';
import { TestEtcd } from '../../support/etcd.js';
import { makeClip, playToFrameMd5, publish } from '../../support/ffmpeg.js';
import { testWith } from '../../support/peers.js';
import { startRtmpSink } from '../../support/rtmp-sink.js';
import { type Scope, testScope } from '../../support/scope.js';
import { waitFor } from '../../support/wait.js';

interface Placed {
  readonly live: boolean;
  readonly relayedFrom?: { readonly node: string; readonly owner: string };
  readonly hops?: readonly { readonly to: string; readonly state: string }[];
  readonly pushes: readonly { readonly id: string; readonly state: string; readonly node?: string }[];
}
const look = async (node: Aggregator, camera = 'gate'): Promise<Placed> =>
  (await node.apiOk('GET', `/v1/cameras/${camera}?node=self`)) as Placed;
const waitForLive = (node: Aggregator, camera: string, live: boolean): Promise<true> =>
  waitFor(async () => (await look(node, camera)).live === live, {
    what: `${camera} to be ${live ? '' : 'not '}live`,
  }) as Promise<true>;
const stateOf = async (node: Aggregator): Promise<string | undefined> =>
  (await look(node)).pushes.find(({ id }) => id === 'out')?.state;

/** Two places with a node each, and a camera with a push to the other place. */
async function startPlaces(scope: Scope) {
  const [etcd, clip, sink] = await Promise.all([
    TestEtcd.start(scope),
    makeClip({ seconds: 60, keyFrameSeconds: 1 }),
    startRtmpSink(scope),
  ]);
  const flags = ['--relay-return', '1s', '--publish-takeover', '1s'];
  const [a, b] = await Promise.all([
    startNode(scope, etcd, 'a', { flags }),
    startNode(scope, etcd, 'b', { location: 'paris', flags }),
  ]);
  await a.addCamera('gate');
  await a.apiOk('POST', '/v1/cameras/gate/pushes', { id: 'out', url: sink.url('gate'), via: 'paris' });
  return { etcd, clip, sink, a, b };
}

describe('streams between places, when something fails', () => {
  const test = testWith('etcd', 'ffmpeg');

  test.concurrent('a node of the way that dies is gone round at once, and is taken again when it is well', async (context) => {
    const scope = testScope(context);
    const { clip, sink, a, b } = await startPlaces(scope);
    publish(scope, clip, a.url('gate'));
    await waitFor(async () => (await stateOf(b)) === 'active', { what: 'the push to run at b' });
    expect(await stateOf(a)).toBe('elsewhere');

    const beganMs = performance.now();
    await b.kill9();
    await waitFor(async () => (await stateOf(a)) === 'active', { what: 'the push to go directly', intervalMs: 5 });
    const outageMs = performance.now() - beganMs;
    console.info(`the push goes directly ${outageMs.toFixed(0)} ms after the node of the way was killed`);
    // The lease of 3 s is not waited for.
    expect(outageMs).toBeLessThan(3000);

    await b.start();
    await waitFor(async () => (await stateOf(b)) === 'active', { what: 'the push to run at b again' });
    await waitFor(async () => (await stateOf(a)) === 'elsewhere', { what: 'a to leave it to b' });
    expect(sink.connections.filter(({ ended }) => ended === undefined)).toHaveLength(1);

    // Frozen: nothing breaks, and nothing is answered.
    b.process.signal('SIGSTOP');
    const frozenMs = performance.now();
    await waitFor(async () => (await stateOf(a)) === 'active', {
      what: 'the push to go directly again',
      intervalMs: 5,
    });
    console.info(`and ${(performance.now() - frozenMs).toFixed(0)} ms after it froze`);
    b.process.signal('SIGCONT');
    await waitFor(async () => (await stateOf(b)) === 'active', { what: 'the push to run at b once more' });
    await waitFor(async () => (await stateOf(a)) === 'elsewhere', { what: 'a to leave it to b once more' });

    // With the node that has the camera, its stream is over everywhere.
    await a.kill9();
    await waitForLive(b, 'gate', false);
    await waitFor(() => sink.connections.every(({ ended }) => ended !== undefined), { what: 'the target to be told' });
  });

  test.concurrent('the node that has the camera freezes for longer than its lease, and wakes up: the newer one stays', async (context) => {
    const scope = testScope(context);
    const { etcd, clip, a, b } = await startPlaces(scope);
    const c = await startNode(scope, etcd, 'c', { flags: ['--publish-takeover', '1s'] });
    const first = publish(scope, clip, a.url('gate'));
    await waitFor(async () => (await look(b)).relayedFrom?.owner === 'a', { what: 'the stream of a at b' });
    a.process.signal('SIGSTOP');
    await waitFor(
      async () => {
        const publisher = publish(scope, clip, c.url('gate'));
        await Promise.race([publisher.exited, waitForLive(c, 'gate', true)]).catch(() => undefined);
        return publisher.exit === undefined;
      },
      { what: 'the camera to be let in at c', timeoutMs: 30_000 },
    );
    await waitFor(async () => (await look(b)).relayedFrom?.owner === 'c', { what: 'the stream of c at b' });
    await waitFor(async () => (await stateOf(b)) === 'active', { what: 'the push to run at b' });
    a.process.signal('SIGCONT');
    await waitForLive(a, 'gate', false);
    await first.exited;
    const { relayedFrom, pushes } = await look(b);
    expect([relayedFrom?.owner, pushes[0]?.state]).toEqual(['c', 'active']);
  });

  test.concurrent('viewers at another node share one copy, which ends with the last; strangers send nothing', async (context) => {
    const scope = testScope(context);
    const { clip, a, b } = await startPlaces(scope);
    await a.addCamera('yard');
    await waitFor(async () => (await look(b, 'yard')).live === false, { what: 'b to know the camera' });
    // They come before the camera, and when it is live.
    const files = [1, 2].map((index) => `${scope.temporaryFolder()}/viewer-${index}`);
    const early = playToFrameMd5(scope, b.url('yard'), files[0] ?? '');
    publish(scope, clip, a.url('yard'));
    await waitFor(async () => (await look(b, 'yard')).relayedFrom?.owner === 'a', { what: 'the stream at b' });
    const late = playToFrameMd5(scope, b.url('yard'), files[1] ?? '');
    const flv = await fetch(`${b.apiUrl}/live/yard.flv`);
    expect(flv.status).toBe(200);
    const reader = flv.body?.getReader();
    const { value } = (await reader?.read()) ?? {};
    expect(
      Buffer.from(value ?? [])
        .subarray(0, 3)
        .toString(),
    ).toBe('FLV');
    expect((await fetch(`${b.apiUrl}/v1/cameras/yard/picture`)).status).toBe(200);
    expect((await look(a, 'yard')).hops).toHaveLength(1);
    expect(early.exit).toBeUndefined();
    for (const player of [early, late]) player.signal('SIGKILL');
    await reader?.cancel();

    // Whoever has no ticket of the cluster is refused, also one who saw a ticket.
    const seen = 'a~a~1~00000000.k2v7xq1.AAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA';
    const stranger = publish(scope, clip, `${b.url('gate')}?relay=${seen}`);
    await stranger.exited;
    expect((await look(b)).live).toBe(false);
    await b.waitForLine('RELAY_REFUSED');
    await waitFor(async () => (await look(a, 'yard')).hops === undefined, {
      what: 'the copy to end',
      timeoutMs: 40_000,
    });
    await waitForLive(b, 'yard', false);
  });
});
