import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { runMain } from '../run-main.js';
import { nginxModule } from './engine.js';
import { faketimeLibrary } from './programs.js';
import { rolling, type Scenario, scenarios } from './scenarios.js';
import { leaseSeconds, type Path, World } from './world.js';

const help = `npm run soak -- --cluster [options]

Three members of etcd, each with a disk of its own, and three aggregators in two places, each in a network namespace with an address
of its own; four cameras with three pushes each to targets that check each picture's hash, a camera of real ffmpeg with two pushes
to a real nginx-rtmp, whose recordings ffprobe and ffmpeg check, and six callers that change other cameras all the time. Each
trouble prints how long each push was without a picture; a table of all comes at the end. Exit code 1 when a push that the trouble
is not in the way of loses a picture, a push runs twice for longer than a lease, a change that was acknowledged is gone, or all is
not well again by itself. Needs root, iproute2, iptables, unshare, etcd, ffmpeg and nginx-rtmp. All of it is in namespaces
that end with it.

  --only WORDS     the troubles whose names have these words; several with "|" between them
  --from WORDS     the troubles from that one on
  --old PROGRAM    an older build (.../dist/cli/bin.cjs): nodes of both versions work side by side, one after the other is
                   replaced, and back again
  --list           the names of the troubles
  --keep           leaves logs and data where they are, and says where`;

const { values } = parseArgs({
  options: {
    cluster: { type: 'boolean' },
    only: { type: 'string' },
    from: { type: 'string' },
    old: { type: 'string' },
    list: { type: 'boolean' },
    keep: { type: 'boolean' },
    help: { type: 'boolean' },
  },
});

/** What does not work here; undefined: nothing. */
function missing(): string | undefined {
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  for (const program of ['ip', 'iptables', 'unshare', 'etcd', 'etcdctl', 'ffmpeg', 'ffprobe', 'nginx', 'mkfs.ext4']) {
    if (spawnSync('sh', ['-c', `command -v ${program}`]).status !== 0) return `${program} is not installed`;
  }
  if (!existsSync(nginxModule)) return 'the RTMP module of nginx is not installed';
  const { status } = spawnSync('unshare', [...apart, 'true']);
  return status === 0 ? undefined : 'this machine allows no namespaces';
}

/** Namespaces of its own for the network, mounts and processes: whatever ends this program, nothing of it is left. */
const apart = ['--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc'];
/** The folder of this run, where it is in them. */
const folderVariable = 'MEDIA_AGGREGATOR_SOAK_FOLDER';

/** Runs this program once more, in namespaces of its own. @returns its exit code */
async function runApart(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'media-aggregator-cluster-'));
  const prepare = 'ip link set lo up && mkdir -p /run/netns && mount -t tmpfs none /run/netns && exec "$@"';
  const self = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const child = spawn('unshare', [...apart, 'sh', '-c', prepare, 'sh', ...self], {
    stdio: 'inherit',
    env: { ...process.env, [folderVariable]: folder },
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill('SIGKILL'));
  const [code] = await once(child, 'exit');
  if (values.keep === true) console.log(`kept: ${folder}`);
  else rmSync(folder, { recursive: true, force: true });
  return typeof code === 'number' ? code : 1;
}

/** What a trouble did, for the table at the end. */
interface Outcome {
  readonly name: string;
  readonly failures: readonly string[];
  /** Of the pushes that it is in the way of, milliseconds; of our cameras, and of ffmpeg's. */
  readonly silentMs: readonly number[];
  readonly encoderSilentMs: readonly number[];
  readonly lostElsewhere: number;
  readonly twiceMs: number;
  readonly counts: string;
  readonly notes: readonly string[];
  readonly seconds: number;
}

