import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, StateError } from '../../errors.js';
import { isDiskTrouble } from '../../files/errno.js';
import { isSameMark, markOf, readRegular } from '../../files/read.js';
import { changeDocument } from '../../model/changes.js';
import { decodeDocument } from '../../model/document/decode.js';
import type { Upgrade } from '../../model/document/upgrade.js';
import { changesForEdited } from '../../model/merge.js';
import { type DesiredState, emptyState } from '../../model/model.js';
import type { StateFile } from '../../model/schema.js';
import type { Sealing } from '../sealing.js';
import { type FileVersion, maxStateFileBytes, readVersion } from './disk.js';
import { parseAny, withLine } from './file-version.js';
import { hasTrace, type JournalCommit, type JournalContent } from './journal-lines.js';
import { parseJournal } from './journal-parse.js';

export const stateFileName = 'state.json';
export const journalFileName = 'state.journal';

/** The state of a data folder, recovered from its files. */
export interface Recovered {
  /** All that was acknowledged. */
  readonly state: DesiredState;
  /** What state.json alone says. */
  readonly fileState: DesiredState;
  /** Undefined: there is none. */
  readonly file: FileVersion | undefined;
  /** Undefined: there is none. */
  readonly journal: JournalContent | undefined;
  /** How many commits of the journal state.json does not hold. */
  readonly pending: number;
  /** State.json was edited after the journal's last line, and both are in `state`. */
  readonly isMerged: boolean;
  /** State.json differs from what this program last wrote or applied: it was edited by hand. */
  readonly isEdited: boolean;
  /** The version of state.json, when it was of an older one. */
  readonly upgradedFrom: number | undefined;
}

export interface RecoverOptions {
  /** How large state.json may be, in bytes. */
  readonly maxFileBytes?: number;
  /** The ways from older versions; tests have some of their own. */
  readonly upgrades?: ReadonlyMap<number, Upgrade>;
  /** Opens what is sealed. Default: nothing is. */
  readonly sealing?: Sealing | undefined;
}

/**
 * Puts state.json and its journal together: state.json, with the commits that it does not hold yet. Where state.json was
 * edited by hand since the journal began, the edit counts, and so do the commits; what both changed in different ways is
 * refused.
 * @param paths whole paths of the two files
 * @throws StateError STATE_INVALID, STATE_CONFLICT or STATE_UNREADABLE, whose message begins with the path of the file
 */
export async function recover(
  paths: { file: string; journal: string },
  { maxFileBytes = maxStateFileBytes, upgrades, sealing }: RecoverOptions = {},
): Promise<Recovered> {
  const file = await within(paths.file, () => readVersion(paths.file, maxFileBytes));
  const journal = await within(paths.journal, () => readJournal(paths.journal, sealing));
  if (journal !== undefined) checkPair(paths, file, journal);
  const now = file?.modifiedAt ?? new Date().toISOString();
  const { document, upgradedFrom } = await within(paths.file, async () =>
    file === undefined
      ? { document: emptyFile, upgradedFrom: undefined }
      : advised(() => withLine(file, () => parseAny(file, sealing, upgrades))),
  );
  const fileState = await within(paths.file, async () =>
    advised(() => {
      const decode = () => decodeDocument(document, emptyState, now);
      return file === undefined ? decode() : withLine(file, decode);
    }),
  );
  const known = { file, fileState, journal, upgradedFrom };
  if (journal === undefined) return { ...known, state: fileState, pending: 0, isMerged: false, isEdited: false };

  const commits = journal.entries.filter((entry): entry is JournalCommit => 'changes' in entry);
  const heldUntil = heldSeq(journal, file?.digest ?? null);
  const isEdited = heldUntil === undefined;
  const pending = commits.filter(({ seq }) => heldUntil === undefined || seq > heldUntil);
  if (pending.length === 0) return { ...known, state: fileState, pending: 0, isMerged: false, isEdited };
  const state = await within(paths.journal, async () => {
    const changes = pending.flatMap((commit) => commit.changes);
    const missing = isEdited ? changesForEdited(changes, fileState) : changes;
    return decodeDocument(changeDocument(document, missing), fileState, now);
  });
  return { ...known, state, pending: pending.length, isMerged: isEdited, isEdited };
}

