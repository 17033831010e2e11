import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isSealed, seal, unseal } from '../../src/cli/backup/sealed.js';
import { testScope } from '../support/scope.js';
import { cli, clip, startTestAggregator } from './support.js';

const keyed = { 'publish-auth': 'key' };
const env = { MEDIA_AGGREGATOR_PUBLISH_AUTH: 'key' };

/** Publishes a moment of the clip; whether that was let in. */
async function publishes(url: string): Promise<boolean> {
  return (await cli(['publish', clip, url, '--duration', '0.2'])).code === 0;
}

/** The same publisher at another aggregator. */
function at(rtmpPort: number, endpoint: string): string {
  const url = new URL(endpoint.replace(/^rtmp:/, 'http:'));
  url.port = String(rtmpPort);
  return url.href.replace(/^http:/, 'rtmp:');
}

async function endpointOf(name: string, dataDir: string): Promise<string> {
  return JSON.parse((await cli(['camera', 'show', name, '--json', '--data-dir', dataDir])).out).endpoint;
}

describe('a node that moves', () => {
  test('is the same elsewhere: publishers get in with the old keys, and tokens hold', async (context) => {
    const scope = testScope(context);
    const passphraseFile = join(scope.temporaryFolder(), 'passphrase');
    writeFileSync(passphraseFile, 'correct horse battery\n');
    const first = await startTestAggregator(scope, keyed);
    await cli(['camera', 'add', 'generated', 'given', '--data-dir', first.dataDir]);
    const keyFile = join(scope.temporaryFolder(), 'key');
    writeFileSync(keyFile, 'chosen-by-hand-1\n');
    const rotated = await cli(['camera', 'rotate-key', 'given', '--key-file', keyFile, '--data-dir', first.dataDir]);
    expect(rotated.code).toBe(0);
    const endpoint = await endpointOf('generated', first.dataDir);
    const token = JSON.parse(
      (await cli(['token', 'create', 'manager', '--scope', 'operate', '--json', '--data-dir', first.dataDir])).out,
    ).token;
    const file = join(scope.temporaryFolder(), 'node.sealed');
    const made = await cli(['backup', file, '--data-dir', first.dataDir, '--passphrase-file', passphraseFile]);
    expect(made).toMatchObject({ code: 0, err: '' });
    expect(made.out).toMatch(
      /holds 2 cameras.*\nwith the secrets of the node: stream-secret, tokens\.json, admin-token/,
    );
    expect(made.out).toContain('sealed; without the passphrase nobody can open it');
    expect(made.out).toContain('not in it: the settings');
    expect(made.out).not.toContain('WARNING');
    const sealed = readFileSync(file, 'utf8');
    const secret = readFileSync(join(first.dataDir, 'stream-secret'), 'utf8').trim();
    for (const hidden of ['generated', secret, 'stream']) expect(sealed).not.toContain(hidden);
    await first.stop();

    // A folder that is not there, two levels deep.
    const folder = join(scope.temporaryFolder(), 'new', 'data');
    const closed = await cli(['restore', file, '--data-dir', folder], { env });
    expect(closed).toMatchObject({ code: 1, err: expect.stringMatching(/BACKUP_SEALED: .*--passphrase-file/) });
    expect(existsSync(folder)).toBe(false);
    const restored = await cli(['restore', file, '--data-dir', folder, '--passphrase-file', passphraseFile], { env });
    expect(restored).toMatchObject({ code: 0, err: '' });
    expect(restored.out).toMatch(/^restored 2 cameras.*\nrestored the secrets of the node: .*stream-secret/);
    expect(restored.out).not.toContain('WARNING');
    for (const name of readdirSync(folder))
      expect([name, statSync(join(folder, name)).mode & 0o077]).toEqual([name, 0]);

    const second = await startTestAggregator(scope, { ...keyed, 'data-dir': folder });
    expect(await endpointOf('generated', folder)).toBe(at(second.rtmpPort, endpoint));
    expect(await publishes(at(second.rtmpPort, endpoint))).toBe(true);
    expect(await publishes(`rtmp://127.0.0.1:${second.rtmpPort}/given/given?key=chosen-by-hand-1`)).toBe(true);
    expect(await publishes(`rtmp://127.0.0.1:${second.rtmpPort}/given/given?key=another-one`)).toBe(false);
    const url = `http://127.0.0.1:${second.apiPort}/v1/session`;
    const session = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
    expect(await session.json()).toMatchObject({ caller: 'token', name: 'manager' });
  }, 60_000);

  test('without its secrets is told loudly to be another one, with the cameras that are concerned', async (context) => {
    const scope = testScope(context);
    const first = await startTestAggregator(scope, keyed);
    await cli(['camera', 'add', 'cam-10', 'cam-9', '--data-dir', first.dataDir]);
    const file = join(scope.temporaryFolder(), 'state.json');
    const made = await cli(['backup', file, '--without-secrets', '--data-dir', first.dataDir]);
    expect(made.out).toMatch(/WARNING: it does not hold stream-secret .*not the same node/);
    expect(JSON.parse(readFileSync(file, 'utf8')).secrets).toBeUndefined();
    const folder = join(scope.temporaryFolder(), 'new');
    const { out } = await cli(['restore', file, '--data-dir', folder], { env });
    expect(out).toMatch(/WARNING: the publish keys of 2 cameras .* holds no stream-secret.*: cam-9, cam-10\n/);
  });

  test('onto another node changes the keys there, and says which; what was there is kept', async (context) => {
    const scope = testScope(context);
    const [one, other] = [await startTestAggregator(scope, keyed), await startTestAggregator(scope, keyed)];
    for (const { dataDir } of [one, other]) await cli(['camera', 'add', 'both', '--data-dir', dataDir]);
    await cli(['camera', 'add', 'only-one', '--data-dir', one.dataDir]);
    const file = join(scope.temporaryFolder(), 'backup.json');
    const made = await cli(['backup', file, '--data-dir', one.dataDir]);
    expect(made.out).toContain('it is not sealed: keep it as safe as the data folder');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const before = readFileSync(join(other.dataDir, 'stream-secret'), 'utf8');

    // A running aggregator goes on with its secrets.
    const live = await cli(['restore', file, '--data-dir', other.dataDir, '--while-running'], { env });
    expect(live.out).toMatch(/WARNING: the running aggregator keeps its own .*stream-secret/);
    expect(readFileSync(join(other.dataDir, 'stream-secret'), 'utf8')).toBe(before);
    await other.stop();
    const { out, code } = await cli(['restore', file, '--data-dir', other.dataDir], { env });
    expect(code).toBe(0);
    expect(out).toContain(`what was there before is kept as ${join(other.dataDir, 'stream-secret.before-restore-1')}`);
    expect(out).toMatch(/WARNING: the publish keys of \d cameras? are others than before .*both/);
    expect(readFileSync(join(other.dataDir, 'stream-secret.before-restore-1'), 'utf8')).toBe(before);
    // Once more changes nothing that publishers would notice.
    expect((await cli(['restore', file, '--data-dir', other.dataDir], { env })).out).not.toContain('WARNING');
    const again = await startTestAggregator(scope, { ...keyed, 'data-dir': other.dataDir });
    expect(await endpointOf('both', other.dataDir)).toBe(at(again.rtmpPort, await endpointOf('both', one.dataDir)));
  }, 60_000);

  test('takes no secrets that are none, and none of other files', async (context) => {
    const scope = testScope(context);
    const folder = join(scope.temporaryFolder(), 'data');
    const file = join(scope.temporaryFolder(), 'backup.json');
    for (const [secrets, hint] of [
      [{ '../../etc/passwd': 'x' }, 'no file of secrets'],
      [{ 'state.json': '{}' }, 'no file of secrets'],
      [{ 'stream-secret': 'short' }, '64 hex digits'],
      [{ 'stream-secret': 7 }, 'must be a text'],
      [{ 'tokens.json': '{"version":1,"tokens":{"a":{}}}' }, 'none of ours'],
      [{ 'admin-token': 'two\nlines' }, '32 visible characters'],
      [[], 'must be an object'],
    ] as const) {
      writeFileSync(file, JSON.stringify({ version: 1, cameras: {}, secrets }));
      const { code, err } = await cli(['restore', file, '--data-dir', folder]);
      expect([code, err]).toEqual([1, expect.stringContaining(hint)]);
      expect(existsSync(folder)).toBe(false);
    }
  });
});

