import { spawnSync } from 'node:child_process';
import { describe, expect } from 'vitest';
import { searchPath } from '../../scripts/peers.mjs';
import { type Aggregator, startAggregator } from '../support/aggregator.js';
import { decodeCleanly, makeClip, publish } from '../support/ffmpeg.js';
import { firstVideoFrame, readFlvTags, settled } from '../support/flv-file.js';
import { type NginxRtmp, startNginxRtmp } from '../support/nginx-rtmp.js';
import { expectUnbroken, keyFrameHashes, packetsOf } from '../support/packets.js';
import { testWith } from '../support/peers.js';
import { type RunningProcess, runOk, startProcess } from '../support/process.js';
import { type Scope, testScope } from '../support/scope.js';
import { sleep, waitFor } from '../support/wait.js';

const takeoverMs = 1500;

interface Stage {
  readonly aggregator: Aggregator;
  readonly nginx: NginxRtmp;
  /** What the first and the second publisher send, with the same parameters, as a camera that comes back does. */
  readonly clips: readonly [string, string];
}

async function startStage(scope: Scope, flags: readonly string[] = []): Promise<Stage> {
  const [first, second, nginx, aggregator] = await Promise.all([
    makeClip({ seconds: 20, keyFrameSeconds: 1 }),
    makeClip({ seconds: 5, keyFrameSeconds: 2 }),
    startNginxRtmp(scope),
    startAggregator(scope, {
      flags: ['--publish-grace', '10s', '--publish-takeover', `${takeoverMs}ms`, ...flags],
    }),
  ]);
  await aggregator.addCamera('cam');
  await aggregator.addPush('cam', nginx.url('cam'), 'engine');
  return { aggregator, nginx, clips: [first, second] };
}

/** Lets the second publisher send all that it has, and looks at what the target made of both. */
async function finish(scope: Scope, { aggregator, nginx, clips }: Stage): Promise<void> {
  const second = publish(scope, clips[1], aggregator.url('cam'));
  expect((await second.exited).code).toBe(0);
  expect(await aggregator.push('cam', 'engine')).toMatchObject({ connects: 1, droppedFrames: 0, lastError: null });
  const [recording] = nginx.recordings('cam');
  await settled(recording!);
  expect(nginx.recordings('cam')).toHaveLength(1);

  const tags = readFlvTags(recording!);
  for (const type of [8, 9]) {
    const times = tags.filter((tag) => tag.type === type).map(({ timestampMs }) => timestampMs);
    expect(times.length).toBeGreaterThan(100);
    expect(times).toEqual([...times].sort((a, b) => a - b));
  }
  await decodeCleanly(recording!);

  // Up to the cut nothing of the first is missing; then comes all of the second.
  const video = async (file: string) => (await packetsOf(file)).filter(({ kind }) => kind === 'video');
  const arrived = await video(recording!);
  const [before, after] = [await video(clips[0]), await video(clips[1])];
  // The pause is part of the recording: as much time went by there as outside.
  const cut = arrived.findIndex(({ dtsMs }, index) => index > 0 && dtsMs - arrived[index - 1]!.dtsMs > 500);
  expect(cut).toBeGreaterThan(25);
  expectUnbroken(before, arrived.slice(0, cut), { toEnd: false, keyFrames: await keyFrameHashes(clips[0]) });
  expect(expectUnbroken(after, arrived.slice(cut)).video?.from).toBe(0);
}

/** Waits until the target has the first publisher's picture, and some seconds of it. */
async function watchFirst({ nginx, aggregator }: Stage): Promise<void> {
  await firstVideoFrame(await nginx.recording('cam'));
  await aggregator.waitForPush('cam', 'engine', 'active');
  await sleep(2500);
}

/** The newcomer is refused while the old one may still be there, and let in after the silence. */
async function waitForSilence(scope: Scope, { aggregator, clips }: Stage): Promise<void> {
  const early = publish(scope, clips[1], aggregator.url('cam'));
  expect((await early.exited).code).not.toBe(0);
  await sleep(takeoverMs + 500);
  expect((await aggregator.camera('cam')).live).toBe(true);
}

