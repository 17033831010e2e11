import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { type Aggregator, startAggregator } from '../support/aggregator.js';
import { decodeCleanly, makeClip, publish } from '../support/ffmpeg.js';
import { testWith } from '../support/peers.js';
import { freePort } from '../support/ports.js';
import { runOk, startProcess } from '../support/process.js';
import { startRtspServer } from '../support/rtsp-server.js';
import { testScope } from '../support/scope.js';
import { waitFor } from '../support/wait.js';

interface SourceView {
  readonly url: string;
  readonly state: string;
  readonly connects: number;
  readonly lastError: { readonly code: string; readonly message: string } | null;
}

interface SeenCamera {
  readonly live: boolean;
  readonly videoCodec: string | null;
  readonly audioCodec: string | null;
  readonly source: SourceView;
  readonly conditions?: readonly { readonly code: string }[];
}

const password = "p@ss:w%rd'1";
const patience = ['--push-retry-min', '100ms', '--push-retry-max', '1s', '--stall-timeout', '3s'];

function lookAt(aggregator: Aggregator) {
  const seen = async (camera: string) => (await aggregator.apiOk('GET', `/v1/cameras/${camera}`)) as SeenCamera;
  return {
    seen,
    add: (name: string, source: unknown) => aggregator.apiOk('POST', '/v1/cameras', { name, source }),
    live: (camera: string, connects = 1) =>
      waitFor(
        async () => {
          const view = await seen(camera);
          return view.live && view.videoCodec !== null && view.audioCodec !== null && view.source.connects >= connects
            ? view
            : undefined;
        },
        { what: `${camera} to be live` },
      ),
    fails: (camera: string, ...codes: string[]) =>
      waitFor(
        async () => {
          const { state, lastError } = (await seen(camera)).source;
          if (codes.includes(lastError?.code ?? '')) return true;
          throw new Error(`it is ${state}, last error: ${JSON.stringify(lastError)}`);
        },
        { what: `${camera} to fail with ${codes.join(' or ')}` },
      ),
  };
}

/** The ffmpegs that a process has started, with what anybody sees of them. */
function childrenOf(pid: number): { readonly pid: number; readonly commandLine: string }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const parent = /\) \S (\d+) /.exec(readFileSync(`/proc/${name}/stat`, 'utf8'))?.[1];
        const commandLine = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ');
        return Number(parent) === pid && commandLine.startsWith('ffmpeg') ? [{ pid: Number(name), commandLine }] : [];
      } catch {
        return []; // it is over
      }
    });
}

