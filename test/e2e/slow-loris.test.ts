import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { describe, expect } from 'vitest';
import { type Aggregator, startAggregator } from '../support/aggregator.js';
import { decodeCleanly, makeClip, publish } from '../support/ffmpeg.js';
import { firstVideoFrame, settled } from '../support/flv-file.js';
import { startNginxRtmp } from '../support/nginx-rtmp.js';
import { expectUnbroken, keyFrameHashes, packetsOf } from '../support/packets.js';
import { testWith } from '../support/peers.js';
import { type Scope, testScope } from '../support/scope.js';
import { figure, waitFor } from '../support/wait.js';

const wanted = 2000;
const handshakeTimeoutMs = 6000;
/** What this process, and the aggregator, need for other things. */
const otherFiles = 200;

/** Open files that a process may have: Node.js raises its own limit to the hard one. */
function maxOpenFiles(): number {
  const text = /^Max open files\s+\S+\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  return text === 'unlimited' ? Number.POSITIVE_INFINITY : Number(text);
}

interface Slow {
  readonly socket: Socket;
  readonly connectedMs: number;
  closedMs: number;
}

/** A connection that begins an RTMP handshake at one byte a second. */
function startSlow(scope: Scope, aggregator: Aggregator): Promise<Slow> {
  return new Promise((resolve, reject) => {
    const socket = connect(aggregator.rtmpPort, '127.0.0.1', () => {
      socket.off('error', reject);
      socket.on('error', () => undefined);
      const slow: Slow = { socket, connectedMs: performance.now(), closedMs: 0 };
      socket.resume();
      socket.once('close', () => {
        slow.closedMs = performance.now();
      });
      socket.write(Buffer.from([3]));
      resolve(slow);
    });
    socket.once('error', reject);
    scope.defer(() => socket.destroy());
  });
}

describe('2,000 connections that send one byte a second', () => {
  const test = testWith('ffmpeg', 'nginx-rtmp');
  const isPossible = maxOpenFiles() >= wanted + otherFiles;
  const testMany = isPossible ? test : test.skip;
  const note = isPossible ? '' : ` (left out: needs ${wanted + otherFiles} open files, ${maxOpenFiles()} are allowed)`;

  testMany(`cost a live camera nothing, and are gone by the deadline${note}`, async (context) => {
    const scope = testScope(context);
    const [clip, nginx, aggregator] = await Promise.all([
      makeClip({ seconds: 15 }),
      startNginxRtmp(scope),
      startAggregator(scope, {
        flags: [
          ...['--handshake-timeout', `${handshakeTimeoutMs}ms`],
          ...['--max-connections', '5000', '--max-connections-per-address', '5000'],
        ],
      }),
    ]);
    const endpoint = await aggregator.addCamera('cam');
    await aggregator.addPush('cam', nginx.url('cam'), 'engine');
    const camera = publish(scope, clip, endpoint);
    await firstVideoFrame(await nginx.recording('cam'));
    const rssBefore = aggregator.rssBytes();

    const slow: Slow[] = [];
    const writer = setInterval(() => {
      for (const { socket } of slow) if (socket.writable) socket.write(Buffer.from([0]));
    }, 1000);
    scope.defer(() => clearInterval(writer));
    while (slow.length < wanted) {
      slow.push(...(await Promise.all(Array.from({ length: 50 }, () => startSlow(scope, aggregator)))));
    }
    const totals = (await aggregator.apiOk('GET', '/v1/nodes')) as { items: { connections: number }[] };
    figure('connections at once', totals.items[0]!.connections, '');
    expect(totals.items[0]!.connections).toBeGreaterThan(wanted);
    const rssWith = aggregator.rssBytes();

    await waitFor(() => slow.every(({ closedMs }) => closedMs > 0), {
      what: 'all slow connections to be closed',
      timeoutMs: 30_000,
    });
    clearInterval(writer);
    const lives = slow.map(({ connectedMs, closedMs }) => closedMs - connectedMs);
    figure('shortest life of a slow connection', Math.min(...lives), 'ms');
    figure('longest life of a slow connection', Math.max(...lives), 'ms');
    figure('memory before 2,000 slow connections', rssBefore / 2 ** 20, 'MB');
    figure('memory with them', rssWith / 2 ** 20, 'MB');
    // None before its time is up; all within the second's grain of the deadline, and what a busy machine adds.
    expect(Math.min(...lives)).toBeGreaterThan(handshakeTimeoutMs - 500);
    expect(Math.max(...lives)).toBeLessThan(handshakeTimeoutMs + 10_000);
    expect(rssWith - rssBefore).toBeLessThan(wanted * 64 * 1024);

    expect(camera.exit).toBeUndefined();
    expect((await camera.exited).code).toBe(0);
    const recording = nginx.recordings('cam')[0]!;
    await settled(recording);
    expect(nginx.recordings('cam')).toHaveLength(1);
    const keyFrames = await keyFrameHashes(clip);
    expect(expectUnbroken(await packetsOf(clip), await packetsOf(recording), { keyFrames }).video?.from).toBe(0);
    await decodeCleanly(recording);
  });
});
