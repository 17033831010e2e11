/**
 * npm run bench:cold [-- --cameras N --mbits N DIST [DIST]]: what a message costs from the completion of its read to the send that
 * it is part of, where its camera's objects are in no cache, as when many cameras send little each. Of one build, or of several in
 * turn, each in a process of its own. Nothing of it goes through the kernel.
 */
import { fork } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { liveCameras } from './cold/cameras.js';
import { FakeKernel } from './cold/kernel.js';
import { loadParts } from './cold/parts.js';
import { median } from './measure/stats.js';
import { root } from './paths.js';
import { createTraffic, pseudoRandom, type Traffic } from './traffic.js';

const rounds = 12;
const warmUpRounds = 4;
const roundMs = 200;
/** Messages that come at once, as with 500 cameras. */
const messagesPerWake = 3;
/** As much memory as the kernel and others go through between two wake-ups of the process, or more: all of a second-level cache. */
const othersBytes = 1 << 20;

/** The control message that announces chunks of 4096 bytes. */
const chunkSize4096 = Buffer.from('02000000000004010000000000001000', 'hex');

/** What a camera sends in a cycle, message by message. */
function cycleOf({ video, audio }: Traffic): Buffer[] {
  const cycle: Buffer[] = [];
  for (const [i, { bytes }] of video.entries())
    cycle.push(bytes, ...audio.slice(i * 2, i * 2 + 2).map((message) => message.bytes));
  return cycle;
}

/** Makes the cameras; what it returns does one round, and returns nanoseconds a message. */
async function prepare(dist: string, cameras: number, mbits: number): Promise<() => number> {
  const parts = await loadParts(dist);
  const kernel = new FakeKernel(parts);
  const outlets = await liveCameras(parts, kernel, cameras);
  kernel.goLive();
  const traffic = createTraffic(mbits * 1e6);
  const cycle = cycleOf(traffic);
  for (let id = 0; id < cameras; id++) {
    for (const data of [chunkSize4096, traffic.opening, cycle[0]!]) kernel.read(id, data);
    kernel.receiver.look();
  }
  const next = new Uint16Array(cameras).fill(1);
  const random = pseudoRandom(2);
  const others = new Int32Array(othersBytes / 4);
  return () => {
    const endMs = performance.now() + roundMs;
    const sendsBefore = kernel.sends;
    let messages = 0;
    let ns = 0n;
    while (performance.now() < endMs) {
      for (let i = 0; i < messagesPerWake; i++, messages++) {
        const id = Math.floor(random() * cameras);
        kernel.read(id, cycle[next[id]!]!);
        next[id] = (next[id]! + 1) % cycle.length;
      }
      for (let i = 0; i < others.length; i += 16) others[i]!++;
      const from = process.hrtime.bigint();
      kernel.receiver.look();
      ns += process.hrtime.bigint() - from;
    }
    if (kernel.sends === sendsBefore || outlets.some(({ queueBytes }) => queueBytes > 1 << 20))
      throw new Error('what came in did not go out');
    return Number(ns) / messages;
  };
}

/** A process that does a round each time it is asked. */
async function begin(dist: string, options: readonly string[]): Promise<() => Promise<number>> {
  const child = fork(fileURLToPath(import.meta.url), [...options, dist]);
  const answer = (): Promise<number> =>
    new Promise((resolve, reject) => {
      const onExit = (code: number | null): void => reject(new Error(`${dist} ended with ${code}`));
      child.once('exit', onExit).once('message', (ns) => {
        child.off('exit', onExit);
        resolve(Number(ns));
      });
    });
  process.once('exit', () => child.kill());
  await answer();
  return () => {
    child.send('round');
    return answer();
  };
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { cameras: { type: 'string', default: '500' }, mbits: { type: 'string', default: '0.3' } },
    allowPositionals: true,
  });
  const { cameras, mbits } = values;
  const dists = positionals.length > 0 ? positionals : [join(root, 'dist')];
  if (process.send !== undefined) {
    const round = await prepare(dists[0]!, Number(cameras), Number(mbits));
    process.on('message', () => process.send?.(round()));
    process.send(0);
    return;
  }
  const builds = [];
  for (const dist of dists) builds.push(await begin(dist, ['--cameras', cameras, '--mbits', mbits]));
  const times = builds.map((): number[] => []);
  for (let i = -warmUpRounds; i < rounds; i++) {
    for (const [build, round] of builds.entries()) {
      const ns = await round();
      if (i >= 0) times[build]!.push(ns);
    }
  }
  console.log(
    `${cameras} cameras of ${mbits} Mbit/s, nanoseconds a message, median of ${rounds} rounds; to the first build`,
  );
  for (const [build, dist] of dists.entries()) {
    const ratio = median(times[build]!.map((ns, i) => ns / times[0]![i]!));
    console.log(`${median(times[build]!).toFixed(0).padStart(8)} ${ratio.toFixed(2)} ${dist}`);
  }
  process.exit();
}

await main();
