import { createHash } from 'node:crypto';
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import { StateError } from '../../errors.js';
import type { FileMark } from '../../files/read.js';
import { explainValue } from '../../json/explain.js';
import { JsonError, parseJson } from '../../json/strict-json.js';
import { type Change, ChangeSchema } from '../../model/changes.js';

/*
 * The journal, line by line. Each line is a JSON object that ends with a sum over all before it:
 *
 *   {"journal":2,"base":"DIGEST","file":{...},"seq":41,"sum":"..."}   the first: which state.json it continues
 *   {"seq":42,"at":"...","changes":[{...}],"sum":"..."}               one commit
 *   {"seq":42,"snapshot":"DIGEST","file":{...},"sum":"..."}           a state.json with this digest holds all up to 42
 *
 * `file` says how large that state.json is and when it was written: another content with the same size and time was
 * written by nobody. Version 1 had none.
 */

/** The version of the journal that this program writes. */
const journalVersion = 2;

export interface JournalHeader {
  readonly journal: 1 | 2;
  /** The digest of the state.json that the changes come after; null: there was none. */
  readonly base: string | null;
  readonly file?: FileTrace;
  /** The number of the last commit before. */
  readonly seq: number;
}

/** What a state.json was left as. */
export interface FileTrace {
  readonly bytes: number;
  /** Nanoseconds since 1970, decimal: more than a number holds. */
  readonly modified: string;
}

/** A state.json as it was written or understood. */
export interface TracedFile {
  readonly digest: string;
  readonly mark: FileMark;
}

export function headerOf(base: TracedFile | null, seq: number): JournalHeader {
  if (base === null) return { journal: journalVersion, base: null, seq };
  return { journal: journalVersion, base: base.digest, file: traceOf(base.mark), seq };
}

export function snapshotOf({ digest, mark }: TracedFile, seq: number): JournalSnapshot {
  return { seq, snapshot: digest, file: traceOf(mark) };
}

function traceOf({ bytes, modifiedNs }: FileMark): FileTrace {
  return { bytes: Number(bytes), modified: String(modifiedNs) };
}

/** True when a file has the size and the time of a state.json that the journal knows. */
export function hasTrace({ header, entries }: JournalContent, mark: FileMark): boolean {
  const { bytes, modified } = traceOf(mark);
  return [header, ...entries].some(
    (line) => 'file' in line && line.file?.bytes === bytes && line.file.modified === modified,
  );
}

export interface JournalCommit {
  /** One more than the commit before. */
  readonly seq: number;
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly changes: readonly Change[];
}

export interface JournalSnapshot {
  /** The last commit that the state.json with this digest holds. */
  readonly seq: number;
  readonly snapshot: string;
  readonly file?: FileTrace;
}

export interface JournalContent {
  readonly header: JournalHeader;
  readonly entries: readonly (JournalCommit | JournalSnapshot)[];
  /** The number of the last commit. */
  readonly seq: number;
  /** How many bytes of the file are whole lines. */
  readonly goodBytes: number;
  /** Bytes after them: the beginning of a line whose writer was killed. It was never acknowledged. */
  readonly tornBytes: number;
  /** The last line is whole, and only what ends it is missing or damaged. */
  readonly lacksEnd: boolean;
}

const closed = { additionalProperties: false };
const Seq = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const Digest = Type.String({ pattern: '^[0-9a-f]{64}$' });
const Trace = Type.Object({ bytes: Seq, modified: Type.String({ pattern: '^-?\\d{1,20}$' }) }, closed);
const HeaderSchema = Type.Object(
  {
    journal: Type.Union([Type.Literal(1), Type.Literal(journalVersion)]),
    base: Type.Union([Digest, Type.Null()]),
    file: Type.Optional(Trace),
    seq: Seq,
  },
  closed,
);
const CommitSchema = Type.Object({ seq: Seq, at: Type.String(), changes: Type.Array(ChangeSchema) }, closed);
const SnapshotSchema = Type.Object({ seq: Seq, snapshot: Digest, file: Type.Optional(Trace) }, closed);
const header = Compile(HeaderSchema);
const commit = Compile(CommitSchema);
const snapshot = Compile(SnapshotSchema);

/** One line, with its sum and its end. */
export function encodeLine(value: JournalHeader | JournalCommit | JournalSnapshot): string {
  const text = JSON.stringify(value).slice(0, -1);
  return `${text},"sum":"${sumOf(text)}"}\n`;
}

/** Half of it stands there when the writer was killed; the odds that another text has the same are 1 in 2^64. */
function sumOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

const sumEnd = /,"sum":"([0-9a-f]{16})"\}$/;

/**
 * Reads a journal. The last line may be torn: its end is missing, or holds the zeros of blocks that never reached the
 * disk. Anything else that is wrong was not done by a crash: the first line is there in whole before the file has its
 * name, and a line whose sum fits is taken, also when just its newline is gone.
 * @throws StateError STATE_INVALID, which names the line
 */
