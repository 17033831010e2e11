import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KernelQueues, type QueueAsker } from '../../src/net/kernel-queues.js';
import type { MediaSocket } from '../../src/net/media-socket.js';
import { Flight } from '../../src/rtmp/flight.js';
import { OutgoingFlow } from '../../src/rtmp/outgoing-flow.js';
import { SendTimes } from '../../src/rtmp/send-times.js';
import { TargetAcknowledgements } from '../../src/rtmp/target-acknowledgements.js';
import { waitFor } from '../support/wait.js';

/** A flow by a clock of its own, over a socket and a kernel that do as they are told. */
function start({ everyMs = 900 } = {}) {
  const socket = { bytesWritten: 0, pendingBytes: 0, progress: 0, write: () => true };
  let askers: QueueAsker[] = [];
  const kernel = { everyMs, ask: (asker: QueueAsker) => askers.push(asker) } as unknown as KernelQueues;
  const flow = new OutgoingFlow(
    socket as unknown as MediaSocket,
    { queueMaxBytes: 1 << 20, queueMaxAgeMs: 10_000 },
    () => {},
    kernel,
  );
  let nowMs = performance.now();
  return {
    flow,
    /** Our own kernel takes bytes. */
    hand(bytes: number): void {
      socket.bytesWritten += bytes;
      socket.progress += bytes;
    },
    /** The kernel answers who asked. @param meanwhile happens between its look and its answer */
    answer(queued: number, meanwhile = (): void => {}): void {
      const asked = askers.map((asker) => [asker, asker.handedBytes] as const);
      askers = [];
      meanwhile();
      for (const [asker, handed] of asked) asker.queued(queued, handed, nowMs);
    },
    /** A second goes by. Returns for how long the far side has been silent. */
    second(): number {
      nowMs += 1000;
      flow.look(nowMs);
      return flow.silentMs(nowMs);
    },
  };
}

describe('for how long a target took nothing', () => {
  it('answers to its pings, written while the kernel was asked, counted as bytes that it took', () => {
    const { hand, answer, second } = start();
    hand(500_000);
    let queued = 500_000;
    second();
    for (let i = 0; i < 10; i++) {
      // One answer before the kernel's look, some behind it: as many as the machine is slow.
      hand(12);
      queued += 12;
      const late = 12 * (i % 4);
      answer(queued, () => hand(late));
      queued += late;
      second();
    }
    expect(second()).toBeGreaterThan(8000);
  });

  it('a kernel that is asked rarely, since it takes long, counted as one that does not tell', () => {
    const { hand, answer, second } = start({ everyMs: 5000 });
    hand(500_000);
    let queued = 500_000;
    let silentMs = 0;
    for (let i = 0; i < 30; i++) {
      hand(12);
      queued += 12;
      if (i % 5 === 0) answer(queued);
      silentMs = second();
    }
    expect(silentMs).toBeGreaterThan(20_000);
  });

  it('is none while bytes arrive, be they few', () => {
    const { hand, answer, second } = start();
    hand(500_000);
    for (let i = 1; i <= 20; i++) {
      answer(500_000 - i * 1000);
      expect(second()).toBeLessThanOrEqual(1000);
    }
  });

  it('goes by what our own kernel takes where nobody tells more, and from the time that nobody does', () => {
    const { hand, answer, second, flow } = start();
    hand(500_000);
    second();
    answer(400_000);
    for (let i = 0; i < 20; i++) {
      hand(1000);
      second();
    }
    expect(second()).toBeLessThanOrEqual(1000);
    expect(flow.pendingBytes).toBe(0);
  });
});

