import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { nginxRtmpModule } from '../../scripts/peers.mjs';
import { decodeCleanly, makeClip, publish } from '../support/ffmpeg.js';
import { settled } from '../support/flv-file.js';
import { startNginxRtmp } from '../support/nginx-rtmp.js';
import { locateRun, packetsOf } from '../support/packets.js';
import { testWith } from '../support/peers.js';
import { accepts, freePort } from '../support/ports.js';
import { runOk, startProcess } from '../support/process.js';
import { type Scope, testScope } from '../support/scope.js';
import { stateFileSettled } from '../support/state.js';
import { waitFor } from '../support/wait.js';
import { type NginxAggregator, startNginxAggregator } from './nginx-support.js';

async function curl(aggregator: NginxAggregator, method: string, path: string, body?: object): Promise<unknown> {
  const data = body === undefined ? [] : ['-d', JSON.stringify(body)];
  const url = `http://127.0.0.1:${aggregator.apiPort}${path}`;
  const { stdout } = await runOk('curl', ['-sS', '-H', 'content-Type: application/json', '-X', method, ...data, url]);
  return JSON.parse(stdout);
}

describe('the original story with nginx', () => {
  const test = testWith('ffmpeg', 'nginx-rtmp', 'curl', 'iproute2');

  test('a test pattern comes over RTMP, and ends when it is told to', async (context) => {
    const aggregator = await startNginxAggregator(testScope(context));
    await aggregator.addCamera('cam');
    await aggregator.apiOk('POST', '/v1/test-pattern', { camera: 'cam' });
    await aggregator.waitForLive('cam');
    expect(await aggregator.camera('cam')).toMatchObject({ publisher: expect.stringContaining('127.0.0.1') });
    await aggregator.apiOk('DELETE', '/v1/test-pattern/cam');
    await waitFor(async () => !(await aggregator.camera('cam')).live, { what: 'the end of the pattern' });
  });

  test('register, publish, getStream: the target gets it at the next publish; stats and status', async (context) => {
    const scope = testScope(context);
    const [clip, long, engine, aggregator] = await Promise.all([
      makeClip({ seconds: 12 }),
      makeClip({ seconds: 30 }),
      startNginxRtmp(scope),
      startNginxAggregator(scope, { env: { container_name: 'ma-1' } }),
    ]);
    await aggregator.apiOk('PUT', '/v1/engines/engine', {
      host: '127.0.0.1',
      pushUrl: `rtmp://{host}:${engine.port}/live/{name}`,
    });
    expect(await curl(aggregator, 'GET', '/status')).toEqual({ resource_id: 'ma-1', status: 'ok' });
    const zeros = { resource_id: 'ma-1', bw_in: '0', bw_out: '0', input_conn: 0 };
    expect(await curl(aggregator, 'GET', '/stats')).toEqual(zeros);

    const { endpoint } = (await curl(aggregator, 'POST', '/resgisterCamera', { name: 'cam1' })) as { endpoint: string };
    expect(endpoint).toBe(aggregator.url('cam1'));
    // At once: what was answered is in force.
    const first = publish(scope, long, endpoint);
    await aggregator.waitForLive('cam1');

    const asked = await curl(aggregator, 'GET', '/getStream', { name: 'cam1' });
    expect(asked).toMatchObject({
      url: 'http://127.0.0.1:80/hls/cam1.m3u8',
      push: { state: 'waiting-for-publish', reason: expect.stringContaining('publishes the next time') },
    });
    expect(aggregator.conf).toMatch(
      new RegExp(
        `application cam1 \\{\\s+live on;\\s+record off;\\s+push rtmp://127.0.0.1:${engine.port}/live/cam1;\\s+\\}`,
      ),
    );
    // Live on an old worker now, of which nginx's own statistics know nothing.
    expect(aggregator.oldWorkers()).toHaveLength(1);
    const stats = await waitFor(
      async () => {
        const now = await aggregator.stats();
        return Number(now.bw_in) > 100_000 && now;
      },
      { what: 'the rate of a camera on an old worker' },
    );
    expect(stats.input_conn).toBe(1);
    const view = await aggregator.camera('cam1');
    expect(view).toMatchObject({ live: true, videoCodec: 'h264', viewers: null });
    expect(view).toHaveProperty('notice', expect.stringContaining('old worker'));
    expect(await aggregator.facts()).toMatchObject({ nginxOldWorkers: 1, kernelCounts: true });
    await aggregator.waitForLine('old nginx worker keeps running');
    expect(engine.recordings('cam1')).toHaveLength(0);

    await first.stop('SIGINT');
    await waitFor(() => aggregator.oldWorkers().length === 0, { what: 'the old worker to end with its camera' });
    await aggregator.waitForLive('cam1', false);
    const second = publish(scope, clip, endpoint);
    const [push] = (await aggregator.camera('cam1')).pushes;
    await aggregator.waitForPush('cam1', push!.id, 'active');
    expect(await aggregator.camera('cam1')).toMatchObject({ live: true, viewers: 0, width: 320, height: 240 });
    expect((await second.exited).code).toBe(0);
    const recording = await engine.recording('cam1');
    await settled(recording);
    // The first pictures until the next key frame are lost with nginx; all the rest is as it was sent.
    expect(locateRun(await packetsOf(clip), await packetsOf(recording)).video?.to).toBe(300);
    await decodeCleanly(recording);
    await aggregator.waitForLive('cam1', false);
  });

  test('a camera that is removed loses its connection, others do not; nothing new means no reload', async (context) => {
    const scope = testScope(context);
    const [clip, aggregator] = await Promise.all([makeClip({ seconds: 30 }), startNginxAggregator(scope)]);
    await Promise.all([aggregator.addCamera('stays'), aggregator.addCamera('goes')]);
    const { nginxReloads } = await aggregator.facts();
    const stays = publish(scope, clip, aggregator.url('stays'));
    const goes = publish(scope, clip, aggregator.url('goes'));
    await Promise.all([aggregator.waitForLive('stays'), aggregator.waitForLive('goes')]);

    await aggregator.addCamera('stays');
    await aggregator.apiOk('PUT', '/v1/cameras/goes', { name: 'goes' });
    // A touch is no change.
    writeFileSync(aggregator.confFile, aggregator.conf);
    await new Promise((resolve) => setTimeout(resolve, 2500));
    expect((await aggregator.facts()).nginxReloads).toBe(nginxReloads);

    await aggregator.apiOk('DELETE', '/v1/cameras/goes');
    expect((await goes.exited).code).not.toBe(0);
    expect(stays.exit).toBeUndefined();
    expect((await aggregator.facts()).nginxReloads).toBe(Number(nginxReloads) + 1);
    expect(await aggregator.waitForLive('stays')).toMatchObject({ live: true });
    const again = publish(scope, clip, aggregator.url('goes'));
    expect((await again.exited).code).not.toBe(0);
  });

  test('changes that come close together share a reload', async (context) => {
    const aggregator = await startNginxAggregator(testScope(context));
    await Promise.all(Array.from({ length: 40 }, (_, index) => aggregator.addCamera(`cam${index}`)));
    await waitFor(() => aggregator.conf.includes('application cam39 {'), { what: 'the last camera in nginx.conf' });
    expect(Number((await aggregator.facts()).nginxReloads)).toBeLessThanOrEqual(4);
  });

  test('a push that nginx cannot make is refused, by hand too; one found at a start says why, and the file stays good', async (context) => {
    const scope = testScope(context);
    const aggregator = await startNginxAggregator(scope);
    await aggregator.addCamera('cam');
    await aggregator.addPush('cam', 'rtmp://does-not-exist.invalid/live/cam', 'dns');
    await aggregator.addPush('cam', 'rtmp://127.0.0.1/live/cam', 'good');
    const impossible = {
      tls: { url: 'rtmps://127.0.0.1/live/cam' },
      user: { url: 'rtmp://user:secret@127.0.0.1/live/other' },
    };
    for (const push of Object.values(impossible)) {
      const answer = await aggregator.api('POST', '/v1/cameras/cam/pushes', push);
      expect(answer).toMatchObject({ status: 400, body: { code: 'TARGET_UNSUPPORTED' } });
    }
    await stateFileSettled(aggregator.dataDir);
    const stateFile = join(aggregator.dataDir, 'state.json');
    const state = JSON.parse(readFileSync(stateFile, 'utf8'));
    Object.assign(state.cameras.cam.pushes, impossible);
    writeFileSync(stateFile, JSON.stringify(state));
    await waitFor(
      async () =>
        (await aggregator.problems()).some(
          ({ code, message }) => code === 'STATE_INVALID' && message.includes('TARGET_UNSUPPORTED'),
        ),
      { what: 'the edit to be refused' },
    );
    expect((await aggregator.camera('cam')).pushes).toHaveLength(2);
    // What is found at a start is in force, and says why it is not made.
    await aggregator.restart();
    await waitFor(async () => (await aggregator.push('cam', 'tls')).lastError !== null, { what: 'the reason' });
    expect((await aggregator.camera('cam')).pushes).toHaveLength(4);
    expect(await aggregator.push('cam', 'dns')).toMatchObject({ state: 'waiting', lastError: { code: 'TARGET_DNS' } });
    expect(await aggregator.push('cam', 'tls')).toMatchObject({ lastError: { code: 'TARGET_UNSUPPORTED' } });
    expect(await aggregator.push('cam', 'user')).toMatchObject({ lastError: { code: 'TARGET_UNSUPPORTED' } });
    expect(await aggregator.push('cam', 'good')).toMatchObject({ state: 'waiting-for-publish' });
    expect(aggregator.conf.match(/push rtmp.*/g)).toEqual(['push rtmp://127.0.0.1:1935/live/cam;']);
    expect(await aggregator.problems()).toEqual([]);
    expect(await aggregator.apiOk('POST', '/v1/cameras/cam/pushes/dns/retry')).toMatchObject({ state: 'waiting' });
  });
});

