import { copyFile, open, readdir, stat, truncate, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isErrno } from '../../files/errno.js';
import { type FileMark, markOf as fileMarkOf, readRegular } from '../../files/read.js';
import { keepCopy } from '../../files/write.js';

/** Where everything of nginx lies. */
export interface NginxPaths {
  /** What is rendered, watched and edited by hand. */
  readonly conf: string;
  /** What nginx reads: the last content of `conf` that was checked, so that nothing unchecked is ever loaded. */
  readonly active: string;
  /** For what follows: made when missing. */
  readonly folder: string;
  readonly pidFile: string;
  readonly errorLog: string;
  /** With a slash at its end. */
  readonly temporaryFolder: string;
  /** The ports and the token that were chosen once: a new start keeps them. */
  readonly choices: string;
  /** Which configuration the running nginx has loaded. */
  readonly loaded: string;
}

/** @param conf undefined: nginx.conf in the data folder */
export function nginxPaths(dataDir: string, conf: string | undefined): NginxPaths {
  const folder = join(dataDir, 'nginx');
  const file = conf ?? join(dataDir, 'nginx.conf');
  return {
    conf: file,
    active: `${file}.active`,
    folder,
    pidFile: join(folder, 'nginx.pid'),
    errorLog: join(folder, 'error.log'),
    temporaryFolder: `${folder}/`,
    choices: join(folder, 'choices.json'),
    loaded: join(folder, 'loaded.json'),
  };
}

/** A file as it was found. */
export interface FoundFile {
  readonly text: string;
  readonly mark: string;
}

const maxFileBytes = 64 * 1024 * 1024;

/** The file; undefined when there is none. @throws Error of the system, or when it is too large or no file */
export async function readFound(path: string): Promise<FoundFile | undefined> {
  const file = await readRegular(path, maxFileBytes);
  return file === undefined ? undefined : { text: file.bytes.toString(), mark: textOf(file.mark) };
}

/** Tells one version of a file from another without reading it; empty when there is none. */
export async function markOf(path: string): Promise<string> {
  const mark = await fileMarkOf(path);
  return mark === undefined ? '' : textOf(mark);
}

function textOf({ inode, bytes, modifiedNs }: FileMark): string {
  return `${inode}-${bytes}-${modifiedNs}`;
}

/** Copies a file to `FILE.edited-N`, with its owner and mode; returns that name. */
export function keepAside(path: string): Promise<string> {
  return keepCopy(path, 'edited');
}

/** Removes what a killed process left half written. */
export async function removeLeftovers(path: string): Promise<void> {
  const prefix = `${basename(path)}.`;
  for (const name of await readdir(dirname(path)).catch(() => [])) {
    if (name.startsWith(prefix) && /\.(?:tmp|candidate)-\d+(?:-[0-9a-f]+)?$/.test(name)) {
      await unlink(join(dirname(path), name)).catch(() => undefined);
    }
  }
}

const maxRecordBytes = 1 << 20;

/** A small JSON file of our own; undefined when there is none, or it is damaged. */
export async function readRecord(path: string): Promise<Readonly<Record<string, unknown>> | undefined> {
  try {
    const found = await readRegular(path, maxRecordBytes);
    const value: unknown = found === undefined ? undefined : JSON.parse(found.bytes.toString());
    return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value)) : undefined;
  } catch {
    return undefined;
  }
}

const maxLogBytes = 16 * 1024 * 1024;

/**
 * Keeps a log from filling the disk: what it holds moves to `FILE.1`. The file itself stays, since workers that run as
 * another user may not open a new one; nginx appends, so that it goes on at the start.
 */
export async function rotateLog(path: string): Promise<void> {
  try {
    if ((await stat(path)).size <= maxLogBytes) return;
    await copyFile(path, `${path}.1`);
    await truncate(path);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}

/** What was added to a log since it had this size; at most the last 64 KB of it. */
export async function readLogSince(path: string, offset: number): Promise<string> {
  const file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return '';
  try {
    const { size } = await file.stat();
    const start = Math.max(size < offset ? 0 : offset, size - 65_536);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(Math.max(1, size - start)), 0, size - start, start);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}

export async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}
