import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ConfigError, messageOf } from '../errors.js';
import { markOf as fileMarkOf, readRegular } from '../files/read.js';
import { createFile, prepareWrite, removeLeftovers, syncFolder, writeWhole } from '../files/write.js';

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
    const file = await readRegular(path, maxBytes);
    if (file === undefined) return undefined;
    const text = new TextDecoder('utf-8', { fatal: true }).decode(file.bytes);
    return { text, mark: await markOf(path), isOpen: (file.mode & 0o077) !== 0 };
  } catch (error) {
    throw new ConfigError('ACCESS_UNREADABLE', `${path} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

/** What tells a version of the file from another without reading it; empty when there is none. */
export async function markOf(path: string): Promise<string> {
  try {
    const mark = await fileMarkOf(path);
    return mark === undefined ? '' : `${mark.inode} ${mark.bytes} ${mark.modifiedNs}`;
  } catch {
    return '';
  }
}

/** Puts the text in place of the file, mode 0600 where it is new; on disk when this resolves. @throws what the system throws */
export async function writePrivate(path: string, text: string): Promise<void> {
  await writeWhole(path, text, { maxBytes });
}

/**
 * Makes the file, mode 0600, unless there is one; never half of it.
 * @returns whether it was made
 * @throws ConfigError ACCESS_UNREADABLE
 */
export async function createPrivate(path: string, text: string): Promise<boolean> {
  try {
    // The folder of a file that is there need not be writable: a secret that an orchestrator mounted.
    if ((await fileMarkOf(path)) !== undefined) return false;
    await mkdir(dirname(path), { recursive: true });
    await removeLeftovers(path);
    // Unlike replacing, making does not take the place of a file that another process made in between.
    const content = await prepareWrite(path, text);
    if (!(await createFile(content))) return false;
    await syncFolder(dirname(path));
    return true;
  } catch (error) {
    throw new ConfigError('ACCESS_UNREADABLE', `${path} cannot be made: ${messageOf(error)}`, { cause: error });
  }
}

/**
 * A random key of 256 bits that is kept in a file, and made at the first start.
 * @param onMade called when it was made now
 * @throws ConfigError ACCESS_UNREADABLE
 */
export async function keptKey(path: string, onMade: () => void = () => {}): Promise<Buffer> {
  if (await createPrivate(path, `${randomBytes(32).toString('hex')}\n`)) onMade();
  const text = (await readPrivate(path))?.text.trim() ?? '';
  if (/^[0-9a-f]{64}$/.test(text)) return Buffer.from(text, 'hex');
  const message = `${path} holds no key: it must be 64 hex digits; remove it, and it is made anew`;
  throw new ConfigError('ACCESS_UNREADABLE', message);
}