describe('a sealed backup', () => {
  const passphrase = 'a passphrase of some length';

  test('opens with its passphrase only, and shows every change', async () => {
    const content = `{"version": 1, "cameras": {}}\n${'x'.repeat(1000)}é`;
    const sealed = await seal(content, passphrase);
    expect(isSealed(sealed)).toBe(true);
    expect(isSealed(content)).toBe(false);
    expect(await unseal(sealed, passphrase)).toBe(content);
    expect(await unseal(sealed.replace('\n', '\r\n'), passphrase)).toBe(content);
    await expect(unseal(sealed, `${passphrase}!`)).rejects.toMatchObject({ code: 'BACKUP_SEALED' });
    const [header = '', body = ''] = sealed.trimEnd().split('\n');
    const flipped = Buffer.from(body, 'base64');
    flipped[7] = (flipped[7] ?? 0) ^ 1;
    for (const changed of [
      `${header}\n${flipped.toString('base64')}\n`,
      `${header}\n${body.slice(0, -8)}\n`,
      `${header} \n${body}`.replace('{', '{ '),
    ]) {
      await expect(unseal(changed, passphrase)).rejects.toMatchObject({ code: 'BACKUP_SEALED' });
    }
  }, 60_000);

  test('costs no more than it may, whatever its header asks for', async () => {
    const sealed = await seal('x', passphrase);
    const body = sealed.split('\n')[1];
    const header = (change: object, scrypt: object = {}) => {
      const facts = JSON.parse(sealed.split('\n')[0] ?? '');
      return `${JSON.stringify({ ...facts, ...change, scrypt: { ...facts.scrypt, ...scrypt } })}\n${body}`;
    };
    const beganMs = performance.now();
    for (const hostile of [
      header({}, { N: 2 ** 30 }),
      header({}, { N: 2 ** 18 }),
      header({}, { N: 3 }),
      header({}, { r: 1024 }),
      header({}, { p: 100 }),
      header({}, { salt: '' }),
      header({}, { salt: 'A'.repeat(100_000) }),
      header({ nonce: 7 }),
      header({ mediaAggregatorSealedBackup: 2 }),
      `{"mediaAggregatorSealedBackup":1,"scrypt":null,"nonce":""}\n${body}`,
      '{"mediaAggregatorSealedBackup":',
      '{"mediaAggregatorSealedBackup":1}\n',
      header({}).replace('\n', '\n!'),
      `${sealed.split('\n')[0]}\nAAAA`,
    ]) {
      await expect(unseal(hostile, passphrase)).rejects.toMatchObject({ code: 'BACKUP_SEALED' });
    }
    // None of these made a key, which takes half a second and 128 MB each.
    expect(performance.now() - beganMs).toBeLessThan(5000);
  }, 60_000);

  test('takes no passphrase that is short', async (context) => {
    const folder = testScope(context).temporaryFolder();
    const short = { env: { MEDIA_AGGREGATOR_PASSPHRASE: 'short' }, cwd: folder };
    expect(await cli(['backup', 'x'], short)).toMatchObject({ code: 2, err: expect.stringContaining('at least 12') });
    expect(await cli(['backup', 'x', '--passphrase-file', 'none'], { cwd: folder })).toMatchObject({ code: 2 });
  });
});
