import type { Command } from 'commander';
import { CodedError } from '../../errors.js';
import type { CameraList } from '../../import/camera-list.js';
import { type ImportPlan, type Outcome, type PlanLine, planImport } from '../../import/plan.js';
import { cleanText } from '../../log/pino.js';
import { plural } from '../../plural.js';
import { type ClusterFlags, withClusterFlags } from '../backup/cluster-command.js';
import { exitCodes } from '../exit-codes.js';
import { findApi } from '../find-api.js';
import { json } from '../format.js';
import { applyImport, type Result } from '../import-apply.js';
import { readImportSource } from '../import-source.js';
import { type CliIo, painter } from '../io.js';
import { addChange, addListed } from './camera-add.js';
import { importToCluster } from './import-cluster.js';
import { type ClientOptions, withClientOptions } from './shared.js';

interface ImportOptions extends ClientOptions, ClusterFlags {
  readonly toCluster?: boolean;
  readonly withoutSecrets?: boolean;
  readonly dryRun?: boolean;
  readonly take: readonly string[];
  readonly dropAccessRules?: boolean;
}

export function addImportCommand(program: Command, io: CliIo, setExitCode: (code: number) => void): void {
  withClusterFlags(withClientOptions(program.command('import [file]')))
    .description(
      'Import cameras and pushes from an nginx.conf with the RTMP module, a CSV file or JSON; or the state of one node into a cluster',
    )
    .option('--to-cluster', 'move the state of a stopped node (its data folder) into the etcd of a cluster')
    .option(
      '--without-secrets',
      'with --to-cluster: only the state, without tokens and what publish keys are made from',
    )
    .option('--dry-run', 'only show what would be imported; no aggregator is needed')
    .option(
      '--take <application>',
      'import this application as a camera, although it looks like one for many streams; may be repeated',
      (value: string, before: readonly string[]) => [...before, value],
      [],
    )
    .option('--drop-access-rules', 'also import applications whose allow, deny or on_publish would be lost')
    .addHelpText(
      'after',
      `
A CSV file has the columns name, type, engine and url; JSON has the same keys, as a list or one object a line ("camera add"
tells more). Of an nginx.conf, each "application NAME { live on; push URL; }" becomes a camera NAME with its pushes. For every line it is said what
became of it and why: taken, covered (the aggregator does so by itself), left-out or foreign (not about RTMP). What is
there already stays, so importing twice changes nothing. Exit code 1: the file cannot be used, or the aggregator refused
something.

With --to-cluster there is no file: cameras, pushes, engines, tokens and what publish keys are made from go from --data-dir into
etcd. It says what it makes; what the cluster has as something else refuses all of it (IMPORT_CONFLICT). Settings for etcd that
are no flags here come from variables and media-aggregator.yaml.

Examples:
  $ media-aggregator import /etc/nginx/nginx.conf --dry-run
  $ media-aggregator import nginx.conf
  $ media-aggregator import cameras.csv
  $ media-aggregator import nginx.conf --take live --json
  $ media-aggregator import --to-cluster --cluster etcd://10.0.0.1:2379 --cluster-secret-file cluster-secret --dry-run
`,
    )
    .action(async (file: string | undefined, options: ImportOptions) => {
      if (options.toCluster === true) {
        if (file !== undefined)
          throw new CodedError('USAGE', '--to-cluster imports a data folder (--data-dir), and no file');
        await importToCluster(options, io);
        return;
      }
      if (file === undefined) throw new CodedError('USAGE', 'name a file to import, or use --to-cluster');
      const { take, dropAccessRules = false, dryRun = false } = options;
      const source = await readImportSource(file, io.cwd);
      if (source.kind === 'list') {
        setExitCode(await importList(file, source.list, options, io));
        return;
      }
      const plan = planImport(source.directives, { take, dropAccessRules });
      const results = dryRun ? new Map<PlanLine, Result>() : await applyImport(plan, findApi(options, io));
      const report: Report = { file, dryRun, plan, results };
      io.out.write(options.json ? json(reportForPrograms(report)) : reportForPeople(report, io));
      const failed = [...results.values()].some(({ kind }) => kind === 'failed');
      setExitCode(failed ? exitCodes.failed : exitCodes.ok);
    });
}

