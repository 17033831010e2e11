import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { digits, markdownTable } from './markdown.js';
import { root } from './paths.js';
import { writePlots } from './plots.js';
import type { Report, Row } from './report.js';
import { outcomeOf, type Target, targets } from './targets.js';

/*
 * Writes the tables of docs/performance.md, and its plots, from what `npm run bench -- --out FILE` wrote:
 *
 *   npm run bench:tables -- FILE [FILE ...]
 *
 * Where two files have the same load and system, the first one counts. Ratios are taken within a file only.
 */

const page = join(root, 'docs/performance.md');
/** What the plots show. */
const plotted: ReadonlySet<string> = new Set(['ours', 'nginx-rtmp', 'nginx-rtmp+nodelay']);

interface Entry {
  readonly row: Row;
  readonly report: Report;
}

/** One of each load and system, load by load. */
function entriesOf(reports: readonly Report[]): Entry[] {
  const entries = new Map<string, Entry>();
  for (const report of reports) {
    for (const row of report.rows) {
      const key = `${row.scenario} ${row.system}`;
      if (!entries.has(key)) entries.set(key, { row, report });
    }
  }
  const all = [...entries.values()];
  const order = [...new Set(all.map(({ row }) => row.scenario))];
  return all.sort((a, b) => order.indexOf(a.row.scenario) - order.indexOf(b.row.scenario));
}

/** A system as the command line names it, for the page. */
function nameOf(system: string): string {
  return system.replace(/^ours:(.*)$/, 'ours, `$1`').replace(/\+nodelay$/, ', TCP_NODELAY');
}

const titles = [
  ...['load', 'system', 'CPU s/GB out', 'user + system', 'to nginx-rtmp', 'core %', 'MB'],
  ...['video p50 / p99 ms', 'audio p50 / p99 ms', 'others %'],
];

function figures(entries: readonly Entry[]): string {
  const lines = entries.map(({ row, report }) => [
    row.scenario,
    nameOf(row.system),
    row.void === null ? digits(row.cpuPerGbOut, 2) : 'void',
    `${digits(row.userPerGbOut, 2)} + ${digits(row.systemPerGbOut, 2)}`,
    report.reference === 'nginx-rtmp' ? digits(row.ratio, 2) : '-',
    digits(row.cpuPercent, 1),
    digits(row.rssMb, 0),
    ...[row.videoLatencyMs, row.audioLatencyMs].map(({ p50, p99 }) => `${digits(p50, 1)} / ${digits(p99, 1)}`),
    digits(row.otherCpuPercent, 0),
  ]);
  return `${conditions(entries.map(({ report }) => report))}\n\n${markdownTable([titles, ...lines], 2)}`;
}

/** Where, when and of what they were taken. */
function conditions(reports: readonly Report[]): string {
  const all = (of: (report: Report) => string): string => [...new Set(reports.map(of))].sort().join(', ');
  const machine = all(({ machine: { cpu, cores, kernel } }) => `${cpu}, ${cores} cores, Linux ${kernel}`);
  const rounds = all(({ rows, runs }) => String(Math.round(runs.length / Math.max(1, rows.length))));
  return [
    `${machine}, Node.js ${all(({ node }) => node.replace(/^v/, ''))}.`,
    `Revision ${all(({ revision }) => `\`${revision}\``)}, ${all(({ takenAt }) => takenAt.slice(0, 10))}, rounds: ${rounds}.`,
  ].join('\n');
}

function outcomes(reports: readonly Report[]): string {
  const lines = targets.map((target) => {
    const outcome = reports.map((report) => outcomeOf(target, report)).find((each) => each !== undefined);
    const head = [target.scenario, nameOf(target.system), target.what, String(target.atMost)];
    if (outcome === undefined) return [...head, '-', '-', 'not measured'];
    const { median, least, most } = outcome;
    const range = least === most ? '-' : `${digits(least, 2)} to ${digits(most, 2)}`;
    return [...head, digits(median, 2), range, verdict(target, median)];
  });
  return markdownTable([['load', 'system', 'what', 'at most', 'is', 'rounds', ''], ...lines], 3);
}

function verdict({ atMost }: Target, value: number): string {
  return value <= atMost ? 'met' : `not met, ${digits(100 * (value / atMost - 1), 0)} % above`;
}

/** Puts the text between the two marks of this name. @throws Error when the page has none */
function replaceBetween(text: string, name: string, inner: string): string {
  const [begin, end] = [`<!-- ${name}: npm run bench:tables -->`, `<!-- end of ${name} -->`];
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${page} has no ${begin} with ${end} behind it`);
  return `${text.slice(0, from + begin.length)}\n\n${inner}\n\n${text.slice(to)}`;
}

const files = process.argv.slice(2);
if (files.length === 0) {
  console.error('npm run bench:tables -- FILE [FILE ...]: files that npm run bench -- --out FILE wrote');
  process.exit(2);
}
const reports = files.map((file) => JSON.parse(readFileSync(file, 'utf8')) as Report);
const entries = entriesOf(reports);
let text = readFileSync(page, 'utf8');
text = replaceBetween(text, 'figures', figures(entries));
text = replaceBetween(text, 'targets', outcomes(reports));
writeFileSync(page, text);
const rows = entries.map(({ row }) => row).filter(({ system }) => plotted.has(system));
if (reports[0] !== undefined) writePlots({ ...reports[0], rows }, join(root, 'docs/performance'));