async function play(world: World, scenario: Scenario): Promise<Outcome> {
  const beganMs = performance.now();
  const failures: string[] = [];
  const fail = (error: unknown): void => {
    failures.push(error instanceof Error ? `${error.message} ${error.cause ?? ''}` : String(error));
  };
  const outcome = { name: scenario.name, failures, silentMs: [] as number[], encoderSilentMs: [] as number[] };
  let [lostElsewhere, twiceMs, backMs] = [0, 0, Number.NaN];
  let paths: ReadonlyMap<string, Path> = new Map();
  let hit: readonly string[] = [];
  world.notes.splice(0);
  console.log(`\n${scenario.name}`);
  try {
    await world.settle();
    paths = await world.paths();
    await scenario.prepare?.(world, paths);
    hit = world.pushes.filter((push) => scenario.hits(paths.get(push)!));
    world.forget();
    world.changes.start();
    await sleep(1000);
    await scenario.trouble(world);
    backMs = await world.flows();
    await sleep(2000);
  } catch (error) {
    fail(error);
    await world.putRight().catch(fail);
  }
  await scenario.after?.(world);
  await world.changes.stop();
  failures.push(...(await world.changes.faults(30_000)));
  const { made, refused, unknown } = world.changes.counts;
  const counts = `${made} made, ${refused} refused, ${unknown} unknown`;
  console.log(`  changes: ${counts}; all flows again ${backMs.toFixed(0)} ms after its end`);
  for (const note of world.notes) console.log(`  ${note}`);
  try {
    const reports = await world.reports();
    console.log('  | push | through | without a picture, ms | missing | twice, ms |');
    console.log('  |---|---|--:|--:|--:|');
    for (const [push, report] of reports) {
      const { interruptionMs, missing: lost, altered, badStarts, pictures, lives } = report;
      const { owner, runner } = paths.get(push) ?? { owner: '?', runner: '?' };
      const isHit = hit.includes(push);
      const way = owner === runner ? owner : `${owner} > ${runner}`;
      const twice = Math.max(0, report.twiceMs);
      console.log(
        `  | ${push}${isHit ? ' *' : ''} | ${way} | ${interruptionMs.toFixed(0)} | ${lost} | ${twice.toFixed(0)} |`,
      );
      twiceMs = Math.max(twiceMs, twice);
      if (isHit) (push.startsWith('f') ? outcome.encoderSilentMs : outcome.silentMs).push(interruptionMs);
      else lostElsewhere += lost;
      if (pictures === 0) failures.push(`${push}: no picture came`);
      if (altered > 0) failures.push(`${push}: ${altered} pictures or times were not as they should be`);
      if (badStarts > 0) failures.push(`${push}: ${badStarts} gaps did not end at a key frame`);
      if (!isHit && lost > 0) failures.push(`${push}: lost ${lost} pictures, and the trouble was not in its way`);
      if (!isHit && lives > 1)
        failures.push(`${push}: came from ${lives} connections, and the trouble was not in its way`);
      if (twice > leaseSeconds * 1000 && scenario.mayRunTwice?.(push) !== true) {
        failures.push(`${push}: ran twice for ${twice.toFixed(0)} ms`);
      }
    }
  } catch (error) {
    fail(error);
  }
  for (const failure of failures) console.error(`  FAILED: ${failure}`);
  const seconds = (performance.now() - beganMs) / 1000;
  return { ...outcome, lostElsewhere, twiceMs, counts, notes: [...world.notes], seconds };
}

const span = (all: readonly number[]): string => {
  if (all.length === 0) return '';
  const [from, to] = [Math.min(...all), Math.max(...all)].map((ms) => (ms / 1000).toFixed(1));
  return from === to ? `${from}` : `${from} to ${to}`;
};

function printTable(outcomes: readonly Outcome[]): void {
  console.log(
    "\n| trouble | in its way: without a picture, s | ffmpeg's, at nginx-rtmp, s | all others lost | twice, s | changes | took, s | |",
  );
  console.log('|---|--:|--:|--:|--:|---|--:|---|');
  for (const {
    name,
    silentMs,
    encoderSilentMs,
    lostElsewhere,
    twiceMs,
    counts,
    seconds,
    failures,
    notes,
  } of outcomes) {
    const verdict =
      failures.length === 0 ? notes.join('; ') : `FAILED: ${failures.join('; ').replaceAll(/\s+/g, ' ').slice(0, 200)}`;
    const figures = `${span(silentMs)} | ${span(encoderSilentMs)} | ${lostElsewhere} | ${(twiceMs / 1000).toFixed(2)}`;
    console.log(`| ${name} | ${figures} | ${counts} | ${seconds.toFixed(0)} | ${verdict} |`);
  }
}

async function main(): Promise<number> {
  const { only, old } = values;
  const words = only?.split('|');
  const first = scenarios.findIndex(({ name }) => name.includes(values.from ?? ''));
  const chosen = [
    ...scenarios.slice(first < 0 ? scenarios.length : first),
    ...(old === undefined ? [] : [rolling('nodes of the older version, one after the other', old)]),
    ...(old === undefined ? [] : [rolling('and of this version again', 'dist/cli/bin.cjs')]),
  ].filter(({ name }) => words === undefined || words.some((each) => name.includes(each)));
  if (values.list === true) {
    for (const { name } of chosen) console.log(name);
    return 0;
  }
  if (chosen.length === 0) throw new Error('no trouble has such a name; see --list');
  const folder = process.env[folderVariable];
  if (folder === undefined) {
    const why = missing();
    if (why !== undefined) {
      console.log(`left out, all of it: ${why}`);
      return 0;
    }
    return await runApart();
  }
  if (!existsSync(faketimeLibrary))
    console.log("left out: wrong clocks, since Debian's package faketime is not installed");
  const world = new World(folder);
  const outcomes: Outcome[] = [];
  process.once('exit', () => world.close());
  await world.start();
  console.log(`cluster: a lease of ${leaseSeconds} s; pushes with * are those that the trouble is in the way of`);
  for (const scenario of chosen) outcomes.push(await play(world, scenario));
  printTable(outcomes);
  const failed = outcomes.filter(({ failures }) => failures.length > 0);
  console.log(failed.length === 0 ? '\nall is as it should be' : `\n${failed.length} of ${outcomes.length} failed:`);
  for (const { name } of failed) console.log(`  ${name}`);
  return failed.length === 0 ? 0 : 1;
}

await runMain(values.help === true ? help : undefined, main);