/** Registers the cameras of a CSV file or of JSON. @returns the exit code */
async function importList(file: string, list: CameraList, options: ImportOptions, io: CliIo): Promise<number> {
  const { cameras, problems, format } = list;
  const pushes = cameras.reduce((sum, camera) => sum + camera.pushes.length, 0);
  const found = `${plural(cameras.length, 'camera')} and ${plural(pushes, 'push', 'pushes')}`;
  if (options.dryRun !== true) {
    if (options.json !== true) io.out.write(`${cleanText(`${file}: ${format} with ${found}`)}\n`);
    const { dryRun: _, ...others } = options;
    return addListed({ changes: cameras.map((camera) => addChange(camera)), problems }, others, io);
  }
  if (options.json === true) io.out.write(json({ file, format, dryRun: true, cameras, problems }));
  else {
    const lines = cameras.map(
      ({ name, place, pushes: own }) => `${place}: camera ${name} with ${plural(own.length, 'push', 'pushes')}`,
    );
    const wrong = problems.map(({ place, message }) => `${place}: left out: ${message}`);
    const last = `${file}: ${format} with ${found}, which would be taken; nothing was changed`;
    io.out.write([...lines, ...wrong, last].map((line) => `${cleanText(line)}\n`).join(''));
  }
  return problems.length > 0 ? exitCodes.failed : exitCodes.ok;
}

interface Report {
  readonly file: string;
  readonly dryRun: boolean;
  readonly plan: ImportPlan;
  readonly results: ReadonlyMap<PlanLine, Result>;
}

/** Stable: fields are added, never changed. */
function reportForPrograms({ file, dryRun, plan, results }: Report): object {
  const resultOf = (line: PlanLine): object | null => {
    const result = results.get(line);
    if (result === undefined) return null;
    return result.kind === 'failed' ? { kind: 'failed', code: result.code, message: result.message } : result;
  };
  return {
    file,
    dryRun,
    summary: summaryOf({ file, dryRun, plan, results }),
    cameras: plan.cameras.map((camera) => ({
      name: camera.name,
      file: camera.line.file,
      line: camera.line.line,
      pushes: camera.pushes.length,
    })),
    lines: plan.lines.map((line) => ({ ...line, result: resultOf(line) })),
  };
}

function summaryOf({ plan, results }: Report): Record<string, number> {
  const count = (outcome: Outcome): number => plan.lines.filter((line) => line.outcome === outcome).length;
  const made = (kind: Result['kind']): number => [...results.values()].filter((result) => result.kind === kind).length;
  return {
    cameras: plan.cameras.length,
    pushes: plan.cameras.reduce((sum, { pushes }) => sum + pushes.length, 0),
    covered: count('covered'),
    leftOut: count('left-out'),
    made: made('made'),
    there: made('there'),
    failed: made('failed'),
  };
}

const colors = { taken: 'green', covered: 'dim', 'left-out': 'yellow', foreign: 'dim' } as const;

function reportForPeople(report: Report, io: CliIo): string {
  const { plan, results, dryRun } = report;
  const paint = painter(io.out, io.env);
  const place = ({ file, line }: PlanLine): string => cleanText(`${file}:${line}`);
  const width = Math.max(0, ...plan.lines.slice(0, 100_000).map((line) => place(line).length));
  const lines = plan.lines.map((line) => {
    const outcome = paint(colors[line.outcome], line.outcome.padEnd(8));
    const result = wordsOf(results.get(line));
    const failed = results.get(line)?.kind === 'failed';
    const done = result === '' ? '' : ` -> ${failed ? paint('red', result) : result}`;
    return `${place(line).padEnd(width)}  ${outcome}  ${cleanText(line.directive)}: ${cleanText(line.reason)}${done}`;
  });
  const { cameras = 0, pushes = 0, covered, leftOut = 0, made, there, failed } = summaryOf(report);
  const taken = `${plural(cameras, 'camera')} and ${plural(pushes, 'push', 'pushes')}`;
  const what = dryRun
    ? `${taken} would be taken; nothing was changed`
    : `${taken} taken: ${made} made, ${there} there already, ${failed} failed`;
  if (!plan.lines.some(({ directive }) => directive === 'rtmp {')) lines.push('There is no rtmp block in it.');
  lines.push(`${what}. ${plural(leftOut, 'line')} left out, ${covered} covered.`);
  return `${lines.join('\n')}\n`;
}

function wordsOf(result: Result | undefined): string {
  if (result === undefined) return '';
  if (result.kind === 'failed') return cleanText(`failed: ${result.code}: ${result.message}`);
  const id = result.id === undefined ? '' : ` (${result.id})`;
  return result.kind === 'made' ? `made${id}` : `there already${id}`;
}
