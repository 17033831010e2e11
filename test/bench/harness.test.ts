import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { findAdapter } from '../../bench/adapters/index.js';
import { findRegressions } from '../../bench/baseline.js';
import { monotonicUs } from '../../bench/load/clock.js';
import { openPublisher } from '../../bench/load/rtmp-publisher.js';
import { createSchedule } from '../../bench/load/schedule.js';
import { SinkConnection } from '../../bench/load/sink-connection.js';
import { SinkReader } from '../../bench/load/sink-reader.js';
import { SequenceCount, TargetCounts } from '../../bench/load/target-counts.js';
import { cpuOf, parseStat, processTree, residentBytes } from '../../bench/measure/proc.js';
import { median, percentile } from '../../bench/measure/stats.js';
import { parseOptions } from '../../bench/options.js';
import { selfTimes } from '../../bench/profile.js';
import { createReport, formatTable } from '../../bench/report.js';
import type { RunResult } from '../../bench/result.js';
import { Revisions } from '../../bench/revisions.js';
import { findScenario } from '../../bench/scenarios.js';
import { barChart, niceCeiling } from '../../bench/svg.js';
import {
  audioStampOffset,
  createTraffic,
  cycleBytes,
  cycleMs,
  framesPerCycle,
  type Template,
  videoStampOffset,
} from '../../bench/traffic.js';
import { ChunkReader } from '../../src/wire/chunk-reader.js';
import { encodeMessage } from '../../src/wire/chunk-writer.js';
import { isVideoKeyFrame } from '../../src/wire/flv.js';
import { MessageType } from '../../src/wire/message.js';

const limits = { maxMessageBytes: 1 << 23, maxChunkStreams: 64, maxPartialBytes: 1 << 23 };

function chunkSizeMessage(bytes: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(bytes);
  return encodeMessage(2, MessageType.SetChunkSize, 0, 0, payload, 128);
}

function stamp(template: Template, sequence: number): Buffer {
  const bytes = Buffer.from(template.bytes);
  bytes.writeUInt32BE(sequence, template.stampAt);
  bytes.writeDoubleBE(1234.5, template.stampAt + 4);
  return bytes;
}

describe('traffic', () => {
  test.each([300_000, 2_500_000, 4_000_000])(
    'has the bit rate of %i, key frames of eight times the size',
    (bitrate) => {
      const traffic = createTraffic(bitrate);
      expect((cycleBytes(traffic) * 8000) / cycleMs / bitrate).toBeCloseTo(1, 1);
      const [key = 0, ...others] = traffic.video.map(({ bytes }) => bytes.length);
      const mean = others.reduce((a, b) => a + b, 0) / others.length;
      expect(key / mean).toBeCloseTo(8, 0);
    },
  );

  test('reads back by the chunk reader of the project as frames with stamps', () => {
    const traffic = createTraffic(2_500_000);
    const seen: { type: number; sequence: number; isKey: boolean; timestampMs: number }[] = [];
    const reader = new ChunkReader((type, timestampMs, _streamId, payload) => {
      if (payload[1] !== 1 || type === MessageType.DataAmf0) return;
      const at = type === MessageType.Video ? videoStampOffset : audioStampOffset;
      expect(payload.readDoubleBE(at + 4)).toBe(1234.5);
      const isKey = type === MessageType.Video && isVideoKeyFrame(payload);
      seen.push({ type, sequence: payload.readUInt32BE(at), isKey, timestampMs });
    }, limits);
    reader.feed(chunkSizeMessage(4096));
    reader.feed(traffic.opening);
    for (const [i, template] of traffic.video.entries()) reader.feed(stamp(template, i));
    for (const [i, template] of traffic.audio.entries()) reader.feed(stamp(template, i));
    const video = seen.filter(({ type }) => type === MessageType.Video);
    expect(video.map(({ sequence }) => sequence)).toEqual(traffic.video.map((_, i) => i));
    expect(video.filter(({ isKey }) => isKey)).toHaveLength(1);
    expect(video.at(-1)?.timestampMs).toBe(cycleMs);
    expect(seen.at(-1)).toMatchObject({
      type: MessageType.Audio,
      sequence: traffic.audio.length - 1,
      timestampMs: cycleMs,
    });
  });

  test('comes from cameras that are not synchronised, each with all its messages in order', () => {
    const traffic = createTraffic(300_000);
    const schedule = createSchedule(traffic, 5, 1);
    expect(schedule.atMs).toHaveLength(5 * (traffic.video.length + traffic.audio.length));
    expect(schedule.atMs.every((at, i) => at >= 0 && at < cycleMs && at >= (schedule.atMs[i - 1] ?? 0))).toBe(true);
    expect(new Set(schedule.beginMs).size).toBe(5);
    for (let camera = 0; camera < 5; camera++) {
      const video = schedule.templates.filter((each, i) => each.kind === 'video' && schedule.camera[i] === camera);
      const key = video.indexOf(traffic.video[0] as Template);
      expect([...video.slice(key), ...video.slice(0, key)]).toEqual(traffic.video);
      expect(video).toHaveLength(framesPerCycle);
    }
  });
});

