import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { defaultSettings } from '../../src/config/index.js';
import { silentLogger } from '../../src/log/log.js';
import { Dialer } from '../../src/net/dialer.js';
import { Push } from '../../src/push/push.js';
import { TargetWatch } from '../../src/push/target-watch.js';
import { FlushScheduler } from '../../src/relay/flush-scheduler.js';
import type { ServerSession } from '../../src/rtmp/server-session.js';
import { MessageType } from '../../src/wire/message.js';
import { frame, metadata, videoHeader } from '../relay/fixtures.js';
import { FedStream } from '../support/fed-stream.js';
import { type SickTarget, serve, startTarget } from './targets.js';

interface Arrival {
  readonly number: number;
  readonly isKey: boolean;
  readonly latencyMs: number;
}

const gopFrames = 25;

/** A camera of 50 frames a second, and a push of it to a target that reads at a rate. */
async function start(options: {
  cameraBytesPerSecond: number;
  /** What the target reads in a second; may change. */
  rate: () => number;
  /** What becomes of the target's session, before its first byte. */
  prepare?: (session: ServerSession, socket: Socket) => void;
  /** False: the target's acknowledgements are lost. */
  acknowledges?: () => boolean;
  /** What of its bytes the target counts. */
  scale?: number;
  queueMaxAgeMs?: number;
  /** Takes what ends the test's things. */
  onTestFinished: (end: () => Promise<void>) => void;
}) {
  const { cameraBytesPerSecond, rate, acknowledges = () => true, queueMaxAgeMs = 2000 } = options;
  const settings = { ...defaultSettings().media, stallTimeoutMs: 4000, queueMaxAgeMs, pushRetryMinMs: 200 };
  const sentMs: number[] = [];
  const arrivals: Arrival[] = [];
  const target: SickTarget = await startTarget((socket, self) => {
    const slow = {
      on: (_event: 'data', take: (data: Buffer) => void) => {
        // Reads by the clock, from a socket that is paused: what it does not read fills the kernel's buffers.
        let lastMs = performance.now();
        let credit = 0;
        const timer = setInterval(() => {
          const nowMs = performance.now();
          credit = Math.min(credit + ((nowMs - lastMs) * rate()) / 1000, 65_536);
          lastMs = nowMs;
          while (credit >= 1) {
            const data: unknown = socket.read(Math.min(Math.floor(credit), Math.max(1, socket.readableLength)));
            if (!Buffer.isBuffer(data)) break;
            credit -= data.length;
            const before = self.media.length;
            take(data);
            for (const { type, payload } of self.media.slice(before)) {
              if (type !== MessageType.Video || payload[1] !== 1) continue;
              const number = payload.readUInt32BE(5);
              const latencyMs = performance.now() - (sentMs[number] ?? Number.NaN);
              arrivals.push({ number, isKey: payload[0] === 0x17, latencyMs });
            }
          }
        }, 10);
        socket.on('close', () => clearInterval(timer));
        socket.on('readable', () => {});
      },
      write: (data: Buffer) => {
        const isAcknowledgement = data.length === 16 && data[7] === 3;
        if (isAcknowledgement) data.writeUInt32BE(Math.floor(data.readUInt32BE(12) * (options.scale ?? 1)), 12);
        if (!isAcknowledgement || acknowledges()) socket.write(data);
      },
    };
    serve(slow as unknown as Socket, self, {
      ...(options.prepare === undefined ? {} : { session: (session) => options.prepare?.(session, socket) }),
    });
  });
  options.onTestFinished(() => target.close());
  const stream = new FedStream(
    {
      format: { chunkBytes: settings.outChunkBytes, streamId: 1, publishing: true },
      gopMaxBytes: settings.gopMaxBytes,
      scheduler: new FlushScheduler(),
    },
    performance.now(),
  );
  const push = new Push({
    url: target.url,
    shownUrl: target.url,
    enabled: true,
    limits: { queueMaxBytes: settings.queueMaxBytes, queueMaxAgeMs },
    settings,
    watch: new TargetWatch(50),
    dialer: new Dialer(),
    log: silentLogger,
  });
  stream.publish(MessageType.DataAmf0, 0, metadata(320), performance.now());
  stream.publish(MessageType.Video, 0, videoHeader(), performance.now());
  const beganMs = performance.now();
  const camera = setInterval(() => {
    const nowMs = performance.now();
    // By the clock: a busy machine's timers come late, and the camera's rate must stay.
    while (sentMs.length * 20 < nowMs - beganMs) {
      const number = sentMs.length;
      stream.publish(
        MessageType.Video,
        number * 20,
        frame(number, number % gopFrames === 0, cameraBytesPerSecond / 50),
        nowMs,
      );
      sentMs.push(nowMs);
    }
  }, 20);
  const ticker = setInterval(() => push.tick(performance.now()), 250);
  options.onTestFinished(async () => {
    clearInterval(camera);
    clearInterval(ticker);
    await push.close();
  });
  push.begin(stream);
  return { target, push, arrivals, status: () => push.status(performance.now()), sent: () => sentMs.length };
}

