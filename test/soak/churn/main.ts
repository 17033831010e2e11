import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Cameras, Target } from '../children.js';
import { runMain } from '../run-main.js';
import { ProcessSubject } from '../subject.js';

const help = `npm run soak -- --churn [options]

  --connections N  connections that are made and reset, one way or another (default 50000)
  --rounds N       in so many parts, with a rest behind each (default 4): what a process keeps of one part and uses again in
                   the next is no leak; what grows with each is
  --at-once N      of them at the same time (default 100)

Beside a camera with a healthy target. Exit code 1 when the target missed something, or when descriptors or memory are not
given back. MEDIA_AGGREGATOR_SOCKET_MODE=uring has it done by io_uring.`;

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

/** Says nothing, half a handshake, a whole one, or more than that, and is reset, closed, or left by half. */
function stranger(port: number, number: number): Promise<void> {
  return new Promise((resolve) => {
    const socket: Socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.once('close', () => resolve());
    socket.setTimeout(20_000, () => socket.destroy());
    const leave = (): void => {
      if (number % 3 === 0) socket.resetAndDestroy();
      else if (number % 3 === 1) socket.destroy();
      else socket.end(() => socket.destroy());
    };
    socket.once('connect', () => {
      const bytes = [0, 700, 1537, 3073 + (number % 500)][number % 4] ?? 0;
      if (bytes === 0) {
        leave();
        return;
      }
      const data = Buffer.alloc(bytes, number);
      data[0] = 3;
      if (number % 5 === 0) socket.pause();
      socket.write(data, () => setTimeout(leave, number % 7));
    });
    socket.on('data', () => {});
  });
}

async function main(): Promise<number> {
  const connections = Number(values.connections);
  const atOnce = Number(values['at-once']);
  const rounds = Number(values.rounds);
  if (!(connections > 0) || !(atOnce > 0) || !(rounds >= 2)) {
    console.error(help);
    return 2;
  }
  // What waits for the garbage collector is no leak, and may be a hundred megabytes.
  const subject = new ProcessSubject(['--expose-gc', '--import', './test/support/collecting.mjs']);
  await subject.start();
  const target = new Target();
  await target.start();
  const cameras = new Cameras();
  await subject.addCamera('healthy');
  await subject.addPush('healthy', 'target', target.url('healthy'));
  await cameras.start('healthy', subject.url('healthy'));
  const port = Number(new URL(subject.url('healthy').replace('rtmp:', 'http:')).port);
  // Pools are filled, and the compiler is done.
  let made = 0;
  const churn = async (until: number): Promise<void> => {
    const line = async (): Promise<void> => {
      while (made < until) await stranger(port, made++);
    };
    await Promise.all(Array.from({ length: atOnce }, line));
  };
  await churn(Math.min(2000, connections / 5));
  await sleep(3000);
  const before = subject.resources();
  const beganMs = performance.now();
  const after: ReturnType<typeof subject.resources>[] = [];
  for (let round = 1; round <= rounds; round++) {
    await churn(Math.round((connections * round) / rounds));
    await sleep(3000);
    after.push(subject.resources());
  }
  const seconds = (performance.now() - beganMs) / 1000;
  const { healthy } = await target.report();
  await subject.stop();
  console.log(`${connections} connections in ${seconds.toFixed(1)} s; before`, before, 'after each part', after);
  console.log('at the healthy target', healthy);
  const failures: string[] = [];
  if (healthy === undefined || healthy.frames === 0) failures.push('the healthy target got nothing');
  else {
    const { connections: times, altered, missing, backwards, badStarts } = healthy;
    if (times !== 1 || altered + missing + backwards + badStarts > 0)
      failures.push('the healthy target missed something');
  }
  const last = after.at(-1);
  const middle = after[Math.ceil(rounds / 2) - 1];
  if ((last?.['open files'] ?? 0) > (before['open files'] ?? 0)) failures.push('descriptors were not given back');
  const grownBytes = (last?.['resident bytes'] ?? 0) - (middle?.['resident bytes'] ?? 0);
  if (grownBytes > slackBytes) failures.push(`memory grew by ${grownBytes} bytes in the second half`);
  for (const failure of failures) console.error(`FAILED: ${failure}`);
  return failures.length > 0 ? 1 : 0;
}

await runMain(values.help === true ? help : undefined, main);