describe('a streaming engine that serves HLS', () => {
  const test = testWith('ffmpeg', 'nginx-rtmp', 'curl', 'iproute2');

  test('plays what getStream answers, through nginx', async (context) => {
    const scope = testScope(context);
    const [clip, engine, aggregator] = await Promise.all([
      makeClip({ seconds: 15 }),
      startHlsEngine(scope),
      startNginxAggregator(scope),
    ]);
    await aggregator.apiOk('PUT', '/v1/engines/engine', {
      host: '127.0.0.1',
      pushUrl: `rtmp://{host}:${engine.rtmpPort}/live/{name}`,
      playbackUrl: `http://{host}:${engine.httpPort}/hls/{name}.m3u8`,
    });
    const endpoint = await aggregator.addCamera('hall');
    const { url } = (await curl(aggregator, 'GET', '/getStream', { name: 'hall' })) as { url: string };
    expect(url).toBe(`http://127.0.0.1:${engine.httpPort}/hls/hall.m3u8`);
    publish(scope, clip, endpoint);
    const playlist = await waitFor(
      async () => {
        const text = await (await fetch(url)).text();
        return text.includes('.ts') && text;
      },
      { what: 'a segment in the playlist', timeoutMs: 20_000 },
    );
    const segment = /^\S+\.ts$/m.exec(playlist)?.[0] ?? '';
    const file = join(scope.temporaryFolder(), 'segment.ts');
    writeFileSync(file, Buffer.from(await (await fetch(new URL(segment, url))).arrayBuffer()));
    await decodeCleanly(file);
  });
});