describe('the reader of the sinks', () => {
  /** Everything that it says, as text. */
  function read(pieces: readonly Buffer[]): string[] {
    const said: string[] = [];
    const reader = new SinkReader({
      onControl: (type, payload) => said.push(`${type} ${payload.toString('hex')}`),
      onMedia: (type, head, at, bytes) => said.push(`${type} ${head.toString('hex', at, at + 40)} ${bytes}`),
    });
    for (const piece of pieces) reader.feed(piece);
    return said;
  }

  const video = createTraffic(400_000).video.slice(0, 3);
  const wire = Buffer.concat([
    chunkSizeMessage(1000),
    encodeMessage(20, MessageType.CommandAmf0, 0xffffff + 5, 0, Buffer.alloc(2500, 0x11), 1000),
    encodeMessage(6, MessageType.Video, 0x1000000, 1, Buffer.alloc(2500, 0x22), 1000),
    encodeMessage(4, MessageType.Audio, 20, 1, Buffer.alloc(41, 0x33), 1000),
    chunkSizeMessage(4096),
    ...video.map(({ bytes }) => bytes),
  ]);

  test('reads what another reader reads', () => {
    const expected: string[] = [];
    const reader = new ChunkReader((type, _timestampMs, _streamId, payload) => {
      const isMedia = type === MessageType.Audio || type === MessageType.Video;
      const head = `${type} ${payload.toString('hex', 0, 40)} ${payload.length}`;
      expected.push(isMedia ? head : `${type} ${payload.toString('hex')}`);
    }, limits);
    reader.feed(wire);
    expect(expected).toHaveLength(8);
    expect(read([wire])).toEqual(expected);
  });

  test.each([1, 2, 3, 7, 11, 13, 18, 19, 100, 999, 4096])('reads the same in pieces of %i bytes', (size) => {
    const pieces: Buffer[] = [];
    for (let at = 0; at < wire.length; at += size) pieces.push(wire.subarray(at, at + size));
    expect(read(pieces)).toEqual(read([wire]));
  });
});

describe('counting', () => {
  test('of numbers that come in order loses nothing', () => {
    const count = new SequenceCount();
    for (let i = 5; i < 20; i++) count.note(i); // what was sent before it connected is not missed
    expect(count).toMatchObject({ received: 15, missing: 0, repeated: 0 });
    expect(count.lost(20)).toBe(0);
  });

  test('notices gaps, an early end, repetition, and silence', () => {
    const count = new SequenceCount();
    for (const sequence of [0, 1, 4, 5, 5, 9]) count.note(sequence);
    expect(count).toMatchObject({ missing: 2 + 3, repeated: 1 });
    expect(count.lost(12)).toBe(5 + 2);
    expect(new SequenceCount().lost(7)).toBe(7);
  });

  test('percentiles and medians', () => {
    const sorted = Float64Array.from({ length: 100 }, (_, i) => i);
    expect([percentile(sorted, 0.5), percentile(sorted, 0.99), percentile(sorted, 1)]).toEqual([50, 99, 99]);
    expect(percentile(new Float64Array(), 0.5)).toBeNaN();
    expect([median([3, 1, 2]), median([4, 1, 3, 2])]).toEqual([2, 2.5]);
  });
});

