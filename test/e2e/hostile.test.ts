import { connect, type Socket } from 'node:net';
import { describe, expect } from 'vitest';
import { type Aggregator, type LogLine, startAggregator } from '../support/aggregator.js';
import { decodeCleanly, makeClip, publish } from '../support/ffmpeg.js';
import { firstVideoFrame, settled } from '../support/flv-file.js';
import { startNginxRtmp } from '../support/nginx-rtmp.js';
import { expectUnbroken, keyFrameHashes, packetsOf } from '../support/packets.js';
import { testWith } from '../support/peers.js';
import { encodeAmf, encodeChunks } from '../support/rtmp-bytes.js';
import type { Scope } from '../support/scope.js';
import { testScope } from '../support/scope.js';
import { figure, sleep, waitFor } from '../support/wait.js';

/** C0 and C1, then C2 blindly: the server need not be listened to for the handshake to be complete. */
const handshake = Buffer.concat([Buffer.from([3]), Buffer.alloc(8), Buffer.alloc(1528, 1), Buffer.alloc(1536, 2)]);

/** Bytes that differ from attack to attack, and are the same in every run. */
function noise(seed: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed * 2654435761 + 1;
  for (let index = 0; index < length; index++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}

/** A command whose argument is 10,000 objects, each inside the other. */
function nestedCommand(): Buffer {
  const levels = Array.from({ length: 10_000 }, () => Buffer.from([3, 0, 1, 0x61]));
  const payload = Buffer.concat([encodeAmf('connect', 1), ...levels]);
  return encodeChunks(3, { type: 20, streamId: 0, timestampMs: 0, payload });
}

/** The header of a chunk that says how long its message is, and one chunk of it. */
function declared(chunkStream: number, length: number, type = 9): Buffer {
  const header = Buffer.from([chunkStream, 0, 0, 0, length >> 16, (length >> 8) & 255, length & 255, type, 0, 0, 0, 0]);
  return Buffer.concat([header, Buffer.alloc(128)]);
}

/** 3,000 messages begun, none finished, each on a chunk stream of its own. */
function manyChunkStreams(): Buffer {
  const chunks: Buffer[] = [];
  for (let id = 64; id < 3064; id++) {
    const rest = id - 64;
    const header = [1, rest & 255, rest >> 8, 0, 0, 0, 0x10, 0, 0, 9, 0, 0, 0, 0];
    chunks.push(Buffer.from(header), Buffer.alloc(128));
  }
  return Buffer.concat(chunks);
}

const attacks: readonly { name: string; bytes: (seed: number) => Buffer }[] = [
  { name: 'random bytes', bytes: (seed) => noise(seed, 5000) },
  { name: 'random bytes after 3', bytes: (seed) => Buffer.concat([Buffer.from([3]), noise(seed, 20_000)]) },
  { name: 'half a handshake', bytes: (seed) => handshake.subarray(0, 1 + (seed % 1500)) },
  { name: 'an HTTP request', bytes: () => Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(100)) },
  { name: 'a declared length of 16 MB', bytes: () => Buffer.concat([handshake, declared(4, 0xffffff)]) },
  {
    name: 'many declared lengths below the limit',
    bytes: () =>
      Buffer.concat([handshake, ...Array.from({ length: 50 }, (_, index) => declared(4 + index, 7_000_000))]),
  },
  { name: 'AMF nested 10,000 deep', bytes: () => Buffer.concat([handshake, nestedCommand()]) },
  {
    name: 'chunk size 0',
    bytes: () =>
      Buffer.concat([handshake, encodeChunks(2, { type: 1, streamId: 0, timestampMs: 0, payload: Buffer.alloc(4) })]),
  },
  { name: 'thousands of chunk streams', bytes: () => Buffer.concat([handshake, manyChunkStreams()]) },
  {
    name: 'an array of 4 billion elements',
    bytes: () => {
      const payload = Buffer.concat([encodeAmf('connect', 1), Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff])]);
      return Buffer.concat([handshake, encodeChunks(3, { type: 20, streamId: 0, timestampMs: 0, payload })]);
    },
  },
];

interface Attack {
  readonly name: string;
  readonly localPort: number;
  readonly closed: Promise<void>;
}