/** nginx-rtmp with HLS; the files are served over HTTP by the test. */
async function startHlsEngine(scope: Scope): Promise<{ rtmpPort: number; httpPort: number }> {
  const folder = scope.temporaryFolder('hls-');
  const hls = join(folder, 'hls');
  mkdirSync(hls);
  const rtmpPort = await freePort();
  const file = join(folder, 'engine.conf');
  writeFileSync(
    file,
    `load_module ${nginxRtmpModule()}; daemon off; master_process off; pid ${folder}/engine.pid; error_log stderr warn;
    events { worker_connections 256; }
    rtmp { server { listen 127.0.0.1:${rtmpPort};
      application live { live on; hls on; hls_path ${hls}; hls_fragment 1s; hls_playlist_length 10s; } } }`,
  );
  startProcess(scope, 'nginx', ['-p', folder, '-e', 'stderr', '-c', file], { name: 'engine' });
  await waitFor(() => accepts(rtmpPort), { what: 'the engine' });
  const server = createServer((request, response) => {
    const name = /^\/hls\/([\w.-]+)$/.exec(request.url ?? '')?.[1];
    try {
      response.end(readFileSync(join(hls, name ?? '')));
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  scope.defer(() => server.close());
  const address = server.address();
  return { rtmpPort, httpPort: typeof address === 'object' && address !== null ? address.port : 0 };
}
