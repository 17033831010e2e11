import { describe, expect } from 'vitest';
import type { CameraView } from '../../../src/control/views.js';
import { startNode } from '../../support/cluster.js';
import { TestEtcd } from '../../support/etcd.js';
import { makeClip, publish } from '../../support/ffmpeg.js';
import { testWith } from '../../support/peers.js';
import { startRtmpSink } from '../../support/rtmp-sink.js';
import { testScope } from '../../support/scope.js';
import { waitFor } from '../../support/wait.js';

interface NodeView {
  readonly id: string;
  readonly bitrateInBps: number;
  readonly bitrateOutBps: number;
}

describe('a node that is full', () => {
  const test = testWith('etcd', 'ffmpeg');

  test.concurrent('refuses the next camera, which is offered another node, and what it carries loses nothing', async (context) => {
    const scope = testScope(context);
    const [etcd, clip, sink] = await Promise.all([
      TestEtcd.start(scope),
      makeClip({ seconds: 60, keyFrameSeconds: 1 }),
      startRtmpSink(scope),
    ]);
    const [a, b] = await Promise.all([
      startNode(scope, etcd, 'a', { flags: ['--capacity-cameras', '1'] }),
      startNode(scope, etcd, 'b'),
    ]);
    for (const name of ['one', 'two']) await a.addCamera(name);
    await a.addPush('one', sink.url('one'), 'out');
    publish(scope, clip, a.url('one'));
    await a.waitForPush('one', 'out', 'active');
    await waitFor(async () => (await b.api('GET', '/v1/cameras/two')).status === 200, { what: 'b to know of it' });

    const refused = publish(scope, clip, a.url('two'));
    await refused.exited;
    expect(refused.stderr).toContain('NODE_FULL');
    await a.waitForLine('NODE_FULL');
    // Whoever is refused is told where to go, and so is who asks any node.
    await a.waitForLine(b.url('two'));
    for (const node of [a, b]) {
      await waitFor(
        async () => {
          const { endpoint } = (await node.apiOk('GET', '/v1/cameras/two')) as CameraView;
          return endpoint === b.url('two');
        },
        { what: 'the other node to be offered' },
      );
    }
    publish(scope, clip, b.url('two'));
    await b.waitForLive('two');

    const [connection, ...others] = sink.connections;
    expect(others).toEqual([]);
    expect(connection?.ended).toBeUndefined();
    const video = () => (connection?.messages ?? []).filter(({ type }) => type === 9);
    // A second of it, at least: a quick machine comes here sooner.
    await waitFor(() => video().length > 25, { what: 'a second of media' });
    const times = video().map(({ timestampMs }) => timestampMs);
    // 25 frames a second: no frame is missing.
    const gaps = times.slice(2).map((time, index) => time - (times[index + 1] ?? 0));
    expect(Math.max(...gaps)).toBeLessThanOrEqual(41);
    expect((await a.push('one', 'out')).droppedFrames).toBe(0);
    // What any node shows of it is what it carries: one camera, sent once.
    const shown = await waitFor(
      async () => {
        const { items } = (await b.apiOk('GET', '/v1/nodes')) as { items: NodeView[] };
        const of = items.find(({ id }) => id === 'a');
        const ratio = of === undefined ? 0 : of.bitrateOutBps / of.bitrateInBps;
        return ratio > 0.5 && ratio < 2 && of;
      },
      { what: 'the traffic of a to be shown' },
    );
    expect(shown).toMatchObject({ liveCameras: 1, capacity: { cameras: 1, outBps: null, isFull: true } });
    const { nodes } = (await b.apiOk('GET', '/v1/cluster')) as { nodes: { id: string; isFull: boolean }[] };
    expect(nodes.map(({ id, isFull }) => [id, isFull])).toEqual([
      ['a', true],
      ['b', false],
    ]);
  });
});
