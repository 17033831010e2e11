import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type Aggregator, nodePath, startAggregator } from '../support/aggregator.js';
import { runOk } from '../support/process.js';
import { RtmpClient } from '../support/rtmp-client.js';
import { type RtmpSink, type SinkConnection, startRtmpSink } from '../support/rtmp-sink.js';
import { type Scope, testScope } from '../support/scope.js';
import { sleep, waitFor } from '../support/wait.js';

// What must hold on every line of Node.js that the program promises to run on: `npm run test:node-versions` runs this on
// each, by MEDIA_AGGREGATOR_NODE; the tests run it on their own.

function hashOf(payloads: readonly Buffer[]): string {
  const hash = createHash('sha256');
  for (const payload of payloads) hash.update(payload);
  return hash.digest('hex');
}

const videoOf = ({ messages }: SinkConnection): Buffer[] =>
  messages.filter(({ type }) => type === 9).map(({ payload }) => payload);

interface Run {
  readonly camera: string;
  readonly targets: number;
  readonly frames: number;
  readonly frameBytes: number;
  readonly everyMs: number;
}

/** A camera, its targets, and what they got: the same bytes, in the same order, in one connection each. */
async function stream(scope: Scope, aggregator: Aggregator, sink: RtmpSink, run: Run): Promise<void> {
  const { camera: name, targets, frames, frameBytes, everyMs } = run;
  const before = sink.connections.length;
  const camera = new RtmpClient(scope, aggregator.rtmpPort);
  await camera.publish(name, name);
  const sent: Buffer[] = [];
  const send = (isKey: boolean): void => {
    const payload = Buffer.concat([Buffer.from([isKey ? 0x17 : 0x27, 1, 0, 0, 0]), randomBytes(frameBytes)]);
    sent.push(payload);
    camera.media(9, sent.length * everyMs, payload);
  };
  send(true);
  await waitFor(() => sink.connections.length >= before + targets, { what: 'the targets' });
  const own = sink.connections.slice(before);
  await waitFor(() => own.every((each) => videoOf(each).length > 0), { what: 'the first frame' });
  for (let number = 1; number < frames; number++) {
    send(number % 25 === 0);
    await sleep(everyMs);
  }
  await waitFor(() => own.every((each) => videoOf(each).length >= frames), { what: 'all frames', timeoutMs: 30_000 });
  expect(own.map((each) => hashOf(videoOf(each)))).toEqual(own.map(() => hashOf(sent)));
  expect(own.map(({ ended }) => ended)).toEqual(own.map(() => undefined));
  camera.socket.destroy();
}

async function register(aggregator: Aggregator, name: string, sink: RtmpSink, targets: number): Promise<void> {
  await aggregator.addCamera(name);
  for (let number = 1; number <= targets; number++) {
    await aggregator.addPush(name, sink.url(`${name}-${number}`), `target-${number}`);
  }
}

describe('on this Node.js', () => {
  test.concurrent('a camera comes in and goes out, under load too', async (context) => {
    const scope = testScope(context);
    const [sink, aggregator] = await Promise.all([startRtmpSink(scope), startAggregator(scope)]);
    await register(aggregator, 'cam', sink, 2);
    await stream(scope, aggregator, sink, { camera: 'cam', targets: 2, frames: 50, frameBytes: 2000, everyMs: 5 });
    // More than a socket takes at once, so that writes wait.
    await register(aggregator, 'load', sink, 3);
    await stream(scope, aggregator, sink, { camera: 'load', targets: 3, frames: 60, frameBytes: 200_000, everyMs: 20 });
    const { stdout } = await runOk(nodePath, ['--version']);
    const told = aggregator.logLines().filter(({ message }) => message.startsWith('sockets: '));
    expect(told).toHaveLength(1);
    // A line that lacks a part of what makes sockets fast says so, and works all the same. Those on which all was there must
    // keep it.
    const why = typeof told[0]?.why === 'string' ? told[0].why : '';
    if (/^v2[02]\./.test(stdout)) expect(why).not.toContain('this Node.js');
    // Where it is not the Node.js, then the system refuses io_uring.
    else if (why !== '') expect(why).toMatch(why.includes('this Node.js') ? `(${stdout.trim().slice(1)})` : 'io_uring');
    expect((await aggregator.process.stop('SIGTERM')).code).toBe(0);
  });

  test.concurrent('a media worker that is killed is started again, and its camera goes on', async (context) => {
    const scope = testScope(context);
    const [sink, aggregator] = await Promise.all([
      startRtmpSink(scope),
      startAggregator(scope, { flags: ['--workers', '1'] }),
    ]);
    await register(aggregator, 'cam', sink, 1);
    const run: Run = { camera: 'cam', targets: 1, frames: 50, frameBytes: 20_000, everyMs: 5 };
    await stream(scope, aggregator, sink, run);
    const { pid } = aggregator.process;
    const workers = (): number[] =>
      readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
    const [first] = workers();
    process.kill(first!, 'SIGKILL');
    await waitFor(() => workers().some((each) => each !== first), { what: 'another worker' });
    await waitFor(async () => (await fetch(`${aggregator.apiUrl}/readyz`)).ok, { what: 'the worker to serve' });
    await stream(scope, aggregator, sink, run);
    expect((await aggregator.process.stop('SIGTERM')).code).toBe(0);
  });
});
