import { randomBytes } from 'node:crypto';
import { link, mkdir, open, readdir, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ConfigError, messageOf } from '../errors.js';
import { discard, prepareWrite, readVersion, replaceFile, syncFolder } from '../files/disk.js';

/** Files of secrets are small; anything larger was not written by this program. */
const maxBytes = 1 << 20;

export interface PrivateFile {
  readonly text: string;
  /** Tells this version of the file from another. */
  readonly mark: string;
  /** True when others than its owner may read it. */
  readonly isOpen: boolean;
}

/** The file; undefined when there is none. @throws ConfigError ACCESS_UNREADABLE */
export async function readPrivate(path: string): Promise<PrivateFile | undefined> {
  try {
    const version = await readVersion(path, maxBytes);
    if (version === undefined) return undefined;
    if (version.broken !== undefined) throw version.broken;
    const { mode } = await stat(path);
    return { text: version.text, mark: await markOf(path), isOpen: (mode & 0o077) !== 0 };
  } catch (error) {
    throw new ConfigError('ACCESS_UNREADABLE', `${path} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

/** What tells a version of the file from another without reading it; empty when there is none. */
export async function markOf(path: string): Promise<string> {
  try {
    const { ino, size, mtimeNs } = await stat(path, { bigint: true });
    return `${ino} ${size} ${mtimeNs}`;
  } catch {
    return '';
  }
}

/** Puts the text in place of the file, mode 0600; it is on disk when this resolves. @throws what the system throws */
export async function writePrivate(path: string, text: string): Promise<void> {
  const content = await prepareWrite(path, text, maxBytes);
  try {
    await replaceFile(path, content);
  } catch (error) {
    await discard(content);
    throw error;
  }
  await syncFolder(dirname(path));
}

/**
 * Makes the file, mode 0600, unless there is one; never half of it.
 * @returns whether it was made
 * @throws ConfigError ACCESS_UNREADABLE
 */
export async function createPrivate(path: string, text: string): Promise<boolean> {
  // The folder of a file that is there need not be writable: a secret that an orchestrator mounted.
  if ((await markOf(path)) !== '') return false;
  const temporary = `${path}.tmp-${process.pid}-${randomBytes(4).toString('hex')}`;
  try {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    // Unlike rename, link does not take the place of a file that another process made in between.
    await link(temporary, path);
    await syncFolder(dirname(path));
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw new ConfigError('ACCESS_UNREADABLE', `${path} cannot be made: ${messageOf(error)}`, { cause: error });
  } finally {
    await unlink(temporary).catch(() => undefined);
  }
}

/**
 * A random key of 256 bits that is kept in a file, and made at the first start.
 * @throws ConfigError ACCESS_UNREADABLE
 */
export async function keptKey(path: string): Promise<Buffer> {
  await createPrivate(path, `${randomBytes(32).toString('hex')}\n`);
  const text = (await readPrivate(path))?.text.trim() ?? '';
  if (/^[0-9a-f]{64}$/.test(text)) return Buffer.from(text, 'hex');
  const message = `${path} holds no key: it must be 64 hex digits; remove it, and it is made anew`;
  throw new ConfigError('ACCESS_UNREADABLE', message);
}

/** Removes what killed processes left half written of this file. */
export async function removeLeftovers(path: string): Promise<void> {
  const prefix = `${basename(path)}.tmp-`;
  const names = await readdir(dirname(path)).catch(() => []);
  for (const name of names) {
    if (name.startsWith(prefix)) await unlink(join(dirname(path), name)).catch(() => undefined);
  }
}
