import { describe, expect } from 'vitest';
import { startAggregator } from '../support/aggregator.js';
import { decodeCleanly, makeClip, publish } from '../support/ffmpeg.js';
import { firstVideoFrame, settled } from '../support/flv-file.js';
import { startNginxRtmp } from '../support/nginx-rtmp.js';
import { packetsOf } from '../support/packets.js';
import { testWith } from '../support/peers.js';
import { testScope } from '../support/scope.js';
import { waitFor } from '../support/wait.js';

interface SeenCamera {
  readonly switches?: number;
  readonly ingests: readonly { readonly name: string; readonly live: boolean; readonly state: string }[];
}

describe('a camera with two encoders', () => {
  const test = testWith('ffmpeg', 'nginx-rtmp');

  test.concurrent.for([
    { flags: [], where: 'in one process' },
    { flags: ['--workers', '2'], where: 'with media workers' },
  ])('is one stream at nginx-rtmp, while one freezes and the other is killed, $where', async ({ flags }, context) => {
    const scope = testScope(context);
    const [clip, nginx, aggregator] = await Promise.all([
      makeClip({ seconds: 40, keyFrameSeconds: 2 }),
      startNginxRtmp(scope),
      startAggregator(scope, { flags }),
    ]);
    await aggregator.apiOk('POST', '/v1/cameras', { name: 'cam', ingests: ['main', 'backup'] });
    await aggregator.addPush('cam', nginx.url('cam'), 'engine');
    const seen = async () => (await aggregator.apiOk('GET', '/v1/cameras/cam')) as SeenCamera;
    const live = async () => (await seen()).ingests.find((each) => each.live)?.name;
    const areReady = async () => (await seen()).ingests.every(({ state }) => state === 'ready');

    const main = publish(scope, clip, aggregator.url('cam'));
    const recording = await nginx.recording('cam');
    await firstVideoFrame(recording);
    const backup = publish(scope, clip, `${aggregator.url('cam')}?ingest=backup`);
    await waitFor(areReady, { what: 'both encoders' });
    main.signal('SIGSTOP');
    await waitFor(async () => (await live()) === 'backup', { what: 'the second in place of a frozen one' });
    main.signal('SIGCONT');
    await waitFor(areReady, { what: 'the first again' });
    await backup.stop('SIGKILL');
    await waitFor(async () => (await live()) === 'main', { what: 'the first in place of a killed one' });
    const count = (await packetsOf(recording)).length;
    await waitFor(async () => (await packetsOf(recording)).length > count + 30, { what: 'more of it' });
    await main.stop();
    await settled(recording);

    expect(nginx.recordings('cam')).toHaveLength(1);
    expect(await aggregator.push('cam', 'engine')).toMatchObject({ connects: 1 });
    for (const kind of ['video', 'audio']) {
      const times = (await packetsOf(recording)).filter((each) => each.kind === kind).map(({ dtsMs }) => dtsMs);
      expect(times).toEqual([...times].sort((one, other) => one - other));
    }
    await decodeCleanly(recording);
  });
});
