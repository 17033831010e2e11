import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkFiles, checkStandardError } from '../../src/cli/doctor/files.js';
import { checkOpenFiles } from '../../src/cli/doctor/system.js';
import { defaultSettings } from '../../src/config/index.js';
import { makeCertificate } from '../support/certificates.js';
import { runOk } from '../support/process.js';
import { testScope } from '../support/scope.js';

test('certificates: good, expired, soon to expire, of another key, unreadable', async (context) => {
  const folder = testScope(context).temporaryFolder();
  const good = makeCertificate(folder, 'good', { days: 90 });
  const old = makeCertificate(folder, 'old', { days: -1 });
  const soon = makeCertificate(folder, 'soon', { days: 3 });
  const check = async (certFile: string, keyFile: string) => {
    const settings = { ...defaultSettings(), rtmpsPort: 0, rtmpsCert: certFile, rtmpsKey: keyFile };
    return (await checkFiles({ ...settings, apiTlsCert: certFile, apiTlsKey: keyFile }, folder)).map(
      ({ name, status, message }) => [name, status, message] as const,
    );
  };
  for (const [certFile, keyFile, status, message] of [
    [good.certFile, good.keyFile, 'ok', 'valid until'],
    ['good.crt', 'good.key', 'ok', 'valid until'],
    [old.certFile, old.keyFile, 'fail', 'has expired'],
    [soon.certFile, soon.keyFile, 'warn', 'expires on'],
    [good.certFile, soon.keyFile, 'fail', 'is not that of'],
    [join(folder, 'none'), good.keyFile, 'fail', 'no such file'],
    [folder, good.keyFile, 'fail', 'directory'],
  ] as const) {
    expect(await check(certFile, keyFile)).toEqual([
      ['API certificate', status, expect.stringContaining(message)],
      ['RTMPS certificate', status, expect.stringContaining(message)],
    ]);
  }
});

test('certificates to trust', async (context) => {
  const folder = testScope(context).temporaryFolder();
  const ca = makeCertificate(folder, 'ca', { isCa: true });
  writeFileSync(join(folder, 'empty'), '');
  const { media, ...rest } = defaultSettings();
  const check = async (pushTlsCa: string) => (await checkFiles({ ...rest, media: { ...media, pushTlsCa } }, folder))[0];
  expect(await check(ca.certFile)).toMatchObject({ name: 'trusted certificates', status: 'ok' });
  for (const wrong of ['empty', 'none', '.', ca.keyFile])
    expect(await check(wrong)).toMatchObject({ status: 'fail', message: expect.stringContaining('--push-tls-ca') });
});

test('the log: a file that is there or not, a folder that is not, a pipe without a reader', async (context) => {
  const folder = testScope(context).temporaryFolder();
  const check = async (logFile: string) => (await checkFiles({ ...defaultSettings(), logFile }, folder))[0];
  writeFileSync(join(folder, 'there'), 'a line\n');
  mkdirSync(join(folder, 'folder'));
  await runOk('mkfifo', [join(folder, 'pipe')]);
  expect((await check('there'))?.status).not.toBe('fail');
  expect((await check('new'))?.status).not.toBe('fail');
  expect(await check('none/log')).toMatchObject({
    status: 'fail',
    message: expect.stringContaining('cannot be written'),
  });
  expect(await check('folder')).toMatchObject({ status: 'fail' });
  expect(await check('pipe')).toMatchObject({ status: 'warn', message: expect.stringContaining('nobody reads') });
  expect(await check('/dev/null')).toMatchObject({ status: 'ok' });
  expect(readdirSync(folder).sort()).toEqual(['folder', 'pipe', 'there']);
});

const onLinux = process.platform === 'linux';
test.runIf(onLinux)('standard error: the disk behind a file, a full one, and what is no file', async (context) => {
  const folder = testScope(context).temporaryFolder();
  const looked = async (stderr: number | 'pipe') => {
    const child = spawn('sleep', ['60'], { stdio: ['ignore', 'ignore', stderr] });
    await once(child, 'spawn');
    try {
      return await checkStandardError(child.pid);
    } finally {
      child.kill('SIGKILL');
    }
  };
  const file = openSync(join(folder, 'log'), 'a');
  const full = openSync('/dev/full', 'a');
  try {
    const onDisk = await looked(file);
    expect(onDisk.status).not.toBe('fail');
    expect(onDisk.message).toMatch(/\/log of the running aggregator \(pid \d+\) can be written; .* free there/);
    expect(await looked(full)).toMatchObject({ status: 'ok', message: expect.stringContaining('/dev/full') });
    expect(await looked('pipe')).toMatchObject({ status: 'ok', message: expect.stringMatching(/no file|a socket/) });
    // It was rotated away, and the process has it still.
    rmSync(join(folder, 'log'));
    expect(await looked(file)).toMatchObject({ message: expect.stringContaining('(deleted)') });
  } finally {
    closeSync(file);
    closeSync(full);
  }
  expect((await checkStandardError(undefined)).name).toBe('standard error');
});

test('a limit of descriptors is told in cameras and pushes, and fails where fewer fit than are registered', () => {
  const limits = (soft: string) => `Max open files            ${soft}                 ${soft}                 files`;
  const settings = defaultSettings();
  expect(checkOpenFiles(settings, limits('64'), { cameras: 2, pushes: 4 })).toMatchObject({
    status: 'warn',
    message: expect.stringContaining('room for 16 cameras, viewers and pushes together'),
  });
  expect(checkOpenFiles(settings, limits('64'), { cameras: 10, pushes: 40 })).toMatchObject({
    status: 'fail',
    message: expect.stringContaining('10 cameras and 40 pushes are registered'),
  });
  expect(checkOpenFiles(settings, limits('1048576'), { cameras: 10, pushes: 40 }).status).toBe('ok');
});
