import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { type Aggregator, startAggregator } from '../support/aggregator.js';
import { decodeCleanly, makeClip, publish } from '../support/ffmpeg.js';
import { firstVideoFrame, isKeyFrame, settled } from '../support/flv-file.js';
import { startNginxRtmp } from '../support/nginx-rtmp.js';
import { expectUnbroken, packetsOf } from '../support/packets.js';
import { testWith } from '../support/peers.js';
import { RtmpClient } from '../support/rtmp-client.js';
import { startRtmpSink } from '../support/rtmp-sink.js';
import { type Scope, testScope } from '../support/scope.js';
import { figure, sleep, waitFor, within } from '../support/wait.js';

interface WorkerView {
  readonly number: number;
  readonly pid: number | null;
  readonly up: boolean;
  readonly cameras: number;
  readonly restarts: number;
}

const flags = ['--workers', '2'];

async function workersOf(aggregator: Aggregator): Promise<readonly WorkerView[]> {
  const { items } = (await aggregator.apiOk('GET', '/v1/nodes')) as { items: { workers: WorkerView[] }[] };
  return items[0]!.workers;
}

/** The worker processes, by what the kernel says. */
function childrenOf(pid: number): number[] {
  return readdirSync('/proc').flatMap((name) => {
    const status = /^\d+$/.test(name) ? statusOf(Number(name)) : undefined;
    return status !== undefined && new RegExp(`^PPid:\\s+${pid}$`, 'm').test(status) ? [Number(name)] : [];
  });
}

function statusOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    return undefined; // it is gone
  }
}

/** False too for one that ended and whose parent has not asked for it. */
function runs(pid: number): boolean {
  const status = statusOf(pid);
  return status !== undefined && !/^State:\s+Z/m.test(status);
}

/** A camera that publishes a key frame now and then. */
async function rawCamera(scope: Scope, aggregator: Aggregator, name: string): Promise<RtmpClient> {
  const camera = new RtmpClient(scope, aggregator.rtmpPort);
  await camera.publish(name, name);
  let timestampMs = 0;
  const frame = Buffer.concat([Buffer.from([0x17, 1, 0, 0, 0]), Buffer.alloc(2000, 0x33)]);
  const timer = setInterval(() => {
    timestampMs += 40;
    camera.media(9, timestampMs, frame);
  }, 40);
  scope.defer(() => clearInterval(timer));
  return camera;
}