describe('a publisher and a sink', () => {
  const open: { server: Server; sockets: Socket[] }[] = [];
  afterEach(() => {
    for (const { server, sockets } of open.splice(0)) {
      for (const socket of sockets) socket.destroy();
      server.close();
    }
  });

  async function startSink(target: TargetCounts): Promise<number> {
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      sockets.push(socket);
      new SinkConnection(socket, (app) => {
        expect(app).toBe(target.app);
        return target;
      });
    });
    open.push({ server, sockets });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  test.each([
    ['all that was sent', -1, 0],
    ['one message less', 25, 1],
  ])('find %s', async (_name, leftOut, lost) => {
    const target = new TargetCounts('t0-0', 0, true);
    const port = await startSink(target);
    const socket = await openPublisher(`rtmp://127.0.0.1:${port}/t0-0/cam0`);
    const traffic = createTraffic(2_500_000);
    socket.write(traffic.opening);
    for (const [i, template] of traffic.video.entries()) if (i !== leftOut) socket.write(stamp(template, i));
    for (const [i, template] of traffic.audio.entries()) socket.write(stamp(template, i));
    socket.end();
    await expect.poll(() => target.audio.next, { timeout: 30_000 }).toBe(traffic.audio.length);
    expect(target.video.lost(traffic.video.length) + target.audio.lost(traffic.audio.length)).toBe(lost);
    const { videoLatenciesUs, audioLatenciesUs } = target;
    expect(videoLatenciesUs.length + audioLatenciesUs.length).toBe(traffic.video.length + traffic.audio.length - lost);
    expect(target.firstPictureUs).toBeGreaterThan(0);
  });
});

test('the clock is that of the kernel, the same in every process', () => {
  const differences = Array.from({ length: 50 }, () => Math.abs(Number(process.hrtime.bigint()) / 1e3 - monotonicUs()));
  expect(Math.min(...differences)).toBeLessThan(50);
});

describe('what /proc says', () => {
  test('a name may hold spaces and parentheses', () => {
    const fields = `S 7 1 1 0 -1 4194560 1 0 0 0 ${'250 75'} 0 0 20 0 1 0`;
    expect(parseStat(`42 (a (b) c) ${fields}`)).toEqual({ pid: 42, parentPid: 7, user: 2.5, system: 0.75 });
    expect(parseStat('')).toBeUndefined();
  });

  test('this process uses CPU and memory', () => {
    const before = cpuOf([process.pid]);
    const endMs = performance.now() + 200;
    while (performance.now() < endMs);
    expect(cpuOf([process.pid]).user + cpuOf([process.pid]).system).toBeGreaterThan(before.user + before.system);
    expect(residentBytes([process.pid])).toBeGreaterThan(10 << 20);
    expect(processTree(process.ppid)).toContain(process.pid);
  });
});

function result(system: string, cpu: number, extra: Partial<RunResult> = {}): RunResult {
  return {
    ...{ system, scenario: '20x4', void: null, seconds: 10, windowUs: [0, 1e7], bytesIn: 1e9, bytesOut: 4e9 },
    ...{
      messagesIn: 1000,
      messagesOut: 4000,
      cpuUser: cpu / 2,
      cpuSystem: cpu / 2,
      cpuHelpers: 0,
      reads: 1000,
      writes: 4000,
    },
    ...{ rssBytes: 90 << 20, rssIdleBytes: 70 << 20, lost: 0, repeated: 0, otherCpu: 0, interruptCpu: 0, stolenCpu: 0 },
    latencyMs: { p50: 1, p99: 2, max: 3, samples: 10 },
    videoLatencyMs: { p50: 1, p99: 2, max: 3, samples: 4 },
    audioLatencyMs: { p50: 11, p99: 12, max: 13, samples: 6 },
    firstPictureMs: [],
    generators: { publisherCpu: 1, sinkCpu: 2, lateP99Ms: 1, mostQueuedBytes: 0 },
    ...extra,
  };
}

