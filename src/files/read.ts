import { type BigIntStats, closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { type FileHandle, lstat, open, readlink, stat } from 'node:fs/promises';
import { isErrno, NotAFile } from './errno.js';

/*
 * Reads regular files only: opening a FIFO would wait for a writer for ever, and a device may give bytes without end.
 * The kind of file is checked before it is opened, because some devices act when opened, and again afterwards, because
 * it may have changed in between.
 */

/** Tells versions of a file apart without reading it: every writer changes one of these. */
export interface FileMark {
  readonly inode: bigint;
  readonly bytes: bigint;
  readonly modifiedNs: bigint;
}

export interface FoundFile {
  readonly bytes: Buffer;
  readonly mark: FileMark;
  readonly modifiedAt: Date;
  /** The permission bits. */
  readonly mode: number;
}

/** A file is larger than the limit for reading it. */
export class TooLargeFile extends Error {
  readonly mark: FileMark;
  readonly modifiedAt: Date;

  constructor(stats: BigIntStats, maxBytes: number) {
    super(`the file has ${stats.size} bytes, and ${maxBytes} are allowed`);
    this.name = 'TooLargeFile';
    this.mark = markIn(stats);
    this.modifiedAt = stats.mtime;
  }
}

/**
 * The mark of the file; undefined when there is none.
 * @throws NotAFile for a link to nowhere; what the system throws
 */
export async function markOf(path: string): Promise<FileMark | undefined> {
  try {
    return markIn(await stat(path, { bigint: true }));
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
    await refuseDangling(path);
    return undefined;
  }
}

export function isSameMark(left: FileMark | undefined, right: FileMark | undefined): boolean {
  return left?.inode === right?.inode && left?.bytes === right?.bytes && left?.modifiedNs === right?.modifiedNs;
}

export function markIn({ ino, size, mtimeNs }: BigIntStats): FileMark {
  return { inode: ino, bytes: size, modifiedNs: mtimeNs };
}

/** Resolves when nothing is at the path. A dangling link is something: it led to a file once. @throws NotAFile */
export async function refuseDangling(path: string): Promise<void> {
  const link = await lstat(path).catch(() => undefined);
  if (link?.isSymbolicLink() !== true) return;
  const to = await readlink(path).catch(() => 'nowhere');
  throw new NotAFile(path, `is a link to ${to}, which is not there`);
}

const kinds = ['Directory', 'FIFO', 'Socket', 'CharacterDevice', 'BlockDevice'] as const;
const names = ['a directory', 'a FIFO', 'a socket', 'a device', 'a device'];

/** @throws NotAFile */
export function refuseOthers(
  path: string,
  stats: Readonly<Record<`is${'File' | (typeof kinds)[number]}`, () => boolean>>,
): void {
  if (stats.isFile()) return;
  const at = kinds.findIndex((kind) => stats[`is${kind}`]());
  throw new NotAFile(path, `is ${names[at] ?? 'something else'}, not a file`);
}

const readFlags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;

/**
 * Opens a regular file to read it; undefined when there is none.
 * @throws NotAFile; what the system throws
 */
export async function openRegular(
  path: string,
  flags = readFlags,
): Promise<{ file: FileHandle; stats: BigIntStats } | undefined> {
  let file: FileHandle;
  try {
    refuseOthers(path, await stat(path));
    file = await open(path, flags);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
    await refuseDangling(path);
    return undefined;
  }
  try {
    const stats = await file.stat({ bigint: true });
    refuseOthers(path, stats);
    return { file, stats };
  } catch (error) {
    await file.close().catch(() => undefined);
    throw error;
  }
}

/**
 * Reads a regular file; undefined when there is none.
 * @throws TooLargeFile, NotAFile; what the system throws
 */
export async function readRegular(path: string, maxBytes: number): Promise<FoundFile | undefined> {
  const opened = await openRegular(path);
  if (opened === undefined) return undefined;
  const { file, stats } = opened;
  try {
    if (stats.size > maxBytes) throw new TooLargeFile(stats, maxBytes);
    const bytes = Buffer.allocUnsafe(Number(stats.size));
    let length = 0;
    while (length < bytes.length) {
      const { bytesRead } = await file.read(bytes, length, bytes.length - length, length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return {
      bytes: bytes.subarray(0, length),
      mark: markIn(stats),
      modifiedAt: stats.mtime,
      mode: Number(stats.mode) & 0o777,
    };
  } finally {
    await file.close();
  }
}

/** As `readRegular`, synchronously: for the start, when nothing else runs yet. @throws also ENOENT */
export function readRegularSync(path: string, maxBytes: number): Buffer {
  refuseOthers(path, statSync(path));
  const file = openSync(path, readFlags);
  try {
    const stats = fstatSync(file, { bigint: true });
    refuseOthers(path, stats);
    if (stats.size > maxBytes) throw new TooLargeFile(stats, maxBytes);
    const bytes = Buffer.allocUnsafe(Number(stats.size));
    let length = 0;
    while (length < bytes.length) {
      const bytesRead = readSync(file, bytes, length, bytes.length - length, length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return bytes.subarray(0, length);
  } finally {
    closeSync(file);
  }
}
