import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { startAggregator } from '../support/aggregator.js';
import { decodeCleanly } from '../support/ffmpeg.js';
import { startNginxRtmp } from '../support/nginx-rtmp.js';
import { testWith } from '../support/peers.js';
import { runOk, startProcess } from '../support/process.js';
import { testScope } from '../support/scope.js';
import { waitFor } from '../support/wait.js';

interface Packet {
  readonly codec_type: 'audio' | 'video';
  readonly dts_time: string;
}

/** The packets of a recording, in the order in which they came. */
async function packetsOf(file: string): Promise<Packet[]> {
  const { stdout } = await runOk('ffprobe', ['-v', 'error', '-show_packets', '-of', 'json', file]);
  return (JSON.parse(stdout) as { packets: Packet[] }).packets;
}

async function codecsOf(file: string): Promise<string[]> {
  const { stdout } = await runOk('ffprobe', [
    '-v',
    'error',
    '-show_entries',
    'stream=codec_name',
    '-of',
    'csv=p=0',
    file,
  ]);
  return stdout.trim().split('\n').sort();
}

/** The ffmpegs that make AAC for a process. */
function transcodersOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        const parent = /\) \S (\d+) /.exec(readFileSync(`/proc/${name}/stat`, 'utf8'))?.[1];
        return Number(parent) === pid && readFileSync(`/proc/${name}/cmdline`, 'utf8').includes('aresample');
      } catch {
        return false; // it is over
      }
    })
    .map(Number);
}

describe('the sound of a push', () => {
  const test = testWith('ffmpeg', 'nginx-rtmp');

  test('of a G.711 camera is AAC, silence, none or as it is, by one ffmpeg; which may die', async (context) => {
    const scope = testScope(context);
    const [nginx, aggregator] = await Promise.all([startNginxRtmp(scope), startAggregator(scope)]);
    const kinds = ['aac', 'aac-too', 'silence', 'none'] as const;
    await aggregator.apiOk('POST', '/v1/cameras', { name: 'gate' });
    for (const id of kinds) {
      const push = { id, url: nginx.url(id), audio: id.replace('-too', '') };
      await aggregator.apiOk('POST', '/v1/cameras/gate/pushes', push);
    }
    startProcess(scope, 'ffmpeg', [
      ...['-v', 'error', '-re', '-f', 'lavfi', '-i', 'testsrc2=size=320x240:rate=25'],
      ...['-re', '-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=8000', '-t', '60'],
      ...['-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-g', '25', '-pix_fmt', 'yuv420p'],
      ...[
        '-c:a',
        'pcm_mulaw',
        '-ar',
        '8000',
        '-ac',
        '1',
        '-f',
        'flv',
        `rtmp://127.0.0.1:${aggregator.rtmpPort}/gate/gate`,
      ],
    ]);
    const frames = async (id: string): Promise<number> =>
      ((await aggregator.apiOk('GET', `/v1/cameras/gate/pushes/${id}`)) as { framesOut: number }).framesOut;
    const more = async (id: string, count: number): Promise<void> => {
      const from = await frames(id);
      await waitFor(async () => (await frames(id)) > from + count, { what: `${count} more frames of ${id}` });
    };
    await waitFor(async () => (await frames('aac')) > 150, { what: 'sound and picture' });
    const [first, ...others] = transcodersOf(aggregator.process.pid);
    expect(others).toEqual([]);
    // What ends is started again; pictures go on, and nothing else is disturbed.
    process.kill(first ?? 0, 'SIGKILL');
    await waitFor(() => transcodersOf(aggregator.process.pid).some((pid) => pid !== first), { what: 'another ffmpeg' });
    await more('aac-too', 30);
    // Only the push that is changed is connected to anew.
    await aggregator.apiOk('PATCH', '/v1/cameras/gate/pushes/aac-too', { audio: 'silence' });
    await more('aac-too', 30);
    const views = (await aggregator.apiOk('GET', '/v1/cameras/gate')) as { pushes: { id: string; connects: number }[] };
    expect(Object.fromEntries(views.pushes.map(({ id, connects }) => [id, connects]))).toMatchObject({
      ...{ aac: 1, silence: 1, none: 1 },
    });
    await aggregator.apiOk('DELETE', '/v1/cameras/gate');
    await waitFor(() => transcodersOf(aggregator.process.pid).length === 0, { what: 'no ffmpeg left' });
    const file = async (id: string): Promise<string> => nginx.recording(id);
    expect(await codecsOf(await file('aac'))).toEqual(['aac', 'h264']);
    expect(await codecsOf(await file('silence'))).toEqual(['aac', 'h264']);
    expect(await codecsOf(await file('none'))).toEqual(['h264']);
    for (const id of ['aac', 'silence'] as const) {
      const packets = await packetsOf(await file(id));
      const times = packets.map(({ dts_time }) => Number(dts_time));
      // In the order of their times: pictures and sound wait for each other, half a second at most, which a busy machine exceeds.
      const back = times.filter((time, i) => i > 0 && time < (times[i - 1] ?? 0) - 0.001);
      expect(back.length, back.join(', ')).toBeLessThan(packets.length * 0.03);
      const sound = packets.filter(({ codec_type }) => codec_type === 'audio');
      expect(sound.length).toBeGreaterThan(40);
      await decodeCleanly(await file(id));
    }
    await decodeCleanly(await file('none'));
    const { stderr } = await runOk('ffmpeg', [
      '-hide_banner',
      '-i',
      await file('aac'),
      '-af',
      'volumedetect',
      '-vn',
      '-f',
      'null',
      '-',
    ]);
    expect(Number(/max_volume: (-?[\d.]+) dB/.exec(stderr)?.[1])).toBeGreaterThan(-30);
  });
});
