import { describe, expect } from 'vitest';
import { startAggregator } from '../support/aggregator.js';
import { decodeCleanly, makeClip, publish } from '../support/ffmpeg.js';
import { settled } from '../support/flv-file.js';
import { startNginxRtmp } from '../support/nginx-rtmp.js';
import { expectUnbroken, type Packet, packetsOf } from '../support/packets.js';
import { testWith } from '../support/peers.js';
import { testScope } from '../support/scope.js';
import { sleep } from '../support/wait.js';

describe('a camera that leaves and returns within the grace', () => {
  const test = testWith('ffmpeg', 'nginx-rtmp');

  test.concurrent.for([
    { how: 'in order', signal: undefined },
    { how: 'killed', signal: 'SIGKILL' },
  ] as const)(
    'goes on at its target in the same recording, times going up: it left $how',
    async ({ signal }, context) => {
      const scope = testScope(context);
      const [clip, nginx, aggregator] = await Promise.all([
        makeClip({ seconds: 4 }),
        startNginxRtmp(scope),
        startAggregator(scope, { flags: ['--publish-grace', '10s'] }),
      ]);
      const endpoint = await aggregator.addCamera('cam');
      await aggregator.addPush('cam', nginx.url('cam'), 'engine');
      const first = publish(scope, clip, endpoint);
      const recording = await nginx.recording('cam');
      if (signal === undefined) await first.exited;
      else {
        await sleep(2000);
        await first.stop(signal);
      }
      await aggregator.waitForLive('cam', false);
      const second = publish(scope, clip, endpoint);
      await aggregator.waitForLive('cam');
      expect((await second.exited).code).toBe(0);
      await settled(recording);

      // One connection, one recording.
      expect(nginx.recordings('cam')).toHaveLength(1);
      expect(await aggregator.push('cam', 'engine')).toMatchObject({ connects: 1 });
      const source = await packetsOf(clip);
      const arrived = await packetsOf(recording);
      // The second half is the whole clip again.
      const secondHalf = (['video', 'audio'] as const).flatMap((kind): Packet[] => {
        const ofKind = arrived.filter((packet) => packet.kind === kind);
        return ofKind.slice(-source.filter((packet) => packet.kind === kind).length);
      });
      expectUnbroken(source, secondHalf, { fromStart: true });
      expect(arrived.length).toBeGreaterThan(source.length);
      for (const kind of ['video', 'audio']) {
        const times = arrived.filter((packet) => packet.kind === kind).map(({ dtsMs }) => dtsMs);
        expect(times).toEqual([...times].sort((one, other) => one - other));
      }
      await decodeCleanly(recording);
    },
  );
});
