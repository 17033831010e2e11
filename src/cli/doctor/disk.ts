import { link, lstat, mkdtemp, open, readdir, rm, stat, statfs } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Settings } from '../../config/index.js';
import { codeOf, messageOf } from '../../errors.js';
import { inStretches } from '../../fairness/stretch.js';
import { hasNoHardLinks, isErrno } from '../../files/errno.js';
import { readRegular } from '../../files/read.js';
import { answered } from '../../files/silent-disk.js';
import type { DesiredState } from '../../model/model.js';
import { brokenRulesSteps, overLimits } from '../../model/state-rules.js';
import { plural } from '../../plural.js';
import { maxStateFileBytes } from '../../store/file/disk.js';
import { readFolder } from '../../store/file/recover.js';
import { formatBytes } from '../format.js';
import { stateSealing } from '../state-sealing.js';
import { targetRuleOf, withoutStandby } from '../target-rule.js';
import { type Check, fail, ok, warn } from './check.js';
import type { Registered } from './system.js';

const freeWarnBytes = 1 << 30;
const freeFailBytes = 50 << 20;
/** A change is acknowledged after two syncs; slower ones are felt by whoever registers cameras. */
const syncWarnMs = 50;
const syncTries = 5;

/** A disk that answers takes less for what the checks ask of it. */
const answerLimitMs = 8000;

/**
 * Whether the disk of the data folder answers at all: what else is asked of one that does not would wait for ever.
 * @returns what is wrong; undefined: it answers
 */
export async function checkAnswers(dataDir: string, limitMs = answerLimitMs): Promise<Check | undefined> {
  const names = ['runtime.json', 'state.json', 'state.journal', 'last-live.json'];
  // What cannot be read for another reason, other checks tell of.
  const looks = names.map((name) => readRegular(join(dataDir, name), maxStateFileBytes).catch(() => undefined));
  try {
    await answered(Promise.all([...looks, statfs(dataDir).catch(() => undefined)]), dataDir, limitMs);
    return undefined;
  } catch (error) {
    const advice =
      'Bring the mount back, or use another folder with --data-dir; a start waits for it (START_WAITING), and takes no media until then.';
    return fail('data folder', messageOf(error), advice);
  }
}

/** Kinds of file systems (statfs(2)) on which what is acknowledged may be gone, or out of reach. */
const oddKinds: ReadonlyMap<number, string> = new Map([
  [0x01021994, 'tmpfs, which is memory: all is gone when the machine restarts'],
  [0x858458f6, 'ramfs, which is memory: all is gone when the machine restarts'],
  [0x6969, 'NFS: while its server does not answer, no change is taken'],
  [0xff534d42, 'CIFS: while its server does not answer, no change is taken'],
  [0xfe534d42, 'SMB: while its server does not answer, no change is taken'],
]);

/** @param type as statfs(2) has it */
export function kindCheck(folder: string, type: number): Check {
  const name = 'file system';
  const odd = oddKinds.get(type >>> 0);
  if (odd === undefined) return ok(name, `that of ${folder} is one of a disk`);
  return warn(
    name,
    `${folder} lies on ${odd}`,
    'A disk of this machine is better: name a folder there with --data-dir.',
  );
}

async function checkKind(folder: string): Promise<Check> {
  try {
    return kindCheck(folder, (await statfs(folder)).type);
  } catch (error) {
    return ok('file system', `cannot be found out: ${messageOf(error)}`);
  }
}

/** Whether state can be kept in the data folder, and how fast. Leaves nothing behind. */
export async function checkDisk(dataDir: string): Promise<Check[]> {
  // `serve` makes the folder; what it will lie in must be there and writable.
  const folder = await nearestFolder(resolve(dataDir));
  return [
    await checkFree(folder),
    await checkKind(folder),
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
  /^(?:state\.(?:json|journal|lock)|(?:tokens|manifest|last-live|runtime)\.json|admin-token|(?:etag|webhook)-key|stream-secret)$/;

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
    const advice = isErrno(error, 'ENOTDIR')
      ? 'It, or what it would lie in, is no folder: name one with --data-dir.'
      : 'Make it writable for this user, or use another folder with --data-dir.';
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
export async function checkState(dataDir: string, settings: Settings): Promise<Check> {
  const name = 'state file';
  const path = join(dataDir, 'state.json');
  try {
    const { file, state, pending } = await readFolder(dataDir, await stateSealing(settings));
    if (file === undefined && pending === 0) {
      return ok(name, `${path} is not there yet; "serve" makes it`);
    }
    const journal = pending === 0 ? '' : `, ${plural(pending, 'change')} of them in its journal`;
    return ok(
      name,
      `${path} is valid: ${plural(state.cameras.size, 'camera')}, ${plural(state.engines.size, 'engine')}${journal}`,
    );
  } catch (error) {
    const advice = `Do as it says; ${codeOf(error)} is explained in docs/errors.md, and docs/state.md says what a start makes of a folder.`;
    return fail(name, `${path} cannot be used: ${messageOf(error)}`, advice);
  }
}

/** So many of each kind are named. */
const maxNamed = 5;

/**
 * Rules that the state breaks and limits that it exceeds: all of it is in force, and changes of it are refused.
 * @param read the state; that of the data folder if it is left out
 */
export async function checkRules(
  dataDir: string,
  settings: Settings,
  read: () => Promise<DesiredState> = () => stateIn(dataDir, settings),
): Promise<Check> {
  const name = 'state rules';
  try {
    const state = await read();
    const refusesTarget = await targetRuleOf(settings);
    const refused: string[] = [];
    for (const camera of state.cameras.values()) {
      for (const { id, url, audio } of Object.values(camera.pushes)) {
        const why = url === undefined || refused.length >= maxNamed ? undefined : refusesTarget(url, audio);
        if (why !== undefined) refused.push(`push ${id} of ${camera.name}: ${why.message}`);
      }
    }
    const broken = await inStretches(brokenRulesSteps(state, maxNamed, withoutStandby(settings)));
    const found = [...overLimits(state, settings), ...broken, ...refused];
    if (found.length === 0) return ok(name, 'cameras, pushes and engines keep to the settings');
    const advice = 'All of it is in force; put it right, or change the settings.';
    return warn(name, found.join('; '), advice);
  } catch {
    return ok(name, 'cannot be looked at, since the state cannot be read');
  }
}

/** Cameras and pushes of a data folder; none where it cannot be read, which another check tells of. */
export async function countRegistered(dataDir: string, settings: Settings): Promise<Registered> {
  try {
    const { cameras } = await stateIn(dataDir, settings);
    let pushes = 0;
    for (const camera of cameras.values()) pushes += Object.keys(camera.pushes).length;
    return { cameras: cameras.size, pushes };
  } catch {
    return { cameras: 0, pushes: 0 };
  }
}

async function stateIn(dataDir: string, settings: Settings): Promise<DesiredState> {
  return (await readFolder(dataDir, await stateSealing(settings))).state;
}
