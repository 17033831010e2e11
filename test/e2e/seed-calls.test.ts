import { describe, expect } from 'vitest';
import { type Aggregator, startAggregator } from '../support/aggregator.js';
import { decodeCleanly, makeClip, publish } from '../support/ffmpeg.js';
import { settled } from '../support/flv-file.js';
import { startNginxRtmp } from '../support/nginx-rtmp.js';
import { expectUnbroken, keyFrameHashes, packetsOf } from '../support/packets.js';
import { testWith } from '../support/peers.js';
import { runOk } from '../support/process.js';
import { testScope } from '../support/scope.js';
import { sleep, waitFor } from '../support/wait.js';

/** The calls of the original system's documentation, word for word; only address and camera name are filled in. */
const calls = {
  register: `curl -H 'content-Type: application/json' -X POST -d '{"name":"name_of_the_camera"}' http://[IP_of_the_aggregator]:5000/resgisterCamera`,
  getStream: `curl -H 'content-Type: application/json' -X GET -d '{"name":"name_of_the_camera"}' http://[IP_of_the_aggregator]:5000/getStream`,
  stats: `curl -H 'content-Type: application/json' -X GET [IP_of_the_aggregator]:5000/stats    `,
  status: `curl -H 'content-Type: application/json' -X GET [IP_of_the_aggregator]:5000/status`,
};

async function call(aggregator: Aggregator, line: string): Promise<unknown> {
  const filled = line.replace('[IP_of_the_aggregator]:5000', `127.0.0.1:${aggregator.apiPort}`);
  const { stdout } = await runOk('bash', ['-c', filled.replace('curl', 'curl -sS')]);
  return JSON.parse(stdout);
}

describe('the calls of the content manager, by curl', () => {
  const test = testWith('ffmpeg', 'nginx-rtmp', 'curl');

  test('register a camera, ask for its stream while it is live, and see it arrive', async (context) => {
    const scope = testScope(context);
    const [clip, nginx, aggregator] = await Promise.all([
      makeClip({ seconds: 12, keyFrameSeconds: 2 }),
      startNginxRtmp(scope),
      startAggregator(scope, { env: { container_name: 'eu-5gtango-vnf-ma' } }),
    ]);
    await aggregator.apiOk('PUT', '/v1/engines/engine', {
      host: '127.0.0.1',
      pushUrl: `rtmp://{host}:${nginx.port}/live/{name}`,
    });
    expect(await call(aggregator, calls.status)).toEqual({ resource_id: 'eu-5gtango-vnf-ma', status: 'ok' });
    expect(await call(aggregator, calls.stats)).toEqual({
      resource_id: 'eu-5gtango-vnf-ma',
      bw_in: '0',
      bw_out: '0',
      input_conn: 0,
    });

    const registered = (await call(aggregator, calls.register)) as { endpoint: string };
    expect(registered).toEqual({
      name: 'name_of_the_camera',
      endpoint: `rtmp://127.0.0.1:${aggregator.rtmpPort}/name_of_the_camera/name_of_the_camera`,
    });
    const camera = publish(scope, clip, registered.endpoint);
    await aggregator.waitForLive('name_of_the_camera');
    await sleep(3000);

    const asked = await call(aggregator, calls.getStream);
    expect(asked).toMatchObject({
      name: 'name_of_the_camera',
      url: 'http://127.0.0.1:80/hls/name_of_the_camera.m3u8',
    });
    // A second time it changes nothing.
    await call(aggregator, calls.getStream);
    await call(aggregator, calls.register);
    const recording = await nginx.recording('name_of_the_camera');
    const stats = await waitFor(
      async () => {
        const { bw_in, bw_out, input_conn } = (await call(aggregator, calls.stats)) as Record<string, unknown>;
        return Number(bw_in) > 10_000 && Number(bw_out) > 10_000 && { bw_in, bw_out, input_conn };
      },
      { what: 'the rates in /stats' },
    );
    expect(stats).toEqual({
      bw_in: expect.stringMatching(/^\d+$/),
      bw_out: expect.stringMatching(/^\d+$/),
      input_conn: 1,
    });
    expect((await camera.exited).code).toBe(0);
    await settled(recording);

    expect(nginx.recordings('name_of_the_camera')).toHaveLength(1);
    const runs = expectUnbroken(await packetsOf(clip), await packetsOf(recording), {
      keyFrames: await keyFrameHashes(clip),
    });
    // It was asked for more than 2 s and less than 6 s into the stream.
    expect([50, 100]).toContain(runs.video?.from);
    await decodeCleanly(recording);
  });
});
