import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { StateError } from '../../errors.js';
import { type FileVersion, isSameMark, markOf, maxStateFileBytes, readVersion } from '../../files/disk.js';
import { isErrno } from '../../files/lock.js';
import { changeDocument } from '../../model/changes.js';
import { decodeDocument } from '../../model/document/decode.js';
import type { Upgrade } from '../../model/document/upgrade.js';
import { changesForEdited } from '../../model/merge.js';
import { type DesiredState, emptyState } from '../../model/model.js';
import type { StateFile } from '../../model/schema.js';
import { parseAny } from './file-version.js';
import { type JournalCommit, type JournalContent, parseJournal } from './journal-lines.js';

export const stateFileName = 'state.json';
export const journalFileName = 'state.journal';

/** What lies in a data folder, put together. */
export interface Recovered {
  /** All that was acknowledged. */
  readonly state: DesiredState;
  /** What state.json alone says. */
  readonly fileState: DesiredState;
  /** Undefined: there is none. */
  readonly file: FileVersion | undefined;
  /** Undefined: there is none, or it is empty. */
  readonly journal: JournalContent | undefined;
  /** How many commits of the journal state.json does not hold. */
  readonly pending: number;
  /** State.json was edited after the journal's last line, and both are in `state`. */
  readonly isMerged: boolean;
  /** The version of state.json, when it was of an older one. */
  readonly upgradedFrom: number | undefined;
}

export interface RecoverOptions {
  /** How large state.json may be, in bytes. */
  readonly maxFileBytes?: number;
  /** The ways from older versions; tests have some of their own. */
  readonly upgrades?: ReadonlyMap<number, Upgrade>;
}

/**
 * Puts state.json and its journal together: state.json, with the commits that it does not hold yet. Where state.json was
 * edited by hand since the journal began, the edit counts, and so do the commits; what both changed in different ways is
 * refused.
 * @param paths whole paths of the two files
 * @throws StateError STATE_INVALID or STATE_CONFLICT, whose message begins with the path of the file; what the system throws
 */
export async function recover(
  paths: { file: string; journal: string },
  { maxFileBytes = maxStateFileBytes, upgrades }: RecoverOptions = {},
): Promise<Recovered> {
  const file = await readVersion(paths.file, maxFileBytes);
  const journal = await within(paths.journal, async () => readJournal(paths.journal));
  const now = file?.modifiedAt ?? new Date().toISOString();
  const { document, upgradedFrom } = await within(paths.file, async () =>
    file === undefined ? { document: emptyFile, upgradedFrom: undefined } : parseAny(file, upgrades),
  );
  const fileState = await within(paths.file, async () => decodeDocument(document, emptyState, now));
  const known = { file, fileState, journal, upgradedFrom };
  if (journal === undefined) return { ...known, state: fileState, pending: 0, isMerged: false };

  const commits = journal.entries.filter((entry): entry is JournalCommit => 'changes' in entry);
  const heldUntil = heldSeq(journal, file?.digest ?? null);
  const pending = commits.filter(({ seq }) => heldUntil === undefined || seq > heldUntil);
  if (pending.length === 0) return { ...known, state: fileState, pending: 0, isMerged: false };
  const isMerged = heldUntil === undefined;
  if (isMerged && file === undefined) {
    const message = `${paths.file} is missing, and ${paths.journal} holds changes to it; bring it back, or move the journal away as well`;
    throw new StateError('STATE_INVALID', message);
  }
  const state = await within(paths.journal, async () => {
    const changes = pending.flatMap((commit) => commit.changes);
    const missing = isMerged ? changesForEdited(changes, fileState) : changes;
    return decodeDocument(changeDocument(document, missing), fileState, now);
  });
  return { ...known, state, pending: pending.length, isMerged };
}

/** While an aggregator runs, one of the two files may be replaced between the looks at both. */
const readTries = 20;
const readPauseMs = 50;

/**
 * What lies in a data folder, whether an aggregator runs there or not; nothing is changed.
 * @throws StateError as `recover`
 */
export async function readFolder(folder: string): Promise<Recovered> {
  const paths = { file: join(folder, stateFileName), journal: join(folder, journalFileName) };
  for (let tries = 1; ; tries += 1) {
    const before = await markOf(paths.file);
    const recovered = await recover(paths).catch((error: unknown) => {
      if (tries >= readTries) throw error;
      return undefined;
    });
    const isStill = isSameMark(before, await markOf(paths.file));
    if (recovered !== undefined && (isStill || tries >= readTries)) return recovered;
    await sleep(readPauseMs);
  }
}

const emptyFile: StateFile = { version: 1 };

async function readJournal(path: string): Promise<JournalContent | undefined> {
  try {
    const { size } = await stat(path);
    if (size > maxStateFileBytes) {
      throw new StateError('STATE_INVALID', `the file has ${size} bytes, and ${maxStateFileBytes} are allowed`);
    }
    return parseJournal(await readFile(path));
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** Up to which commit the file holds all; undefined when it is none that this journal knows of. */
function heldSeq(journal: JournalContent, digest: string | null): number | undefined {
  let held = journal.header.base === digest ? journal.header.seq : undefined;
  for (const entry of journal.entries) if ('snapshot' in entry && entry.snapshot === digest) held = entry.seq;
  return held;
}

/** Says in which file it is. */
async function within<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof StateError) || error.message.startsWith(path)) throw error;
    const field = error.field === undefined ? {} : { field: error.field };
    throw new StateError(error.code, `${path}: ${error.message}`, { ...field, cause: error });
  }
}
