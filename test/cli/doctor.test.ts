import { chmodSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkMemory, memoryBudget } from '../../src/cli/doctor/memory.js';
import { checkClock, checkNode, checkOpenFiles } from '../../src/cli/doctor/system.js';
import { findPortHolder } from '../../src/cli/port-holder.js';
import { defaultSettings } from '../../src/config/index.js';
import { freePort } from '../support/ports.js';
import { type Scope, testScope } from '../support/scope.js';
import { cli, startTestAggregator } from './support.js';

interface Check {
  name: string;
  status: 'ok' | 'warn' | 'fail';
  message: string;
  advice?: string;
}

async function doctor(...args: string[]): Promise<{ code: number; checks: Record<string, Check> }> {
  const { code, out } = await cli(['doctor', '--json', ...args], { env: { PATH: process.env.PATH ?? '' } });
  const report: { ok: boolean; checks: Check[] } = JSON.parse(out);
  expect(report.ok).toBe(code === 0);
  expect(report.ok).toBe(report.checks.every((check) => check.status !== 'fail'));
  for (const check of report.checks) {
    expect(check.status === 'ok' || check.advice !== undefined).toBe(true);
  }
  return { code, checks: Object.fromEntries(report.checks.map((check) => [check.name, check])) };
}

async function listenSomewhere(scope: Scope): Promise<number> {
  const server: Server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  scope.defer(() => server.close());
  return (server.address() as AddressInfo).port;
}

test('a machine as it should be: exit code 0, and nothing is left behind', async (context) => {
  const dataDir = testScope(context).temporaryFolder();
  const { code, checks } = await doctor('--data-dir', dataDir, '--rtmp-port', '0', '--api-port', '0');
  expect(code).toBe(0);
  expect(Object.keys(checks)).toEqual([
    ...[
      'Node.js',
      'settings',
      'RTMP port',
      'API port',
      'address families',
      'advertised address',
      'free space',
      'file system',
      'data folder',
    ],
    ...['hard links', 'owners'],
    ...['state file', 'state rules', 'standard error', 'clock', 'open files', 'memory', 'sockets', 'ffmpeg', 'nginx'],
  ]);
  expect(checks['data folder']?.message).toMatch(/syncing takes [\d.]+ ms/);
  expect(readdirSync(dataDir)).toEqual([]);
});

test('for people: a line each, and what to do below', async (context) => {
  const scope = testScope(context);
  const port = await listenSomewhere(scope);
  const { code, out } = await cli([
    'doctor',
    '--data-dir',
    scope.temporaryFolder(),
    '--rtmp-port',
    `${port}`,
    '--host',
    '127.0.0.1',
  ]);
  expect(out).toMatch(/^(?:ok {3}|warn )Node\.js +\d/m);
  expect(out).toMatch(
    new RegExp(`^fail RTMP port +${port} is taken by .*\n +Stop it, or use another port with --rtmp-port`, 'm'),
  );
  expect(code).toBe(1);
});

test('a port that another program has, and who it is', async (context) => {
  const port = await listenSomewhere(testScope(context));
  const { code, checks } = await doctor('--api-port', `${port}`, '--host', '127.0.0.1');
  expect(checks['API port']).toMatchObject({ status: 'fail', message: expect.stringContaining(`${port} is taken by`) });
  expect(code).toBe(1);
  if (process.platform === 'linux') {
    expect(findPortHolder(port)).toMatch(new RegExp(`\\(pid ${process.pid}\\)$`));
  }
});

test("our own aggregator's ports are no failure", async (context) => {
  const { dataDir, rtmpPort, apiPort } = await startTestAggregator(testScope(context));
  const ports = ['--rtmp-port', `${rtmpPort}`, '--api-port', `${apiPort}`, '--host', '127.0.0.1'];
  const { code, checks } = await doctor('--data-dir', dataDir, ...ports);
  expect(checks['RTMP port']).toMatchObject({ status: 'ok', message: expect.stringContaining('our aggregator') });
  expect(checks['API port']).toMatchObject({ status: 'ok', message: expect.stringContaining('our aggregator') });
  expect(checks['state file']).toMatchObject({ status: 'ok' });
  expect(checks['sockets in use']?.message).toMatch(/^the running aggregator: (?:uring|direct|plain)/);
  expect(code).toBe(0);
});

test('nor are they where a full disk took no runtime.json', async (context) => {
  const port = await freePort();
  const { dataDir, rtmpPort } = await startTestAggregator(testScope(context), { 'api-port': `${port}` });
  rmSync(join(dataDir, 'runtime.json'));
  const ports = ['--rtmp-port', `${rtmpPort}`, '--api-port', `${port}`, '--host', '127.0.0.1'];
  const { code, checks } = await doctor('--data-dir', dataDir, ...ports);
  expect(checks['RTMP port']?.message).toBe(`${rtmpPort} is held by our aggregator`);
  expect(checks['API port']?.message).toBe(`${port} is held by our aggregator`);
  expect(checks['sockets in use']?.message).toMatch(/^the running aggregator: /);
  expect(code).toBe(0);
});

