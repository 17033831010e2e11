import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { nginxRtmpModule } from '../../scripts/peers.mjs';
import { startAggregator } from '../support/aggregator.js';
import { decodeCleanly } from '../support/ffmpeg.js';
import { testWith } from '../support/peers.js';
import { accepts, freePort } from '../support/ports.js';
import { runOk, startProcess } from '../support/process.js';
import { type Scope, testScope } from '../support/scope.js';
import { waitFor } from '../support/wait.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** The engine of deploy/ with its own configuration, but for ports, folders and the user. */
async function startEngine(scope: Scope): Promise<{ rtmpPort: number; httpPort: number }> {
  const [rtmpPort, httpPort] = [await freePort(), await freePort()];
  const folder = scope.temporaryFolder('engine-');
  mkdirSync(join(folder, 'hls'));
  const moved = readFileSync(join(root, 'deploy/engine/nginx.conf'), 'utf8')
    .replace('modules/ngx_rtmp_module.so', nginxRtmpModule() ?? '')
    .replace('user www-data;', 'daemon off; master_process off;')
    .replace('/run/nginx.pid', `${folder}/pid`)
    .replace('include mime.types', 'include /etc/nginx/mime.types')
    .replace(
      'http {',
      `http { ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder}/${name};`).join(' ')}`,
    )
    .replace('rtmp {', 'rtmp { access_log off;')
    .replace('listen 1935;', `listen 127.0.0.1:${rtmpPort};`)
    .replace('listen 80;', `listen 127.0.0.1:${httpPort};`)
    .replaceAll('/usr/share/streaming-engine', join(root, 'deploy/engine'))
    .replaceAll('/var/lib/streaming-engine', folder);
  const file = join(folder, 'nginx.conf');
  writeFileSync(file, moved);
  startProcess(scope, 'nginx', ['-p', folder, '-e', 'stderr', '-c', file], { name: 'engine' });
  await waitFor(() => accepts(httpPort), { what: 'the engine' });
  return { rtmpPort, httpPort };
}

describe('the streaming engine of deploy/', () => {
  const test = testWith('ffmpeg', 'nginx-rtmp');

  test('plays a camera from where getStream says, and lists it for its page', async (context) => {
    const scope = testScope(context);
    const [{ rtmpPort, httpPort }, aggregator] = await Promise.all([startEngine(scope), startAggregator(scope)]);
    await aggregator.apiOk('PUT', '/v1/engines/engine', {
      host: '127.0.0.1',
      pushUrl: `rtmp://{host}:${rtmpPort}/live/{name}`,
      playbackUrl: `http://{host}:${httpPort}/hls/{name}.m3u8`,
    });
    await aggregator.apiOk('POST', '/registerCamera', { name: 'gate' });
    const { url } = (await aggregator.apiOk('POST', '/getStream', { name: 'gate' })) as { url: string };
    expect(url).toBe(`http://127.0.0.1:${httpPort}/hls/gate.m3u8`);
    startProcess(scope, 'ffmpeg', [
      ...['-nostdin', '-v', 'warning', '-re', '-stream_loop', '-1', '-i', join(root, 'samples/clip.flv')],
      ...['-c', 'copy', '-f', 'flv', aggregator.url('gate')],
    ]);
    const segment = await waitFor(
      async () => {
        const response = await fetch(url);
        expect(response.headers.get('content-type')).toBe('application/vnd.apple.mpegurl');
        return (await response.text()).split('\n').find((line) => line.endsWith('.ts'));
      },
      { what: 'a segment in the playlist', timeoutMs: 30_000, intervalMs: 200 },
    );
    await decodeCleanly(new URL(segment, url).href);
    const names = (await (await fetch(`http://127.0.0.1:${httpPort}/hls/`)).json()) as { name: string }[];
    expect(names.map(({ name }) => name)).toContain('gate.m3u8');
    const page = await fetch(`http://127.0.0.1:${httpPort}/?gate`);
    expect(page.headers.get('content-security-policy')).toContain("default-src 'self'");
    expect(await page.text()).toContain('player.js');
    expect((await fetch(`http://127.0.0.1:${httpPort}/player.js`)).status).toBe(200);
  });
});

describe('the npm package', () => {
  test('installed into a clean folder, it serves, and has its samples and examples', async (context) => {
    const scope = testScope(context);
    const folder = scope.temporaryFolder('package-');
    // The program is built already.
    const packed = await runOk('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder], {
      cwd: root,
    });
    const archive = join(folder, packed.stdout.trim().split('\n').at(-1) ?? '');
    writeFileSync(join(folder, 'package.json'), '{"private": true}');
    const options = ['--omit=dev', '--no-audit', '--no-fund', '--prefer-offline', '--silent'];
    await runOk('npm', ['install', ...options, archive], { cwd: folder, timeoutMs: 80_000 });
    const program = join(folder, 'node_modules/.bin/media-aggregator');
    const server = startProcess(
      scope,
      program,
      ['serve', '--rtmp-port', '0', '--api-port', '0', '--host', '127.0.0.1', '--data-dir', join(folder, 'data')],
      { cwd: folder },
    );
    await waitFor(() => server.stdout.includes('\n'), { what: 'the line that it serves', timeoutMs: 20_000 });
    const api = /API (http:\S+),/.exec(server.stdout)?.[1];
    expect(await (await fetch(`${api}/status`)).json()).toMatchObject({ status: 'ok' });
    const installed = join(folder, 'node_modules/media-aggregator');
    for (const file of [
      'samples/clip.flv',
      'examples/media-aggregator.yaml',
      'docs/settings.md',
      'LICENSE',
      'README.md',
    ]) {
      expect(readFileSync(join(installed, file)).length, file).toBeGreaterThan(0);
    }
    const dry = await runOk(program, ['import', join(root, 'test/import/fixtures/seed.conf'), '--dry-run'], {
      cwd: folder,
    });
    expect(dry.stdout).toContain('2 cameras and 3 pushes would be taken');
    expect(await server.stop('SIGTERM')).toEqual({ code: 0, signal: null });
  });
});
