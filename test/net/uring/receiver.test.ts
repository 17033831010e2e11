import { constants } from 'node:os';
import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Reading, type ReadingHost, type ReadOwner } from '../../../src/net/uring/reading.js';
import { RingReceiver } from '../../../src/net/uring/receiver.js';
import { FakeKernel, type Random, resetByPeer } from './fake-kernel.js';

const { EAGAIN, ECANCELED, EIO } = constants.errno;

/** A connection that is read by the ring, and by Node.js when the ring is through with it. */
class Reader implements ReadOwner {
  isOpen = true;
  readonly sent: Buffer[] = [];
  readonly got: Buffer[] = [];
  result: number | null = null;
  isPaused = false;
  isDropped = false;
  reading: Reading | null = null;
  readonly fd: number;

  constructor(fd: number) {
    this.fd = fd;
  }

  onRead(data: Buffer): void {
    if (this.isPaused) throw new Error('told while it is paused');
    if (this.isDropped || this.result !== null) throw new Error('told behind the end');
    this.got.push(Buffer.from(data));
  }

  onReadOver(result: number): void {
    if (this.isDropped || this.result !== null) throw new Error('told of two ends');
    if (this.isPaused) throw new Error('told of the end while it is paused');
    this.result = result;
  }
}

/** Numbers that follow from a seed. */
function randomFrom(seed: number): Random {
  let state = seed | 0;
  return (count) => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 8) % count;
  };
}

type Act = 'send' | 'end' | 'reset' | 'pause' | 'resume' | 'stop' | 'drop' | 'stopNow' | 'look' | 'turn';
const act = fc.record({
  act: fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom<Act>('send', 'look', 'turn') },
    { weight: 3, arbitrary: fc.constantFrom<Act>('pause', 'resume') },
    { weight: 1, arbitrary: fc.constantFrom<Act>('end', 'reset', 'stop', 'drop', 'stopNow') },
  ),
  who: fc.nat(2),
  bytes: fc.integer({ min: 1, max: 400 }),
});

it('whatever the kernel does, what is told is what was sent, in order, and nothing stays behind', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(act, { maxLength: 80 }),
      fc.integer(),
      fc.integer({ min: 1, max: 6 }),
      async (acts, seed, buffers) => {
        const kernel = new FakeKernel(randomFrom(seed), buffers);
        let isNeeded = false;
        const receiver = new RingReceiver(kernel, kernel.buffers, (needed) => {
          isNeeded = needed;
        });
        const readers = [0, 1, 2].map((fd) => new Reader(fd));
        for (const reader of readers) {
          kernel.connections.set(reader.fd, { waiting: Buffer.alloc(0), end: null });
          reader.reading = receiver.begin(reader, reader.fd, false);
        }
        let byte = 0;
        const isOver = (reader: Reader): boolean =>
          reader.result !== null || reader.isDropped || reader.reading === null;
        for (const { act: what, who, bytes } of acts) {
          const reader = readers[who]!;
          const connection = kernel.connections.get(who)!;
          if (what === 'send' && connection.end === null) {
            const data = Buffer.from(Array.from({ length: bytes }, () => byte++ & 0x7f));
            reader.sent.push(data);
            connection.waiting = Buffer.concat([connection.waiting, data]);
          } else if (what === 'end') connection.end ??= 0;
          else if (what === 'reset') connection.end ??= resetByPeer;
          else if (what === 'look') receiver.look();
          else if (what === 'turn') await nextTurn();
          else if (!isOver(reader)) {
            if (what === 'pause' || what === 'resume') {
              reader.isPaused = what === 'pause';
              reader.reading![what]();
            } else if (what === 'stop') reader.reading!.stop();
            else if (what === 'drop') {
              reader.isDropped = true;
              reader.reading!.drop();
            } else if (what === 'stopNow') {
              const kept = reader.reading!.stopNow();
              if (kept === null) throw new Error('a kernel that refuses now and then did not end a receive');
              reader.got.push(kept);
              reader.reading = null;
            }
          }
        }
        for (const reader of readers) {
          kernel.connections.get(reader.fd)!.end ??= 0;
          if (isOver(reader)) continue;
          reader.isPaused = false;
          reader.reading!.resume();
        }
        for (let turns = 0; (readers.some((reader) => !isOver(reader)) || receiver.open > 0) && turns < 5000; turns++) {
          receiver.look();
          await nextTurn();
        }
        receiver.look(); // what went astray at last
        for (const reader of readers) {
          const { waiting } = kernel.connections.get(reader.fd)!;
          const sent = Buffer.concat(reader.sent);
          if (reader.isDropped) {
            const got = Buffer.concat(reader.got);
            expect(sent.subarray(0, got.length).equals(got)).toBe(true);
            continue;
          }
          // What the ring did not take is still there for Node.js, and nothing between.
          expect(Buffer.concat([...reader.got, waiting]).equals(sent)).toBe(true);
          if (reader.result === 0 || reader.result === resetByPeer) expect(waiting).toHaveLength(0);
          else if (reader.reading !== null) expect([-ECANCELED, -EAGAIN]).toContain(reader.result);
        }
        expect(receiver.open).toBe(0);
        expect(isNeeded).toBe(false);
        expect(kernel.armed).toBe(0);
        expect(kernel.buffers.inUse).toBe(0);
      },
    ),
    { numRuns: 300 },
  );
}, 120_000);