/**
 * Refuses two files that contradict each other: one of them was damaged or replaced. @throws StateError STATE_INVALID
 */
function checkPair(
  paths: { file: string; journal: string },
  file: FileVersion | undefined,
  journal: JournalContent,
): void {
  if (heldSeq(journal, file?.digest ?? null) !== undefined) return;
  if (file === undefined) {
    const message = `${paths.file} is missing, and ${paths.journal} continues one; bring it back or restore a backup; or move the journal away as well, to begin without cameras`;
    throw new StateError('STATE_INVALID', message);
  }
  if (hasTrace(journal, file.mark)) {
    const message = `${paths.file} is damaged: its content is not what was written to it, while its size and the time of the last change are. Restore a backup; or look through it, and save it as it should be ("touch" is enough where it is right)`;
    throw new StateError('STATE_INVALID', message);
  }
}

/** While an aggregator runs, one of the two files may be replaced between the looks at both. */
const readTries = 20;
const readPauseMs = 50;

/**
 * What lies in a data folder, whether an aggregator runs there or not; nothing is changed.
 * @param sealing opens what is sealed
 * @param maxTries how often it is looked before what cannot be read counts: a line that is being written right now looks as
 *   a torn or damaged one does
 * @throws StateError as `recover`
 */
export async function readFolder(folder: string, sealing?: Sealing, maxTries = readTries): Promise<Recovered> {
  const paths = { file: join(folder, stateFileName), journal: join(folder, journalFileName) };
  for (let tries = 1; ; tries += 1) {
    const before = await markOf(paths.file);
    const recovered = await recover(paths, { sealing }).catch((error: unknown) => {
      if (tries >= maxTries) throw error;
      return undefined;
    });
    const isStill = isSameMark(before, await markOf(paths.file));
    if (recovered !== undefined && (isStill || tries >= maxTries)) return recovered;
    await sleep(readPauseMs);
  }
}

const emptyFile: StateFile = { version: 1 };

async function readJournal(path: string, sealing: Sealing | undefined): Promise<JournalContent | undefined> {
  const file = await readRegular(path, maxStateFileBytes);
  return file === undefined ? undefined : parseJournal(file.bytes, sealing);
}

/** Up to which commit the file holds all; undefined when it is none that this journal knows of. */
export function heldSeq(journal: JournalContent, digest: string | null): number | undefined {
  let held = journal.header.base === digest ? journal.header.seq : undefined;
  for (const entry of journal.entries) if ('snapshot' in entry && entry.snapshot === digest) held = entry.seq;
  return held;
}

/** Says what to do about a state.json that is not valid. */
function advised<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof StateError) || error.message.includes('. ')) throw error;
    // What lacks its key is as it should be, and a backup would not bring the key.
    if (error.code === 'STATE_SEALED' && error.message.includes('seal-key')) throw error;
    const field = error.field === undefined ? {} : { field: error.field };
    throw new StateError(error.code, `${error.message}; correct it, or restore a backup`, { ...field, cause: error });
  }
}

/** Adds the name of the file to an error. @throws StateError; an error of the disk as its cause */
async function within<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof StateError)) throw unreadable(path, error);
    if (error.message.startsWith(path)) throw error;
    const field = error.field === undefined ? {} : { field: error.field };
    throw new StateError(error.code, `${path}: ${error.message}`, { ...field, cause: error });
  }
}

/** The error for a file that exists and cannot be read. */
export function unreadable(path: string, error: unknown): StateError {
  const reason = messageOf(error);
  const what = reason.startsWith(path) ? reason : `${path} cannot be read: ${reason}`;
  const hint = isDiskTrouble(error) ? '; look into the log of the system' : adviceFor(error);
  return new StateError('STATE_UNREADABLE', what + hint, { cause: error });
}

function adviceFor(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EACCES' || code === 'EPERM') {
    const user = process.geteuid?.();
    return `; give it to the user that this runs as${user === undefined ? '' : ` (uid ${user})`}, or let that one read it`;
  }
  return '; put the right file there, or take it away';
}
