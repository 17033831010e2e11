import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { checkAnswers, checkDisk, checkRules, kindCheck } from '../../src/cli/doctor/disk.js';
import { checkExtraTrust } from '../../src/cli/doctor/files.js';
import { defaultSettings } from '../../src/config/index.js';

/** What the file system says to a second name; undefined: it gives one. */
const fault = vi.hoisted(() => ({ code: undefined as string | undefined }));
vi.mock('node:fs/promises', async (importOriginal) => {
  const real = await importOriginal<typeof import('node:fs/promises')>();
  const link: typeof real.link = async (from, to) => {
    if (fault.code === undefined) return real.link(from, to);
    throw Object.assign(new Error(`${fault.code}: link`), { code: fault.code });
  };
  const open: typeof real.open = async (path, ...rest) => {
    if (String(path).endsWith('state.journal') && fault.code === 'hang') await new Promise(() => {});
    return real.open(path, ...rest);
  };
  return { ...real, link, open };
});
const folders: string[] = [];
afterEach(() => {
  fault.code = undefined;
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'aggregator-doctor-'));
  folders.push(folder);
  return folder;
}

const checkNamed = async (folder: string, name: string) =>
  (await checkDisk(folder)).find((check) => check.name === name);

describe('hard links', () => {
  test.each(['EPERM', 'ENOTSUP', 'EXDEV'])('a file system that says %s is warned of', async (code) => {
    const folder = temporaryFolder();
    fault.code = code;
    expect(await checkNamed(folder, 'hard links')).toMatchObject({
      status: 'warn',
      message: expect.stringContaining(code),
      advice: expect.stringContaining('Two machines must not share'),
    });
  });

  test('a disk that takes nothing is another matter', async () => {
    fault.code = 'ENOSPC';
    expect(await checkNamed(temporaryFolder(), 'hard links')).toMatchObject({
      status: 'ok',
      message: expect.stringContaining('cannot be tried'),
    });
  });
});

describe('owners', () => {
  const odd: [string, string, (path: string) => void][] = [
    ['tokens.json is no file', 'tokens.json', (path) => mkdirSync(path)],
    ['admin-token is a link that leads nowhere', 'admin-token', (path) => symlinkSync('nowhere', path)],
    ['stream-secret cannot be read by its owner', 'stream-secret', unreadable],
    ['manifest.json cannot be read by its owner', 'manifest.json', unreadable],
  ];
  test.each(odd)('%s', async (message, name, put) => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'state.json'), '{}', { mode: 0o600 });
    expect(await checkNamed(folder, 'owners')).toMatchObject({ status: 'ok' });
    put(join(folder, name));
    expect(await checkNamed(folder, 'owners')).toMatchObject({
      status: 'warn',
      message: expect.stringContaining(message),
      advice: expect.stringContaining('chown'),
    });
  });

  test.runIf(process.getuid?.() === 0)('a file of another user', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'state.journal');
    writeFileSync(path, '');
    chownSync(path, 4242, 4242);
    expect(await checkNamed(folder, 'owners')).toMatchObject({
      status: 'warn',
      message: expect.stringContaining('state.journal belongs to uid 4242'),
    });
  });
});

function unreadable(path: string): void {
  writeFileSync(path, '');
  chmodSync(path, 0o000);
}

describe('a disk', () => {
  test('that does not answer is told of in time', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'state.journal'), '');
    expect(await checkAnswers(folder, 5000)).toBeUndefined();
    fault.code = 'hang';
    expect(await checkAnswers(folder, 50)).toMatchObject({
      status: 'fail',
      message: expect.stringContaining('has not answered'),
      advice: expect.stringContaining('START_WAITING'),
    });
  });

  test('that is memory, or another machine, is warned of', () => {
    expect(kindCheck('/run', 0x01021994)).toMatchObject({ status: 'warn', message: expect.stringContaining('tmpfs') });
    // As statfs gives it on machines where the type is signed.
    expect(kindCheck('/mnt', 0xff534d42 | 0).status).toBe('warn');
    expect(kindCheck('/var', 0xef53).status).toBe('ok');
  });
});

test('a state that breaks rules, exceeds limits, or pushes to where it may not is warned of', async () => {
  const folder = temporaryFolder();
  const pushes = { p: { url: 'rtmp://169.254.169.254/live/x' } };
  writeFileSync(join(folder, 'state.json'), JSON.stringify({ version: 1, cameras: { a: { pushes }, b: {} } }));
  const { message, status } = await checkRules(folder, { ...defaultSettings(), maxCameras: 1 });
  expect(status).toBe('warn');
  expect(message).toMatch(/2 cameras \(max-cameras: 1\).*push p of a: /);
  expect((await checkRules(temporaryFolder(), defaultSettings())).status).toBe('ok');
});

test('authorities that Node.js would leave out are warned of', () => {
  expect(checkExtraTrust({}, '/')).toEqual([]);
  const [found] = checkExtraTrust({ NODE_EXTRA_CA_CERTS: 'missing.pem' }, temporaryFolder());
  expect(found).toMatchObject({ name: 'NODE_EXTRA_CA_CERTS', status: 'warn' });
});
