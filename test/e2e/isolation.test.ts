import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, inject } from 'vitest';
import { type Aggregator, type PushView, startAggregator } from '../support/aggregator.js';
import { decodeCleanly, publish } from '../support/ffmpeg.js';
import { firstVideoFrame, isKeyFrame, settled } from '../support/flv-file.js';
import { startNginxRtmp } from '../support/nginx-rtmp.js';
import { expectUnbroken, keyFrameHashes, packetsOf } from '../support/packets.js';
import { testWith } from '../support/peers.js';
import { freePort } from '../support/ports.js';
import { runOk } from '../support/process.js';
import { testScope } from '../support/scope.js';
import { figure, waitFor } from '../support/wait.js';
import { startSickTarget } from './sick-targets.js';

/** MEDIA_AGGREGATOR_ISOLATION_SECONDS=60 for the full length. */
const seconds = Number(process.env.MEDIA_AGGREGATOR_ISOLATION_SECONDS ?? 25);
const megabitsPerSecond = 6;
const healthy = ['healthy-1', 'healthy-2', 'healthy-3'];

/** A clip of a constant high bit rate: slow targets must fall behind within seconds. */
async function makeHeavyClip(): Promise<string> {
  const file = join(inject('clipFolder'), `heavy-${seconds}s.flv`);
  if (existsSync(file)) return file;
  const rate = `${megabitsPerSecond}M`;
  await runOk(
    'ffmpeg',
    [
      ...['-v', 'error', '-y', '-f', 'lavfi', '-i', 'testsrc2=size=640x360:rate=25'],
      ...['-f', 'lavfi', '-i', 'aevalsrc=0.2*sin(2*PI*(300+20*t)*t):s=44100', '-t', String(seconds)],
      ...['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-bf', '0', '-g', '25'],
      ...['-b:v', rate, '-minrate', rate, '-maxrate', rate, '-bufsize', rate, '-x264-params', 'nal-hrd=cbr'],
      ...['-c:a', 'aac', '-b:a', '64k', '-f', 'flv', file],
    ],
    { timeoutMs: 60_000 },
  );
  return file;
}

type QueueView = PushView & { readonly queueBytes: number };

/** The state changes of a push so far, from its events. */
async function statesOf(aggregator: Aggregator, id: string): Promise<string[]> {
  const { items } = (await aggregator.apiOk('GET', `/v1/cameras/cam/pushes/${id}/events`)) as {
    items: { kind: string; text: string }[];
  };
  return items.filter(({ kind }) => kind === 'state').map(({ text }) => text);
}

