import type { Input } from '../../client/index.js';
import { CodedError, codeOf, messageOf } from '../../errors.js';
import { cleanText } from '../../log/pino.js';
import { plural } from '../../plural.js';
import { type ApiClient, ApiError } from '../client.js';
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
 * `allOrNothing` says so. When a call fails, what became of the earlier ones is said before the error is thrown on.
 * @param words what is said of a change that was made, by its outcome; undefined: nothing
 * @returns the exit code
 * @throws CodedError, ApiError of the call that failed
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
  let broken: { readonly error: unknown; readonly rest: Rest } | undefined;
  for (let at = 0; at < changes.length && broken === undefined; at += step) {
    const some = changes.slice(at, at + step).map(({ change }) => change);
    try {
      const answer = await client.batch({ mode: allOrNothing ? 'all' : 'each', dryRun, changes: some });
      results.push(...answer.results);
    } catch (error) {
      const rest = restOf(changes, { from: at, to: at + some.length, error, dryRun });
      // The error alone says it all: nothing is made.
      if ((allOrNothing || at === 0) && rest.unknown.length === 0) throw error;
      broken = { error, rest };
    }
    progress.show(results.length);
  }
  progress.end();
  const failed = results.filter(({ outcome }) => outcome === 'failed').length;
  if (options.json) io.out.write(json({ dryRun, failed, results, ...broken?.rest }));
  else if (results.length > 0 || broken === undefined) report(changes, results, { io, words, dryRun });
  if (broken !== undefined) {
    if (options.json !== true && changes.length > 1) io.err.write(restWords(broken.rest, io));
    throw broken.error;
  }
  return failed > 0 ? exitCodes.failed : exitCodes.ok;
}

/** What a call that failed leaves open: what the changes are about, in the order in which they were asked for. */
interface Rest {
  /** They may be made, or not: nobody answered for them. */
  readonly unknown: readonly string[];
  readonly notMade: readonly string[];
}

/** After these failures of a call, its changes may be made. Any other one refuses the call, and nothing of it is made. */
const openFailures = /^(API_UNREACHABLE|INTERNAL|STATE_\w+)$/;

/** The words of `ApiClient` for an aggregator that was never reached. */
const neverAsked =
  /does not answer: (?:the connection was refused|bad port|ENOTFOUND|EAI_AGAIN|its certificate is not trusted)/;

function restOf(
  changes: readonly NamedChange[],
  { from, to, error, dryRun }: { from: number; to: number; error: unknown; dryRun: boolean },
): Rest {
  const code = error instanceof ApiError ? error.apiCode : codeOf(error);
  const isRefused = dryRun || !openFailures.test(code) || neverAsked.test(messageOf(error));
  const named = changes.slice(from).map(({ about, place }) => (place === undefined ? about : `${place}: ${about}`));
  const open = isRefused ? 0 : to - from;
  return { unknown: named.slice(0, open), notMade: named.slice(open) };
}

function restWords({ unknown, notMade }: Rest, io: CliIo): string {
  const paint = painter(io.err, io.env);
  const line = (named: readonly string[], what: string): string => {
    if (named.length === 0) return '';
    const [first = '', last = ''] = [named[0], named.at(-1)];
    const which = named.length === 1 ? first : `${first} to ${last} (${named.length} changes)`;
    return `${paint('red', 'failed')}: ${cleanText(`${which}: ${what}`)}\n`;
  };
  return (
    line(unknown, 'not known whether made; the same command again makes what is missing') + line(notMade, 'not made')
  );
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
  const counts = new Map<string, number>();
  const count = (kind: Kind, outcome: ChangeResultView['outcome']): void => {
    const key = `${outcome} ${kind}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  };
  const lines: string[] = [];
  const failures: string[] = [];
  for (const [index, result] of results.entries()) {
    const named = changes[index];
    if (named === undefined) continue;
    count(kindOf(named.change), result.outcome);
    for (const { outcome } of result.pushes ?? []) count('push', outcome);
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

type Kind = 'camera' | 'push' | 'engine';

const pluralOf = { camera: 'cameras', push: 'pushes', engine: 'engines' } as const;

/** What kind of thing a change is about, by the name of its operation: `addPush` is about a push. */
function kindOf({ operation }: Change): Kind {
  if (operation.endsWith('Push')) return 'push';
  return operation.endsWith('Engine') ? 'engine' : 'camera';
}

const summaryWords = {
  created: ['added', 'would be added'],
  changed: ['changed', 'would be changed'],
  removed: ['removed', 'would be removed'],
  unchanged: ['as before', 'would stay as before'],
  failed: ['failed', 'would fail'],
} as const;

/** The last line: `200 cameras and 600 pushes added, 1 camera failed.` */
function summary(counts: ReadonlyMap<string, number>, dryRun: boolean): string {
  const kinds = Object.keys(pluralOf) as Kind[];
  const parts = Object.entries(summaryWords).flatMap(([outcome, words]) => {
    const named = kinds.flatMap((kind) => {
      const count = counts.get(`${outcome} ${kind}`) ?? 0;
      return count === 0 ? [] : [countOf(count, kind)];
    });
    return named.length === 0 ? [] : [`${named.join(' and ')} ${words[dryRun ? 1 : 0]}`];
  });
  const text = parts.length === 0 ? 'nothing to change' : parts.join(', ');
  return dryRun ? `Dry run: ${text}. Nothing was changed.\n` : `${capital(text)}.\n`;
}

/** `1 push`, `3 pushes`. */
export function countOf(count: number, kind: Kind): string {
  return plural(count, kind, pluralOf[kind]);
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
