import { createHash } from 'node:crypto';
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import { StateError } from '../../errors.js';
import { explainValue } from '../../json/explain.js';
import { JsonError, parseJson } from '../../json/strict-json.js';
import { type Change, ChangeSchema } from '../../model/changes.js';

/*
 * The journal, line by line. Each line is a JSON object that ends with a sum over all before it:
 *
 *   {"journal":1,"base":"DIGEST","seq":41,"sum":"..."}           the first: which state.json it continues
 *   {"seq":42,"at":"...","changes":[{...}],"sum":"..."}          one commit
 *   {"seq":42,"snapshot":"DIGEST","sum":"..."}                   a state.json with this digest holds all up to 42
 */

export interface JournalHeader {
  readonly journal: 1;
  /** The digest of the state.json that the changes come after; null: there was none. */
  readonly base: string | null;
  /** The number of the last commit before. */
  readonly seq: number;
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
}

const closed = { additionalProperties: false };
const Seq = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const Digest = Type.String({ pattern: '^[0-9a-f]{64}$' });
const HeaderSchema = Type.Object(
  { journal: Type.Literal(1), base: Type.Union([Digest, Type.Null()]), seq: Seq },
  closed,
);
const CommitSchema = Type.Object({ seq: Seq, at: Type.String(), changes: Type.Array(ChangeSchema) }, closed);
const SnapshotSchema = Type.Object({ seq: Seq, snapshot: Digest }, closed);
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
 * Reads a journal; undefined when it is empty. The last line may be torn: its end is missing, or holds the zeros of
 * blocks that never reached the disk. Anything else that is wrong was not done by a crash.
 * @throws StateError STATE_INVALID, which names the line
 */
export function parseJournal(bytes: Buffer): JournalContent | undefined {
  let at = 0;
  let line = 0;
  let first: JournalHeader | undefined;
  let seq = 0;
  const entries: (JournalCommit | JournalSnapshot)[] = [];
  while (at < bytes.length) {
    line += 1;
    const newline = bytes.indexOf(0x0a, at);
    const end = newline === -1 ? bytes.length : newline;
    const isLast = end + 1 >= bytes.length;
    if (isLast && (newline === -1 || bytes.subarray(at, end).includes(0))) break;
    const value = parseLine(bytes.toString('utf8', at, end), line);
    if (line === 1) {
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
    at = end + 1;
  }
  if (first === undefined) return undefined;
  return { header: first, entries, seq, goodBytes: at, tornBytes: bytes.length - at };
}

function parseLine(text: string, line: number): unknown {
  const sum = sumEnd.exec(text);
  const body = sum === null ? text : text.slice(0, sum.index);
  if (sum === null || sum[1] !== sumOf(body))
    throw refusedLine(line, 'its sum does not fit: it was changed, or damaged');
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
