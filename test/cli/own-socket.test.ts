import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { writeRuntime } from '../../src/cli/runtime-file.js';
import { processIdentity } from '../../src/files/process-identity.js';
import { type Scope, testScope } from '../support/scope.js';
import { cli, startTestAggregator } from './support.js';

const isRoot = process.geteuid?.() === 0;

/** Somebody else's program: what it is asked is kept. */
async function stranger(scope: Scope, where: { path: string } | { port: number; host: string }) {
  const asked: IncomingMessage[] = [];
  const answer: RequestListener = (request, response) => {
    asked.push(request);
    response.setHeader('content-type', 'application/json').end('{"items":[],"next":null}');
  };
  const server = createServer(answer);
  server.listen(where);
  await once(server, 'listening');
  scope.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address() as AddressInfo | string;
  return { asked, port: typeof address === 'string' ? 0 : address.port };
}

/** A data folder as a killed aggregator left it, with its admin token. */
async function leftFolder(scope: Scope, runtime: { pid: number; process: string; apiPort: number }): Promise<string> {
  const dataDir = scope.temporaryFolder();
  const adminTokenFile = join(dataDir, 'admin-token');
  writeFileSync(adminTokenFile, `SECRET-${'s'.repeat(40)}\n`, { mode: 0o600 });
  await writeRuntime(dataDir, {
    rtmpPort: 1,
    host: '127.0.0.1',
    adminTokenFile,
    version: '0',
    startedAt: '',
    ...runtime,
  });
  return dataDir;
}

const commands = [
  ['status'],
  ['top'],
  ['camera', 'list'],
  ['camera', 'add', 'x'],
  ['push', 'list'],
  ['engine', 'list'],
  ['token', 'list'],
  ['token', 'create', 'x'],
  ['log-level'],
];

describe('the socket in the data folder', () => {
  test.each(['auto', 'on', 'off'])('lets the commands in without a token, api-auth %s', async (apiAuth) => {
    const scope = new (await import('../support/scope.js')).Scope();
    try {
      const { dataDir, apiUrl } = await startTestAggregator(scope, { 'api-auth': apiAuth });
      const file = join(dataDir, 'api.sock');
      expect(statSync(file).isSocket()).toBe(true);
      expect(statSync(file).mode & 0o777).toBe(0o600);
      // It is asked, and not the port: the token file is gone, and TCP would ask for one.
      rmSync(join(dataDir, 'admin-token'), { force: true });
      expect((await cli(['camera', 'add', 'gate', '--data-dir', dataDir])).code).toBe(0);
      const made = await cli(['token', 'create', 'ops', '--scope', 'operate', '--data-dir', dataDir]);
      expect(made.code, made.err).toBe(0);
      const token = made.out.trim();
      expect((await cli(['camera', 'list', '--api', apiUrl, '--token', token])).code).toBe(apiAuth === 'off' ? 0 : 0);
      // A token that is given counts there too.
      expect((await cli(['token', 'list', '--data-dir', dataDir, '--token', token])).code).toBe(
        apiAuth === 'off' ? 0 : 1,
      );
      for (const command of commands.filter((each) => each[1] !== 'add' && each[1] !== 'create')) {
        expect((await cli([...command, '--data-dir', dataDir])).code, command.join(' ')).toBeLessThan(2);
      }
    } finally {
      await scope.close();
    }
  });

  test('lies there in a folder with a long path, takes the place of a dead one, and goes with the aggregator', async (context) => {
    const scope = testScope(context);
    const dataDir = join(scope.temporaryFolder(), 'd'.repeat(100), 'e'.repeat(100));
    mkdirSync(join(dataDir, '.api.sock-left'), { recursive: true });
    await stranger(scope, { path: join(scope.temporaryFolder(), 's') });
    writeFileSync(join(dataDir, 'api.sock'), 'no socket');
    const aggregator = await startTestAggregator(scope, { 'data-dir': dataDir });
    expect((await cli(['camera', 'add', 'gate', '--data-dir', dataDir])).code).toBe(0);
    expect(existsSync(join(dataDir, '.api.sock-left'))).toBe(false);
    await aggregator.stop();
    expect(existsSync(join(dataDir, 'api.sock'))).toBe(false);
  });

  test('gone or replaced, the commands go to the port of an aggregator that certainly lives, with its admin token', async (context) => {
    const scope = testScope(context);
    const { dataDir } = await startTestAggregator(scope, { 'api-auth': 'on' });
    const file = join(dataDir, 'api.sock');
    for (const replace of [() => {}, () => writeFileSync(file, ''), () => symlinkSync('/nonexistent', file)]) {
      rmSync(file, { force: true });
      replace();
      const { code, err } = await cli(['token', 'list', '--data-dir', dataDir]);
      expect(code, err).toBe(0);
    }
  });

  test.runIf(isRoot)('of a stranger is not talked to', async (context) => {
    const scope = testScope(context);
    const { dataDir } = await startTestAggregator(scope, { 'api-auth': 'on' });
    const file = join(dataDir, 'api.sock');
    rmSync(file);
    const other = await stranger(scope, { path: file });
    chownSync(file, 65_534, 65_534);
    chmodSync(file, 0o666);
    expect((await cli(['camera', 'list', '--data-dir', dataDir])).code).toBe(0);
    expect(other.asked).toEqual([]);
  });
});

