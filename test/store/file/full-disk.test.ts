import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Logger } from '../../../src/log/log.js';
import { type DesiredState, emptyPushes } from '../../../src/model/model.js';
import { openFileStore } from '../../../src/store/file/file-store.js';
import { readFolder } from '../../../src/store/file/recover.js';
import type { StateChange, Store } from '../../../src/store/store.js';
import { changeState } from '../../support/store.js';

/** What the disk says to whoever writes; undefined: it writes. */
const fault = vi.hoisted(() => ({ code: undefined as string | undefined }));
vi.mock('node:fs/promises', async (importOriginal) => {
  const real = await importOriginal<typeof import('node:fs/promises')>();
  const open: typeof real.open = async (path, flags, mode) => {
    if (fault.code !== undefined && String(flags).startsWith('wx')) {
      throw Object.assign(new Error(`${fault.code}: no space, open`), { code: fault.code });
    }
    return real.open(path, flags, mode);
  };
  return { ...real, open };
});

let root: string;
let lines: string[];
const stores: Store[] = [];
const mounts: string[] = [];
const log: Logger = {
  debug: () => {},
  info: (message: string) => void lines.push(message),
  warn: (message: string) => void lines.push(message),
  error: (message: string) => void lines.push(message),
  child: () => log,
} as unknown as Logger;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'aggregator-full-'));
  lines = [];
});
afterEach(async () => {
  fault.code = undefined;
  for (const store of stores.splice(0)) await store.close();
  for (const mount of mounts.splice(0)) execFileSync('umount', ['-l', mount]);
  rmSync(root, { recursive: true, force: true });
});

const at = '2026-01-01T00:00:00.000Z';
const adding = (name: string) => (state: DesiredState) => ({
  ...state,
  cameras: new Map(state.cameras).set(name, { name, createdAt: at, pushes: emptyPushes }),
});
const namesOf = (state: DesiredState) => [...state.cameras.keys()].sort();
const until = (check: () => void | Promise<void>) => vi.waitFor(check, { timeout: 20_000, interval: 20 });

async function openStore(dataDir: string): Promise<Store> {
  const store = await openFileStore({ dataDir, log });
  stores.push(store);
  return store;
}

/** What a killed aggregator leaves: its lock, and changes that are in the journal, in state.json or in both. */
async function killed(to: string, cameras: readonly string[]): Promise<void> {
  const folder = mkdtempSync(join(root, 'before-'));
  const store = await openStore(folder);
  for (const name of cameras) await changeState(store, adding(name));
  cpSync(folder, to, { recursive: true });
  const lock = JSON.parse(readFileSync(join(to, 'state.lock'), 'utf8'));
  const boot = lock.process.slice(0, lock.process.lastIndexOf('/'));
  writeFileSync(join(to, 'state.lock'), `${JSON.stringify({ ...lock, process: `${boot}/1`, token: 'x' })}\n`);
}

describe.each(['ENOSPC', 'EDQUOT', 'EROFS', 'EIO'])('a disk that says %s after a crash', (code) => {
  it('has media go by what was acknowledged, refuses changes, and takes them when it can', async () => {
    const folder = join(root, 'data');
    await killed(folder, ['a', 'b', 'c']);
    fault.code = code;
    const store = await openStore(folder);
    expect(namesOf(store.state)).toEqual(['a', 'b', 'c']);
    const changes: StateChange[] = [];
    store.subscribe((change) => changes.push(change));
    expect(store.problems[0]).toMatchObject({ code: 'STATE_WRITE_FAILED', message: expect.stringContaining(code) });
    await expect(changeState(store, adding('d'))).rejects.toMatchObject({ code: 'STATE_WRITE_FAILED' });
    // What changes nothing is answered, what is wrong is told as ever.
    expect(await changeState(store, (state) => state)).toBe(store.state);
    const wrong = () => {
      throw new Error('wrong');
    };
    await expect(changeState(store, wrong)).rejects.toThrow('wrong');
    expect(namesOf(store.state)).toEqual(['a', 'b', 'c']);
    expect(lines.filter((line) => line.includes('changes are refused'))).toHaveLength(1);

    fault.code = undefined;
    await until(() => expect(store.problems[0]).toBeUndefined());
    expect(namesOf(await changeState(store, adding('d')))).toEqual(['a', 'b', 'c', 'd']);
    expect(changes.map(({ cameras }) => [...cameras])).toEqual([['d']]);
    expect(namesOf((await readFolder(folder)).state)).toEqual(['a', 'b', 'c', 'd']);
  }, 30_000);
});

