import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FolderLock } from '../../src/files/lock.js';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aggregator-lock-'));
  path = join(folder, 'state.lock');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const holder = async () => JSON.parse(await readFile(path, 'utf8'));

describe('the lock of a data folder', () => {
  it('is refused to a second store, naming the pid, until it is released', async () => {
    const lock = await FolderLock.acquire(folder);
    await expect(FolderLock.acquire(folder)).rejects.toMatchObject({
      code: 'STATE_LOCKED',
      message: expect.stringContaining(`pid ${process.pid}`),
    });
    expect(await lock.beat()).toBe(true);
    await lock.release();
    await (await FolderLock.acquire(folder)).release();
  });

  it('of a process that is gone is taken over at once', async () => {
    const child = spawn('sleep', ['60']);
    await (await FolderLock.acquire(folder)).release();
    await FolderLock.acquire(folder);
    const own = await holder();
    await writeFile(path, JSON.stringify({ ...own, pid: child.pid, token: 'dead' }));
    child.kill('SIGKILL');
    await once(child, 'exit');
    const lock = await FolderLock.acquire(folder);
    expect((await holder()).pid).toBe(process.pid);
    await lock.release();
  });

  it('of a process whose pid another one has now is taken over', async () => {
    await FolderLock.acquire(folder);
    const own = await holder();
    const identity = String(own.process);
    await writeFile(
      path,
      JSON.stringify({ ...own, process: `${identity.slice(0, identity.lastIndexOf('/'))}/1`, token: 'old' }),
    );
    await (await FolderLock.acquire(folder)).release();
  });

  it('from another container counts while it shows signs of life, and is taken over when it does not', async () => {
    const foreign = { pid: 1, process: 'boot/pid:[1]/5', host: `not-${hostname()}`, token: 'foreign' };
    await writeFile(path, JSON.stringify(foreign));
    const beat = setInterval(() => void utimes(path, new Date(), new Date()), 300);
    await expect(FolderLock.acquire(folder)).rejects.toMatchObject({ code: 'STATE_LOCKED' });
    clearInterval(beat);
    const lock = await FolderLock.acquire(folder);
    await lock.release();
  }, 15_000);

  it('that is empty or garbage is taken over', async () => {
    await writeFile(path, '');
    await (await FolderLock.acquire(folder)).release();
  });

  it('goes to one only of many that find a dead one', async () => {
    await writeFile(path, JSON.stringify({ pid: 2 ** 22 + 1, process: '', host: hostname(), token: 'dead' }));
    const own = await FolderLock.acquire(await mkdtemp(join(folder, 'x-')));
    await own.release();
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => FolderLock.acquire(folder)));
    expect(results.filter((result) => result.status === 'fulfilled').length).toBeLessThanOrEqual(1);
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'STATE_LOCKED' });
    }
  }, 15_000);

  it.each([
    ['deleted', () => rm(path)],
    ['emptied', () => writeFile(path, '')],
  ])('that somebody %s is no lost one: it is placed again', async (_, damage) => {
    const lock = await FolderLock.acquire(folder);
    const own = await holder();
    await damage();
    expect(await lock.beat()).toBe(true);
    expect(await holder()).toEqual(own);
    await expect(FolderLock.acquire(folder)).rejects.toMatchObject({ code: 'STATE_LOCKED' });
    await lock.release();
    expect(await readdir(folder)).toEqual([]);
  });

  it('is not placed again by a beat that release overtakes', async () => {
    const lock = await FolderLock.acquire(folder);
    await rm(path);
    await Promise.all([lock.beat(), lock.release()]);
    await lock.beat();
    expect(await readdir(folder)).toEqual([]);
  });

  it('that was taken away is noticed by its holder', async () => {
    const lock = await FolderLock.acquire(folder);
    await writeFile(path, JSON.stringify({ ...(await holder()), token: 'other' }));
    expect(await lock.beat()).toBe(false);
    await lock.release();
    expect((await holder()).token).toBe('other');
  });
});