function attack(scope: Scope, aggregator: Aggregator, index: number): Promise<Attack> {
  const { name, bytes } = attacks[index % attacks.length]!;
  return new Promise((resolve, reject) => {
    const socket: Socket = connect(aggregator.rtmpPort, '127.0.0.1', () => {
      socket.off('error', reject);
      socket.on('error', () => undefined);
      // What the server says is read and forgotten; only the server may end this.
      socket.resume();
      const closed = new Promise<void>((resolveClosed) => socket.once('close', () => resolveClosed()));
      socket.write(bytes(index));
      resolve({ name, localPort: socket.localPort ?? 0, closed });
    });
    socket.once('error', reject);
    scope.defer(() => socket.destroy());
  });
}

describe('strangers', () => {
  const test = testWith('ffmpeg', 'nginx-rtmp');

  test('200 of them cost a live camera nothing: each is closed, and told of or counted in the log', async (context) => {
    const scope = testScope(context);
    const [clip, nginx, aggregator] = await Promise.all([
      makeClip({ seconds: 15 }),
      startNginxRtmp(scope),
      startAggregator(scope, { flags: ['--handshake-timeout', '2s'] }),
    ]);
    const endpoint = await aggregator.addCamera('cam');
    await aggregator.addPush('cam', nginx.url('cam'), 'engine');
    const camera = publish(scope, clip, endpoint);
    await firstVideoFrame(await nginx.recording('cam'));
    await sleep(2000);
    const linesBefore = aggregator.logLines().length;
    const rssBefore = aggregator.rssBytes();

    let rssPeak = rssBefore;
    const watch = setInterval(() => {
      rssPeak = Math.max(rssPeak, aggregator.rssBytes());
    }, 50);
    scope.defer(() => clearInterval(watch));
    const running: Attack[] = [];
    for (let index = 0; index < 200; index++) running.push(await attack(scope, aggregator, index));
    await waitFor(() => Promise.all(running.map(({ closed }) => closed)), {
      what: 'all strangers to be shown the door',
      timeoutMs: 30_000,
    });
    // The lines are written a moment later than the sockets close.
    await sleep(500);
    const lines = aggregator.logLines().slice(linesBefore);
    const wrong = running
      .map(({ name, localPort }) => ({
        name,
        lines: lines.filter((line) => isClosing(line) && concerns(line, localPort)),
      }))
      .filter((each) => each.lines.length > 1);
    expect(wrong).toEqual([]);
    // The first ones in full; nor is there any other noise: no warning but theirs.
    expect(lines.filter(({ level, remote }) => level !== 'debug' && remote === undefined)).toEqual([]);
    const full = lines.filter((line) => line.level === 'warn' && isClosing(line)).length;
    expect(full).toBeGreaterThan(2);
    expect(full).toBeLessThan(60);

    expect(camera.exit).toBeUndefined();
    expect((await camera.exited).code).toBe(0);
    clearInterval(watch);
    figure('memory before 200 garbage connections', rssBefore / 2 ** 20, 'MB');
    figure('memory at its highest during them', rssPeak / 2 ** 20, 'MB');
    figure('memory after them', aggregator.rssBytes() / 2 ** 20, 'MB');
    expect(rssPeak - rssBefore).toBeLessThan(64 * 2 ** 20);
    expect((await aggregator.api('GET', '/healthz')).status).toBe(200);

    const recording = nginx.recordings('cam')[0]!;
    await settled(recording);
    const runs = expectUnbroken(await packetsOf(clip), await packetsOf(recording), {
      keyFrames: await keyFrameHashes(clip),
    });
    expect(runs.video?.from).toBe(0);
    expect(nginx.recordings('cam')).toHaveLength(1);
    await decodeCleanly(recording);

    // The rest was counted: each of them is told of, one way or the other.
    await aggregator.process.stop('SIGTERM');
    const sums = aggregator.logLines().filter(({ message }) => message.includes('more lines "connection closed"'));
    expect(sums.reduce((sum, line) => sum + Number(line.lines), full)).toBe(200);
  });
});

function isClosing({ message }: LogLine): boolean {
  return message === 'connection closed';
}

/** True for a log line of the connection that came from this port. */
function concerns(line: LogLine, port: number): boolean {
  return Object.values(line).some((value) => value === `127.0.0.1:${port}`);
}