it('takes over an edit that was made while the disk was full', async () => {
  const folder = join(root, 'data');
  await killed(folder, ['a']);
  fault.code = 'ENOSPC';
  const store = await openStore(folder);
  const changes: StateChange[] = [];
  store.subscribe((change) => changes.push(change));
  writeFileSync(join(folder, 'state.json'), '{"version":1,"cameras":{"a":{},"hand":{}}}');
  fault.code = undefined;
  await until(() => expect(namesOf(store.state)).toEqual(['a', 'hand']));
  expect(changes.flatMap(({ cameras }) => [...cameras])).toContain('hand');
}, 30_000);

it('a folder that another aggregator holds is refused on a full disk too', async () => {
  const folder = join(root, 'data');
  const first = await openStore(folder);
  await changeState(first, adding('a'));
  fault.code = 'ENOSPC';
  await expect(openFileStore({ dataDir: folder, log })).rejects.toMatchObject({ code: 'STATE_LOCKED' });
});

it('a disk that becomes full is a problem from the first change on that fails until there is room', async () => {
  const folder = join(root, 'data');
  const store = await openStore(folder);
  await changeState(store, adding('a'));
  rmSync(join(folder, 'state.journal')); // so that the next change has to make a file
  fault.code = 'ENOSPC';
  await expect(changeState(store, adding('b'))).rejects.toMatchObject({ code: 'STATE_WRITE_FAILED' });
  await expect(changeState(store, adding('b'))).rejects.toMatchObject({ code: 'STATE_WRITE_FAILED' });
  expect(store.problems[0]).toMatchObject({ code: 'STATE_WRITE_FAILED' });
  fault.code = undefined;
  // Nobody has to try: it is looked after.
  await until(() => expect(store.problems[0]).toBeUndefined());
  expect(namesOf(await changeState(store, adding('b')))).toEqual(['a', 'b']);
}, 30_000);

/** A real file system without room; undefined where this user may not mount one. */
function smallDisk(): string | undefined {
  const folder = join(root, 'disk');
  mkdirSync(folder);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=96k,nr_inodes=40', 'tmpfs', folder], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  mounts.push(folder);
  return folder;
}

/** Takes all blocks, and the inodes as well or all but some. */
function fill(folder: string, sparedInodes: number): void {
  const { bavail, bsize } = statfsSync(folder);
  try {
    writeFileSync(join(folder, 'filler'), Buffer.alloc(bavail * bsize));
  } catch {
    // What it took, it has.
  }
  for (let index = 0; statfsSync(folder).ffree > sparedInodes; index++)
    writeFileSync(join(folder, `inode-${index}`), '');
}

it('a real disk without blocks, or without inodes, lets every start happen', async (context) => {
  const disk = smallDisk();
  if (disk === undefined) {
    context.skip('only root may mount a small file system here; the faults above are injected');
    return;
  }
  for (let round = 0; round < 12; round++) {
    const folder = join(disk, 'data');
    const cameras = Array.from({ length: 1 + (round % 4) }, (_, index) => `c${index}`);
    await killed(folder, cameras);
    fill(disk, round % 3);
    const store = await openStore(folder);
    expect(namesOf(store.state), `round ${round}`).toEqual(cameras);
    const outcome = await changeState(store, adding('late')).then(
      () => 'taken',
      (error: { code: string }) => error.code,
    );
    expect(['taken', 'STATE_WRITE_FAILED'], `round ${round}`).toContain(outcome);
    const expected = outcome === 'taken' ? [...cameras, 'late'] : cameras;
    expect(namesOf(store.state)).toEqual(expected);
    for (const name of readdirSync(disk).filter((each) => each !== 'data')) rmSync(join(disk, name));
    await until(async () => expect(namesOf(await changeState(store, adding('late')))).toEqual([...cameras, 'late']));
    await until(() => expect(store.problems[0]).toBeUndefined());
    await store.close();
    expect(namesOf((await readFolder(folder)).state)).toEqual([...cameras, 'late']);
    rmSync(folder, { recursive: true });
  }
}, 120_000);
