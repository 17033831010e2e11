import { createHash, randomBytes } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import {
  copyFile,
  type FileHandle,
  link,
  lstat,
  open,
  readdir,
  realpath,
  rename,
  stat,
  unlink,
} from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { hasNoHardLinks, isErrno } from './errno.js';
import { type FileMark, markIn, refuseDangling, refuseOthers } from './read.js';

/*
 * Writes files whole or not at all, and reports success only when they are on disk. Replacing a file keeps its owner
 * and mode as far as the system allows, and follows a link instead of replacing it.
 */

const temporarySuffix = '.tmp-';

/** A new content that is on disk under a temporary name. */
export interface Prepared {
  readonly temporaryPath: string;
  /** The file that it replaces: the end of a link. */
  readonly path: string;
  readonly mark: FileMark;
  /** SHA-256 of the bytes, hexadecimal. */
  readonly digest: string;
  readonly bytes: number;
}

export interface WriteOptions {
  /** The mode of a new file. An existing file keeps its own. */
  readonly mode?: number;
  /** More is refused. */
  readonly maxBytes?: number;
  /** What is said of more. */
  readonly tooLarge?: (bytes: number, maxBytes: number) => Error;
  /** False: a new file of root belongs to root, also in the folder of another user. */
  readonly adopts?: boolean;
}

/**
 * Writes the content beside the file and waits until the disk has it.
 * @throws NotAFile where no file can be put in place; what the system throws
 */
export async function prepareWrite(
  path: string,
  content: string | Buffer | AsyncIterable<Buffer>,
  options: WriteOptions = {},
): Promise<Prepared> {
  const { maxBytes = Number.POSITIVE_INFINITY, tooLarge = tooLargeFile } = options;
  const { file, temporaryPath, path: target } = await openBeside(path, options);
  const digest = createHash('sha256');
  let bytes = 0;
  try {
    const isWhole = typeof content === 'string' || Buffer.isBuffer(content);
    for await (const block of isWhole ? [Buffer.from(content)] : content) {
      bytes += block.length;
      if (bytes > maxBytes) throw tooLarge(bytes, maxBytes);
      digest.update(block);
      await writeAll(file, block);
      // Synced little by little: otherwise an fsync of another file would wait for all the unwritten bytes of this one.
      if (!isWhole) await file.datasync();
    }
    await file.sync();
    const mark = markIn(await file.stat({ bigint: true }));
    await file.close();
    return { temporaryPath, path: target, mark, digest: digest.digest('hex'), bytes };
  } catch (error) {
    await file.close().catch(() => undefined);
    await unlink(temporaryPath).catch(() => undefined);
    throw error;
  }
}

function tooLargeFile(bytes: number, maxBytes: number): Error {
  return new Error(`the file would have ${bytes} bytes, and ${maxBytes} are allowed`);
}

/**
 * An empty file beside the one that it is to replace, with that one's owner and mode. It can be read and written.
 * @throws as `prepareWrite`
 */
export async function openBeside(
  path: string,
  { mode = 0o600, adopts = true }: WriteOptions = {},
): Promise<{ file: FileHandle; temporaryPath: string; path: string }> {
  const target = await targetOf(path);
  const temporaryPath = `${target.path}${temporarySuffix}${process.pid}-${randomBytes(6).toString('hex')}`;
  const file = await open(temporaryPath, 'wx+', mode);
  try {
    if (target.present !== undefined) await keepOwner(file, target.present);
    else if (adopts) await adoptOwner(file, dirname(target.path));
    return { file, temporaryPath, path: target.path };
  } catch (error) {
    await file.close().catch(() => undefined);
    await unlink(temporaryPath).catch(() => undefined);
    throw error;
  }
}

/** What a path means: where its links lead to, and what is there. @throws NotAFile for what cannot be replaced */
async function targetOf(path: string): Promise<{ path: string; present: Stats | undefined }> {
  try {
    const real = await realpath(path);
    const present = await stat(real);
    refuseOthers(path, present);
    return { path: real, present };
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
    await refuseDangling(path);
    return { path, present: undefined };
  }
}

async function keepOwner(file: FileHandle, present: Stats): Promise<void> {
  const own = await file.stat();
  let mode = present.mode & 0o777;
  if (own.uid !== present.uid || own.gid !== present.gid) {
    const isKept =
      (await tried(() => file.chown(present.uid, present.gid))) ||
      (await tried(() => file.chown(own.uid, present.gid))) ||
      own.gid === present.gid;
    // The group is another one, whose members must not get the rights of the former group.
    if (!isKept) mode &= 0o707;
  }
  // If its writer could not read it, the next start would fail.
  mode |= 0o600;
  if ((own.mode & 0o777) !== mode) await tried(() => file.chmod(mode));
}

/** A file that root makes in the folder of another user gets that owner, who could not read it otherwise. */
async function adoptOwner(file: FileHandle, folder: string): Promise<void> {
  if (process.geteuid?.() !== 0) return;
  const { uid, gid } = await stat(folder);
  if (uid !== 0) await tried(() => file.chown(uid, gid));
}

