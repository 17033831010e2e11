import { cpSync, lstatSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect } from 'vitest';
import { startNode } from '../../support/cluster.js';
import { TestEtcd } from '../../support/etcd.js';
import { makeClip, publish } from '../../support/ffmpeg.js';
import { testWith } from '../../support/peers.js';
import { startRtmpSink } from '../../support/rtmp-sink.js';
import { testScope } from '../../support/scope.js';
import { waitFor } from '../../support/wait.js';

describe('a camera that may publish to any node', () => {
  const test = testWith('etcd', 'ffmpeg');
  const takeover = { flags: ['--publish-takeover', '1s'] };

  test.concurrent('a second publisher elsewhere is refused while the first sends, and takes over when it is silent', async (context) => {
    const scope = testScope(context);
    const [etcd, clip, sink] = await Promise.all([
      TestEtcd.start(scope),
      makeClip({ seconds: 60, keyFrameSeconds: 1 }),
      startRtmpSink(scope),
    ]);
    const [a, b] = await Promise.all([startNode(scope, etcd, 'a', takeover), startNode(scope, etcd, 'b', takeover)]);
    await a.addCamera('gate');
    await a.addPush('gate', sink.url('gate'), 'out');
    await waitFor(async () => (await b.api('GET', '/v1/cameras/gate')).status === 200, {
      what: 'b to know the camera',
    });

    const first = publish(scope, clip, a.url('gate'));
    await a.waitForLive('gate');
    await a.waitForPush('gate', 'out', 'active');
    // A clone of a's machine finds a alive, says where, and leaves it its key and its camera.
    const copied = join(scope.temporaryFolder(), 'data');
    const isCopied = (path: string): boolean => !lstatSync(path).isSocket() && !/lock|runtime/.test(basename(path));
    cpSync(a.dataDir, copied, { recursive: true, filter: isCopied });
    const clone = startNode(scope, etcd, 'a', { flags: ['--data-dir', copied] });
    await expect(clone).rejects.toThrow(
      `another node with the id a lives at ${a.apiUrl}, on a copy of the data folder`,
    );
    expect(await etcd.ctl('get', '/media-aggregator/claims/live/gate')).toContain('"node":"a"');
    const early = publish(scope, clip, b.url('gate'));
    await early.exited;
    expect((await b.camera('gate')).live).toBe(false);
    await b.waitForLine('camera gate is live at node a');
    expect((await a.camera('gate')).live).toBe(true);

    first.signal('SIGSTOP');
    const second = await waitFor(
      async () => {
        const publisher = publish(scope, clip, b.url('gate'));
        await Promise.race([publisher.exited, b.waitForLive('gate')]).catch(() => undefined);
        return publisher.exit === undefined && publisher;
      },
      { what: 'the second publisher to be let in', timeoutMs: 30_000 },
    );
    await a.waitForLive('gate', false);
    await b.waitForPush('gate', 'out', 'active');
    // The one that wakes up disturbs nobody: its connection is gone.
    first.signal('SIGCONT');
    await first.exited;
    expect((await b.camera('gate')).live).toBe(true);

    // Without etcd what is live goes on, and a camera may come in.
    await etcd.kill();
    second.signal('SIGINT');
    await b.waitForLive('gate', false);
    const third = publish(scope, clip, b.url('gate'));
    await b.waitForLive('gate');
    expect(third.exit).toBeUndefined();
  });

  // Its cameras waited for the lease of the killed life, here and elsewhere.
  test.concurrent('a node that is started again after a kill gives back at once what it had', async (context) => {
    const scope = testScope(context);
    const [etcd, clip] = await Promise.all([TestEtcd.start(scope), makeClip({ seconds: 60, keyFrameSeconds: 1 })]);
    const long = { flags: ['--node-lease', '60s'] };
    const [a, b] = await Promise.all([startNode(scope, etcd, 'a', long), startNode(scope, etcd, 'b', long)]);
    for (const name of ['gate', 'yard']) await a.addCamera(name);
    await waitFor(async () => (await b.api('GET', '/v1/cameras/yard')).status === 200, { what: 'b to know them' });
    for (const name of ['gate', 'yard']) {
      publish(scope, clip, a.url(name));
      await a.waitForLive(name);
    }
    await a.restart();
    const [elsewhere, here] = [publish(scope, clip, b.url('gate')), publish(scope, clip, a.url('yard'))];
    await Promise.all([b.waitForLive('gate'), a.waitForLive('yard')]);
    expect([elsewhere.exit, here.exit]).toEqual([undefined, undefined]);
    expect((await etcd.ctl('get', '--prefix', '/media-aggregator/claims/live/')).match(/"node":"."/g)).toEqual([
      '"node":"b"',
      '"node":"a"',
    ]);
  });

  test.concurrent('a node that died loses its camera when its lease is over, and one that wakes up lets go', async (context) => {
    const scope = testScope(context);
    const [etcd, clip] = await Promise.all([TestEtcd.start(scope), makeClip({ seconds: 60, keyFrameSeconds: 1 })]);
    const [a, b] = await Promise.all([startNode(scope, etcd, 'a', takeover), startNode(scope, etcd, 'b', takeover)]);
    await a.addCamera('gate');
    await waitFor(async () => (await b.api('GET', '/v1/cameras/gate')).status === 200, {
      what: 'b to know the camera',
    });
    publish(scope, clip, a.url('gate'));
    await a.waitForLive('gate');

    a.process.signal('SIGSTOP');
    await waitFor(
      async () => {
        const publisher = publish(scope, clip, b.url('gate'));
        await Promise.race([publisher.exited, b.waitForLive('gate')]).catch(() => undefined);
        return publisher.exit === undefined;
      },
      { what: 'the camera to be let in at b', timeoutMs: 30_000 },
    );
    a.process.signal('SIGCONT');
    await a.waitForLive('gate', false);
    expect((await b.camera('gate')).live).toBe(true);
  });
});
