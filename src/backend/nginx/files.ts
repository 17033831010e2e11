import { copyFile, open, readdir, readFile, rename, stat, truncate, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

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

/** The file; undefined when there is none. @throws Error of the system, or when it is too large */
export async function readFound(path: string): Promise<FoundFile | undefined> {
  try {
    const mark = await markOf(path);
    if (mark === '') return undefined;
    if (Number(mark.split('-')[1]) > maxFileBytes) throw new Error(`${path} is larger than ${maxFileBytes} bytes`);
    return { text: await readFile(path, 'utf8'), mark };
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Tells one version of a file from another without reading it; empty when there is none. */
export async function markOf(path: string): Promise<string> {
  try {
    const { ino, size, mtimeNs } = await stat(path, { bigint: true });
    return `${ino}-${size}-${mtimeNs}`;
  } catch (error) {
    if (isMissing(error)) return '';
    throw error;
  }
}

let written = 0;

/** Writes a file beside the other, waits until the disk has it, and puts it in its place: never half a file. */
export async function writeWhole(path: string, text: string, mode = 0o600): Promise<void> {
  written += 1;
  const temporary = `${path}.tmp-${process.pid}-${written}`;
  try {
    const file = await open(temporary, 'wx', mode);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
  await syncFolder(dirname(path));
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const asideSuffix = '.edited-';

/** Copies a file to `FILE.edited-N`; returns that name. */
export async function keepAside(path: string): Promise<string> {
  const prefix = basename(path) + asideSuffix;
  const numbers = (await readdir(dirname(path)))
    .filter((name) => name.startsWith(prefix))
    .map((name) => Number(name.slice(prefix.length)))
    .filter(Number.isSafeInteger);
  const aside = `${path}${asideSuffix}${Math.max(0, ...numbers) + 1}`;
  await copyFile(path, aside);
  return aside;
}

/** Removes what a killed process left half written. */
export async function removeLeftovers(path: string): Promise<void> {
  const prefix = `${basename(path)}.`;
  for (const name of await readdir(dirname(path)).catch(() => [])) {
    if (name.startsWith(prefix) && /\.(?:tmp|candidate)-\d+(?:-\d+)?$/.test(name)) {
      await unlink(join(dirname(path), name)).catch(() => undefined);
    }
  }
}

/** A small JSON file of our own; undefined when there is none, or it is damaged. */
export async function readRecord(path: string): Promise<Readonly<Record<string, unknown>> | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
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
    if (!isMissing(error)) throw error;
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

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
