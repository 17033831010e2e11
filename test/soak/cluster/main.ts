import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { runMain } from '../run-main.js';
import { rolling, type Scenario, scenarios } from './scenarios.js';
import { leaseSeconds, World } from './world.js';

const help = `npm run soak -- --cluster [options]

Three members of etcd and three aggregators in two places, each in a network namespace with an address of its own; four cameras
with three pushes each to targets that check each picture's hash, and six callers that change other cameras all the time. Each
trouble prints how long each push was without a picture. Exit code 1 when a push that the trouble is not in the way of loses a
picture, a push runs twice for longer than a lease, a change that was acknowledged is gone, or all is not well again by itself.
Needs root, iproute2, iptables and etcd.

  --only WORDS     the troubles whose names have these words
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
  for (const program of ['ip', 'iptables', 'etcd', 'etcdctl']) {
    if (spawnSync('sh', ['-c', `command -v ${program}`]).status !== 0) return `${program} is not installed`;
  }
  const name = `magg-try-${process.pid}`;
  if (spawnSync('ip', ['netns', 'add', name]).status !== 0) return 'this machine allows no network namespaces';
  spawnSync('ip', ['netns', 'delete', name]);
  return undefined;
}

/** @returns what failed */
async function play(world: World, scenario: Scenario): Promise<readonly string[]> {
  await world.settle();
  const paths = await world.paths();
  scenario.prepare?.(world, paths);
  const hit = world.pushes.filter((push) => scenario.hits(paths.get(push)!));
  world.targets.forget();
  world.changes.start();
  await sleep(1000);
  const failures: string[] = [];
  let backMs = Number.NaN;
  try {
    await scenario.trouble(world);
    backMs = await world.flows();
    await sleep(2000);
  } catch (error) {
    failures.push(error instanceof Error ? `${error.message} ${error.cause ?? ''}` : String(error));
    await world.network.mend();
  }
  await world.changes.stop();
  failures.push(...(await world.changes.faults(30_000)));
  const { made, refused, unknown } = world.changes.counts;
  console.log(`\n${scenario.name}`);
  console.log(
    `  changes: ${made} made, ${refused} refused, ${unknown} unknown; all flows again ${backMs.toFixed(0)} ms after its end`,
  );
  console.log('  | push | through | without a picture, ms | missing | twice, ms |');
  console.log('  |---|---|--:|--:|--:|');
  for (const push of world.pushes) {
    const { interruptionMs, missing: lost, altered, badStarts, twiceMs, pictures } = world.targets.report(push);
    const { owner, runner } = paths.get(push)!;
    const isHit = hit.includes(push);
    const way = owner === runner ? owner : `${owner} > ${runner}`;
    const figures = `${interruptionMs.toFixed(0)} | ${lost} | ${Math.max(0, twiceMs).toFixed(0)}`;
    console.log(`  | ${push}${isHit ? ' *' : ''} | ${way} | ${figures} |`);
    if (pictures === 0) failures.push(`${push}: no picture came`);
    if (altered > 0) failures.push(`${push}: ${altered} pictures were altered`);
    if (badStarts > 0) failures.push(`${push}: ${badStarts} gaps did not end at a key frame`);
    if (!isHit && lost > 0) failures.push(`${push}: lost ${lost} pictures, and the trouble was not in its way`);
    if (twiceMs > leaseSeconds * 1000) failures.push(`${push}: ran twice for ${twiceMs.toFixed(0)} ms`);
  }
  for (const failure of failures) console.error(`  FAILED: ${failure}`);
  return failures;
}

async function main(): Promise<number> {
  const { only, old } = values;
  const first = scenarios.findIndex(({ name }) => name.includes(values.from ?? ''));
  const chosen = [
    ...scenarios.slice(first < 0 ? scenarios.length : first),
    ...(old === undefined ? [] : [rolling('nodes of the older version, one after the other', old)]),
    ...(old === undefined ? [] : [rolling('and of this version again', 'dist/cli/bin.cjs')]),
  ].filter(({ name }) => only === undefined || name.includes(only));
  if (values.list === true) {
    for (const { name } of chosen) console.log(name);
    return 0;
  }
  const why = missing();
  if (why !== undefined) {
    console.log(`left out, all of it: ${why}`);
    return 0;
  }
  const folder = mkdtempSync(join(tmpdir(), 'media-aggregator-cluster-'));
  process.once('exit', () =>
    values.keep === true ? console.log(`kept: ${folder}`) : rmSync(folder, { recursive: true }),
  );
  const world = new World(folder);
  try {
    await world.start();
    console.log(`cluster: a lease of ${leaseSeconds} s; pushes with * are those that the trouble is in the way of`);
    let failed = 0;
    for (const scenario of chosen) failed += (await play(world, scenario)).length;
    console.log(failed === 0 ? '\nall is as it should be' : `\n${failed} failures`);
    return failed === 0 ? 0 : 1;
  } finally {
    world.close();
  }
}

await runMain(values.help === true ? help : undefined, main);