test('a host that is none of ours, and one that does not resolve', async (context) => {
  const dataDir = testScope(context).temporaryFolder();
  const { code, checks } = await doctor(
    '--data-dir',
    dataDir,
    '--host',
    '192.0.2.77',
    '--advertise-host',
    'no.such.host.invalid',
  );
  expect(checks['RTMP port']).toMatchObject({ status: 'fail', advice: expect.stringContaining('--host') });
  expect(checks['advertised address']).toMatchObject({
    status: 'fail',
    message: 'no.such.host.invalid does not resolve',
  });
  expect(code).toBe(1);
});

test('an advertised loopback address is worth a warning, which is no failure', async (context) => {
  const dataDir = testScope(context).temporaryFolder();
  const { code, checks } = await doctor(
    '--data-dir',
    dataDir,
    '--rtmp-port',
    '0',
    '--api-port',
    '0',
    '--advertise-host',
    '127.0.0.1',
  );
  expect(checks['advertised address']?.status).toBe('warn');
  expect(code).toBe(0);
});

test('a state file that "serve" would refuse', async (context) => {
  const dataDir = testScope(context).temporaryFolder();
  writeFileSync(join(dataDir, 'state.json'), '{"version": 1, "cameras": {"a b": {}}}');
  const { code, checks } = await doctor('--data-dir', dataDir);
  expect(checks['state file']).toMatchObject({ status: 'fail', message: expect.stringContaining('a b') });
  expect(code).toBe(1);
});

test('a data folder that cannot be written', async (context) => {
  const scope = testScope(context);
  const folder = scope.temporaryFolder();
  // Root may write to any folder, but not into a file.
  writeFileSync(join(folder, 'file'), '');
  const asFile = await doctor('--data-dir', join(folder, 'file'));
  expect(asFile.checks['data folder']?.status).toBe('fail');
  if (process.getuid?.() !== 0) {
    mkdirSync(join(folder, 'closed'));
    chmodSync(join(folder, 'closed'), 0o500);
    expect((await doctor('--data-dir', join(folder, 'closed'))).checks['data folder']?.status).toBe('fail');
  }
});

test('settings that cannot be used are the one thing that is said', async () => {
  const { code, checks } = await doctor('--rtmp-port', 'x');
  expect(checks.settings).toMatchObject({ status: 'fail', message: expect.stringContaining('--rtmp-port is "x"') });
  expect(code).toBe(1);
});

describe('the system', () => {
  test('Node.js', () => {
    expect(checkNode('18.20.4').status).toBe('fail');
    const nowMs = Date.parse('2026-06-01');
    expect(checkNode('20.0.0', nowMs)).toMatchObject({
      status: 'warn',
      message: expect.stringContaining('2026-04-30'),
    });
    expect(checkNode('20.0.0', Date.parse('2026-01-01')).status).toBe('ok');
    expect(checkNode('24.1.0', nowMs).status).toBe('ok');
  });

  test('a clock that went backwards', (context) => {
    const dataDir = testScope(context).temporaryFolder();
    expect(checkClock(dataDir).status).toBe('ok');
    expect(checkClock(dataDir, Date.parse('2001-01-01')).status).toBe('fail');
  });

  test('open files', () => {
    const limits = (soft: string) =>
      `Limit  Soft Limit  Hard Limit  Units\nMax open files            ${soft}    4096   files\n`;
    expect(checkOpenFiles(defaultSettings(), limits('1024'))).toMatchObject({
      status: 'warn',
      message: expect.stringContaining('1024'),
    });
    expect(checkOpenFiles(defaultSettings(), limits('65536')).status).toBe('ok');
    expect(checkOpenFiles(defaultSettings(), limits('unlimited')).status).toBe('ok');
    expect(checkOpenFiles(defaultSettings(), '').status).toBe('ok');
  });

  test('memory that the limits allow', () => {
    const settings = defaultSettings();
    const { total, parts } = memoryBudget(settings);
    expect(total).toBe(parts.reduce((sum, [, bytes]) => sum + bytes, 0));
    expect(total).toBeGreaterThan(settings.media.mediaMaxBytes);
    expect(checkMemory(settings, total).status).toBe('ok');
    expect(checkMemory(settings, total - 1)).toMatchObject({
      status: 'warn',
      message: expect.stringContaining('1.0 GB for media-max-bytes 1GB'),
    });
    // Media workers are programs too; the limits are for all of them together.
    const withWorkers = memoryBudget({ ...settings, workers: 4 });
    expect(withWorkers.total - total).toBe(4 * 128 * 2 ** 20);
    expect(memoryBudget({ ...settings, backend: 'nginx', workers: 4 }).total).toBe(total);
  });
});
