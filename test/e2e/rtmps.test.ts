import { copyFileSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { startAggregator } from '../support/aggregator.js';
import { makeCertificate } from '../support/certificates.js';
import { makeClip, playToFrameMd5, probe, publish } from '../support/ffmpeg.js';
import { expectUnbroken, keyFrameHashes, packetsOf, parseFrameMd5 } from '../support/packets.js';
import { testWith } from '../support/peers.js';
import { testScope } from '../support/scope.js';
import { sleep, within } from '../support/wait.js';

/** ffmpeg =TLS=> aggregator =TLS=> second aggregator =TLS=> ffmpeg. */
describe('RTMPS', () => {
  const test = testWith('ffmpeg', 'openssl');

  // With two workers the second aggregator's publisher lands on another one than its viewer, who came first.
  test.concurrent.for([
    { way: 'in one process', workers: [] as string[] },
    { way: 'with media workers', workers: ['--workers', '2'] },
  ])(
    'from ffmpeg over two aggregators to ffmpeg, unbroken while both certificates are renewed, $way',
    async ({ workers }, context) => {
      const scope = testScope(context);
      const folder = scope.temporaryFolder();
      const ca = makeCertificate(folder, 'ca', { isCa: true });
      const files = makeCertificate(folder, 'first', { ca, names: ['127.0.0.1'] });
      const flags = [...workers, '--rtmps-port', '0', '--rtmps-cert', files.certFile, '--rtmps-key', files.keyFile];
      const [clip, near, far] = await Promise.all([
        makeClip({ seconds: 7 }),
        startAggregator(scope, { flags: [...flags, '--push-tls-ca', ca.certFile] }),
        startAggregator(scope, { flags }),
      ]);
      const endpointOf = async (aggregator: typeof near): Promise<string> => {
        const view = (await aggregator.apiOk('POST', '/v1/cameras', { name: 'cam' })) as { rtmpsEndpoint?: string };
        return view.rtmpsEndpoint ?? '';
      };
      const [publishUrl, playUrl] = [await endpointOf(near), await endpointOf(far)];
      expect(publishUrl).toMatch(/^rtmps:\/\/127\.0\.0\.1:\d+\/cam\/cam$/);
      await near.addPush('cam', playUrl, 'far');

      // What ffmpeg's RTMPS does not let one say are the options of TLS: it takes any certificate, ours or another.
      const played = join(folder, 'played.framemd5');
      const player = playToFrameMd5(scope, playUrl, played);
      const camera = publish(scope, clip, publishUrl);
      await far.waitForLive('cam');
      // One of two in a row lands on the camera's own worker, the other does not.
      for (let each = 0; each < 2; each++) expect((await probe(playUrl)).streams).toHaveLength(2);
      const next = makeCertificate(folder, 'next', { ca, names: ['127.0.0.1'] });
      for (const [from, to] of [
        [next.certFile, files.certFile],
        [next.keyFile, files.keyFile],
      ] as const) {
        copyFileSync(from, `${to}.new`);
        renameSync(`${to}.new`, to);
      }
      for (const aggregator of [near, far]) {
        const took = () => aggregator.logLines().some(({ message }) => message === 'loaded a new certificate');
        for (let waits = 0; waits < 100 && !took(); waits++) await sleep(100);
        expect(took()).toBe(true);
      }
      expect((await camera.exited).code).toBe(0);
      expect((await within(player.exited, 30_000, 'the player to end')).code).toBe(0);
      const runs = expectUnbroken(await packetsOf(clip), parseFrameMd5(readFileSync(played, 'utf8')), {
        keyFrames: await keyFrameHashes(clip),
      });
      // The push begins with a key frame, on a busy machine not always with the first (25 frames each).
      expect((runs.video?.from ?? 0) % 25).toBe(0);
      expect(runs.video?.from ?? 0).toBeLessThan(100);
      expect(await near.push('cam', 'far')).toMatchObject({ connects: 1 });

      // The new certificate is in use, and a push that does not trust it says so.
      const before = await far.api('POST', '/v1/cameras/cam/pushes:test', { url: publishUrl });
      expect(before.body).toMatchObject({ ok: false, steps: [{ step: 'tcp' }, { step: 'tls', ok: false }] });
      const after = await near.api('POST', '/v1/cameras/cam/pushes:test', { url: playUrl });
      expect(after.body).toMatchObject({ ok: true, steps: [{}, { step: 'tls' }, {}, {}, { step: 'publish' }] });
    },
  );
});
