import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { healthyCameras } from '../../support/camera-plan.js';
import { Program } from '../program.js';
import { runMain } from '../run-main.js';
import { PacedCamera } from './paced-camera.js';
import { record } from './record.js';
import { type Trouble, troubles } from './troubles.js';

const help = `npm run soak -- --health [options]

Has cameras of the project's own publisher get into each trouble and out of it, before the built program, and prints how
long each condition takes to be raised and cleared. Beside them ten healthy cameras of different make send all the time:
none of them may ever be in trouble.

  --minutes M     how long the healthy ones send at least (default: as long as the troubles take)
  --no-troubles   the healthy ones only
  --workers N     with media workers
  --record FILE   records series of /metrics in each trouble, and writes a test of the alert rules with them (5 min):
                  deploy/prometheus/alerts.recorded.test.yml

Exit code 1 when a condition came too late or not at all, or when a healthy camera had one.`;

const { values } = parseArgs({
  options: {
    health: { type: 'boolean' },
    minutes: { type: 'string', default: '0' },
    'no-troubles': { type: 'boolean', default: false },
    workers: { type: 'string', default: '0' },
    record: { type: 'string' },
    help: { type: 'boolean' },
  },
});

/** High enough for all healthy cameras, and low enough for one that is to come near it. */
const maxKbps = 20_000;
const settleSeconds = 30;

interface Row {
  readonly trouble: Trouble;
  readonly raised: number | null;
  readonly cleared: number | null;
  readonly others: ReadonlySet<string>;
}

async function main(): Promise<number> {
  if (values.record !== undefined) {
    await record(values.record);
    return 0;
  }
  const program = new Program([
    ...['--workers', values.workers, '--max-bitrate-kbps', String(maxKbps), '--publish-grace', '0s'],
  ]);
  await program.start();
  const failures: string[] = [];
  let isOver = false;
  const startedMs = performance.now();
  try {
    const healthy = Object.entries(healthyCameras);
    for (const [name, shape] of healthy) {
      await program.addCamera(name);
      await new PacedCamera(program.url(name), shape).start();
    }
    const watching = (async () => {
      for (; !isOver; await sleep(1000)) {
        for (const [name] of healthy) {
          const { live, conditions = [] } = await program.camera(name);
          const seconds = Math.round((performance.now() - startedMs) / 1000);
          if (!live) failures.push(`${name} was not live after ${seconds} s`);
          for (const { code, message } of conditions) {
            const failure = `${name} is healthy, and after ${seconds} s ${code}: ${message}`;
            if (failures.length < 50) failures.push(failure);
          }
        }
      }
    })();
    const rows = values['no-troubles'] ? [] : await Promise.all(troubles.map((each) => tryOne(program, each)));
    const leftMs = Number(values.minutes) * 60_000 - (performance.now() - startedMs);
    if (leftMs > 0) await sleep(leftMs);
    isOver = true;
    await watching;
    print(rows, failures);
  } finally {
    await program.stop();
  }
  const minutes = Math.round((performance.now() - startedMs) / 6000) / 10;
  console.log(`${Object.keys(healthyCameras).length} healthy cameras for ${minutes} min`);
  for (const failure of failures) console.error(`FAILED: ${failure}`);
  return failures.length > 0 ? 1 : 0;
}

async function tryOne(program: Program, trouble: Trouble): Promise<Row> {
  const name = `trouble-${trouble.name}`;
  await program.addCamera(name);
  const camera = new PacedCamera(program.url(name), trouble.shape);
  const trying = { program, name, camera };
  await camera.start();
  await sleep((trouble.before ?? settleSeconds) * 1000);
  const others = new Set<string>();
  const until = async (isThere: boolean, seconds: number): Promise<number | null> => {
    const startMs = performance.now();
    for (;;) {
      const codes = ((await program.camera(name)).conditions ?? []).map(({ code }) => code);
      for (const code of codes) if (code !== trouble.code) others.add(code);
      const tookMs = performance.now() - startMs;
      if (codes.includes(trouble.code) === isThere) return tookMs / 1000;
      if (tookMs > seconds * 1000) return null;
      await sleep(200);
    }
  };
  const beginning = Promise.resolve(trouble.begin(trying));
  const raised = await until(true, trouble.raised);
  await beginning;
  await sleep(5000);
  await trouble.end(trying);
  const cleared = await until(false, trouble.cleared);
  await camera.stop();
  return { trouble, raised, cleared, others };
}

function print(rows: readonly Row[], failures: string[]): void {
  if (rows.length === 0) return;
  const figure = (seconds: number | null) => (seconds === null ? 'never' : `${seconds.toFixed(1)} s`);
  console.log(`\n| condition | trouble | raised after | cleared after |\n| --- | --- | --- | --- |`);
  for (const { trouble, raised, cleared, others } of rows) {
    const { code, what } = trouble;
    console.log(`| \`${code}\` | ${what} | ${figure(raised)} | ${figure(cleared)} |`);
    if (raised === null) failures.push(`${code} was not raised within ${trouble.raised} s`);
    if (cleared === null) failures.push(`${code} was not cleared within ${trouble.cleared} s`);
    for (const other of others) failures.push(`${what}: also ${other}`);
  }
  console.log('');
}

await runMain(values.help === true ? help : undefined, main);
