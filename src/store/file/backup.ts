import { mkdir, readdir, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CodedError, messageOf, StateError } from '../../errors.js';
import { isErrno } from '../../files/errno.js';
import { FolderLock } from '../../files/lock.js';
import { putBackFiles, type Replaced } from '../../files/put-back.js';
import { readRegular } from '../../files/read.js';
import {
  discard,
  keepAside,
  nextNumber,
  type Prepared,
  replaceFile,
  syncFolder,
  writeWhole,
} from '../../files/write.js';
import { encodeBlocks, encodeState } from '../../model/document/encode.js';
import { type DesiredState, emptyState } from '../../model/model.js';
import { allOf } from '../../model/steps.js';
import { type Sealing, sealingMap } from '../sealing.js';
import { maxStateFileBytes, prepareState, readVersion } from './disk.js';
import type { StateCheck } from './edit.js';
import { decodeVersion, withLine } from './file-version.js';
import { Journal } from './journal.js';
import { encodeLine, journalVersion, snapshotOf } from './journal-lines.js';
import { withPadding } from './journal-padding.js';
import { heldSeq, journalFileName, type Recovered, readFolder, stateFileName, unreadable } from './recover.js';

/** What a backup holds, for the person who made it. */
export interface BackupSummary {
  readonly cameras: number;
  readonly engines: number;
}

/**
 * The whole acknowledged state as the text of a state.json, consistent even while an aggregator uses the folder.
 * @throws StateError STATE_UNREADABLE when there is no state, else as `readFolder`
 */
export async function backupState(
  folder: string,
  sealing?: Sealing,
): Promise<BackupSummary & { readonly text: string }> {
  const { state, file, journal } = await readFolder(resolve(folder), sealing).catch((error: unknown) => {
    throw error instanceof CodedError ? error : unreadable(folder, error);
  });
  if (file === undefined && journal === undefined) {
    throw new StateError('STATE_UNREADABLE', `there is no state in ${folder}: nothing to back up`);
  }
  return { text: encodeState(state), cameras: state.cameras.size, engines: state.engines.size };
}

export interface RestoreOptions {
  /** The data folder; it is made where it is not there. */
  readonly folder: string;
  /** The backup: a state.json of this or an older version. */
  readonly file: string;
  /** The content, if it was taken from an envelope; undefined: the file itself is the state. */
  readonly text?: string;
  /**
   * Replaces further files, while nothing else writes the folder and before the state is put in place; not where an
   * aggregator runs. Each stands in the list before it is replaced: when something fails, all of them are put back.
   */
  readonly alongside?: (replaced: Replaced[]) => Promise<void>;
  /** Restores also while an aggregator runs there: it takes the state over live, as an edit by hand. */
  readonly whileRunning: boolean;
  /** The rules that hold for every state that somebody writes. */
  readonly check?: StateCheck;
  /** Opens and seals what lies in the folder, and opens what is sealed in the backup. */
  readonly sealing?: Sealing | undefined;
  /** Asks the running aggregator what is wrong with its state. @throws when it does not answer */
  readonly problems?: () => Promise<readonly { readonly code: string; readonly message: string }[]>;
}

/** How long a running aggregator has to write its journal back, and how long to take over what is restored. */
const restLimitMs = 45_000;
const takeLimitMs = 15_000;
const lookEveryMs = 100;
const askEveryMs = 1000;

/**
 * Makes a backup the state of a data folder. What was there before is kept beside it, as it is. It was seen done when this
 * resolves: the files are on disk, and a running aggregator has noted in its journal that it goes by them. When it rejects,
 * all files are as they were; where the disk does not let that happen either, the message says so.
 * @returns where that is kept, and whether a running aggregator took it over
 * @throws StateError STATE_INVALID or STATE_UNREADABLE for the backup; STATE_LOCKED while an aggregator runs there; what
 *   `check` throws; STATE_WRITE_FAILED; CodedError API_UNREACHABLE when a running aggregator did not take it over in time
 */
export async function restoreState(options: RestoreOptions): Promise<
  BackupSummary & {
    readonly kept: readonly string[];
    readonly isLive: boolean;
    readonly before: DesiredState;
    readonly after: DesiredState;
  }
