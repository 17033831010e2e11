import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { type Aggregator, type CameraView, programPath, startAggregator } from '../support/aggregator.js';
import { makeClip, publish } from '../support/ffmpeg.js';
import { testWith } from '../support/peers.js';
import { run } from '../support/process.js';
import { testScope } from '../support/scope.js';
import { waitFor } from '../support/wait.js';

/** Everything that an aggregator tells without being asked for a secret. */
async function everythingTold(aggregator: Aggregator, token: string): Promise<string> {
  const paths = ['/v1/cameras', '/v1/cameras/cam', '/v1/cameras/cam/events', '/v1/cameras/cam/pushes', '/v1/nodes'];
  paths.push('/v1/cameras/cam/pushes/far', '/v1/cameras/cam/pushes/far/events', '/v1/config', '/metrics', '/stats');
  const answers = paths.map(async (path) => {
    const response = await fetch(aggregator.apiUrl + path, { headers: { authorization: `Bearer ${token}` } });
    expect([path, response.status]).toEqual([path, 200]);
    return response.text();
  });
  const files = readdirSync(aggregator.dataDir)
    .filter((name) => /^(state|runtime|journal)/.test(name))
    .map((name) => readFileSync(join(aggregator.dataDir, name), 'utf8'));
  return [...(await Promise.all(answers)), ...files, aggregator.process.stderr, aggregator.process.stdout].join('\n');
}

async function eventsOf(aggregator: Aggregator): Promise<string> {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), 1500);
  let text = '';
  try {
    const response = await fetch(`${aggregator.apiUrl}/v1/events`, {
      headers: { 'last-event-id': '0' },
      signal: stop.signal,
    });
    for await (const piece of response.body ?? []) text += Buffer.from(piece).toString();
  } catch {
    // The stream has no end of its own.
  }
  clearTimeout(timer);
  return text;
}

