import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { type Aggregator, nodePath, startAggregator } from '../support/aggregator.js';
import { run } from '../support/process.js';
import { RtmpClient } from '../support/rtmp-client.js';
import { startRtmpSink } from '../support/rtmp-sink.js';
import { type Scope, testScope } from '../support/scope.js';
import { waitFor } from '../support/wait.js';

/** Each of them takes a second or two; on a full machine, much more. */
const timeoutMs = 40_000;

const forbidding = fileURLToPath(new URL('../support/without-io-uring.mjs', import.meta.url));

const hashed = ([type, payload]: readonly [number, Buffer]): string =>
  `${type} ${createHash('sha256').update(payload).digest('hex')}`;

/** A camera whose frames and audio arrive at a target, unchanged and in order. */
async function expectMediaFlows(scope: Scope, aggregator: Aggregator): Promise<void> {
  const sink = await startRtmpSink(scope);
  await aggregator.addCamera('cam');
  await aggregator.addPush('cam', sink.url('cam'), 'target');
  const camera = new RtmpClient(scope, aggregator.rtmpPort);
  await camera.publish('cam', 'cam');
  const sent: (readonly [number, Buffer])[] = [];
  const send = (type: number, first: number): void => {
    const payload = Buffer.concat([Buffer.from([first, 1, 0, 0, 0]), randomBytes(type === 9 ? 40_000 : 200)]);
    sent.push([type, payload]);
    camera.media(type, sent.length * 10, payload);
  };
  send(9, 0x17);
  const got = () =>
    (sink.connections[0]?.messages ?? []).flatMap(({ type, payload }) =>
      type === 8 || type === 9 ? [[type, payload] as const] : [],
    );
  await waitFor(() => got().length > 0, { what: 'the first frame', timeoutMs });
  // A few at a time: what a busy machine leaves in the queue for longer than its greatest age is dropped.
  for (let i = 1; i <= 60; i++) {
    send(8, 0xaf);
    send(9, 0x27);
    if (i % 10 === 0) await waitFor(() => got().length === sent.length, { what: `frame ${i}`, timeoutMs });
  }
  expect(got().map(hashed)).toEqual(sent.map(hashed));
}

const told = (aggregator: Aggregator) => aggregator.logLines().filter(({ message }) => message.startsWith('sockets: '));

async function seen(aggregator: Aggregator): Promise<{ node: string; metrics: string }> {
  const nodes = await (await fetch(`${aggregator.apiUrl}/v1/nodes`)).text();
  return { node: nodes, metrics: await (await fetch(`${aggregator.apiUrl}/metrics`)).text() };
}

/** A worker tells once a second. */
const expectMetric = (aggregator: Aggregator, line: string): Promise<unknown> =>
  waitFor(async () => (await seen(aggregator)).metrics.includes(line), { what: line, timeoutMs });

const why = 'io_uring is refused by the seccomp profile';

// Who asked for it is warned; who did not is told.
for (const { flags, level, how } of [
  { flags: ['--socket-mode', 'uring'], level: 'warn', how: [] },
  // The filter ends the process that asks, which a service manager's does.
  { flags: ['--socket-mode', 'auto', '--workers', '1'], level: 'info', how: ['--kill'] },
]) {
  test(`where io_uring is refused it says so, and works: ${[...how, ...flags].join(' ')}`, async (context) => {
    // Node.js 22 and later ask for io_uring themselves at their start, whatever they run.
    const { signal } = spawnSync(process.execPath, [forbidding, ...how, nodePath, '-e', '0']);
    context.skip(signal !== null, 'this Node.js does not start so');
    const scope = testScope(context);
    const aggregator = await startAggregator(scope, {
      flags,
      through: [process.execPath, forbidding, ...how],
    });
    await expectMediaFlows(scope, aggregator);
    expect(told(aggregator)).toMatchObject([
      { level, message: 'sockets: direct, past the streams of Node.js', why: expect.stringContaining(why) },
    ]);
    await waitFor(async () => (await seen(aggregator)).node.includes(why), {
      what: 'the reason in the API',
      timeoutMs,
    });
    await expectMetric(aggregator, 'media_aggregator_socket_mode{mode="direct"} 1');
    const { stdout } = await run(process.execPath, ['dist/cli/bin.cjs', 'status', '--api', aggregator.apiUrl]);
    expect(stdout).toContain(`sockets: direct (${why}`);
  });
}

test('where io_uring is allowed it is used, and a worker tells how much', async (context) => {
  const scope = testScope(context);
  const aggregator = await startAggregator(scope, { flags: ['--socket-mode', 'auto', '--workers', '1'] });
  await expectMediaFlows(scope, aggregator);
  const lines = told(aggregator);
  // On a machine that forbids it, there is nothing to see.
  if (lines[0]?.why !== undefined) return;
  expect(lines).toMatchObject([{ level: 'info', message: 'sockets: uring, by io_uring' }]);
  await expectMetric(aggregator, 'media_aggregator_socket_mode{mode="uring"} 1');
  // What flowed did flow that way.
  const count = (metrics: string, name: string): number =>
    Number(new RegExp(`backend_fact\\{name="${name}"\\} (\\d+)`).exec(metrics)?.[1]);
  const isTold = async (): Promise<boolean> => {
    const { metrics } = await seen(aggregator);
    return count(metrics, 'ringSends') > 10 && count(metrics, 'ringReads') > 10;
  };
  await waitFor(isTold, { what: 'sends and reads in /metrics', timeoutMs });
});
