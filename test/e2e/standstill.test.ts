import { describe, expect, test } from 'vitest';
import { startAggregator } from '../support/aggregator.js';
import { RtmpClient } from '../support/rtmp-client.js';
import { startRtmpSink } from '../support/rtmp-sink.js';
import { type Scope, testScope } from '../support/scope.js';
import { sleep, waitFor } from '../support/wait.js';

const frame = Buffer.from([0x17, 1, 0, 0, 0, 1, 2, 3]);
/** All shorter than the standstill. */
const deadlines = [
  ...['--idle-timeout', '2s', '--handshake-timeout', '2s', '--stall-timeout', '3s', '--connect-timeout', '1500ms'],
  ...['--publish-takeover', '500ms', '--publish-grace', '1500ms'],
];
const standstillMs = 4500;

/** A camera that sends on, whatever happens. */
async function startCamera(scope: Scope, port: number, name: string): Promise<RtmpClient> {
  const camera = new RtmpClient(scope, port);
  await camera.publish(name, name);
  let ms = 0;
  const timer = setInterval(() => {
    ms += 20;
    if (!camera.closedByPeer) camera.media(9, ms, frame);
  }, 20);
  scope.defer(() => clearInterval(timer));
  return camera;
}

describe.each([
  { workers: 0, stopped: 'all' },
  { workers: 1, stopped: 'all' },
  { workers: 1, stopped: 'the supervisor' },
])('SIGSTOP of $stopped with $workers media workers', ({ workers, stopped }) => {
  test.concurrent('drops nobody who was sending, returning or on his way in', async (context) => {
    const scope = testScope(context);
    const sink = await startRtmpSink(scope);
    const aggregator = await startAggregator(scope, { flags: [...deadlines, '--workers', String(workers)] });
    for (const name of ['cam', 'back']) {
      await aggregator.addCamera(name);
      await aggregator.addPush(name, sink.url(name), 'sink');
    }
    const frames = () =>
      sink.connections.reduce((sum, { messages }) => sum + messages.filter(({ type }) => type === 9).length, 0);
    const camera = await startCamera(scope, aggregator.rtmpPort, 'cam');
    const leaving = await startCamera(scope, aggregator.rtmpPort, 'back');
    const viewer = new RtmpClient(scope, aggregator.rtmpPort);
    await viewer.play('cam', 'cam');
    await aggregator.waitForPush('cam', 'sink', 'active');
    await aggregator.waitForPush('back', 'sink', 'active');
    const onItsWay = new RtmpClient(scope, aggregator.rtmpPort);
    await onItsWay.handshake();
    leaving.socket.destroy();
    await aggregator.waitForLive('back', false);

    const { pid } = aggregator.process;
    const signal = (name: NodeJS.Signals): boolean => process.kill(stopped === 'all' ? -pid : pid, name);
    signal('SIGSTOP');
    scope.defer(() => {
      if (aggregator.process.exit === undefined) signal('SIGCONT');
    });
    await sleep(300);
    const before = frames();
    const returned = startCamera(scope, aggregator.rtmpPort, 'back');
    onItsWay.command(0, 'connect', 1, { app: 'cam', flashVer: 'test', tcUrl: 'rtmp://127.0.0.1/cam' });
    await sleep(standstillMs);
    // Workers go on without their supervisor.
    if (stopped !== 'all') expect(frames()).toBeGreaterThan(before + 50);
    signal('SIGCONT');

    await waitFor(() => onItsWay.commands().some(([name]) => name === '_result'), { what: 'the answer to connect' });
    await returned;
    const after = frames();
    await waitFor(() => frames() > after + 100, { what: 'media after the standstill' });
    await sleep(1500);
    expect(camera.closedByPeer).toBe(false);
    expect(viewer.closedByPeer).toBe(false);
    expect((await returned).closedByPeer).toBe(false);
    // Each target was published to once: its camera was never gone, and the push was never given up.
    // (Nobody but the supervisor lets in who returns; a grace that runs out meanwhile runs out.)
    const ended = sink.connections.map((connection) => connection.ended);
    expect(ended).toEqual(stopped === 'all' ? [undefined, undefined] : [undefined, 'end', undefined]);
    // Who was live before is live, and not to be taken over.
    const thief = new RtmpClient(scope, aggregator.rtmpPort);
    void thief.publish('cam', 'cam').catch(() => {});
    await waitFor(() => thief.statusCodes().includes('NetStream.Publish.BadName'), { what: 'the refusal' });
  });
});
