import { createHash } from 'node:crypto';
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import { StateError } from '../../errors.js';
import type { FileMark } from '../../files/read.js';
import { explainValue } from '../../json/explain.js';
import { JsonError, parseJson } from '../../json/strict-json.js';
import { type Change, ChangeSchema } from '../../model/changes.js';
import { DocumentError } from '../../model/document/document-error.js';
import { openChange, type Sealing, sealedPrefix } from '../sealing.js';

/*
 * The journal, line by line. Each line is a JSON object that ends with a sum over all before it:
 *
 *   {"journal":3,"base":"DIGEST","file":{...},"seq":41,"sum":"..."}   the first: which state.json it continues
 *   {"seq":42,"at":"...","changes":[{...}],"sum":"..."}               one commit
 *   {"seq":42,"snapshot":"DIGEST","file":{...},"sum":"..."}           a state.json with this digest holds all up to 42
 *
 * `file` says how large that state.json is and when it was written: another content with the same size and time was
 * written by nobody. Version 1 had none. Behind the last line comes padding since version 3: see `journal-parse.ts`.
 */

/** The version of the journal that this program writes, and the first with padding. */
export const journalVersion = 3;

export interface JournalHeader {
  readonly journal: 1 | 2 | 3;
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
  /** Bytes after them: parts of a line whose writer was killed. It was never acknowledged. */
  readonly tornBytes: number;
  /** The last line is whole, and only what ends it is missing or damaged. */
  readonly lacksEnd: boolean;
  /** Where the padding begins; `goodBytes` if it follows the last line directly. */
  readonly dirtyEnd: number;
  /** One byte of the padding is damaged, which loses nothing. */
  readonly hasStrayByte: boolean;
}

const closed = { additionalProperties: false };
const Seq = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const Digest = Type.String({ pattern: '^[0-9a-f]{64}$' });
const Trace = Type.Object({ bytes: Seq, modified: Type.String({ pattern: '^-?\\d{1,20}$' }) }, closed);
const HeaderSchema = Type.Object(
  {
    journal: Type.Union([Type.Literal(1), Type.Literal(2), Type.Literal(journalVersion)]),
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

/** The line of a commit, as `encodeLine` gives it, in steps: one may have tens of thousands of changes. */
export function* encodeCommitSteps({ seq, at, changes }: JournalCommit): Generator<undefined, Buffer> {
  const sum = createHash('sha256');
  const blocks: Buffer[] = [];
  let pieces = [JSON.stringify({ seq, at }).slice(0, -1), ',"changes":['];
  let separator = '';
  let length = 0;
  const flush = (): void => {
    const block = Buffer.from(pieces.join(''));
    sum.update(block);
    blocks.push(block);
    pieces = [];
    length = 0;
  };
  for (const change of changes) {
    const piece = separator + JSON.stringify(change);
    pieces.push(piece);
    separator = ',';
    length += piece.length;
    if (length >= encodedBlockLength) flush();
    yield;
  }
  pieces.push(']');
  flush();
  blocks.push(Buffer.from(`,"sum":"${sum.digest('hex').slice(0, 16)}"}\n`));
  return Buffer.concat(blocks);
}

/** Encoded and hashed at once. */
const encodedBlockLength = 64 * 1024;

/** A part of the line is left when the writer was killed. The odds that another text has the same sum are 1 in 2^64. */
function sumOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

const sumEnd = /,"sum":"([0-9a-f]{16})"\}$/;

/** The line without its sum; undefined when that is missing or does not fit: it is not whole. */
export function splitSum(text: string): string | undefined {
  const sum = sumEnd.exec(text);
  if (sum === null) return undefined;
  const body = text.slice(0, sum.index);
  return sum[1] === sumOf(body) ? body : undefined;
}

/** True for a text that ends as a line does, whether its sum fits or not. */
export function endsLikeLine(text: string): boolean {
  return sumEnd.test(text);
}

/** The lines that were read, in order. */
export class JournalReading {
  readonly #sealing: Sealing;
  #header: JournalHeader | undefined;
  readonly entries: (JournalCommit | JournalSnapshot)[] = [];
  /** The number of the last commit. */
  seq = 0;
  /** How many lines were read. */
  lines = 0;

  constructor(sealing: Sealing) {
    this.#sealing = sealing;
  }

  /** Undefined before the first line. */
  get header(): JournalHeader | undefined {
    return this.#header;
  }

  /** @throws StateError STATE_SEALED */
  #opened(value: unknown, body: string, line: number): unknown {
    if (!body.includes(`"${sealedPrefix}`) || typeof value !== 'object' || value === null) return value;
    if (!('changes' in value) || !Array.isArray(value.changes)) return value;
    try {
      return { ...value, changes: value.changes.map((change: unknown) => openChange(change, this.#sealing)) };
    } catch (error) {
      if (error instanceof DocumentError) throw error.inLine(line);
      throw error;
    }
  }

  /** Takes the next line. @param body what `splitSum` gave @throws StateError STATE_INVALID, which names the line */
  take(body: string): void {
    this.lines += 1;
    const line = this.lines;
    const value = this.#opened(parseBody(body, line), body, line);
    if (this.#header === undefined) {
      refuseNewer(value);
      if (!header.Check(value)) throw refusedLine(line, explanation(header, HeaderSchema, value));
      this.#header = value;
      this.seq = value.seq;
    } else if (snapshot.Check(value)) {
      if (value.seq > this.seq) throw refusedLine(line, `seq: must be at most ${this.seq}, not ${value.seq}`);
      this.entries.push(value);
    } else {
      if (!commit.Check(value)) throw refusedLine(line, explanation(commit, CommitSchema, value));
      if (value.seq !== this.seq + 1) throw refusedLine(line, `seq: must be ${this.seq + 1}, not ${value.seq}`);
      this.seq = value.seq;
      this.entries.push(value);
    }
  }
}

function refuseNewer(value: unknown): void {
  if (typeof value !== 'object' || value === null || !('journal' in value)) return;
  const { journal } = value;
  if (typeof journal !== 'number' || journal <= journalVersion) return;
  const message = `it is of version ${journal}, written by a newer media-aggregator; this one knows versions up to ${journalVersion}. Run the newer one; or, after a clean stop of it, move the journal away: state.json has everything then`;
  throw new StateError('STATE_INVALID', `line 1: ${message}`, { field: 'journal' });
}

function parseBody(body: string, line: number): unknown {
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

export function refusedLine(line: number, why: string): StateError {
  return new StateError('STATE_INVALID', `line ${line}: ${why}`);
}
