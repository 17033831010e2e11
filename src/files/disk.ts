import { createHash } from 'node:crypto';
import { link, open, readdir, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { StateError } from '../errors.js';
import { isErrno } from './lock.js';

/** What tells one version of a file from another without reading it: any writer changes one of these. */
export interface FileMark {
  readonly inode: bigint;
  readonly bytes: bigint;
  readonly modifiedNs: bigint;
}

export interface FileVersion {
  /** What is in the file; empty where it cannot be read as text. */
  readonly text: string;
  /** Why its content cannot be read as text at all; undefined when it can. */
  readonly broken?: StateError;
  /** Equal for equal contents: SHA-256 of the bytes, hexadecimal. */
  readonly digest: string;
  readonly mark: FileMark;
  /** ISO 8601, UTC. */
  readonly modifiedAt: string;
}

/** 10,000 cameras with a hundred pushes each stay well below; anything larger was not written by this program. */
export const maxStateFileBytes = 256 * 1024 * 1024;

export const temporarySuffix = '.tmp-';
const rejectedSuffix = '.rejected-';

/** The mark of the file; undefined when there is none. */
export async function markOf(path: string): Promise<FileMark | undefined> {
  try {
    const { ino, size, mtimeNs } = await stat(path, { bigint: true });
    return { inode: ino, bytes: size, modifiedNs: mtimeNs };
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

export function isSameMark(left: FileMark | undefined, right: FileMark | undefined): boolean {
  return left?.inode === right?.inode && left?.bytes === right?.bytes && left?.modifiedNs === right?.modifiedNs;
}

/**
 * Reads the file; undefined when there is none. One that is too large or not UTF-8 comes as `broken`.
 * @throws what the system throws
 */
export async function readVersion(path: string, maxBytes = maxStateFileBytes): Promise<FileVersion | undefined> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
  try {
    const { ino, size, mtimeNs, mtime } = await file.stat({ bigint: true });
    const content =
      size > maxBytes
        ? {
            ...broken(`the file has ${size} bytes, and ${maxBytes} are allowed`),
            digest: digestOf(`${size} ${mtimeNs}`),
          }
        : decode(await file.readFile());
    return {
      ...content,
      mark: { inode: ino, bytes: size, modifiedNs: mtimeNs },
      modifiedAt: mtime.toISOString(),
    };
  } finally {
    await file.close();
  }
}

/** The bytes themselves are judged, since a text may well hold the character that stands for bytes that are wrong. */
function decode(bytes: Buffer): Pick<FileVersion, 'text' | 'broken' | 'digest'> {
  const digest = digestOf(bytes);
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes), digest };
  } catch {
    return { ...broken('the file holds bytes that are not UTF-8'), digest };
  }
}

function digestOf(content: Buffer | string): string {
  return createHash('sha256').update(content).digest('hex');
}

function broken(message: string): Pick<FileVersion, 'text' | 'broken'> {
  return { text: '', broken: new StateError('STATE_INVALID', message) };
}

/** A new content that is on disk under a temporary name. */
export interface Prepared {
  readonly temporaryPath: string;
  readonly mark: FileMark;
  /** As that of `FileVersion`. */
  readonly digest: string;
  readonly bytes: number;
}

let prepared = 0;

/**
 * Writes the content beside the file and waits until the disk has it. Mode 0600: it may hold stream keys.
 * @throws Error when it is larger than `readVersion` would read again, and what the system throws
 */
export async function prepareWrite(
  path: string,
  content: string | AsyncIterable<Buffer>,
  maxBytes = maxStateFileBytes,
): Promise<Prepared> {
  prepared += 1;
  const temporaryPath = `${path}${temporarySuffix}${process.pid}-${prepared}`;
  const digest = createHash('sha256');
  let bytes = 0;
  const file = await open(temporaryPath, 'wx', 0o600);
  try {
    for await (const block of typeof content === 'string' ? [Buffer.from(content)] : content) {
      bytes += block.length;
      if (bytes > maxBytes) throw tooLarge(bytes, maxBytes);
      digest.update(block);
      for (let at = 0; at < block.length; ) at += (await file.write(block, at)).bytesWritten;
      // Little by little: whoever waits for another file's fsync would wait for all that is unwritten here as well.
      await file.datasync();
    }
    await file.sync();
    const { ino, size, mtimeNs } = await file.stat({ bigint: true });
    await file.close();
    return {
      temporaryPath,
      mark: { inode: ino, bytes: size, modifiedNs: mtimeNs },
      digest: digest.digest('hex'),
      bytes,
    };
  } catch (error) {
    await file.close().catch(() => undefined);
    await unlink(temporaryPath).catch(() => undefined);
    throw error;
  }
}

export function tooLarge(bytes: number, maxBytes: number): Error {
  return new Error(`the state would have ${bytes} bytes, and ${maxBytes} are allowed; remove what is not needed`);
}

/** Puts prepared content in place of the file. The folder is to be synced afterwards. */
export async function replaceFile(path: string, content: Prepared): Promise<void> {
  await rename(content.temporaryPath, path);
}

/** Puts prepared content in place only when there is no file by now; false when there is one. */
export async function createFile(path: string, content: Prepared): Promise<boolean> {
  try {
    await link(content.temporaryPath, path);
    return true;
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false;
    throw error;
  } finally {
    await discard(content);
  }
}

export async function discard(content: Prepared): Promise<void> {
  await unlink(content.temporaryPath).catch(() => undefined);
}

/** Waits until the disk has the names in the folder. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Gives the file a second name, `...rejected-N`, that no later write takes away. The same file keeps both, so that an
 * editor that is still writing writes there too.
 */
export async function keepAside(path: string): Promise<string> {
  const prefix = `${basename(path)}${rejectedSuffix}`;
  const numbers = (await readdir(dirname(path)))
    .filter((name) => name.startsWith(prefix))
    .map((name) => Number(name.slice(prefix.length)))
    .filter(Number.isSafeInteger);
  const aside = `${path}${rejectedSuffix}${Math.max(0, ...numbers) + 1}`;
  await link(path, aside);
  return aside;
}

/** Removes what killed processes left half written. Only for the holder of the lock. */
export async function removeLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (/^state\.(?:json\.tmp|journal\.tmp|lock)-/.test(name)) await unlink(join(folder, name)).catch(() => undefined);
  }
}