> {
  const folder = resolve(options.folder);
  const present = await readFolder(folder, options.sealing).catch((error: unknown) => {
    // A present state that cannot be read is no obstacle: that is what backups are for.
    if (error instanceof StateError) return undefined;
    throw notRestored(folder, error);
  });
  const before = present?.state ?? emptyState;
  const state = await readBackup(options, before);
  await mkdir(folder, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw notRestored(folder, error);
  });
  const lock = await FolderLock.acquire(folder).catch((error: unknown) => {
    if (isErrno(error, 'ENOENT')) throw unreadable(folder, error);
    if (error instanceof StateError && options.whileRunning) return undefined;
    throw error instanceof StateError ? error : notRestored(folder, error);
  });
  const counts = { cameras: state.cameras.size, engines: state.engines.size };
  const summary = { ...counts, isLive: lock === undefined, before, after: state };
  try {
    if (lock === undefined) return { ...summary, kept: await replaceLive(folder, state, options) };
    return { ...summary, kept: await replaceAtRest(folder, state, options) };
  } catch (error) {
    throw error instanceof CodedError ? error : notRestored(folder, error);
  } finally {
    await lock?.release();
  }
}

/**
 * The state of a backup.
 * @param present what is there now: what of it breaks a rule may be restored
 * @throws StateError which names the file
 */
export async function readBackup(
  { file: path, text, check, sealing }: Pick<RestoreOptions, 'file' | 'text' | 'check' | 'sealing'>,
  present: DesiredState,
): Promise<DesiredState> {
  const found = await readVersion(path).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  const backup = found === undefined || text === undefined ? found : { ...found, text };
  if (backup === undefined) throw new StateError('STATE_UNREADABLE', `there is no file ${path}`);
  try {
    const state = decodeVersion(backup, emptyState, sealing);
    if (check !== undefined) withLine(backup, () => allOf(check(present, state)));
    return state;
  } catch (error) {
    if (!(error instanceof StateError)) throw error;
    const field = error.field === undefined ? {} : { field: error.field };
    throw new StateError(error.code, `${path}: ${error.message}`, { ...field, cause: error });
  }
}

async function replaceAtRest(
  folder: string,
  state: DesiredState,
  { alongside, sealing }: RestoreOptions,
): Promise<string[]> {
  const content = await prepareState(join(folder, stateFileName), encodeBlocks(state, sealingMap(sealing)));
  const replaced: Replaced[] = [];
  try {
    await keepFiles(folder, [stateFileName, journalFileName], replaced);
    await alongside?.(replaced);
    const seq = await endJournal(folder, content, sealing);
    await replaceFile(content);
    await syncFolder(dirname(content.path));
    await (await Journal.create(join(folder, journalFileName), content, seq)).close();
    return replaced.flatMap(({ kept }) => kept ?? []);
  } catch (error) {
    const left = await putBackFiles(replaced);
    if (left.length === 0) throw error;
    const [failure, files] = [notRestored(folder, error), left.join(', ')];
    throw new StateError(failure.code, `${failure.message}; what was there before could not be put back: ${files}`, {
      cause: error,
    });
  } finally {
    await discard(content); // where it is not in place
  }
}

/**
 * Puts a journal in place of the old one that ends with a note: this state.json holds all of it. Until that is there, the
 * old state.json and its journal count on. The old journal itself stays as it is under its other name.
 * @returns the number of its last commit
 */
async function endJournal(folder: string, content: Prepared, sealing: Sealing | undefined): Promise<number> {
  const path = join(folder, journalFileName);
  let recovered: Recovered | undefined;
  try {
    recovered = await readFolder(folder, sealing);
  } catch (error) {
    if (!(error instanceof StateError)) throw error;
    // The previous files make no valid state, so there is nothing to keep consistent.
    await rm(path, { force: true });
    await syncFolder(folder);
    return 0;
  }
  const { journal } = recovered;
  if (journal === undefined) return 0;
  const whole = (await readRegular(path, maxStateFileBytes))?.bytes.subarray(0, journal.goodBytes) ?? Buffer.alloc(0);
  const note = Buffer.from((journal.lacksEnd ? '\n' : '') + encodeLine(snapshotOf(content, journal.seq)));
  const lines = Buffer.concat([whole, note]);
  await writeWhole(path, journal.header.journal === journalVersion ? withPadding(lines) : lines);
  return journal.seq;
}

