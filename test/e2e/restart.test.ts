import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { startAggregator } from '../support/aggregator.js';
import { decodeCleanly, makeClip, publish } from '../support/ffmpeg.js';
import { firstVideoFrame, isKeyFrame, settled } from '../support/flv-file.js';
import { startNginxRtmp } from '../support/nginx-rtmp.js';
import { expectUnbroken, packetsOf } from '../support/packets.js';
import { testWith } from '../support/peers.js';
import { testScope } from '../support/scope.js';
import { stateFileSettled } from '../support/state.js';
import { figure, sleep } from '../support/wait.js';

describe('kill -9 of the aggregator', () => {
  const test = testWith('ffmpeg', 'nginx-rtmp');

  test('loses no camera, push or engine; the camera comes back and the target gets it again', async (context) => {
    const scope = testScope(context);
    const [clip, nginx, aggregator] = await Promise.all([
      makeClip({ seconds: 7 }),
      startNginxRtmp(scope),
      startAggregator(scope),
    ]);
    const endpoint = await aggregator.addCamera('cam');
    await aggregator.apiOk('POST', '/v1/cameras', { name: 'other', type: '360' });
    await aggregator.apiOk('PUT', '/v1/engines/engine', {
      host: '127.0.0.1',
      pushUrl: `rtmp://{host}:${nginx.port}/live/{name}-engine`,
      location: 'hall 4',
    });
    await aggregator.addPush('cam', nginx.url('cam'), 'by-url');
    await aggregator.apiOk('POST', '/v1/cameras/cam/pushes', { id: 'by-engine', engine: 'engine' });
    await aggregator.apiOk('POST', '/v1/cameras/cam/pushes', {
      id: 'off',
      url: 'rtmp://127.0.0.77/live/never',
      enabled: false,
    });
    const declared = async (): Promise<unknown> => ({
      engines: await aggregator.apiOk('GET', '/v1/engines'),
      cameras: ((await aggregator.apiOk('GET', '/v1/cameras')) as { items: Record<string, unknown>[] }).items.map(
        ({ name, type, createdAt, endpoint: address, pushes }) => ({
          name,
          type,
          createdAt,
          address,
          pushes: (pushes as Record<string, unknown>[])
            .map(({ id, url, engine, enabled }) => ({ id: String(id), url, engine, enabled }))
            .sort((one, other) => one.id.localeCompare(other.id)),
        }),
      ),
    });
    const before = await declared();
    const first = publish(scope, clip, endpoint);
    await firstVideoFrame(await nginx.recording('cam'));
    await firstVideoFrame(await nginx.recording('cam-engine'));
    await stateFileSettled(aggregator.dataDir);
    const stateBefore = readFileSync(join(aggregator.dataDir, 'state.json'), 'utf8');

    await aggregator.kill9();
    const killedAt = performance.now();
    expect((await first.exited).code).not.toBe(0);
    // nginx names recordings by the second.
    await sleep(1100);
    await aggregator.start();
    figure('kill -9 to serving again, 1.1 s of pause included', performance.now() - killedAt, 'ms');
    expect(await declared()).toEqual(before);
    expect(readFileSync(join(aggregator.dataDir, 'state.json'), 'utf8')).toBe(stateBefore);

    const again = publish(scope, clip, endpoint);
    for (const name of ['cam', 'cam-engine']) {
      expect(isKeyFrame(await firstVideoFrame(await nginx.recording(name, 1)))).toBe(true);
    }
    expect((await again.exited).code).toBe(0);
    const source = await packetsOf(clip);
    for (const name of ['cam', 'cam-engine']) {
      const recording = nginx.recordings(name)[1]!;
      await settled(recording);
      expect(expectUnbroken(source, await packetsOf(recording)).video?.from).toBe(0);
      await decodeCleanly(recording);
    }
    expect(await aggregator.push('cam', 'off')).toMatchObject({ state: 'disabled', connects: 0 });
  });
});
