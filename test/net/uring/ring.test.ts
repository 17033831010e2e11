import { afterEach, expect, it } from 'vitest';
import { type KernelCalls, kernelCalls } from '../../../src/net/uring/kernel-calls.js';
import { Ring } from '../../../src/net/uring/ring.js';

const rings: Ring[] = [];
afterEach(() => {
  for (const ring of rings.splice(0)) ring.close();
});

/** A ring, what the kernel shares of it, and where that is said. */
function ringWith(faults: (calls: KernelCalls) => Partial<KernelCalls>): {
  ring: Ring;
  words: Uint32Array;
  params: Buffer;
} {
  const calls = kernelCalls();
  if (typeof calls === 'string') throw new Error(calls);
  let params: Buffer = Buffer.alloc(0);
  let words: Uint32Array = new Uint32Array();
  const ring = new Ring(
    {
      ...calls,
      ...faults(calls),
      setUp(entries, given) {
        params = given;
        return calls.setUp(entries, given);
      },
      map(bytes, fd, offset) {
        const mapping = calls.map(bytes, fd, offset);
        if (offset === 0 && fd >= 0) words = new Uint32Array(mapping.memory, 0, bytes >> 2);
        return mapping;
      },
    },
    4,
    8,
  );
  rings.push(ring);
  return { ring, words, params };
}

it('completions that the kernel keeps and does not give do not hold up the process', () => {
  let entered = 0;
  const { ring, words, params } = ringWith(() => ({
    enter() {
      if (++entered > 1000) throw new Error('it asks without end');
      return 0;
    },
  }));
  words[params.readUInt32LE(56) >> 2]! |= 2; // IORING_SQ_CQ_OVERFLOW
  expect(ring.takeCompletions(() => {})).toBe(0);
  expect(entered).toBe(1);
});

it('what the kernel takes in parts, with interruptions, is handed over whole; where it takes no more, the last is withdrawn', () => {
  const takes = [1, -4, 2, 0, 1];
  const { ring } = ringWith((calls) => ({
    enter(fd, count, ...rest) {
      const take = takes.shift();
      if (take === undefined) return -11;
      return take <= 0 ? take : calls.enter(fd, Math.min(take, count), ...rest);
    },
  }));
  const ids: number[] = [];
  const take = (): number => ring.takeCompletions((id, _generation, result) => ids.push(id, result));
  for (const id of [1, 2, 3, 4]) ring.cancel(99, 0, id);
  expect(ring.room).toBe(0);
  expect(ring.submit()).toBe(0);
  expect(take()).toBe(4);
  expect(ids).toEqual([1, -2, 2, -2, 3, -2, 4, -2]);
  ring.cancel(99, 0, 5);
  expect(ring.submit()).toBe(-11);
  expect([ring.withdraw(), ring.room, take()]).toEqual([1, 4, 0]);
});

it('completions are named a few at a time, each once, before the first of them is told of', () => {
  const calls = kernelCalls();
  if (typeof calls === 'string') throw new Error(calls);
  const ring = new Ring(calls, 32, 64);
  rings.push(ring);
  for (let id = 0; id < 20; id++) ring.cancel(99, 0, id);
  expect(ring.submit()).toBe(0);
  const heard: string[] = [];
  const told = ring.takeCompletions(
    (id) => heard.push(`told ${id}`),
    (id) => heard.push(`near ${id}`),
  );
  const batch = (from: number, to: number): string[] => {
    const ids = Array.from({ length: to - from }, (_, i) => from + i);
    return [...ids.map((id) => `near ${id}`), ...ids.map((id) => `told ${id}`)];
  };
  expect(told).toBe(20);
  expect(heard).toEqual([...batch(0, 8), ...batch(8, 16), ...batch(16, 20)]);
});