describe('a publisher that is gone without a word', () => {
  const test = testWith('ffmpeg', 'nginx-rtmp');

  test.concurrent('killed by kill -9: it goes on in the same stream when it is back', async (context) => {
    const scope = testScope(context);
    const stage = await startStage(scope);
    const first = publish(scope, stage.clips[0], stage.aggregator.url('cam'));
    await watchFirst(stage);
    await first.stop('SIGKILL');
    await stage.aggregator.waitForLive('cam', false);
    expect(await stage.aggregator.push('cam', 'engine')).toMatchObject({ state: 'idle', connects: 1 });
    await sleep(1000);
    await finish(scope, stage);
  });

  test.concurrent('frozen by SIGSTOP: another takes over after the silence, and it does not come back', async (context) => {
    const scope = testScope(context);
    const stage = await startStage(scope);
    const first = publish(scope, stage.clips[0], stage.aggregator.url('cam'));
    await watchFirst(stage);
    first.signal('SIGSTOP');
    await waitForSilence(scope, stage);
    await finish(scope, stage);
    first.signal('SIGCONT');
    expect((await first.exited).code).not.toBe(0);
  });

  const withNamespace = namespacesProblem() === undefined ? test : test.skip;
  withNamespace.concurrent(
    `cut off from the network: another takes over from elsewhere${note(namespacesProblem())}`,
    async (context) => {
      const scope = testScope(context);
      const stage = await startStage(scope, ['--host', '0.0.0.0']);
      const network = await makeNetwork(scope);
      const first = network.publish(
        stage.clips[0],
        `rtmp://${network.hostAddress}:${stage.aggregator.rtmpPort}/cam/cam`,
      );
      await watchFirst(stage);
      await network.cut();
      await waitForSilence(scope, stage);
      expect(first.exit).toBeUndefined();
      await finish(scope, stage);
    },
  );
});

/** Why there can be no network namespace here; undefined when there can. */
function namespacesProblem(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root';
  const name = `ma-probe-${process.pid}`;
  const ip = (...args: string[]) =>
    spawnSync('ip', args, { encoding: 'utf8', env: { ...process.env, PATH: searchPath } });
  const made = ip('netns', 'add', name);
  if (made.error !== undefined) return 'needs iproute2';
  if (made.status !== 0) return `ip netns add: ${made.stderr.trim()}`;
  const linked = ip('link', 'add', `mp${process.pid}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
  ip('netns', 'del', name);
  return linked.status === 0 ? undefined : `ip link add type veth: ${linked.stderr.trim()}`;
}

function note(problem: string | undefined): string {
  return problem === undefined ? '' : ` (left out: ${problem})`;
}

interface Network {
  /** This machine, as seen from the namespace. */
  readonly hostAddress: string;
  /** ffmpeg as a camera in the namespace. */
  publish(clip: string, url: string): RunningProcess;
  /** From now on nothing arrives on either side, and nobody is told. */
  cut(): Promise<void>;
}

/** A network of two: this machine, and a namespace of its own. The addresses are those kept for such tests (RFC 2544). */
async function makeNetwork(scope: Scope): Promise<Network> {
  const name = `ma-${process.pid}`;
  const link = `ma${process.pid}`.slice(0, 15);
  const ip = (...args: string[]) => runOk('ip', args);
  const [hostAddress, cameraAddress] = ['198.18.77.1', '198.18.77.2'];
  await ip('netns', 'add', name);
  scope.defer(() => ip('netns', 'del', name));
  await ip('link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
  await ip('address', 'add', `${hostAddress}/30`, 'dev', link);
  await ip('link', 'set', link, 'up');
  await ip('-n', name, 'address', 'add', `${cameraAddress}/30`, 'dev', 'eth0');
  await ip('-n', name, 'link', 'set', 'eth0', 'up');
  await waitFor(async () => (await ip('-br', 'link', 'show', link)).stdout.includes('UP'), { what: 'the link' });
  return {
    hostAddress,
    publish: (clip, url) =>
      startProcess(
        scope,
        'ip',
        [
          ...['netns', 'exec', name, 'ffmpeg', '-nostdin', '-v', 'warning', '-re', '-i', clip],
          ...['-c', 'copy', '-f', 'flv', url],
        ],
        { name: 'ffmpeg (camera behind a network)' },
      ),
    cut: async () => {
      await ip('link', 'set', link, 'down');
    },
  };
}