describe('media workers', () => {
  const test = testWith('ffmpeg', 'nginx-rtmp');

  test.concurrent('share the cameras; whoever belongs to one meets there, wherever he lands', async (context) => {
    const scope = testScope(context);
    const aggregator = await startAggregator(scope, { flags });
    const names = ['one', 'two', 'three', 'four'];
    for (const name of [...names, 'idle']) await aggregator.addCamera(name);
    for (const name of names) await rawCamera(scope, aggregator, name);
    // The fifth is not live, and costs no worker anything.
    expect((await workersOf(aggregator)).map(({ up, cameras }) => ({ up, cameras }))).toEqual([
      { up: true, cameras: 2 },
      { up: true, cameras: 2 },
    ]);
    for (const name of names) expect(await aggregator.camera(name)).toMatchObject({ live: true });

    // As many as there are workers, and more: some land on the camera's worker, some on the other.
    const viewers = await Promise.all(
      names.flatMap((name) =>
        [1, 2, 3].map(async () => {
          const viewer = new RtmpClient(scope, aggregator.rtmpPort);
          await viewer.play(name, name);
          await waitFor(() => viewer.messages.some(({ type }) => type === 9), { what: `a picture of ${name}` });
          return viewer;
        }),
      ),
    );
    expect(viewers).toHaveLength(12);
    for (const name of names) expect((await aggregator.camera(name)).viewers).toBe(3);
    for (const name of names) {
      for (let attempt = 0; attempt < 3; attempt++) {
        const second = new RtmpClient(scope, aggregator.rtmpPort);
        second.publish(name, name).catch(() => {});
        await waitFor(() => second.statusCodes().includes('NetStream.Publish.BadName'), { what: 'the refusal' });
      }
    }
    const stranger = new RtmpClient(scope, aggregator.rtmpPort);
    await stranger.handshake();
    stranger.command(0, 'connect', 1, { app: 'nobody', tcUrl: 'rtmp://127.0.0.1/nobody' });
    await waitFor(() => stranger.commands().some(([name]) => name === '_error'), { what: 'the refusal' });

    // An answer to a change shows what the camera's worker has made of it.
    const sink = await startRtmpSink(scope);
    expect((await aggregator.addPush('one', sink.url('one'), 'sink')).state).toBe('connecting');
    await aggregator.waitForPush('one', 'sink', 'active');
    const events = (await aggregator.apiOk('GET', '/v1/cameras/one/pushes/sink/events')) as { items: unknown[] };
    expect(JSON.stringify(events.items)).toContain('connecting -> active');
    const metrics = await (await fetch(`${aggregator.apiUrl}/metrics`)).text();
    expect(metrics).toContain('media_aggregator_worker_up{worker="2"} 1');
    expect(metrics).toMatch(/media_aggregator_worker_socket_mode\{[^}]*worker="2"[^}]*\} 1/);
    expect(metrics).toContain('media_aggregator_viewers 12');
  });

  test.concurrent('have a test pattern in the worker of its camera, which gives way, and ends with that worker', async (context) => {
    const scope = testScope(context);
    const aggregator = await startAggregator(scope, { flags: [...flags, '--publish-auth', 'key'] });
    const patterns = async () =>
      ((await aggregator.apiOk('GET', '/v1/test-pattern')) as { items: { camera: string }[] }).items.map(
        ({ camera }) => camera,
      );
    const start = (camera: string) => aggregator.apiOk('POST', '/v1/test-pattern', { camera });
    const endpoints = new Map<string, string>();
    for (const name of ['one', 'two']) {
      endpoints.set(name, await aggregator.addCamera(name));
      await start(name);
      await waitFor(async () => (await aggregator.camera(name)).videoCodec === 'h264', { what: 'its picture' });
    }
    expect((await workersOf(aggregator)).map(({ cameras }) => cameras)).toEqual([1, 1]);
    expect(await aggregator.camera('one')).toMatchObject({ live: true, publisher: 'test pattern' });
    expect(await patterns()).toEqual(['one', 'two']);
    const camera = new RtmpClient(scope, aggregator.rtmpPort);
    await camera.publish('one', endpoints.get('one')!.split('/').at(-1)!);
    await waitFor(async () => (await patterns()).length === 1, { what: 'the pattern to give way' });
    expect(await aggregator.camera('one')).toMatchObject({ live: true });

    for (const { pid } of await workersOf(aggregator)) process.kill(pid!, 'SIGKILL');
    await waitFor(async () => (await patterns()).length === 0, { what: 'the end of the pattern' });
    await waitFor(async () => (await workersOf(aggregator)).every(({ up }) => up), { what: 'the workers' });
    await start('two');
    await waitFor(async () => (await aggregator.camera('two')).live === true, { what: 'the pattern again' });
    await aggregator.apiOk('DELETE', '/v1/test-pattern/two');
    await waitFor(async () => (await aggregator.camera('two')).live === false, { what: 'its end' });
    expect(await patterns()).toEqual([]);
  });

  test.concurrent('one that is killed is started again; its cameras come back, and the others notice nothing', async (context) => {
    const scope = testScope(context);
    const [long, short, nginx, aggregator] = await Promise.all([
      makeClip({ seconds: 15 }),
      makeClip({ seconds: 7 }),
      startNginxRtmp(scope),
      startAggregator(scope, { flags }),
    ]);
    for (const name of ['hit', 'spared']) {
      await aggregator.addCamera(name);
      await aggregator.addPush(name, nginx.url(name), 'engine');
    }
    const first = publish(scope, long, aggregator.url('hit'));
    await firstVideoFrame(await nginx.recording('hit'));
    const [worker] = (await workersOf(aggregator)).filter(({ cameras }) => cameras === 1);
    const spared = publish(scope, long, aggregator.url('spared'));
    await firstVideoFrame(await nginx.recording('spared'));
    expect((await workersOf(aggregator)).map(({ cameras }) => cameras)).toEqual([1, 1]);
    await sleep(1100); // nginx names recordings by the second

    process.kill(worker!.pid!, 'SIGKILL');
    const killedAt = performance.now();
    expect((await first.exited).code).not.toBe(0);
    const view = (await aggregator.camera('hit')) as unknown as { live: boolean; notice?: string };
    expect(view.live).toBe(false);
    expect(view.notice).toContain('SIGKILL');
    const { problems } = (await aggregator.apiOk('GET', '/v1/config')) as { problems: { code: string }[] };
    expect(problems.map(({ code }) => code)).toEqual(['WORKER_DOWN']);
    // At once, whether the worker is back or not: it is waited for.
    const again = publish(scope, short, aggregator.url('hit'));
    expect(isKeyFrame(await firstVideoFrame(await nginx.recording('hit', 1)))).toBe(true);
    figure('kill -9 of a worker to the first picture of its camera again', performance.now() - killedAt, 'ms');
    await aggregator.waitForPush('hit', 'engine', 'active');
    expect((await aggregator.api('GET', '/readyz')).status).toBe(200);
    const events = (await aggregator.apiOk('GET', '/v1/cameras/hit/events')) as { items: { kind: string }[] };
    expect(events.items[0]).toMatchObject({ kind: 'worker' });
    const lines = aggregator.logLines().filter(({ level }) => level === 'error');
    expect(lines).toMatchObject([{ worker: worker!.number, how: 'ended by SIGKILL' }]);

    expect((await again.exited).code).toBe(0);
    expect((await spared.exited).code).toBe(0);
    const recording = nginx.recordings('spared')[0]!;
    await settled(recording);
    expect(nginx.recordings('spared')).toHaveLength(1);
    expect(expectUnbroken(await packetsOf(long), await packetsOf(recording)).video?.from).toBe(0);
    await settled(nginx.recordings('hit')[1]!);
    const returned = await packetsOf(nginx.recordings('hit')[1]!);
    expect(expectUnbroken(await packetsOf(short), returned).video?.from).toBe(0);
    await decodeCleanly(recording);
  });

  test.concurrent('one that ends again and again is started less and less often', async (context) => {
    const scope = testScope(context);
    const aggregator = await startAggregator(scope, { flags });
    await aggregator.addCamera('steady');
    const [victim] = await workersOf(aggregator);
    const killed = new Set<number>();
    const pidNow = async () => (await workersOf(aggregator)).find(({ number }) => number === victim!.number)!.pid;
    const until = performance.now() + 7000;
    while (performance.now() < until) {
      const pid = await pidNow();
      if (pid !== null && !killed.has(pid)) {
        killed.add(pid);
        process.kill(pid, 'SIGKILL');
      }
      await sleep(20);
    }
    // Until its end is known, a camera may still be given to it.
    await waitFor(async () => !killed.has((await pidNow()) ?? 0), { what: 'the last end to be seen' });
    // 0.1 s, 0.2 s, 0.4 s, 0.8 s, 1.6 s, 3.2 s: at most seven lives, and not hundreds.
    expect(killed.size).toBeGreaterThan(2);
    expect(killed.size).toBeLessThan(9);
    expect((await aggregator.api('GET', '/readyz')).status).toBe(503);
    // The other worker takes what comes.
    await rawCamera(scope, aggregator, 'steady');
    await aggregator.waitForLive('steady');
  });

  test.concurrent('none is left over after SIGTERM', async (context) => {
    const scope = testScope(context);
    const aggregator = await startAggregator(scope, { flags });
    const workers = childrenOf(aggregator.process.pid);
    expect(workers).toHaveLength(2);
    process.kill(aggregator.process.pid, 'SIGTERM');
    expect(await within(aggregator.process.exited, 5000, 'the aggregator to exit')).toEqual({ code: 0, signal: null });
    expect(workers.filter(runs)).toEqual([]);
  });

  test.concurrent('none is left over when the supervisor is killed; targets are told all the same', async (context) => {
    const scope = testScope(context);
    const [sink, aggregator] = await Promise.all([startRtmpSink(scope), startAggregator(scope, { flags })]);
    await aggregator.addCamera('cam');
    await aggregator.addPush('cam', sink.url('cam'), 'sink');
    const camera = await rawCamera(scope, aggregator, 'cam');
    await waitFor(() => sink.connections[0]?.messages.some(({ type }) => type === 9), { what: 'video at the sink' });
    const workers = childrenOf(aggregator.process.pid);
    expect(workers).toHaveLength(2);
    // The supervisor alone, not its group.
    process.kill(aggregator.process.pid, 'SIGKILL');
    await waitFor(() => workers.every((pid) => !runs(pid)), { what: 'the workers to end' });
    expect(camera.statusCodes().at(-1)).toBe('NetStream.Unpublish.Success');
    await waitFor(() => sink.connections[0]?.ended, { what: 'the end at the sink' });
    expect(sink.connections[0]?.commands.slice(-2)).toEqual(['FCUnpublish', 'deleteStream']);
  });
});
