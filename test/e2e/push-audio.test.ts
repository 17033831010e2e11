import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { startAggregator } from '../support/aggregator.js';
import { decodeCleanly } from '../support/ffmpeg.js';
import { startNginxRtmp } from '../support/nginx-rtmp.js';
import { testWith } from '../support/peers.js';
import { runOk, startProcess } from '../support/process.js';
import { testScope } from '../support/scope.js';
import { waitFor } from '../support/wait.js';

interface Recorded {
  /** Of its streams, sorted. */
  readonly codecs: readonly string[];
  /** In the order in which they came. */
  readonly packets: readonly { readonly codec_type: 'audio' | 'video'; readonly dts_time: string }[];
}

async function recorded(file: string): Promise<Recorded> {
  const entries = 'stream=codec_name:packet=codec_type,dts_time';
  const { stdout } = await runOk('ffprobe', ['-v', 'error', '-show_entries', entries, '-of', 'json', file]);
  const { streams, packets } = JSON.parse(stdout) as Pick<Recorded, 'packets'> & { streams: { codec_name: string }[] };
  return { codecs: streams.map(({ codec_name }) => codec_name).sort(), packets };
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
      ...['-c:a', 'pcm_mulaw', '-ar', '8000', '-ac', '1'],
      ...['-f', 'flv', `rtmp://127.0.0.1:${aggregator.rtmpPort}/gate/gate`],
    ]);
    const frames = async (id: string): Promise<number> =>
      ((await aggregator.apiOk('GET', `/v1/cameras/gate/pushes/${id}`)) as { framesOut: number }).framesOut;
    /** Pictures alone go to `none`: what the others have more is sound. */
    const sound = async (id: string): Promise<number> => (await frames(id)) - (await frames('none'));
    const more = async (id: string, count: number): Promise<void> => {
      const from = await sound(id);
      await waitFor(async () => (await sound(id)) >= from + count, { what: `${count} more frames of sound of ${id}` });
    };
    await more('aac', 50);
    const [first, ...others] = transcodersOf(aggregator.process.pid);
    expect(others).toEqual([]);
    // What ends is started again; pictures go on, and nothing else is disturbed.
    process.kill(first ?? 0, 'SIGKILL');
    await waitFor(() => transcodersOf(aggregator.process.pid).some((pid) => pid !== first), { what: 'another ffmpeg' });
    await more('aac-too', 10);
    // Only the push that is changed is connected to anew.
    await aggregator.apiOk('PATCH', '/v1/cameras/gate/pushes/aac-too', { audio: 'silence' });
    await waitFor(async () => (await frames('aac-too')) > 10, { what: 'frames after the change' });
    const views = (await aggregator.apiOk('GET', '/v1/cameras/gate')) as { pushes: { id: string; connects: number }[] };
    expect(Object.fromEntries(views.pushes.map(({ id, connects }) => [id, connects]))).toMatchObject({
      ...{ aac: 1, silence: 1, none: 1 },
    });
    await aggregator.apiOk('DELETE', '/v1/cameras/gate');
    await waitFor(() => transcodersOf(aggregator.process.pid).length === 0, { what: 'no ffmpeg left' });
    const files = await Promise.all((['aac', 'silence', 'none'] as const).map((id) => nginx.recording(id)));
    const [aac, silence, none] = (await Promise.all(files.map(recorded))) as [Recorded, Recorded, Recorded];
    expect([aac, silence, none].map(({ codecs }) => codecs)).toEqual([['aac', 'h264'], ['aac', 'h264'], ['h264']]);
    for (const { packets } of [aac, silence]) {
      const times = packets.map(({ dts_time }) => Number(dts_time));
      // In the order of their times: pictures and sound wait for each other, half a second at most, which a busy machine exceeds.
      const back = times.filter((time, i) => i > 0 && time < (times[i - 1] ?? 0) - 0.001);
      expect(back.length, back.join(', ')).toBeLessThan(packets.length * 0.03);
      expect(packets.filter(({ codec_type }) => codec_type === 'audio').length).toBeGreaterThan(50);
    }
    const [loudness] = await Promise.all([
      runOk('ffmpeg', ['-hide_banner', '-i', files[0] ?? '', '-af', 'volumedetect', '-vn', '-f', 'null', '-']),
      ...files.map((file) => decodeCleanly(file)),
    ]);
    expect(Number(/max_volume: (-?[\d.]+) dB/.exec(loudness.stderr)?.[1])).toBeGreaterThan(-30);
  });
});