describe('one camera with ten targets, seven of them sick', () => {
  const test = testWith('ffmpeg', 'nginx-rtmp');

  test('costs the healthy ones nothing, and each sick one shows what it has', {
    timeout: 90_000 + seconds * 2000,
  }, async (context) => {
    const scope = testScope(context);
    const [clip, nginx, stopped, aggregator] = await Promise.all([
      makeHeavyClip(),
      startNginxRtmp(scope),
      startNginxRtmp(scope),
      startAggregator(scope, { flags: ['--stall-timeout', '5s'] }),
    ]);
    const endpoint = await aggregator.addCamera('cam');
    for (const id of healthy) await aggregator.addPush('cam', nginx.url(id), id);
    await aggregator.addPush('cam', stopped.url('stopped'), 'stopped');
    for (const sickness of ['slow', 'rejects', 'closes', 'mute', 'resets'] as const) {
      await aggregator.addPush('cam', await startSickTarget(scope, sickness), sickness);
    }
    await aggregator.addPush('cam', `rtmp://127.0.0.1:${await freePort()}/live/cam`, 'refuses');

    let rssPeak = 0;
    let queuePeak = 0;
    const watch = setInterval(() => {
      rssPeak = Math.max(rssPeak, aggregator.rssBytes());
    }, 100);
    scope.defer(() => clearInterval(watch));
    const rssBefore = aggregator.rssBytes();
    const camera = publish(scope, clip, endpoint);
    for (const id of [...healthy, 'stopped']) await aggregator.waitForPush('cam', id, 'active');
    stopped.process.signal('SIGSTOP');
    scope.defer(() => stopped.process.signal('SIGCONT'));

    await aggregator.waitForPush('cam', 'stopped', 'stalled', 30_000);
    const givenUp = await waitFor(
      async () => {
        const { pushes } = await aggregator.camera('cam');
        queuePeak = Math.max(queuePeak, ...(pushes as QueueView[]).map(({ queueBytes }) => queueBytes));
        const push = pushes.find(({ id }) => id === 'stopped');
        return push?.state !== 'active' && push?.state !== 'stalled' && push;
      },
      { what: 'the stopped target to be given up', timeoutMs: 30_000 },
    );
    expect(givenUp.lastError?.code).toBe('TARGET_STALLED');
    // What is on its way when the target stops may make it look well for a moment.
    const states = (await statesOf(aggregator, 'stopped')).filter(
      (state, at, all) => state !== 'stalled -> active' && all[at - 1] !== 'stalled -> active',
    );
    expect(states.slice(0, 4)).toEqual([
      'idle -> connecting',
      'connecting -> active',
      'active -> stalled',
      'stalled -> waiting',
    ]);

    // It is back on a key frame, in a recording of its own, while the camera goes on.
    stopped.process.signal('SIGCONT');
    const continuedMs = performance.now();
    const first = await firstVideoFrame(await stopped.recording('stopped', 1, 20_000));
    figure('picture at a stopped target after it was continued', performance.now() - continuedMs, 'ms');
    expect(isKeyFrame(first)).toBe(true);
    await aggregator.waitForPush('cam', 'stopped', 'active');

    for (const [id, code] of [
      ['refuses', 'TARGET_REFUSED'],
      ['rejects', 'TARGET_PUBLISH_REJECTED'],
      ['closes', 'TARGET_CLOSED'],
      ['mute', 'TARGET_TIMEOUT'],
    ] as const) {
      const push = await aggregator.push('cam', id);
      expect.soft([push.id, push.lastError?.code, push.connects]).toEqual([id, code, 0]);
      expect.soft(push.attempt).toBeGreaterThan(0);
      expect.soft(['waiting', 'connecting']).toContain(push.state);
    }
    const resets = await waitFor(
      async () => {
        const push = await aggregator.push('cam', 'resets');
        return push.connects >= 3 && push;
      },
      { what: 'a third connection to the target that resets', timeoutMs: 20_000 },
    );
    expect(resets.lastError?.code).toBe('TARGET_CLOSED');

    // 10 kB/s is not nothing: it stays connected as long as its system says that it takes some, and leaves out the rest.
    const slow = await waitFor(
      async () => {
        const push = await aggregator.push('cam', 'slow');
        return push.droppedFrames > 0 && push;
      },
      { what: 'frames left out for the slow target', timeoutMs: 20_000 },
    );
    if (slow.state === 'active' || slow.state === 'stalled') expect(slow.connects).toBeGreaterThan(0);
    else expect(slow.lastError?.code).toBe('TARGET_STALLED');

    expect((await camera.exited).code).toBe(0);
    clearInterval(watch);
    figure('memory before ten targets, seven sick', rssBefore / 2 ** 20, 'MB');
    figure('memory at its highest with them', rssPeak / 2 ** 20, 'MB');
    figure('longest queue to one of them', queuePeak / 2 ** 20, 'MB');
    // GOP and the queues, which share what they hold: 8 MB each at the most, and the kernel's share is not ours.
    expect(rssPeak - rssBefore).toBeLessThan(96 * 2 ** 20);

    const source = await packetsOf(clip);
    const keyFrames = await keyFrameHashes(clip);
    for (const id of healthy) {
      const [recording] = nginx.recordings(id);
      await settled(recording!);
      expect(nginx.recordings(id)).toHaveLength(1);
      expect(expectUnbroken(source, await packetsOf(recording!), { keyFrames }).video?.from).toBe(0);
      expect(await aggregator.push('cam', id)).toMatchObject({ connects: 1, droppedFrames: 0, lastError: null });
    }
    const again = stopped.recordings('stopped').at(-1)!;
    await settled(again);
    expectUnbroken(source, await packetsOf(again), { keyFrames });
    await decodeCleanly(again);
  });
});
