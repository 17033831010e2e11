import { createHash, randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ConfigError, messageOf } from '../errors.js';
import { markOf as fileMarkOf, readRegular } from '../files/read.js';
import { answered } from '../files/silent-disk.js';
import { createFile, prepareWrite, removeLeftovers, syncFolder, writeWhole } from '../files/write.js';
import type { Logger } from '../log/log.js';
import { damagedFile, type FileNote, type Manifest } from './manifest.js';

/** Files of secrets are small; anything larger was not written by this program. */
const maxBytes = 1 << 20;

export interface PrivateFile {
  readonly text: string;
  /** Tells this version of the file from another. */
  readonly mark: string;
  /** True when others than its owner may read it. */
  readonly isOpen: boolean;
  readonly note: FileNote;
}

/** The file; undefined when there is none. @throws ConfigError ACCESS_UNREADABLE */
export async function readPrivate(path: string): Promise<PrivateFile | undefined> {
  try {
    const file = await answered(readRegular(path, maxBytes), path);
    if (file === undefined) return undefined;
    const text = new TextDecoder('utf-8', { fatal: true }).decode(file.bytes);
    const note = {
      sha256: createHash('sha256').update(file.bytes).digest('hex'),
      bytes: Number(file.mark.bytes),
      modified: String(file.mark.modifiedNs),
    };
    return { text, mark: await markOf(path), isOpen: (file.mode & 0o077) !== 0, note };
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

/** Puts the text in place of the file, mode 0600 where it is new; on disk when this resolves. @throws SilentDisk; what the system throws */
export async function writePrivate(path: string, text: string, limitMs?: number): Promise<void> {
  await answered(writeWhole(path, text, { maxBytes }), path, limitMs);
}

/**
 * Makes the file, mode 0600, unless there is one; never half of it.
 * @returns whether it was made
 * @throws ConfigError ACCESS_UNREADABLE
 */
export async function createPrivate(path: string, text: string): Promise<boolean> {
  try {
    return await answered(createWhole(path, text), path);
  } catch (error) {
    throw new ConfigError('ACCESS_UNREADABLE', `${path} cannot be made: ${messageOf(error)}`, { cause: error });
  }
}

async function createWhole(path: string, text: string): Promise<boolean> {
  // The folder of a file that is there need not be writable: a secret that an orchestrator mounted.
  if ((await fileMarkOf(path)) !== undefined) return false;
  await mkdir(dirname(path), { recursive: true });
  await removeLeftovers(path);
  // Unlike replacing, making does not take the place of a file that another process made in between.
  const content = await prepareWrite(path, text);
  if (!(await createFile(content))) return false;
  await syncFolder(dirname(path));
  return true;
}

export interface KeptKeyOptions {
  readonly log: Logger;
  /** Knows whether there was a key before, and which. */
  readonly manifest?: Manifest;
  /** What another key brings about. Undefined: nothing that matters, so that a missing one is made anew. */
  readonly otherKey?: string;
  /** What says that there was a key, where the manifest may be lost as well. Undefined: nothing does. */
  readonly evidence?: string | undefined;
}

/**
 * A random key of 256 bits that is kept in a file, and made at the first start.
 * @throws ConfigError ACCESS_UNREADABLE, also for one that is missing or damaged although it matters
 */
export async function keptKey(path: string, { log, manifest, otherKey, evidence }: KeptKeyOptions): Promise<Buffer> {
  const before = await readPrivate(path);
  const anew = `or put another one there on purpose ("openssl rand -hex 32 > ${path}")`;
  const isNoted = manifest?.judge(path, before?.note) === 'missing';
  const isLost = isNoted || (before === undefined && evidence !== undefined);
  if (isLost && otherKey !== undefined) {
    const why = isNoted ? '' : ` (${evidence})`;
    const message = `${path} is missing, and there was one${why}: with another key ${otherKey}. Bring it back from a backup, ${anew}`;
    throw new ConfigError('ACCESS_UNREADABLE', message);
  }
  if ((await createPrivate(path, `${randomBytes(32).toString('hex')}\n`)) && isLost)
    log.warn('a key was missing; a new one was created', { file: path });
  const file = before ?? (await readPrivate(path));
  const text = file?.text.trim() ?? '';
  if (file === undefined || !/^[0-9a-f]{64}$/.test(text)) {
    const message = `${path} holds no key: it must be 64 hex digits; bring back the one that was there, ${anew}`;
    throw new ConfigError('ACCESS_UNREADABLE', message);
  }
  if (manifest?.judge(path, file.note) === 'damaged') {
    const message = damagedFile(path);
    if (otherKey !== undefined) throw new ConfigError('ACCESS_UNREADABLE', `${message}; with another key ${otherKey}`);
    log.warn(message, { file: path });
  }
  await manifest?.note(path, file.note);
  return Buffer.from(text, 'hex');
}
