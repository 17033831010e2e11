import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FolderLock } from '../../src/files/lock.js';

/** What `link` of the system says: exFAT and vfat EPERM, many network mounts EOPNOTSUPP, old kernels ENOSYS. */
const fault = vi.hoisted(() => ({ link: 'EPERM' }));
vi.mock('node:fs/promises', async (importOriginal) => {
  const real = await importOriginal<typeof import('node:fs/promises')>();
  const link: typeof real.link = async () => {
    throw Object.assign(new Error(`${fault.link}: link`), { code: fault.link });
  };
  return { ...real, link };
});

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'aggregator-no-links-'));
  path = join(folder, 'state.lock');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));
const holder = () => JSON.parse(readFileSync(path, 'utf8'));

describe.each(['EPERM', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'])('a folder where link says %s', (code) => {
  beforeEach(() => {
    fault.link = code;
  });

  it('is held by one, until it lets go', async () => {
    const lock = await FolderLock.acquire(folder);
    await expect(FolderLock.acquire(folder)).rejects.toMatchObject({
      code: 'STATE_LOCKED',
      message: expect.stringContaining(`pid ${process.pid}`),
    });
    expect(await lock.beat()).toBe(true);
    rmSync(path);
    expect(await lock.beat()).toBe(true);
    await expect(FolderLock.acquire(folder)).rejects.toMatchObject({ code: 'STATE_LOCKED' });
    await lock.release();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('is taken over from a dead process by one only', async () => {
    const own = await FolderLock.acquire(folder);
    const identity: string = holder().process;
    await own.release();
    const dead = { pid: process.pid, process: `${identity.slice(0, identity.lastIndexOf('/'))}/1`, host: hostname() };
    for (let round = 0; round < 25; round++) {
      writeFileSync(path, JSON.stringify({ ...dead, token: 'dead' }));
      const results = await Promise.allSettled(Array.from({ length: 6 }, () => FolderLock.acquire(folder)));
      const locks = results.filter((result) => result.status === 'fulfilled').map(({ value }) => value);
      expect(locks.length).toBeLessThanOrEqual(1);
      for (const result of results) {
        if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'STATE_LOCKED' });
      }
      await locks[0]?.release();
      rmSync(path, { force: true });
    }
  }, 30_000);
});

it('a takeover that was killed half-way is waited for, and then counts as none', async () => {
  const own = await FolderLock.acquire(folder);
  const identity: string = holder().process;
  await own.release();
  const dead = { pid: process.pid, process: `${identity.slice(0, identity.lastIndexOf('/'))}/1`, host: hostname() };
  writeFileSync(path, JSON.stringify({ ...dead, token: 'dead' }));
  mkdirSync(`${path}-turn`);
  const results = await Promise.allSettled([FolderLock.acquire(folder), FolderLock.acquire(folder)]);
  const locks = results.filter((result) => result.status === 'fulfilled').map(({ value }) => value);
  expect(locks).toHaveLength(1);
  await locks[0]?.release();
  expect(readdirSync(folder)).toEqual([]);
});

it('a lock that is being written is waited for, and one that was torn long ago is not', async () => {
  const own = await FolderLock.acquire(folder);
  const text = readFileSync(path, 'utf8');
  writeFileSync(path, text.slice(0, 20));
  const second = FolderLock.acquire(folder).then(
    () => 'taken',
    (error: { code: string }) => error.code,
  );
  await sleep(300);
  writeFileSync(path, text);
  expect(await second).toBe('STATE_LOCKED');
  await own.release();
  writeFileSync(path, text.slice(0, 20));
  utimesSync(path, new Date(0), new Date(0));
  const startedAtMs = performance.now();
  await (await FolderLock.acquire(folder)).release();
  expect(performance.now() - startedAtMs).toBeLessThan(2500);
});