describe('who listens on the port of an aggregator that is dead', () => {
  test('gets nothing when its pid is a living process again', async (context) => {
    const scope = testScope(context);
    const other = await stranger(scope, { port: 0, host: '127.0.0.1' });
    const sleeper = spawn('sleep', ['60'], { stdio: 'ignore' });
    scope.defer(() => sleeper.kill('SIGKILL'));
    const own = processIdentity('self');
    // Another start, another boot, and a file that is cut or odd.
    for (const identity of [
      own,
      own.replace(/\d+$/, '1'),
      own.replace(/^[^/]+/, 'another-boot'),
      'x',
      '/',
      own.slice(0, 60),
    ]) {
      const dataDir = await leftFolder(scope, { pid: sleeper.pid ?? 1, process: identity, apiPort: other.port });
      for (const command of commands) {
        const { code } = await cli([...command, '--data-dir', dataDir]);
        if (identity === own) expect(code, command.join(' ')).toBe(3);
      }
      await cli(['camera', 'list', '--data-dir', dataDir, '--token', 'SECRET-given-on-the-command-line']);
      await cli(['camera', 'list', '--data-dir', dataDir], {
        env: { MEDIA_AGGREGATOR_TOKEN: 'SECRET-of-the-variable' },
      });
    }
    expect(other.asked).toEqual([]);
  });

  test('gets no secret from a runtime.json of an older version either, which names no process', async (context) => {
    const scope = testScope(context);
    const other = await stranger(scope, { port: 0, host: '127.0.0.1' });
    const dataDir = await leftFolder(scope, { pid: process.pid, process: '', apiPort: other.port });
    const file = join(dataDir, 'runtime.json');
    const { process: _, ...old } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
    for (const content of [old, { ...old, process: 5 }, { ...old, process: null }]) {
      writeFileSync(file, JSON.stringify(content));
      for (const command of commands) await cli([...command, '--data-dir', dataDir]);
      const given = await cli(['camera', 'list', '--data-dir', dataDir, '--token', 'SECRET-given']);
      expect(given).toMatchObject({
        code: 3,
        err: expect.stringMatching(/--api http:\/\/127\.0\.0\.1:\d+ if you trust it/),
      });
    }
    expect(other.asked).toEqual([]);
  });

  test('odd runtime files are none', async (context) => {
    const scope = testScope(context);
    const dataDir = scope.temporaryFolder();
    const base = { pid: process.pid, process: processIdentity('self'), rtmpPort: 1, apiPort: 1, host: '127.0.0.1' };
    for (const change of [
      { pid: -1 },
      { pid: 0 },
      { pid: 1.5 },
      { pid: '1' },
      { pid: 1e300 },
      { host: 5 },
      { apiPort: null },
    ]) {
      writeFileSync(join(dataDir, 'runtime.json'), JSON.stringify({ ...base, ...change }));
      expect((await cli(['status', '--data-dir', dataDir])).err).toContain('NOT_RUNNING');
    }
  });
});
