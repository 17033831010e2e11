import type { Input } from '../../client/index.js';
import { CodedError } from '../../errors.js';
import { cleanText } from '../../log/pino.js';
import type { ApiClient } from '../client.js';
import { exitCodes } from '../exit-codes.js';
import { json } from '../format.js';
import { type CliIo, painter } from '../io.js';
import type { ChangeResultView } from '../views.js';

type Batch = Input<'batchChange'>['body'];
export type Change = Batch['changes'][number];

/** A change with what people call it. */
export interface NamedChange {
  readonly change: Change;
  /** What it is about: `camera gate-1`, `push p-1 of gate-1 to rtmp://...`; secrets masked. */
  readonly about: string;
  /** Where it was asked for, where that was a list: `line 17`. */
  readonly place?: string;
}

export interface ManyOptions {
  readonly json?: boolean;
  readonly dryRun?: boolean;
  readonly allOrNothing?: boolean;
}

/** Options of the commands that change many things. */
export const dryRunText = 'only show what would change';
export const allOrNothingText = 'change nothing at all if one of the changes cannot be made';

/** Changes of one call: few enough that progress is seen, many enough that a thousand take a second. */
const changesPerCall = 500;

/**
 * Makes changes and says what became of each. Those that cannot be made do not keep the others from being made, unless
 * `allOrNothing` says so.
 * @param words what is said of a change that was made, by its outcome; undefined: nothing
 * @returns the exit code
 */
export async function makeChanges(
  client: ApiClient,
  changes: readonly NamedChange[],
  { io, options, words = usualWords }: { io: CliIo; options: ManyOptions; words?: WordsOf },
): Promise<number> {
  const { dryRun = false, allOrNothing = false } = options;
  const step = allOrNothing ? changes.length : changesPerCall;
  const results: ChangeResultView[] = [];
  const progress = new Progress(io, changes.length);
  for (let at = 0; at < changes.length; at += step) {
    const some = changes.slice(at, at + step).map(({ change }) => change);
    const answer = await client.batch({ mode: allOrNothing ? 'all' : 'each', dryRun, changes: some });
    results.push(...answer.results);
    progress.show(results.length);
  }
  progress.end();
  const failed = results.filter(({ outcome }) => outcome === 'failed').length;
  if (options.json) io.out.write(json({ dryRun, failed, results }));
  else report(changes, results, { io, words, dryRun });
  return failed > 0 ? exitCodes.failed : exitCodes.ok;
}

export type WordsOf = (named: NamedChange, result: ChangeResultView) => string | undefined;

const outcomeWords = {
  created: ['is added', 'would be added'],
  changed: ['is changed', 'would be changed'],
  removed: ['is removed', 'would be removed'],
  unchanged: ['is as it was', 'would stay as it is'],
} as const;

/** The words for what became of a change. */
function usualWords({ about }: NamedChange, { outcome, fields }: ChangeResultView): string | undefined {
  if (outcome === 'failed') return undefined;
  return `${capital(about)} ${outcomeWords[outcome][0]}${fields === undefined ? '' : ` (${fields.join(', ')})`}`;
}

function report(
  changes: readonly NamedChange[],
  results: readonly ChangeResultView[],
  { io, words, dryRun }: { io: CliIo; words: WordsOf; dryRun: boolean },
): void {
  const paint = painter(io.err, io.env);
  const counts = { created: 0, changed: 0, removed: 0, unchanged: 0, failed: 0 };
  const lines: string[] = [];
  const failures: string[] = [];
  for (const [index, result] of results.entries()) {
    const named = changes[index];
    if (named === undefined) continue;
    for (const { outcome } of [result, ...(result.pushes ?? [])]) counts[outcome] += 1;
    if (result.outcome === 'failed') {
      const { code, detail } = result.error ?? { code: 'INTERNAL', detail: 'it was not made' };
      const place = named.place === undefined ? '' : `${named.place}: `;
      const why = detail.replace(/^changes\.\d+: /, '');
      failures.push(`${paint('red', 'failed')}: ${cleanText(`${place}${named.about}: ${code}: ${why}`)}\n`);
    } else if (dryRun) {
      lines.push(`${cleanText(`${capital(named.about)} ${outcomeWords[result.outcome][1]}${withPushes(result)}`)}\n`);
    } else {
      const text = words(named, result);
      if (text !== undefined) lines.push(`${cleanText(text + withPushes(result))}\n`);
    }
  }
  io.out.write(lines.join('') + summary(counts, dryRun));
  if (failures.length > 0) io.err.write(failures.join(''));
}

function withPushes({ pushes }: ChangeResultView): string {
  if (pushes === undefined || pushes.length === 0) return '';
  return `; pushes ${pushes.map(({ id, outcome }) => (outcome === 'unchanged' ? `${id} (was there)` : id)).join(', ')}`;
}

function summary(counts: Readonly<Record<string, number>>, dryRun: boolean): string {
  const words = { created: 'added', changed: 'changed', removed: 'removed', unchanged: 'as before', failed: 'failed' };
  const parts = Object.entries(words).flatMap(([outcome, word]) => {
    const count = counts[outcome] ?? 0;
    return count === 0 ? [] : [`${count} ${word}`];
  });
  const text = parts.length === 0 ? 'nothing to change' : parts.join(', ');
  return dryRun ? `Dry run: ${text}. Nothing was changed.\n` : `${capital(text)}.\n`;
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

/** How far it is, in one line of a terminal. */
export class Progress {
  readonly #io: CliIo;
  readonly #all: number;
  #isShown = false;

  constructor(io: CliIo, all: number) {
    this.#io = io;
    this.#all = all;
  }

  show(done: number): void {
    if (!this.#io.err.isTTY || this.#all <= changesPerCall) return;
    this.#isShown = true;
    this.#io.err.write(`\r\u001b[K${done} of ${this.#all}`);
  }

  end(): void {
    if (this.#isShown) this.#io.err.write('\r\u001b[K');
  }
}

/** @throws CodedError USAGE for more than one call takes */
export function checkCount(changes: readonly NamedChange[], allOrNothing: boolean): void {
  if (!allOrNothing || changes.length <= maxInOneCall) return;
  throw new CodedError('USAGE', `${changes.length} changes are more than ${maxInOneCall}: leave out --all-or-nothing`);
}

const maxInOneCall = 50_000;