it('a kernel that names a buffer that there is none of is trusted no more, and gets no memory for it', async () => {
  const { kernel, receiver } = obedient();
  const reader = new Reader(0);
  kernel.connections.set(0, { waiting: Buffer.alloc(0), end: null });
  receiver.onLost = () => receiver.giveUp();
  receiver.begin(reader, 0, false);
  await nextTurn();
  kernel.misname();
  kernel.connections.get(0)!.waiting = Buffer.from('behind it');
  receiver.look();
  for (let turns = 0; turns < 5; turns++) await nextTurn();
  // What it missed nobody knows.
  expect([reader.result, reader.got, receiver.isOver]).toEqual([-EIO, [], true]);
});

it('one that sends without end has its share of a turn, and no more', async () => {
  const kernel = new FakeKernel(randomFrom(1), 64);
  const receiver = new RingReceiver(kernel, kernel.buffers, () => {});
  const reader = new Reader(0);
  // All of it is completed before the next look, which a kernel with as many buffers would do.
  kernel.isTireless = true;
  kernel.connections.set(0, { waiting: Buffer.alloc(2 << 20, 1), end: 0 });
  receiver.begin(reader, 0, false);
  const got = (): number => reader.got.reduce((sum, { length }) => sum + length, 0);
  let most = 0;
  for (let turns = 0; got() < 1 << 20 && turns < 2000; turns++) {
    const before = got();
    receiver.look();
    most = Math.max(most, got() - before);
    await nextTurn();
  }
  expect(got()).toBeGreaterThanOrEqual(1 << 20);
  expect(most).toBeGreaterThan(200 * 1024);
  expect(most).toBeLessThanOrEqual(256 * 1024 + 64);
});

/** A kernel that does what it is asked, but for the next refusals of what is handed to it. */
function obedient(): { kernel: FakeKernel; receiver: RingReceiver; refuse: (times: number) => void } {
  let refusals = 0;
  const kernel = new FakeKernel((count) => (count === 12 && refusals-- > 0 ? 0 : count - 1), 4);
  const receiver = new RingReceiver(kernel, kernel.buffers, () => {});
  return {
    kernel,
    receiver,
    refuse: (times) => {
      refusals = times;
    },
  };
}

it.each(['drop', 'stop', 'stopNow'] as const)(
  'a cancel that the kernel refuses is handed to it again, though nothing more comes: %s',
  async (what) => {
    const { kernel, receiver, refuse } = obedient();
    kernel.connections.set(0, { waiting: Buffer.alloc(0), end: null });
    const reader = new Reader(0);
    const reading = receiver.begin(reader, 0, false);
    await nextTurn();
    expect(kernel.armed).toBe(1);
    refuse(what === 'stopNow' ? 10 : 3);
    reading[what]();
    // As long as the kernel has it, its peer does not hear that the connection is closed.
    if (what !== 'stopNow') expect(kernel.armed).toBe(1);
    for (let tries = 0; receiver.open > 0 && tries < 500; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      receiver.look();
    }
    expect(kernel.armed).toBe(0);
    expect(receiver.open).toBe(0);
  },
);