it('the kernel is told of by what it had when the look began', async ({ onTestFinished }) => {
  const folder = await mkdtemp(join(tmpdir(), 'aggregator-queues-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  // As Linux prints it: 127.0.0.1:4660 to 127.0.0.1:1935, with 256 bytes that were not confirmed.
  const row = '   0: 0100007F:1234 0100007F:078F 01 00000100:00000000 01:00000014 00000000     0        0 1 1';
  await writeFile(join(folder, 'tcp'), `  sl  local_address rem_address   st tx_queue rx_queue\n${row}\n`);
  const kernel = new KernelQueues(folder, 'linux');
  const told: number[][] = [];
  const asker = {
    ends: { localPort: 0x1234, remoteAddress: '127.0.0.1', remotePort: 1935 },
    handedBytes: 1000,
    queued: (bytes: number, handedBytes: number) => told.push([bytes, handedBytes]),
  };
  kernel.ask(asker, performance.now());
  asker.handedBytes = 5000;
  await waitFor(() => told.length > 0, { what: 'the answer' });
  expect(told).toEqual([[256, 1000]]);
  expect(kernel.everyMs).toBeGreaterThanOrEqual(900);
});

it('a look that took long since the machine is busy made the next ones rare, so that targets which kept up were held back', async ({
  onTestFinished,
}) => {
  const folder = await mkdtemp(join(tmpdir(), 'aggregator-queues-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const table = join(folder, 'tcp');
  execFileSync('mkfifo', [table]);
  const kernel = new KernelQueues(folder, 'linux');
  let told = 0;
  const ends = { localPort: 0x1234, remoteAddress: '127.0.0.1', remotePort: 1935 };
  kernel.ask({ ends, handedBytes: 1000, queued: () => told++ }, performance.now());
  // Nobody gets to read it for so long.
  await new Promise((resolve) => setTimeout(resolve, 400));
  const row = '   0: 0100007F:1234 0100007F:078F 01 00000100:00000000 01:00000014 00000000     0        0 1 1';
  await writeFile(table, `  sl  local_address rem_address   st tx_queue rx_queue\n${row}\n`);
  await waitFor(() => told > 0, { what: 'the answer' });
  expect(kernel.everyMs).toBeLessThan(10_000);
});

it('a table that is too large to be read was asked for as often as a small one, since it cost us nothing', async ({
  onTestFinished,
}) => {
  const folder = await mkdtemp(join(tmpdir(), 'aggregator-queues-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, 'tcp'), Buffer.alloc((16 << 20) + 1, ' '));
  const kernel = new KernelQueues(folder, 'linux');
  const ends = { localPort: 0x1234, remoteAddress: '127.0.0.1', remotePort: 1935 };
  kernel.ask({ ends, handedBytes: 1000, queued: () => {} }, performance.now());
  await waitFor(() => kernel.everyMs >= 10_000, { what: 'a longer pause' });
});

describe('what may be written to a target that acknowledges', () => {
  it('is what it takes in half of the budget of age, at each write', () => {
    let holds = 0;
    const step = fc.record({
      bytes: fc.nat(40_000),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
      ms: fc.nat(400),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 300 }), (steps) => {
        const budget = { queueMaxBytes: 1 << 20, queueMaxAgeMs: 4000 };
        const socket = { bytesWritten: 0, pendingBytes: 0, progress: 0, write: () => true };
        const flow = new OutgoingFlow(socket as unknown as MediaSocket, budget, () => {});
        // The same parts, looked at for each write.
        const times = new SendTimes();
        const flight = new Flight(times, budget);
        const acknowledgements = new TargetAcknowledgements(times);
        let isHeld = false;
        let nowMs = performance.now();
        for (const { bytes, share, ms } of steps) {
          socket.bytesWritten += bytes;
          const written = socket.bytesWritten;
          times.note(written, nowMs);
          isHeld ||= flight.isOver(written);
          expect(flow.write(Buffer.alloc(0))).toBe(!isHeld);
          if (isHeld) holds++;
          nowMs += ms;
          const before = acknowledgements.acknowledgedBytes ?? 0;
          const sequence = Math.floor(before + share * (written - before) * (ms / 400));
          flow.acknowledged(sequence, nowMs);
          acknowledgements.received(sequence, written, nowMs);
          const arrived = acknowledgements.acknowledgedBytes ?? 0;
          if (arrived === before && acknowledgements.count > 1) continue;
          flight.news(arrived, written, acknowledgements.stepBytes, nowMs);
          times.forget(arrived);
          if (flight.hasRoom(written)) isHeld = false;
        }
      }),
      { numRuns: 300 },
    );
    expect(holds).toBeGreaterThan(0);
  });
});
