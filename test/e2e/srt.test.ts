import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { startAggregator } from '../support/aggregator.js';
import { decodeCleanly, makeClip } from '../support/ffmpeg.js';
import { lossyWay } from '../support/lossy-way.js';
import { testWith } from '../support/peers.js';
import { run, runOk, startProcess } from '../support/process.js';
import { testScope } from '../support/scope.js';
import { waitFor } from '../support/wait.js';

interface SeenCamera {
  readonly live: boolean;
  readonly publisher: string | null;
  readonly encoder: string | null;
  readonly videoCodec: string | null;
  readonly audioCodec: string | null;
  readonly srtEndpoint: string;
  readonly srt?: { readonly isEncrypted: boolean; readonly packetsLost: number; readonly packetsDropped: number };
}

describe('encoders that publish by SRT', () => {
  const test = testWith('ffmpeg');

  test.concurrent('are let in by key and passphrase, lose nothing on a bad way, and end in order', async (context) => {
    const scope = testScope(context);
    const folder = scope.temporaryFolder();
    const passphraseFile = join(folder, 'passphrase');
    writeFileSync(passphraseFile, 'correct-horse-battery\n');
    const flags = ['--srt-port', '0', '--srt-passphrase-file', passphraseFile, '--srt-latency', '1s'];
    const [clip, aggregator] = await Promise.all([
      makeClip({ seconds: 60, keyFrameSeconds: 1 }),
      startAggregator(scope, { flags: [...flags, '--publish-auth', 'key', '--publish-grace', '0s'] }),
    ]);
    await aggregator.apiOk('POST', '/v1/cameras', { name: 'gate' });
    const seen = async () => (await aggregator.apiOk('GET', '/v1/cameras/gate')) as SeenCamera;
    const endpoint = new URL((await seen()).srtEndpoint);
    const way = await lossyWay(scope, Number(endpoint.port), { loss: 0.02, delayMs: 5 });
    const urlOf = (streamId: string, passphrase: string): string =>
      `srt://127.0.0.1:${way.port}?streamid=${encodeURIComponent(streamId)}&passphrase=${passphrase}&latency=1000000`;
    const streamId = endpoint.searchParams.get('streamid') ?? '';
    const send = ['-nostdin', '-v', 'error', '-re', '-i', clip, '-c', 'copy', '-f', 'mpegts'];

    expect((await run('ffmpeg', [...send, urlOf(streamId, 'another-horse-battery')])).code).not.toBe(0);
    expect((await run('ffmpeg', [...send, urlOf('gate?key=wrong', 'correct-horse-battery')])).code).not.toBe(0);
    const refused = (await aggregator.apiOk('GET', '/v1/refused-publishers')) as { items: unknown };
    expect(refused.items).toMatchObject([
      { name: 'gate', code: 'PUBLISH_FORBIDDEN', count: 2, message: expect.stringContaining('the key is not the key') },
    ]);

    const encoder = startProcess(scope, 'ffmpeg', [...send, urlOf(streamId, 'correct-horse-battery')]);
    const live = await waitFor(
      async () => {
        const view = await seen();
        return view.videoCodec !== null && view.audioCodec !== null ? view : undefined;
      },
      { what: 'the camera to be live' },
    );
    expect(live).toMatchObject({ encoder: expect.stringContaining('SRT'), srt: { isEncrypted: true } });
    const recorded = join(folder, 'got.flv');
    const play = `${aggregator.apiUrl}/live/gate.flv`;
    await runOk('ffmpeg', ['-v', 'error', '-i', play, '-t', '4', '-c', 'copy', recorded]);
    await decodeCleanly(recorded);
    expect(way.lost()).toBeGreaterThan(0);
    expect((await seen()).srt?.packetsDropped).toBe(0);
    encoder.signal('SIGINT');
    await waitFor(async () => !(await seen()).live, { what: 'the end' });
  });
});