export function parseJournal(bytes: Buffer): JournalContent {
  if (bytes.length === 0) throw new StateError('STATE_INVALID', `the file is empty, and is never left so; ${wayOut}`);
  let at = 0;
  let line = 0;
  let lacksEnd = false;
  let first: JournalHeader | undefined;
  let seq = 0;
  const entries: (JournalCommit | JournalSnapshot)[] = [];
  while (at < bytes.length) {
    line += 1;
    const newline = bytes.indexOf(0x0a, at);
    let end = newline === -1 ? bytes.length : newline;
    if (newline === -1) {
      const wholeEnd = endOfWhole(bytes, at);
      if (wholeEnd === undefined && line > 1) break;
      lacksEnd = wholeEnd !== undefined;
      end = wholeEnd ?? end;
    } else if (line > 1 && newline + 1 === bytes.length && hasLostBlock(bytes, at)) {
      break;
    }
    const value = parseLine(bytes.toString('utf8', at, end), line);
    if (line === 1) {
      refuseNewer(value);
      if (!header.Check(value)) throw refusedLine(line, explanation(header, HeaderSchema, value));
      first = value;
      seq = value.seq;
    } else if (snapshot.Check(value)) {
      if (value.seq > seq) throw refusedLine(line, `seq: must be at most ${seq}, not ${value.seq}`);
      entries.push(value);
    } else {
      if (!commit.Check(value)) throw refusedLine(line, explanation(commit, CommitSchema, value));
      if (value.seq !== seq + 1) throw refusedLine(line, `seq: must be ${seq + 1}, not ${value.seq}`);
      seq = value.seq;
      entries.push(value);
    }
    at = lacksEnd ? end : end + 1;
    if (lacksEnd) break;
  }
  if (first === undefined) throw refusedLine(1, 'it is missing');
  const tornBytes = lacksEnd ? 0 : bytes.length - at;
  return { header: first, entries, seq, goodBytes: at, tornBytes, lacksEnd };
}

/**
 * Where a line ends that has no newline, when all of it is there: nothing is behind it, or zeros, or the one byte that the
 * newline became. Undefined when it is not whole.
 */
function endOfWhole(bytes: Buffer, at: number): number | undefined {
  let end = bytes.length;
  while (end > at && bytes[end - 1] === 0) end -= 1;
  return [end, end - 1].find((each) => each > at && splitSum(bytes.toString('utf8', at, each)) !== undefined);
}

/** What disks and file systems lose as one. */
const sectorBytes = 512;

/**
 * True when a block of the last line never reached the disk: zeros from the line's beginning or a sector's on, to a
 * sector's end or the file's. A zero anywhere else is a damaged byte of a line that was there.
 */
function hasLostBlock(bytes: Buffer, lineAt: number): boolean {
  for (let from = bytes.indexOf(0, lineAt); from !== -1; ) {
    let to = from;
    while (to < bytes.length && bytes[to] === 0) to += 1;
    const begins = from === lineAt || from % sectorBytes === 0;
    if (begins && (to === bytes.length || to % sectorBytes === 0)) return true;
    from = bytes.indexOf(0, to);
  }
  return false;
}

function refuseNewer(value: unknown): void {
  if (typeof value !== 'object' || value === null || !('journal' in value)) return;
  const { journal } = value;
  if (typeof journal !== 'number' || journal <= journalVersion) return;
  const message = `it is of version ${journal}, written by a newer media-aggregator; this one knows versions up to ${journalVersion}. Run the newer one; or, after a clean stop of it, move the journal away: state.json has everything then`;
  throw new StateError('STATE_INVALID', `line 1: ${message}`, { field: 'journal' });
}

const wayOut =
  'restore a backup, or move the journal away: state.json is used as it is then, and changes that were made shortly before the process ended may be missing in it';

/** The line without its sum; undefined when that is missing or does not fit. */
function splitSum(text: string): string | undefined {
  const sum = sumEnd.exec(text);
  if (sum === null) return undefined;
  const body = text.slice(0, sum.index);
  return sum[1] === sumOf(body) ? body : undefined;
}

function parseLine(text: string, line: number): unknown {
  const body = splitSum(text);
  if (body === undefined) {
    throw refusedLine(line, `its sum does not fit: it was changed, cut off or damaged; ${wayOut}`);
  }
  try {
    return parseJson(`${body}}`);
  } catch (error) {
    if (error instanceof JsonError) throw refusedLine(line, error.message);
    throw error;
  }
}

function explanation(validator: Parameters<typeof explainValue>[0], schema: object, value: unknown): string {
  return explainValue(validator, schema, value)?.message ?? 'it is not valid';
}

function refusedLine(line: number, why: string): StateError {
  return new StateError('STATE_INVALID', `line ${line}: ${why}`);
}