/** With the journal empty, a new file replaces everything. */
async function replaceLive(
  folder: string,
  state: DesiredState,
  { problems, sealing }: RestoreOptions,
): Promise<string[]> {
  const path = join(folder, stateFileName);
  // An aggregator that does not answer would not apply the restored state either: then nothing is changed.
  await problems?.();
  const untilMs = performance.now() + restLimitMs;
  while ((await readFolder(folder, sealing)).pending > 0) {
    if (performance.now() > untilMs)
      throw new StateError('STATE_LOCKED', `${path} keeps changing; stop the aggregator`);
    await sleep(lookEveryMs);
  }
  const replaced: Replaced[] = [];
  await keepFiles(folder, [stateFileName], replaced);
  const kept = replaced.flatMap((each) => each.kept ?? []);
  const rejected = await countRejected(folder);
  const content = await writeWhole(path, encodeState(state, sealingMap(sealing)));
  try {
    await takenOver({ folder, sealing }, content, rejected, problems);
  } catch (error) {
    await putBack(path, content, kept[0]);
    throw error;
  }
  return kept;
}

/**
 * Waits until the running aggregator goes by a state.json: it notes its digest in the journal; or, when the API changed
 * something at the same moment, writes the file anew without keeping this one aside.
 * @throws StateError when it refuses it; CodedError API_UNREACHABLE when it does nothing
 */
async function takenOver(
  { folder, sealing }: Pick<RestoreOptions, 'folder' | 'sealing'>,
  content: Prepared,
  rejected: number,
  problems: RestoreOptions['problems'],
): Promise<void> {
  const startedAtMs = performance.now();
  let askedAtMs = startedAtMs;
  let silence = '';
  while (performance.now() - startedAtMs < takeLimitMs) {
    await sleep(lookEveryMs);
    if ((await countRejected(folder)) > rejected) {
      throw new StateError('STATE_INVALID', 'the running aggregator refused the restored backup; its log says why');
    }
    const now = await readFolder(folder, sealing).catch(() => undefined);
    if (now?.file !== undefined && now.file.digest !== content.digest) return;
    if (now?.journal !== undefined && heldSeq(now.journal, content.digest) !== undefined) return;
    if (problems === undefined || performance.now() - askedAtMs < askEveryMs) continue;
    askedAtMs = performance.now();
    const found = await problems().catch((error: unknown) => {
      silence = messageOf(error);
      return [];
    });
    const problem = found.find(({ code }) => refusals.has(code));
    if (problem === undefined) continue;
    throw new StateError('STATE_INVALID', `the running aggregator refuses it (${problem.code}): ${problem.message}`);
  }
  const seconds = takeLimitMs / 1000;
  const why = silence === '' ? '' : ` (${silence})`;
  const message = `the running aggregator did not apply the restored backup within ${seconds} s${why}; is the process stopped or frozen, or may it not read the file? What was there before is back`;
  throw new CodedError('API_UNREACHABLE', message);
}

/** The codes of a state.json that is not applied. */
const refusals: ReadonlySet<string> = new Set([
  'STATE_INVALID',
  'STATE_CONFLICT',
  'STATE_SEALED',
  'STATE_UNREADABLE',
  'STATE_LOCKED',
  'LIMIT_REACHED',
]);

/** A state that was not applied is removed, so that no later start applies it by surprise. */
async function putBack(path: string, content: Prepared, kept: string | undefined): Promise<void> {
  const present = await stat(content.path, { bigint: true }).catch(() => undefined);
  if (kept === undefined || present?.ino !== content.mark.inode) return;
  await rename(kept, await realpath(path));
  await syncFolder(dirname(content.path));
}

async function countRejected(folder: string): Promise<number> {
  return (await readdir(folder)).filter((name) => name.includes('.rejected-')).length;
}

/** Gives each file that is there a second name, `...before-restore-N`, with one number for all. */
async function keepFiles(folder: string, names: readonly string[], replaced: Replaced[]): Promise<void> {
  const present = await readdir(folder);
  const numbers = await Promise.all(names.map((name) => nextNumber(folder, name, 'before-restore')));
  for (const name of names) {
    const path = join(folder, name);
    const kept = present.includes(name) ? await keepAside(path, 'before-restore', Math.max(...numbers)) : undefined;
    replaced.push({ path, kept });
  }
}

function notRestored(folder: string, error: unknown): StateError {
  const message = `the backup could not be put in ${folder}: ${messageOf(error)}`;
  return new StateError('STATE_WRITE_FAILED', message, { cause: error });
}
