import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openRegular, readRegular, readRegularSync } from '../../src/files/read.js';
import { createFile, keepAside, keepCopy, prepareWrite, removeLeftovers, writeWhole } from '../../src/files/write.js';

/** What `link` of the system says here; undefined: it works. */
const fault = vi.hoisted(() => ({ link: undefined as string | undefined }));
vi.mock('node:fs/promises', async (importOriginal) => {
  const real = await importOriginal<typeof import('node:fs/promises')>();
  const link: typeof real.link = async (...names) => {
    if (fault.link === undefined) return real.link(...names);
    throw Object.assign(new Error(`${fault.link}: link`), { code: fault.link });
  };
  return { ...real, link };
});

const isRoot = process.getuid?.() === 0;
let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'aggregator-files-'));
  path = join(folder, 'file');
});
afterEach(() => {
  fault.link = undefined;
  rmSync(folder, { recursive: true, force: true });
});
/** Does something with the rights of another user. */
async function asUser<T>(id: number, work: () => Promise<T>): Promise<T> {
  process.setegid?.(id);
  process.seteuid?.(id);
  try {
    return await work();
  } finally {
    process.seteuid?.(0);
    process.setegid?.(0);
  }
}

const text = () => readFileSync(path, 'utf8');

describe('a file that is written anew', () => {
  it('is for its owner only when it is new, and keeps its mode else', async () => {
    await writeWhole(path, 'one');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    for (const mode of [0o640, 0o644, 0o604, 0o660]) {
      chmodSync(path, mode);
      await writeWhole(path, 'two');
      expect(statSync(path).mode & 0o777).toBe(mode);
    }
    // What could not be read again would keep the next start from happening.
    chmodSync(path, 0o000);
    await writeWhole(path, 'three');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['file']);
  });

  it.runIf(isRoot)('keeps its owner; what root makes in the folder of another is his', async () => {
    writeFileSync(path, 'one');
    chownSync(path, 12_345, 23_456);
    await writeWhole(path, 'two');
    expect(statSync(path)).toMatchObject({ uid: 12_345, gid: 23_456 });
    chownSync(folder, 34_567, 34_568);
    await writeWhole(join(folder, 'new'), 'x');
    expect(statSync(join(folder, 'new'))).toMatchObject({ uid: 34_567, gid: 34_568 });
    await writeWhole(join(folder, 'backup'), 'x', { adopts: false });
    expect(statSync(join(folder, 'backup')).uid).toBe(0);
  });

  it.runIf(isRoot)('of another user is written by who may, and its group gets nothing new', async () => {
    chmodSync(folder, 0o777);
    writeFileSync(path, 'one');
    chmodSync(path, 0o640);
    chownSync(path, 12_345, 23_456);
    await asUser(40_000, () => writeWhole(path, 'two'));
    expect(statSync(path)).toMatchObject({ uid: 40_000, gid: 40_000 });
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('behind a link is written where the link leads, by links to links too', async () => {
    const elsewhere = join(folder, 'elsewhere');
    mkdirSync(elsewhere);
    writeFileSync(join(elsewhere, 'real'), 'one', { mode: 0o640 });
    symlinkSync('elsewhere/real', join(folder, 'middle'));
    symlinkSync('middle', path);
    await writeWhole(path, 'two');
    expect(readFileSync(join(elsewhere, 'real'), 'utf8')).toBe('two');
    expect(readlinkSync(path)).toBe('middle');
    expect(statSync(path).mode & 0o777).toBe(0o640);
    expect(readdirSync(elsewhere)).toEqual(['real']);
    // What is kept aside is the file, not the link.
    const aside = await keepAside(path, 'rejected');
    expect(lstatSync(aside).isFile()).toBe(true);
  });

  it('leaves what is no file, and links to nowhere, alone', async () => {
    symlinkSync('nowhere', path);
    await expect(writeWhole(path, 'x')).rejects.toThrow('is a link to nowhere, which is not there');
    rmSync(path);
    mkdirSync(path);
    await expect(writeWhole(path, 'x')).rejects.toThrow('is a directory, not a file');
    rmSync(path, { recursive: true });
    execFileSync('mkfifo', [path]);
    await expect(writeWhole(path, 'x')).rejects.toThrow('is a FIFO, not a file');
    expect(readdirSync(folder)).toEqual(['file']);
  });

  it('that is too large is not there, and nothing of it stays', async () => {
    await expect(writeWhole(path, 'x'.repeat(11), { maxBytes: 10 })).rejects.toThrow('11 bytes, and 10 are allowed');
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe.each([undefined, 'EPERM', 'ENOTSUP', 'EMLINK', 'ENOSYS', 'EXDEV'])('where link says %s', (code) => {
  beforeEach(() => {
    fault.link = code;
  });

  it('a file is made once', async () => {
    expect(await createFile(await prepareWrite(path, 'one'))).toBe(true);
    expect(await createFile(await prepareWrite(path, 'two'))).toBe(false);
    expect(text()).toBe('one');
    expect(readdirSync(folder)).toEqual(['file']);
  });

  it('what is kept aside has its content, owner and mode', async () => {
    writeFileSync(path, 'one', { mode: 0o640 });
    if (isRoot) chownSync(path, 12_345, 23_456);
    const asides = [await keepAside(path, 'kept'), await keepAside(path, 'kept'), await keepCopy(path, 'copy')];
    expect(asides.map((each) => each.slice(folder.length + 1))).toEqual(['file.kept-1', 'file.kept-2', 'file.copy-1']);
    await writeWhole(path, 'two');
    for (const aside of asides) {
      expect(readFileSync(aside, 'utf8')).toBe('one');
      expect(statSync(aside).mode & 0o777).toBe(0o640);
      if (isRoot) expect(statSync(aside)).toMatchObject({ uid: 12_345, gid: 23_456 });
    }
  });
});

describe('reading', () => {
  it('never waits for a writer, nor reads without end', async () => {
    execFileSync('mkfifo', [path]);
    symlinkSync('/dev/zero', join(folder, 'zero'));
    symlinkSync('loop', join(folder, 'loop'));
    for (const [name, why] of [
      ['file', 'is a FIFO'],
      ['zero', 'is a device'],
      ['loop', 'ELOOP'],
      ['.', 'is a directory'],
    ] as const) {
      await expect(readRegular(join(folder, name), 100)).rejects.toThrow(why);
      await expect(openRegular(join(folder, name))).rejects.toThrow(why);
      expect(() => readRegularSync(join(folder, name), 100)).toThrow(why);
    }
    expect(await readRegular(join(folder, 'missing'), 100)).toBeUndefined();
    writeFileSync(join(folder, 'large'), 'x'.repeat(101));
    await expect(readRegular(join(folder, 'large'), 100)).rejects.toThrow('101 bytes, and 100 are allowed');
  });
});

it('what killed processes left half written is removed, also where a link leads', async () => {
  mkdirSync(join(folder, 'elsewhere'));
  writeFileSync(join(folder, 'elsewhere', 'real'), 'x');
  symlinkSync('elsewhere/real', path);
  for (const name of ['file.tmp-1-abc', 'elsewhere/real.tmp-2-def', 'elsewhere/other.tmp-2-def']) {
    writeFileSync(join(folder, name), '');
  }
  await removeLeftovers(path);
  expect(readdirSync(folder).sort()).toEqual(['elsewhere', 'file']);
  expect(readdirSync(join(folder, 'elsewhere')).sort()).toEqual(['other.tmp-2-def', 'real']);
});
