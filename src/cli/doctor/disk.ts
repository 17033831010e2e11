import { link, lstat, mkdtemp, open, readdir, rm, stat, statfs } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { codeOf, messageOf } from '../../errors.js';
import { hasNoHardLinks } from '../../files/errno.js';
import { readFolder } from '../../store/file/recover.js';
import { formatBytes } from '../format.js';
import { type Check, fail, ok, warn } from './check.js';

const freeWarnBytes = 1 << 30;
const freeFailBytes = 50 << 20;
/** A change is acknowledged after two syncs; slower ones are felt by whoever registers cameras. */
const syncWarnMs = 50;
const syncTries = 5;

/** Whether state can be kept in the data folder, and how fast. Leaves nothing behind. */
export async function checkDisk(dataDir: string): Promise<Check[]> {
  // `serve` makes the folder; what it will lie in must be there and writable.
  const folder = await nearestFolder(resolve(dataDir));
  return [
    await checkFree(folder),
    await checkWrite(folder, dataDir),
    await checkLinks(folder),
    await checkOwners(folder),
  ];
}

/** Whether the file system gives a file a second name; without, the data folder is locked in another way. */
async function checkLinks(folder: string): Promise<Check> {
  const name = 'hard links';
  let temporary: string | undefined;
  try {
    temporary = await mkdtemp(join(folder, '.doctor-'));
    const file = await open(join(temporary, 'one'), 'wx');
    await file.close();
    await link(join(temporary, 'one'), join(temporary, 'two'));
    return ok(name, 'the file system of the data folder has them');
  } catch (error) {
    if (!hasNoHardLinks(error)) return ok(name, `cannot be tried: ${messageOf(error)}`);
    const advice =
      'It runs without: the folder is locked by a file that is made for one only, and what is kept aside is a copy. Two machines must not share such a folder.';
    return warn(name, `the file system of the data folder has none (${messageOf(error)})`, advice);
  } finally {
    if (temporary !== undefined) await rm(temporary, { recursive: true, force: true });
  }
}

/** What an aggregator reads and writes anew in its folder. */
const ownFiles =
  /^(?:state\.(?:json|journal|lock)|(?:tokens|manifest)\.json|admin-token|(?:etag|webhook)-key|stream-secret)$/;

/** Whether the files of the data folder are files, of the user that the folder belongs to. */
async function checkOwners(folder: string): Promise<Check> {
  const name = 'owners';
  try {
    const owner = (await stat(folder)).uid;
    const odd: string[] = [];
    for (const file of (await readdir(folder)).filter((each) => ownFiles.test(each))) {
      const path = join(folder, file);
      const found = await stat(path).catch(() => undefined);
      if (found === undefined) odd.push(`${file} is a link that leads nowhere`);
      else if (!found.isFile()) odd.push(`${file} is no file`);
      else if (found.uid !== owner && !(await lstat(path)).isSymbolicLink())
        odd.push(`${file} belongs to uid ${found.uid}`);
      else if (found.uid === owner && (found.mode & 0o400) === 0) odd.push(`${file} cannot be read by its owner`);
    }
    if (odd.length === 0) return ok(name, `the files in ${folder} belong to the owner of the folder (uid ${owner})`);
    const advice = `Give them to the user that the aggregator runs as ("chown ${owner} FILE"), mode 600; what is no file goes elsewhere.`;
    return warn(name, `${folder} belongs to uid ${owner}, but ${odd.join('; ')}`, advice);
  } catch (error) {
    return ok(name, `cannot be found out: ${messageOf(error)}`);
  }
}

async function nearestFolder(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined);
  return found !== undefined || dirname(path) === path ? path : nearestFolder(dirname(path));
}

async function checkFree(folder: string): Promise<Check> {
  const name = 'free space';
  try {
    const { bavail, bsize } = await statfs(folder);
    const free = bavail * bsize;
    const message = `${formatBytes(free)} at ${folder}`;
    if (free >= freeWarnBytes) {
      return ok(name, message);
    }
    const advice = 'Make room, or move the data folder with --data-dir; without space no change can be acknowledged.';
    return free < freeFailBytes ? fail(name, message, advice) : warn(name, message, advice);
  } catch (error) {
    return warn(name, `cannot be found out: ${messageOf(error)}`, 'Look with "df".');
  }
}

async function checkWrite(folder: string, dataDir: string): Promise<Check> {
  const name = 'data folder';
  let temporary: string | undefined;
  try {
    temporary = await mkdtemp(join(folder, '.doctor-'));
    const timesMs: number[] = [];
    for (let index = 0; index < syncTries; index++) {
      timesMs.push(await timeSyncMs(join(temporary, `${index}`)));
    }
    const medianMs = timesMs.sort((a, b) => a - b)[Math.floor(syncTries / 2)]!;
    const message = `${dataDir} is writable; writing 4 KB and syncing takes ${medianMs.toFixed(1)} ms`;
    return medianMs <= syncWarnMs
      ? ok(name, message)
      : warn(name, message, 'Every change waits for this; move the data folder to a faster disk with --data-dir.');
  } catch (error) {
    const advice = 'Make it writable for this user, or use another folder with --data-dir.';
    return fail(name, `${dataDir} cannot be written: ${messageOf(error)}`, advice);
  } finally {
    if (temporary !== undefined) {
      await rm(temporary, { recursive: true, force: true });
    }
  }
}

async function timeSyncMs(path: string): Promise<number> {
  const startedAtMs = performance.now();
  const file = await open(path, 'wx');
  try {
    await file.writeFile(Buffer.alloc(4096));
    await file.sync();
  } finally {
    await file.close();
  }
  return performance.now() - startedAtMs;
}

/** Whether `serve` would take the state file. */
export async function checkState(dataDir: string): Promise<Check> {
  const name = 'state file';
  const path = join(dataDir, 'state.json');
  try {
    const { file, state, pending } = await readFolder(dataDir);
    if (file === undefined && pending === 0) {
      return ok(name, `${path} is not there yet; "serve" makes it`);
    }
    const journal = pending === 0 ? '' : `, ${pending} changes of them in its journal`;
    return ok(name, `${path} is valid: ${state.cameras.size} cameras, ${state.engines.size} engines${journal}`);
  } catch (error) {
    const advice = `Do as it says; ${codeOf(error)} is explained in docs/errors.md, and docs/state.md says what a start makes of a folder.`;
    return fail(name, `${path} cannot be used: ${messageOf(error)}`, advice);
  }
}

/** Cameras and pushes of a data folder; none where it cannot be read, which another check tells of. */
export async function countRegistered(dataDir: string): Promise<{ cameras: number; pushes: number }> {
  try {
    const { state } = await readFolder(dataDir);
    let pushes = 0;
    for (const camera of state.cameras.values()) pushes += Object.keys(camera.pushes).length;
    return { cameras: state.cameras.size, pushes };
  } catch {
    return { cameras: 0, pushes: 0 };
  }
}