/** Every frame follows the one before it, or is a key frame. */
function brokenJumps(arrivals: readonly Arrival[]): Arrival[] {
  return arrivals.filter(({ number, isKey }, i) => i > 0 && !isKey && number !== (arrivals[i - 1]?.number ?? 0) + 1);
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const onLinux = process.platform === 'linux';

describe.concurrent('a target that reads more slowly than its camera sends', () => {
  it('and acknowledges all the time: one publish, jumps to key frames, and latency within the budget', async ({
    onTestFinished,
  }) => {
    const { target, arrivals, status } = await start({
      cameraBytesPerSecond: 330_000,
      rate: () => 66_000,
      onTestFinished,
    });
    const seen: ReturnType<typeof status>[] = [];
    for (let second = 0; second < 14; second++) {
      await pause(1000);
      seen.push(status());
    }
    expect(target.connectedMs.length).toBe(1);
    expect(new Set(seen.map(({ phase }) => phase))).toEqual(new Set(['active']));
    expect(brokenJumps(arrivals)).toEqual([]);
    // 66 kB/s are ten frames a second: nearly all of them carry frames that arrive.
    expect(arrivals.length).toBeGreaterThan(105);
    // The first frames went before anything was known of the target.
    for (const { latencyMs } of arrivals.slice(40)) expect(latencyMs).toBeLessThan(3000);
    // What is under way is told of: the camera's 330 kB/s had left 4 MB by now.
    expect(Math.max(...seen.map(({ queueBytes }) => queueBytes))).toBeLessThan(1_000_000);
    expect(Math.min(...seen.slice(1).map(({ queueBytes, queueAgeMs }) => queueBytes * queueAgeMs))).toBeGreaterThan(0);
    expect(new Set(seen.map(({ roundTripMs }) => roundTripMs)).size).toBeGreaterThan(5);
    for (const { roundTripMs } of seen.slice(2)) expect(roundTripMs).toBeGreaterThan(300);
  });

  it.runIf(onLinux).for([
    ['none of it acknowledged', () => false],
    ['none after the first second', (elapsedMs: number) => elapsedMs < 1000],
  ] as [string, (elapsedMs: number) => boolean][])(
    '%s: the kernel tells',
    async ([, acknowledges], { onTestFinished }) => {
      const beganMs = performance.now();
      const { target, arrivals, status } = await start({
        cameraBytesPerSecond: 5_000_000,
        rate: () => 1_000_000,
        acknowledges: () => acknowledges(performance.now() - beganMs),
        onTestFinished,
      });
      let mostBytes = 0;
      for (let second = 0; second < 16; second++) {
        await pause(1000);
        mostBytes = Math.max(mostBytes, status().queueBytes);
      }
      expect(target.connectedMs.length).toBe(1);
      expect(brokenJumps(arrivals)).toEqual([]);
      expect(arrivals.length).toBeGreaterThan(80);
      expect(mostBytes).toBeGreaterThan(500_000);
    },
  );
});

describe.concurrent('a target that keeps up', () => {
  it('loses nothing when it stops acknowledging', async ({ onTestFinished }) => {
    const beganMs = performance.now();
    const { target, arrivals, status, sent } = await start({
      cameraBytesPerSecond: 2_000_000,
      rate: () => 50_000_000,
      acknowledges: () => performance.now() - beganMs < 2000,
      onTestFinished,
    });
    await pause(12_000);
    expect(target.connectedMs.length).toBe(1);
    expect(status()).toMatchObject({ phase: 'active', droppedFrames: { bytes: 0, age: 0, total: 0 } });
    expect(arrivals.length).toBeGreaterThan(sent() - 30);
  });

  it('loses nothing when its acknowledgements count too little', async ({ onTestFinished }) => {
    const { target, arrivals, status, sent } = await start({
      cameraBytesPerSecond: 4_000_000,
      rate: () => 50_000_000,
      // It counts every second byte of media, as one that leaves out what it drops.
      scale: 0.5,
      onTestFinished,
    });
    await pause(12_000);
    expect(target.connectedMs.length).toBe(1);
    expect(status()).toMatchObject({ droppedFrames: { bytes: 0, age: 0, total: 0 } });
    expect(arrivals.length).toBeGreaterThan(sent() - 100);
  });

  it('loses nothing through pauses of its own that are shorter than the budget', async ({ onTestFinished }) => {
    const beganMs = performance.now();
    // Nothing for 0.7 s of every two.
    const rate = () => ((performance.now() - beganMs) % 2000 < 700 ? 0 : 50_000_000);
    const { target, arrivals, status, sent } = await start({ cameraBytesPerSecond: 1_000_000, rate, onTestFinished });
    await pause(12_000);
    expect(target.connectedMs.length).toBe(1);
    expect(status()).toMatchObject({ droppedFrames: { bytes: 0, age: 0, total: 0 } });
    expect(arrivals.length).toBeGreaterThan(sent() - 60);
  });

  it('and then takes nothing any more is given up', async ({ onTestFinished }) => {
    const beganMs = performance.now();
    const rate = () => (performance.now() - beganMs > 3000 ? 0 : 50_000_000);
    const { status } = await start({ cameraBytesPerSecond: 5_000_000, rate, onTestFinished });
    for (let second = 0; second < 50 && status().lastFailure === null; second++) await pause(500);
    expect(status().lastFailure?.code).toBe('TARGET_STALLED');
  });
});
