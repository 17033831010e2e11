/** npm run bench: see options.ts, and docs/performance.md for the method. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Adapter } from './adapters/adapter.js';
import { findAdapter } from './adapters/index.js';
import { runAtOnce } from './at-once.js';
import { findRegressions, readBaseline, recordBaseline } from './baseline.js';
import { runCalmly } from './calm.js';
import { type Options, parseOptions, usage } from './options.js';
import { writePlots } from './plots.js';
import { profile } from './profile.js';
import { createReport, formatTable, type Report } from './report.js';
import type { RunResult } from './result.js';
import { Revisions, workingRevision } from './revisions.js';
import { run } from './run.js';

const reference = 'nginx-rtmp';

/** What goes wrong by a busy machine goes wrong once, and what is wrong with the program goes wrong each time. */
const shortTries = 3;

async function main(): Promise<number> {
  let options: Options;
  try {
    options = parseOptions(process.argv.slice(2));
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${usage}`);
    return 2;
  }
  if (options.help) {
    console.log(usage);
    return 0;
  }
  const revisions = new Revisions();
  process.on('exit', () => revisions.remove());
  if (options.profile !== undefined) {
    console.log(await profile(options, options.profile, revisions));
    return 0;
  }
  const adapters = await findAdapters(options, revisions);
  const baseline = options.short ? (readBaseline()?.ratios ?? {}) : {};
  let problems: string[] = [];
  for (let tries = options.short ? shortTries : 1; tries > 0; tries--) {
    const report = await measure(options, adapters);
    problems = findRegressions(report.rows, baseline);
    if (problems.length === 0) break;
    for (const problem of problems) console.error(`${tries > 1 ? 'once more, since' : 'FAILED'} ${problem}`);
  }
  return problems.length > 0 ? 1 : 0;
}

async function measure(options: Options, adapters: readonly Adapter[]): Promise<Report> {
  const runs = await runAll(options, adapters);
  const cameras = new Map(options.scenarios.map((scenario) => [scenario.name, scenario.cameras]));
  const report = createReport(runs, cameras, {
    reference: adapters.some(({ name }) => name === reference) ? reference : (adapters.at(-1)?.name ?? ''),
    revision: workingRevision(),
  });
  print(report);
  if (options.out !== undefined) {
    mkdirSync(dirname(options.out), { recursive: true });
    writeFileSync(options.out, `${JSON.stringify(report, null, 1)}\n`);
  }
  if (options.plots !== undefined) writePlots(report, options.plots);
  if (options.record) recordBaseline(report);
  return report;
}

async function findAdapters(options: Options, revisions: Revisions): Promise<Adapter[]> {
  const usable: Adapter[] = [];
  for (const spec of options.systems) {
    const adapter = findAdapter(spec, revisions);
    const reason = await adapter.unavailable();
    if (reason === undefined) usable.push(adapter);
    else console.error(`${spec} is left out: ${reason}`);
  }
  return usable;
}

/** Every scenario by itself; in it the systems in turn, round by round: A B A B; or all of a round at once. */
async function runAll(options: Options, adapters: readonly Adapter[]): Promise<RunResult[]> {
  const runs: RunResult[] = [];
  const keep = (result: RunResult, round: number): void => {
    runs.push(result);
    const cost = ((result.cpuUser + result.cpuSystem) / (result.bytesOut / 1e9)).toFixed(3);
    const what = result.void === null ? `${cost} CPU s/GB out` : `VOID: ${result.void}`;
    console.error(`${result.scenario} round ${round} ${result.system}: ${what}`);
  };
  for (const scenario of options.scenarios) {
    for (let round = 1; round <= options.rounds; round++) {
      if (options.atOnce) {
        for (const result of await runAtOnce(adapters, scenario, options)) keep(result, round);
        continue;
      }
      for (const adapter of adapters) {
        const { calmWaitMs } = options;
        const result = await (calmWaitMs === undefined
          ? run(adapter, scenario, options)
          : runCalmly(adapter, scenario, options, calmWaitMs));
        keep(result, round);
      }
    }
  }
  return runs;
}

function print(report: Report): void {
  const { machine, node, revision } = report;
  const load = readFileSync('/proc/loadavg', 'utf8').split(' ', 1)[0];
  console.log(`${machine.cpu}, ${machine.cores} cores, Linux ${machine.kernel}, Node ${node}, revision ${revision}`);
  console.log(`load average at the end: ${load}; ratios to ${report.reference}, round by round\n`);
  console.log(formatTable(report.rows));
}

process.exitCode = await main();
