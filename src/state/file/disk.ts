import { link, open, readdir, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { StateError } from '../../errors.js';
import { isErrno } from './lock.js';

/** What tells one version of a file from another without reading it: any writer changes one of these. */
export interface FileMark {
  readonly inode: bigint;
  readonly bytes: bigint;
  readonly modifiedNs: bigint;
}

export interface FileVersion {
  /** What is in the file. Where it cannot be read, something that only tells it from other versions. */
  readonly text: string;
  /** Why its content cannot be read as text at all; undefined when it can. */
  readonly broken?: StateError;
  readonly mark: FileMark;
  /** ISO 8601, UTC. */
  readonly modifiedAt: string;
}

/** 10,000 cameras with a hundred pushes each stay well below; anything larger was not written by this program. */
export const maxStateFileBytes = 256 * 1024 * 1024;

const temporarySuffix = '.tmp-';
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
        ? broken(`${size} ${mtimeNs}`, `the file has ${size} bytes, and ${maxBytes} are allowed`)
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
function decode(bytes: Buffer): Pick<FileVersion, 'text' | 'broken'> {
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch {
    return broken(bytes.toString('latin1'), 'the file holds bytes that are not UTF-8');
  }
}

/** No valid file begins with NUL, so that none is taken for this one. */
function broken(identity: string, message: string): Pick<FileVersion, 'text' | 'broken'> {
  return { text: `\0${identity}`, broken: new StateError('STATE_INVALID', message) };
}

/** A new content that is on disk under a temporary name. */
export interface Prepared {
  readonly temporaryPath: string;
  readonly mark: FileMark;
}

let prepared = 0;

/**
 * Writes the content beside the file and waits until the disk has it. Mode 0600: it may hold stream keys.
 * @throws Error when it is larger than `readVersion` would read again, and what the system throws
 */
export async function prepareWrite(path: string, text: string, maxBytes = maxStateFileBytes): Promise<Prepared> {
  const bytes = Buffer.from(text);
  if (bytes.length > maxBytes) {
    throw new Error(
      `the state would have ${bytes.length} bytes, and ${maxBytes} are allowed; remove what is not needed`,
    );
  }
  prepared += 1;
  const temporaryPath = `${path}${temporarySuffix}${process.pid}-${prepared}`;
  const file = await open(temporaryPath, 'wx', 0o600);
  try {
    // One write: FileHandle.writeFile would go to the thread pool for every half megabyte.
    for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at)).bytesWritten;
    await file.sync();
    const { ino, size, mtimeNs } = await file.stat({ bigint: true });
    await file.close();
    return { temporaryPath, mark: { inode: ino, bytes: size, modifiedNs: mtimeNs } };
  } catch (error) {
    await file.close().catch(() => undefined);
    await unlink(temporaryPath).catch(() => undefined);
    throw error;
  }
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
    if (/^state\.(?:json\.tmp|lock)-/.test(name)) await unlink(join(folder, name)).catch(() => undefined);
  }
}