describe('the report', () => {
  const report = (runs: RunResult[]) =>
    createReport(runs, new Map([['20x4', 20]]), { reference: 'nginx-rtmp', revision: 'abc' });

  test('takes ratios round by round', () => {
    const { rows } = report([result('ours', 2), result('nginx-rtmp', 1), result('ours', 6), result('nginx-rtmp', 3)]);
    expect(rows[0]).toMatchObject({ system: 'ours', ratio: 2, cpuPerGbOut: 1, cpuPerGbIn: 4, rssPerCameraKb: 1024 });
  });

  test('voids a row with a lost message, and says so', () => {
    const { rows } = report([result('ours', 2), result('ours', 2, { void: '3 messages lost', lost: 3 })]);
    expect(rows[0]?.void).toBe('3 messages lost');
    expect(formatTable(rows)).toContain('VOID');
  });

  test('fails on lost messages and on more than twice the recorded ratio, on nothing else', () => {
    const check = (ours: RunResult): string[] =>
      findRegressions(report([ours, result('nginx-rtmp', 1)]).rows, { '20x4': 1.5 });
    expect(check(result('ours', 2.9))).toEqual([]);
    expect(check(result('ours', 3.1))).toHaveLength(1);
    expect(check(result('ours', 1, { void: '1 messages lost', lost: 1 }))[0]).toContain('lost');
  });
});

test('a profile is cut to the measured time', () => {
  const frame = (functionName: string) => ({ functionName, url: 'file:///x/dist/relay/outlet.js', lineNumber: 8 });
  const profile = {
    nodes: [
      { id: 1, callFrame: frame('before') },
      { id: 2, callFrame: frame('during') },
    ],
    samples: [1, 1, 2, 2],
    timeDeltas: [10, 10, 10, 10],
    startTime: 100,
  };
  expect(selfTimes(profile, [125, 200])).toEqual([{ name: 'during (relay/outlet.js:9)', us: 20 }]);
});

describe('the command line', () => {
  test('names scenarios, or makes them up', () => {
    expect(findScenario('100x8')).toMatchObject({ cameras: 100, targetsPerCamera: 8, bitrateBps: 2_500_000 });
    expect(findScenario('3x2@0.5')).toMatchObject({ cameras: 3, targetsPerCamera: 2, bitrateBps: 500_000 });
    expect(() => findScenario('many')).toThrow(RangeError);
  });

  test('names a peer as it comes, and with TCP_NODELAY forced upon it', () => {
    const nobody = new Revisions();
    expect(findAdapter('nginx-rtmp', nobody).name).toBe('nginx-rtmp');
    expect(findAdapter('nginx-rtmp+nodelay', nobody).name).toBe('nginx-rtmp+nodelay');
    expect(() => findAdapter('nginx-rtmp+nodlay', nobody)).toThrow('system nginx-rtmp+nodlay is unknown');
  });

  test('compares with a revision', () => {
    expect(parseOptions(['--compare', 'HEAD~1']).systems).toEqual(['ours', 'ours@HEAD~1']);
    expect(() => parseOptions(['--rounds', '0'])).toThrow('--rounds is 0');
    expect(() => parseOptions(['--at-once', '--calm', '9'])).toThrow('exclude each other');
    expect(() => parseOptions(['--unknown'])).toThrow();
  });
});

test('a bar chart has a bar for each value and none for a missing one', () => {
  const svg = barChart({
    title: 'a < b',
    unit: 's',
    groups: ['x', 'y'],
    series: ['s', 't'],
    values: [
      [1, 2],
      [Number.NaN, 4],
    ],
  });
  expect(svg).toContain('a &lt; b');
  // The background, two in the legend, three bars.
  expect(svg.match(/<rect/g)).toHaveLength(1 + 2 + 3);
  expect([niceCeiling(0), niceCeiling(4), niceCeiling(0.11), niceCeiling(26)]).toEqual([1, 5, 0.2, 50]);
});
