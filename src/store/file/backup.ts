import { link, readdir, readFile, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, StateError } from '../../errors.js';
import { discard, prepareWrite, readVersion, replaceFile, syncFolder } from '../../files/disk.js';
import { FolderLock, isErrno } from '../../files/lock.js';
import { encodeBlocks, encodeState } from '../../model/document/encode.js';
import { emptyState } from '../../model/model.js';
import { decodeVersion } from './file-version.js';
import { encodeLine } from './journal-lines.js';
import { journalFileName, type Recovered, readFolder, stateFileName } from './recover.js';

/** What a backup holds, for the person who made it. */
export interface BackupSummary {
  readonly cameras: number;
  readonly engines: number;
}

/**
 * All that was acknowledged, as the text of a state.json; consistent also while an aggregator runs on the folder.
 * @throws StateError STATE_UNREADABLE when there is no state, else as `readFolder`
 */
export async function backupState(folder: string): Promise<BackupSummary & { readonly text: string }> {
  const { state, file, journal } = await readFolder(resolve(folder)).catch((error: unknown) => {
    if (error instanceof StateError) throw error;
    throw unreadable(folder, error);
  });
  if (file === undefined && journal === undefined) {
    throw new StateError('STATE_UNREADABLE', `there is no state in ${folder}: nothing to back up`);
  }
  return { text: encodeState(state), cameras: state.cameras.size, engines: state.engines.size };
}

/** Puts a text in place of a file, mode 0600, whole or not at all. @throws what the system throws */
export async function writeWhole(path: string, text: string): Promise<void> {
  const content = await prepareWrite(path, text);
  try {
    await replaceFile(path, content);
  } catch (error) {
    await discard(content);
    throw error;
  }
  await syncFolder(dirname(resolve(path)));
}

export interface RestoreOptions {
  /** The data folder; made by `serve`. */
  readonly folder: string;
  /** The backup: a state.json of this or an older version. */
  readonly file: string;
  /** Restores also while an aggregator runs there: it takes the state over live, as an edit by hand. */
  readonly whileRunning: boolean;
}

/** How long a running aggregator has to write its journal back, and to take over what is restored. */
const runningLimitMs = 45_000;
const lookEveryMs = 100;

/**
 * Makes a backup the state of a data folder. What was there before is kept beside it, as it is.
 * @returns where that is kept, and whether a running aggregator took it over
 * @throws StateError STATE_INVALID or STATE_UNREADABLE for the backup; STATE_LOCKED while an aggregator runs there
 */
export async function restoreState(
  options: RestoreOptions,
): Promise<BackupSummary & { readonly kept: readonly string[]; readonly isLive: boolean }> {
  const folder = resolve(options.folder);
  const backup = await readVersion(options.file).catch((error: unknown) => {
    throw unreadable(options.file, error);
  });
  if (backup === undefined) throw new StateError('STATE_UNREADABLE', `there is no file ${options.file}`);
  let state = emptyState;
  try {
    state = decodeVersion(backup, emptyState);
  } catch (error) {
    if (!(error instanceof StateError)) throw error;
    throw new StateError(error.code, `${options.file}: ${error.message}`, { cause: error });
  }
  const text = encodeState(state);
  const lock = await FolderLock.acquire(folder).catch((error: unknown) => {
    if (isErrno(error, 'ENOENT')) throw unreadable(folder, error);
    if (!(error instanceof StateError) || !options.whileRunning) throw error;
    return undefined;
  });
  const summary = { cameras: state.cameras.size, engines: state.engines.size, isLive: lock === undefined };
  if (lock === undefined) return { ...summary, kept: await replaceLive(folder, text) };
  try {
    const path = join(folder, stateFileName);
    const content = await prepareWrite(path, encodeBlocks(state));
    try {
      const kept = await keepFiles(folder, [stateFileName, journalFileName]);
      await endJournal(folder, content.digest);
      await replaceFile(path, content);
      await syncFolder(folder);
      await rm(join(folder, journalFileName), { force: true });
      await syncFolder(folder);
      return { ...summary, kept };
    } finally {
      await discard(content); // where it is not in place
    }
  } finally {
    await lock.release();
  }
}

/**
 * Puts a journal in place of the old one that ends with a note: a state.json with this digest holds all of it. Until that
 * is there, the old state.json and its journal count on. The old journal itself stays as it is under its other name.
 */
async function endJournal(folder: string, digest: string): Promise<void> {
  const path = join(folder, journalFileName);
  let recovered: Recovered | undefined;
  try {
    recovered = await readFolder(folder);
  } catch (error) {
    if (!(error instanceof StateError)) throw error;
    // No state can be made of what was there: there is nothing to keep whole.
    await rm(path, { force: true });
    await syncFolder(folder);
    return;
  }
  const { journal } = recovered;
  if (journal === undefined) return;
  const whole = (await readFile(path)).subarray(0, journal.goodBytes).toString();
  await writeWhole(path, whole + encodeLine({ seq: journal.seq, snapshot: digest }));
}

/** With the journal empty, a new file replaces everything. */
async function replaceLive(folder: string, text: string): Promise<string[]> {
  const path = join(folder, stateFileName);
  const untilMs = performance.now() + runningLimitMs;
  while ((await readFolder(folder)).pending > 0) {
    if (performance.now() > untilMs)
      throw new StateError('STATE_LOCKED', `${path} does not come to rest; stop the aggregator`);
    await sleep(lookEveryMs);
  }
  const kept = await keepFiles(folder, [stateFileName]);
  const rejected = (await namesOf(folder)).filter(isRejected).length;
  await writeWhole(path, text);
  // What is taken over becomes the base of the next journal; here it is enough that it stays in place unrefused.
  await sleep(1500);
  if ((await namesOf(folder)).filter(isRejected).length > rejected) {
    throw new StateError('STATE_INVALID', `the running aggregator refused what was restored; GET /v1/config says why`);
  }
  return kept;
}

const isRejected = (name: string): boolean => name.includes('.rejected-');

function namesOf(folder: string): Promise<string[]> {
  return readdir(folder);
}

/** Gives each file that is there a second name, `...before-restore-N`. Returns their paths. */
async function keepFiles(folder: string, names: readonly string[]): Promise<string[]> {
  const present = await namesOf(folder);
  const numbers = present.map((name) => Number(/\.before-restore-(\d+)$/.exec(name)?.[1] ?? 0));
  const suffix = `.before-restore-${Math.max(0, ...numbers) + 1}`;
  const kept: string[] = [];
  for (const name of names) {
    if (!present.includes(name)) continue;
    const path = join(folder, name + suffix);
    await link(join(folder, name), path);
    kept.push(path);
  }
  return kept;
}

function unreadable(path: string, error: unknown): StateError {
  return new StateError('STATE_UNREADABLE', `${path} cannot be read: ${messageOf(error)}`, { cause: error });
}