/** False when the system, or the kind of file system, does not let it happen. */
async function tried(act: () => Promise<void>): Promise<boolean> {
  try {
    await act();
    return true;
  } catch (error) {
    if (isErrno(error, 'EPERM', 'EACCES', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EINVAL')) return false;
    throw error;
  }
}

/** Writes all of a buffer. @param position undefined: behind what was written last */
export async function writeAll(file: FileHandle, bytes: Buffer, position?: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const place = position === undefined ? null : position + at;
    at += (await file.write(bytes, at, bytes.length - at, place)).bytesWritten;
  }
}

/** Puts prepared content in place of the file. The folder is to be synced afterwards. */
export async function replaceFile(content: Prepared): Promise<void> {
  await rename(content.temporaryPath, content.path);
}

/** Puts prepared content in place unless a file exists there; false when one does. */
export async function createFile(content: Prepared): Promise<boolean> {
  try {
    await link(content.temporaryPath, content.path);
    return true;
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false;
    if (!hasNoHardLinks(error)) throw error;
    // Without hard links this cannot be done in one step: another file may appear between the two calls.
    if ((await lstat(content.path).catch(() => undefined)) !== undefined) return false;
    await replaceFile(content);
    return true;
  } finally {
    await discard(content);
  }
}

/** Removes prepared content that was not put in place. */
export async function discard(content: Prepared): Promise<void> {
  await unlink(content.temporaryPath).catch(() => undefined);
}

/**
 * Puts a content in place of a file, whole or not at all; it is on disk when this resolves.
 * @returns what it was prepared as
 * @throws as `prepareWrite`
 */
export async function writeWhole(path: string, text: string | Buffer, options?: WriteOptions): Promise<Prepared> {
  return await inPlace(await prepareWrite(path, text, options));
}

/** `writeWhole` of a content that is made block by block. @throws as `prepareWrite` */
export async function writeWholeFrom(path: string, blocks: AsyncIterable<Buffer>): Promise<Prepared> {
  return await inPlace(await prepareWrite(path, blocks));
}

async function inPlace(content: Prepared): Promise<Prepared> {
  try {
    await replaceFile(content);
  } catch (error) {
    await discard(content);
    throw error;
  }
  await syncFolder(dirname(content.path));
  return content;
}

/** Waits until the names in the folder are on disk, if the file system supports that. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } catch (error) {
    if (!isErrno(error, 'EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EISDIR')) throw error;
  } finally {
    await handle.close();
  }
}

/**
 * Keeps the content of a file under the first free name of the form `NAME.SUFFIX-N` beside it, safe from later writes.
 * It is a hard link if possible, so that an editor that is still writing writes there too; otherwise a copy.
 * @param suffix `rejected`, `before-restore` ...
 * @param number undefined: one more than the highest
 * @returns its path
 */
export async function keepAside(path: string, suffix: string, number?: number): Promise<string> {
  const aside = `${path}.${suffix}-${number ?? (await nextNumber(dirname(path), basename(path), suffix))}`;
  const real = await realpath(path);
  try {
    await link(real, aside);
  } catch (error) {
    if (!hasNoHardLinks(error)) throw error;
    await copyWhole(real, aside);
  }
  return aside;
}

/** As `keepAside`, but always a copy: later writes to the file do not change it. */
export async function keepCopy(path: string, suffix: string): Promise<string> {
  const aside = `${path}.${suffix}-${await nextNumber(dirname(path), basename(path), suffix)}`;
  await copyWhole(await realpath(path), aside);
  return aside;
}

/** A copy with owner and mode; on disk when this resolves. */
async function copyWhole(from: string, to: string): Promise<void> {
  refuseOthers(from, await stat(from));
  await copyFile(from, to, constants.COPYFILE_EXCL);
  const copy = await open(to, 'r+');
  try {
    await keepOwner(copy, await stat(from));
    await copy.sync();
  } finally {
    await copy.close();
  }
}

/** One more than the highest N of the names `NAME.SUFFIX-N` in a folder. */
export async function nextNumber(folder: string, name: string, suffix: string): Promise<number> {
  const prefix = `${name}.${suffix}-`;
  const numbers = (await readdir(folder))
    .filter((each) => each.startsWith(prefix))
    .map((each) => Number(each.slice(prefix.length)))
    .filter(Number.isSafeInteger);
  return Math.max(0, ...numbers) + 1;
}

/** Removes half-written versions of a file that killed processes left. Only for the sole writer of the file. */
export async function removeLeftovers(path: string): Promise<void> {
  for (const each of new Set([path, await realpath(path).catch(() => path)])) {
    const prefix = `${basename(each)}${temporarySuffix}`;
    for (const name of await readdir(dirname(each)).catch(() => [])) {
      if (name.startsWith(prefix)) await unlink(join(dirname(each), name)).catch(() => undefined);
    }
  }
}