describe('secrets of streams', () => {
  const test = testWith('ffmpeg');

  test('are in no log, metric, event, state or answer after a run that used them', async (context) => {
    const scope = testScope(context);
    const flags = ['--publish-auth', 'key', '--play-auth', 'token', '--log-level', 'debug'];
    const [clip, near, far] = await Promise.all([
      makeClip({ seconds: 7 }),
      startAggregator(scope, { flags }),
      startAggregator(scope, { flags }),
    ]);
    // The key is told once more for the same registration, by the content manager's call too.
    const endpoint = await near.addCamera('cam');
    const key = new URL(endpoint).searchParams.get('key') ?? '';
    expect(key).toMatch(/^[A-Za-z0-9_-]{32}$/);
    expect(await near.apiOk('POST', '/registerCamera', { name: 'cam' })).toMatchObject({ endpoint });
    const farEndpoint = await far.addCamera('cam');
    const farKey = new URL(farEndpoint).searchParams.get('key') ?? '';
    expect(farKey).not.toBe(key);
    const userSecret = 'MARKER-query-5d1e';
    await near.addPush('cam', `${farEndpoint}&other=${userSecret}`, 'far');
    await near.addPush('cam', 'rtmp://127.0.0.1:9/live/MARKER-name-77f0', 'closed');

    // A given key, by the command line; the generated one is taken for a while too.
    const given = 'MARKER-given-3c2a';
    const keyFile = join(scope.temporaryFolder(), 'key');
    writeFileSync(keyFile, `${given}\n`);
    const cli = (...args: string[]) =>
      run(process.execPath, [programPath, ...args, '--data-dir', near.dataDir], { timeoutMs: 60_000 });
    const rotated = await cli('camera', 'rotate-key', 'cam', '--overlap', '1h', '--key-file', keyFile);
    expect(rotated).toMatchObject({ code: 0, stdout: expect.stringMatching(/\/cam\/cam\n$/) });
    const token = (await cli('camera', 'play-token', 'cam', '--for', '10m')).stdout.trim();
    expect(token).toMatch(/^rtmp:.*\?token=\d+-/);
    const address = (await cli('camera', 'play-token', 'cam', '--http')).stdout.trim();
    expect(address).toMatch(new RegExp(`^http:.*:${new URL(near.apiUrl).port}/live/cam\\.flv\\?playToken=\\d+-`));

    const wrongKey = 'MARKER-wrong-9b44';
    const refused = publish(scope, clip, near.url('cam').concat(`?key=${wrongKey}`));
    expect((await refused.exited).code).not.toBe(0);
    const camera = publish(scope, clip, `${near.url('cam')}?key=${key}`);
    await near.waitForPush('cam', 'far', 'active', 30_000);
    await far.waitForLive('cam');
    const wrongToken = 'MARKER-token-1e5f';
    const probe = (url: string) => run('ffprobe', ['-v', 'error', '-show_streams', url], { timeoutMs: 60_000 });
    expect((await probe(`${near.url('cam')}?token=${wrongToken}`)).code).not.toBe(0);
    expect((await probe(near.url('cam'))).code).not.toBe(0);
    expect((await probe(token)).code).toBe(0);
    await camera.stop('SIGTERM');
    await waitFor(async () => !(await far.camera('cam')).live, { what: 'the camera to be gone', timeoutMs: 20_000 });
    const again = publish(scope, clip, `${near.url('cam')}?key=${given}`);
    await near.waitForLive('cam');
    await again.stop('SIGTERM');

    const read = await near.makeToken('reader', 'read');
    const told = (await everythingTold(near, read)) + (await eventsOf(near)) + far.process.stderr;
    expect(told).toContain('PUBLISH_FORBIDDEN');
    expect(told).toContain('PLAY_FORBIDDEN');
    expect(told).toContain('cam');
    // The push's URL stands in the state, which only its owner can read.
    const state = readFileSync(join(near.dataDir, 'state.json'), 'utf8');
    expect(statSync(join(near.dataDir, 'state.json')).mode & 0o777).toBe(0o600);
    expect(statSync(join(near.dataDir, 'stream-secret')).mode & 0o777).toBe(0o600);
    const secrets = { key, given, wrongKey, wrongToken, playToken: token.replace(/^.*token=/, '') };
    for (const [what, secret] of Object.entries(secrets)) expect([what, told.includes(secret)]).toEqual([what, false]);
    const withoutState = told
      .replaceAll(state, '')
      .replace(/"url":\s*"rtmp:[^"]*"/g, (url) => (url.includes('***') ? url : ''));
    for (const secret of [farKey, userSecret, 'MARKER-name-77f0']) expect(withoutState).not.toContain(secret);

    // Who may change cameras is shown the key; who may only look is not.
    await near.apiOk('POST', '/v1/cameras/cam/keys:rotate', {});
    const shown = (await near.camera('cam')).endpoint;
    expect(shown).toMatch(/\?key=[A-Za-z0-9_-]{32}$/);
    const looked = await fetch(`${near.apiUrl}/v1/cameras/cam`, { headers: { authorization: `Bearer ${read}` } });
    expect(((await looked.json()) as CameraView).endpoint).toMatch(/\?key=\*\*\*$/);
    const late = publish(scope, clip, `${near.url('cam')}?key=${given}`);
    expect((await late.exited).code).not.toBe(0);
    const now = publish(scope, clip, shown);
    await near.waitForLive('cam');
    await now.stop('SIGTERM');
    // The same key after a restart.
    await near.restart();
    expect((await near.camera('cam')).endpoint).toBe(shown);
  });

  test('are checked by media workers too', async (context) => {
    const scope = testScope(context);
    const flags = ['--workers', '2', '--publish-auth', 'key', '--play-auth', 'token'];
    const [clip, aggregator] = await Promise.all([makeClip({ seconds: 7 }), startAggregator(scope, { flags })]);
    for (const name of ['one', 'two']) {
      const endpoint = await aggregator.addCamera(name);
      const refused = publish(scope, clip, aggregator.url(name));
      expect((await refused.exited).code).not.toBe(0);
      const camera = publish(scope, clip, endpoint);
      await aggregator.waitForLive(name);
      await camera.stop('SIGTERM');
    }
  });
});
