import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Cameras, Target } from '../children.js';
import { runMain } from '../run-main.js';
import { ProcessSubject } from '../subject.js';
import { counts, publisher, stranger, viewer } from './clients.js';

const help = `npm run soak -- --churn [options]

  --connections N  connections that are made and reset, one way or another (default 50000)
  --rounds N       in so many parts, with a rest behind each (default 4): what a process keeps of one part and uses again in
                   the next is no leak; what grows with each is
  --at-once N      of them at the same time (default 100)

Half of them are strangers, a quarter publish, a quarter view, beside a camera with a healthy target. Exit code 1 when the
target missed something, or when descriptors, memory or operations of io_uring are not given back.
MEDIA_AGGREGATOR_SOCKET_MODE=direct has it done without io_uring.`;

const { values } = parseArgs({
  options: {
    churn: { type: 'boolean' },
    connections: { type: 'string', default: '50000' },
    rounds: { type: 'string', default: '4' },
    'at-once': { type: 'string', default: '100' },
    help: { type: 'boolean' },
  },
});

/** Memory may grow by so much over the second half of the rounds: malloc gives back late. */
const slackBytes = 32 * 2 ** 20;

async function main(): Promise<number> {
  const connections = Number(values.connections);
  const atOnce = Number(values['at-once']);
  const rounds = Number(values.rounds);
  if (!(connections > 0) || !(atOnce > 0) || !(rounds >= 2)) {
    console.error(help);
    return 2;
  }
  // What waits for the garbage collector is no leak, and may be a hundred megabytes.
  const folder = mkdtempSync(join(tmpdir(), 'media-aggregator-churn-'));
  const heapReport = join(folder, 'heap');
  process.env.HEAP_REPORT = heapReport;
  const subject = new ProcessSubject(['--expose-gc', '--import', './test/support/collecting.mjs']);
  await subject.start();
  const target = new Target();
  await target.start();
  const cameras = new Cameras();
  await subject.addCamera('healthy');
  await subject.addPush('healthy', 'target', target.url('healthy'));
  await cameras.start('healthy', subject.url('healthy'));
  const port = Number(new URL(subject.url('healthy').replace('rtmp:', 'http:')).port);
  for (let i = 0; i < atOnce; i++) await subject.addCamera(`churn-${i}`);
  const client = (number: number, camera: string): Promise<void> => {
    if (number % 2 === 0) return stranger(port, number >> 1);
    return number % 4 === 1 ? publisher(port, number >> 2, camera) : viewer(port, number >> 2, 'healthy');
  };
  // Pools are filled, and the compiler is done.
  let made = 0;
  const churn = async (until: number): Promise<void> => {
    const line = async (i: number): Promise<void> => {
      while (made < until) await client(made++, `churn-${i}`);
    };
    await Promise.all(Array.from({ length: atOnce }, (_, i) => line(i)));
  };
  await churn(Math.min(2000, connections / 5));
  await sleep(3000);
  const resources = (): Readonly<Record<string, number>> => ({
    ...subject.resources(),
    'heap bytes': Number(readFileSync(heapReport, 'utf8')),
  });
  const before = resources();
  const ringBefore = await subject.ring();
  const beganMs = performance.now();
  const after: ReturnType<typeof resources>[] = [];
  for (let round = 1; round <= rounds; round++) {
    await churn(Math.round((connections * round) / rounds));
    await sleep(3000);
    after.push(resources());
  }
  const seconds = (performance.now() - beganMs) / 1000;
  const ringAfter = await subject.ring();
  const { healthy } = await target.report();
  await subject.stop();
  rmSync(folder, { recursive: true });
  console.log(`${connections} connections in ${seconds.toFixed(1)} s; before`, before, 'after each part', after);
  console.log('at the healthy target', healthy, 'clients', counts);
  console.log('io_uring before', ringBefore, 'after', ringAfter);
  const failures: string[] = [];
  if (healthy === undefined || healthy.frames === 0) failures.push('the healthy target got nothing');
  else {
    const { connections: times, altered, missing, backwards, badStarts } = healthy;
    if (times !== 1 || altered + missing + backwards + badStarts > 0)
      failures.push('the healthy target missed something');
  }
  if (counts.published < counts.publishers * 0.9) failures.push('publishers were refused');
  if (counts.played < counts.viewers * 0.9) failures.push('viewers were refused');
  for (const name of ['ringReceiving', 'ringSending'])
    if ((ringAfter[name] ?? 0) > (ringBefore[name] ?? 0)) failures.push(`${name}: operations were not given back`);
  const last = after.at(-1);
  const middle = after[Math.ceil(rounds / 2) - 1];
  if ((last?.['open files'] ?? 0) > (before['open files'] ?? 0)) failures.push('descriptors were not given back');
  const grownBytes = (last?.['resident bytes'] ?? 0) - (middle?.['resident bytes'] ?? 0);
  if (grownBytes > slackBytes) failures.push(`memory grew by ${grownBytes} bytes in the second half`);
  for (const failure of failures) console.error(`FAILED: ${failure}`);
  return failures.length > 0 ? 1 : 0;
}

await runMain(values.help === true ? help : undefined, main);