describe('cameras that are pulled', () => {
  const test = testWith('ffmpeg', 'rtsp-server');

  test.concurrent('come by RTSP, say what is wrong, survive a camera that hangs, and leave nothing behind', async (context) => {
    const scope = testScope(context);
    const [digest, basic, aggregator] = await Promise.all([
      startRtspServer(scope, { scheme: 'digest', user: 'admin', password }),
      startRtspServer(scope, { scheme: 'basic', user: 'admin', password }),
      startAggregator(scope, { flags: patience }),
    ]);
    const { add, live, fails, seen } = lookAt(aggregator);
    await add('tcp', digest.url('cam'));
    await add('udp', { url: basic.url('cam'), transport: 'udp' });
    await add('wrong', digest.url('cam', 'nonsense'));
    await add('nowhere', basic.url('nowhere'));
    await add('vp8', digest.url('vp8'));
    await add('dead', 'rtsp://127.0.0.1:9/cam');

    expect(await live('tcp')).toMatchObject({ videoCodec: 'h264', audioCodec: 'g711a' });
    expect(await live('udp')).toMatchObject({ videoCodec: 'h264', audioCodec: 'g711a' });
    await fails('wrong', 'SOURCE_AUTH');
    await fails('nowhere', 'SOURCE_NOT_FOUND');
    await fails('vp8', 'SOURCE_CODEC');
    await fails('dead', 'SOURCE_REFUSED');
    expect((await seen('wrong')).conditions).toMatchObject([{ code: 'SOURCE_DOWN' }]);

    digest.process.signal('SIGSTOP');
    await fails('tcp', 'SOURCE_STALLED');
    digest.process.signal('SIGCONT');
    await live('tcp', 2);
    await basic.process.stop('SIGKILL');
    await fails('udp', 'SOURCE_REFUSED');

    const programs = await waitFor(
      () => {
        const found = childrenOf(aggregator.process.pid);
        return found.length > 0 ? found : undefined;
      },
      { what: 'an ffmpeg' },
    );
    const shown = JSON.stringify([programs, aggregator.process.stderr, aggregator.process.stdout, await seen('tcp')]);
    expect(shown).not.toMatch(/p@ss|p%40ss|w%rd|w%25rd/);
    aggregator.process.signal('SIGKILL');
    await waitFor(() => programs.every(({ pid }) => !existsSync(`/proc/${pid}`)), { what: 'the ffmpegs to be gone' });
  });

  test.concurrent('come by RTMP, FLV, HLS and SRT, and on demand, with media workers', async (context) => {
    const scope = testScope(context);
    const folder = scope.temporaryFolder();
    const [clip, far, aggregator, srtPort, webPort] = await Promise.all([
      makeClip({ seconds: 60, keyFrameSeconds: 1 }),
      startAggregator(scope),
      startAggregator(scope, { flags: [...patience, '--workers', '1', '--source-linger', '0s'] }),
      freePort(),
      freePort(),
    ]);
    const { add, live, fails, seen } = lookAt(aggregator);
    publish(scope, clip, await far.addCamera('src'));
    await far.waitForLive('src');
    const copy = ['-hide_banner', '-loglevel', 'error', '-re', '-i', clip, '-c', 'copy'];
    startProcess(scope, 'ffmpeg', [
      ...copy,
      '-f',
      'mpegts',
      `srt://127.0.0.1:${srtPort}?mode=listener&passphrase=0123456789`,
    ]);
    startProcess(scope, 'ffmpeg', [...copy, '-f', 'hls', '-hls_time', '1', join(folder, 'live.m3u8')]);
    startProcess(scope, '/usr/bin/python3', ['-m', 'http.server', String(webPort), '--bind', '127.0.0.1'], {
      cwd: folder,
    });

    await add('demand', { url: far.url('src'), mode: 'on-demand' });
    await add('rtmp', far.url('src'));
    await add('flv', `${far.apiUrl}/live/src.flv`);
    await add('srt', `srt://127.0.0.1:${srtPort}?passphrase=0123456789`);
    await waitFor(() => existsSync(join(folder, 'live.m3u8')), { what: 'a playlist' });
    await add('hls', `http://127.0.0.1:${webPort}/live.m3u8`);
    await add('missing', `${far.apiUrl}/live/nobody.flv`);
    for (const camera of ['rtmp', 'flv', 'srt', 'hls']) {
      expect(await live(camera), camera).toMatchObject({ videoCodec: 'h264', audioCodec: 'aac' });
    }
    await fails('missing', 'SOURCE_NOT_FOUND');

    expect((await seen('demand')).source).toMatchObject({ state: 'off', connects: 0 });
    const recorded = join(folder, 'demand.flv');
    const url = `${aggregator.apiUrl}/live/demand.flv`;
    await runOk('ffmpeg', ['-hide_banner', '-loglevel', 'error', '-i', url, '-t', '2', '-c', 'copy', recorded]);
    await decodeCleanly(recorded);
    await waitFor(async () => (await seen('demand')).source.state === 'off', { what: 'nobody to want it any more' });

    // Its own ports, and services of clouds; and a publisher beside the source.
    const refused = async (source: string) => (await aggregator.api('POST', '/v1/cameras', { name: 'x', source })).body;
    expect(await refused(aggregator.url('rtmp'))).toMatchObject({ code: 'SOURCE_FORBIDDEN' });
    expect(await refused('http://169.254.169.254/latest')).toMatchObject({ code: 'SOURCE_FORBIDDEN' });
    expect((await publish(scope, clip, aggregator.url('rtmp')).exited).code).not.toBe(0);
  });
});
