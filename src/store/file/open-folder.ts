import { copyFile, mkdir, readdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { messageOf, StateError } from '../../errors.js';
import { isDiskTrouble, isErrno, NotAFile } from '../../files/errno.js';
import { FolderLock } from '../../files/lock.js';
import { syncFolder } from '../../files/write.js';
import type { Logger } from '../../log/log.js';
import type { Upgrade } from '../../model/document/upgrade.js';
import type { Sealing } from '../sealing.js';
import { maxStateFileBytes, removeStateLeftovers } from './disk.js';
import { Journal } from './journal.js';
import { journalFileName, type Recovered, recover, stateFileName } from './recover.js';

export interface OpenOptions {
  readonly dataDir: string;
  readonly log: Logger;
  /** How large state.json may be, in bytes; tests use less than the default of 256 MB. */
  readonly maxFileBytes?: number;
  /** The ways from older versions of state.json; tests have some of their own. */
  readonly upgrades?: ReadonlyMap<number, Upgrade>;
  /** Seals URLs, which hold stream keys and passwords. Default: they are not sealed. */
  readonly sealing?: Sealing | undefined;
}

export interface StatePaths {
  readonly file: string;
  readonly journal: string;
}

/** A data folder that this process holds, with what lies in it. */
export interface OpenFolder {
  readonly paths: StatePaths;
  readonly lock: FolderLock;
  readonly recovered: Recovered;
  /** Undefined: it could not be created yet; the first change tries again. */
  readonly journal: Journal | undefined;
}

/** The disk cannot be written: the state can be read, and not be changed. */
export class DiskTrouble extends Error {
  readonly recovered: Recovered;

  constructor(recovered: Recovered, cause: unknown) {
    super(messageOf(cause), { cause });
    this.name = 'DiskTrouble';
    this.recovered = recovered;
  }
}

function statePaths(dataDir: string): StatePaths {
  const folder = resolve(dataDir);
  return { file: join(folder, stateFileName), journal: join(folder, journalFileName) };
}

/**
 * Opens a data folder: locks it, recovers the state from its files, and logs what may be missing in them.
 * @throws StateError STATE_INVALID or STATE_CONFLICT (with file, path and rule; all is left as it is), STATE_UNREADABLE,
 *   STATE_LOCKED; DiskTrouble
 */
export async function openFolder(options: OpenOptions): Promise<OpenFolder> {
  const { log, maxFileBytes = maxStateFileBytes } = options;
  const paths = statePaths(options.dataDir);
  const folder = dirname(paths.file);
  const recoverOptions = { ...options, maxFileBytes };
  let lock: FolderLock | undefined;
  try {
    if ((await mkdir(folder, { recursive: true })) !== undefined) await syncFolder(dirname(folder));
    const before = await readdir(folder);
    try {
      lock = await FolderLock.acquire(folder);
    } catch (error) {
      if (!isDiskTrouble(error)) throw error;
      throw new DiskTrouble(await recover(paths, recoverOptions), error);
    }
    await removeStateLeftovers(folder);
    const recovered = await recover(paths, recoverOptions);
    try {
      if (recovered.upgradedFrom !== undefined) await keepOldVersion(paths.file, recovered.upgradedFrom, log);
      const journal = await openJournal(paths.journal, recovered);
      warnOfLosses(paths, recovered, before, log);
      return { paths, lock, recovered, journal };
    } catch (error) {
      if (!isDiskTrouble(error)) throw error;
      throw new DiskTrouble(recovered, error);
    }
  } catch (error) {
    await lock?.release();
    if (error instanceof StateError || error instanceof DiskTrouble) throw error;
    const advice = adviceFor(error);
    const message = `the data folder ${folder} cannot be used: ${messageOf(error)}; ${advice}`;
    throw new StateError('STATE_UNREADABLE', message, { cause: error });
  }
}

function adviceFor(error: unknown): string {
  if (error instanceof NotAFile) return 'take that away';
  if (isErrno(error, 'EEXIST', 'ENOTDIR')) return 'it, or what it would lie in, is no folder; name one with --data-dir';
  if (isErrno(error, 'ENOENT')) return 'it is a link that leads nowhere; name a folder with --data-dir';
  if (isErrno(error, 'ENAMETOOLONG', 'ELOOP')) return 'name another folder with --data-dir';
  return 'give it to the user that this runs as, or use another --data-dir';
}

/**
 * Goes on with the journal. One whose commits are all in state.json, since the process was killed before it could begin
 * anew, does so now: at the next start an edit by hand would else be taken for one that those commits were made beside.
 * Where there is none, one is made: from then on a folder without a journal is one that lost it.
 */
async function openJournal(path: string, recovered: Recovered): Promise<Journal | undefined> {
  const { journal, file, pending } = recovered;
  if (pending === 0 && (journal === undefined || journal.entries.length > 0 || recovered.isEdited)) {
    try {
      return await Journal.create(path, file ?? null, journal?.seq ?? 0);
    } catch (error) {
      // A full disk does not prevent the start.
      if (!isDiskTrouble(error)) throw error;
      if (journal === undefined) return undefined;
    }
  }
  return journal === undefined ? undefined : Journal.resume(path, journal, pending);
}

/** Files that a start creates besides the state: if one of them exists, an aggregator ran here. */
const traces = /^(?:manifest\.json|etag-key|stream-secret|webhook-key|state\.lock|state\.(?:json|journal)\..*)$/;

function warnOfLosses(paths: StatePaths, recovered: Recovered, before: readonly string[], log: Logger): void {
  const { file, journal, isEdited, isMerged } = recovered;
  if (journal !== undefined && journal.tornBytes > 0) {
    const message =
      'the journal ends with a part of a change, as it is when the process ends while it writes one: it was never acknowledged, and is dropped';
    log.warn(message, { file: paths.journal, bytes: journal.tornBytes });
  }
  if (journal?.hasStrayByte === true) {
    const message = 'one byte after the last line of the journal was damaged; nothing is lost, and it is repaired';
    log.warn(message, { file: paths.journal });
  }
  if (journal?.lacksEnd === true) {
    log.warn('the end of the last line of the journal was missing or damaged; its change is complete and is kept', {
      file: paths.journal,
    });
  }
  if (isEdited) {
    const message = isMerged
      ? 'state.json was edited while changes waited in the journal; both count'
      : 'state.json is not as it was left here: it counts as it is now';
    log.info(message, { file: paths.file });
  }
  const trace = before.find((name) => traces.test(name));
  if (journal !== undefined || trace === undefined) return;
  const message =
    file === undefined
      ? 'there is no state.json and no state.journal, but an aggregator ran on this folder: it begins without cameras. Where that is wrong, stop it and restore a backup'
      : 'state.journal is missing, but an aggregator ran on this folder: state.json counts as it is, and changes that were made shortly before the process ended may be missing in it';
  log.warn(message, { folder: dirname(paths.file), seen: trace });
}

/** The next change writes the file in the present version; an older program could not read that. */
async function keepOldVersion(path: string, version: number, log: Logger): Promise<void> {
  const copy = `${path}.version-${version}`;
  await copyFile(path, copy);
  await syncFolder(dirname(path));
  log.info('state.json has an older format and will be converted; a copy is kept', { file: copy });
}