it('a receive that the kernel does not end is not said to be over: whoever read on would miss bytes', async () => {
  const { kernel, receiver, refuse } = obedient();
  const connection = { waiting: Buffer.alloc(0), end: null };
  kernel.connections.set(0, connection);
  const reading = receiver.begin(new Reader(0), 0, false);
  await nextTurn();
  refuse(Number.POSITIVE_INFINITY);
  expect(reading.stopNow()).toBeNull();
  // It still takes what comes.
  connection.waiting = Buffer.from('abc');
  receiver.look();
  expect(connection.waiting).toHaveLength(0);
  refuse(0);
  for (let tries = 0; receiver.open > 0 && tries < 500; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    receiver.look();
  }
  expect(kernel.armed).toBe(0);
  expect(kernel.buffers.inUse).toBe(0);
});

it('receives that the kernel refuses go by the ordinary path, and those behind them still begin', async () => {
  const { kernel, receiver, refuse } = obedient();
  const readers = Array.from({ length: 10 }, (_, fd) => new Reader(fd));
  refuse(1);
  for (const { fd } of readers) kernel.connections.set(fd, { waiting: Buffer.alloc(0), end: null });
  for (const reader of readers) receiver.begin(reader, reader.fd, false);
  for (let turns = 0; turns < 5; turns++) await nextTurn();
  const refused = readers.filter(({ result }) => result === -EAGAIN);
  expect(refused.length).toBeGreaterThan(0);
  expect(kernel.armed).toBe(readers.length - refused.length);
  expect(kernel.armed).toBeGreaterThan(0);
});

it('a receive that ends again and again without need goes by the ordinary path', async () => {
  const kernel = new FakeKernel((count) => (count === 24 ? 0 : count - 1), 4);
  const receiver = new RingReceiver(kernel, kernel.buffers, () => {});
  const reader = new Reader(0);
  kernel.connections.set(0, { waiting: Buffer.from('abc'), end: null });
  receiver.begin(reader, 0, false);
  for (let turns = 0; receiver.open > 0 && turns < 5000; turns++) {
    receiver.look();
    await nextTurn();
  }
  expect([reader.result, receiver.open, kernel.armed, reader.got]).toEqual([-EAGAIN, 0, 0, []]);
});

it('keeps a few reads of one that is paused, however small they are, and all of them are told', () => {
  const asked: string[] = [];
  const host: ReadingHost = {
    arm: () => asked.push('arm'),
    cancel: () => asked.push('cancel'),
    await: () => asked.push('await'),
    tellSoon: () => asked.push('tell'),
    forget: () => asked.push('forget'),
  };
  const reader = new Reader(0);
  const reading = new Reading(host, reader, 0, 0, 0);
  reading.isArmed = true;
  reading.pause();
  let taken = 0;
  while (asked.length === 0 && taken < 70_000) reading.take(Buffer.from([taken++ & 0xff]), 1, false);
  expect(asked).toEqual(['cancel']);
  expect(taken).toBeLessThanOrEqual(1000);
  reading.operationEnded(-ECANCELED);
  reading.resume();
  reading.tellKept(2);
  expect(Buffer.concat(reader.got)).toEqual(Buffer.from(Array.from({ length: taken }, (_, i) => i & 0xff)));
  expect(asked).toContain('arm');
});

it('a reader that throws loses no buffer and no end, and the others are told what came at once', async () => {
  const { kernel, receiver } = obedient();
  const readers = [0, 1, 2].map((fd) => new Reader(fd));
  const told = (reader: Reader): string => Buffer.concat(reader.got).toString();
  let isThrowing = true;
  readers[1]!.onRead = () => {
    if (isThrowing) throw new Error('a fault in what reads');
  };
  for (const reader of readers) {
    kernel.connections.set(reader.fd, { waiting: Buffer.from('abc'), end: 0 });
    receiver.begin(reader, reader.fd, false);
  }
  await nextTurn();
  expect(() => {
    for (let looks = 0; looks < 20; looks++) receiver.look();
  }).toThrow('a fault in what reads');
  isThrowing = false;
  for (let turns = 0; receiver.open > 0 && turns < 500; turns++) await nextTurn();
  expect([readers[0]!, readers[2]!].map(told)).toEqual(['abc', 'abc']);
  expect(readers.map(({ result }) => result)).toEqual([0, 0, 0]);
  expect(kernel.buffers.inUse).toBe(0);
});
