import { readdirSync } from 'node:fs';
import { constants } from 'node:os';
import { expect, it } from 'vitest';
import type { LogFields, Logger } from '../../../src/log/log.js';
import { prepareSockets, ringCounts, socketWay, tellWay } from '../../../src/net/socket-way.js';
import type { KernelCalls } from '../../../src/net/uring/kernel-calls.js';
import { RingError } from '../../../src/net/uring/ring-error.js';
import { openRings } from '../../../src/net/uring/rings.js';

const { EPERM, ENOSYS, EINVAL, ENOMEM, EMFILE, ENFILE, EAGAIN } = constants.errno;

type Fault = (calls: KernelCalls) => Partial<KernelCalls>;

const openDescriptors = (): number => readdirSync('/proc/self/fd').length;

it.each<[string, Fault, RegExp]>([
  ['io_uring is forbidden', () => ({ setUp: () => -EPERM }), /^io_uring is (refused by|switched off)/],
  ['the kernel has none', () => ({ setUp: () => -ENOSYS }), /^(this kernel has no io_uring|io_uring is refused by)/],
  ['the kernel is old', () => ({ setUp: () => -EINVAL }), /^this kernel's io_uring is too old: Linux 6.0/],
  ['locked memory is limited', () => ({ setUp: () => -ENOMEM }), /ulimit -l/],
  [
    'the second ring is refused',
    (calls) => {
      let rings = 0;
      return { setUp: (...args) => (rings++ === 1 ? -EMFILE : calls.setUp(...args)) };
    },
    /^io_uring needs more open files than are allowed \(ulimit -n\)$/,
  ],
  ['buffers cannot be provided', () => ({ register: () => -EINVAL }), /too old/],
  [
    'completions cannot be announced',
    (calls) => ({ register: (fd, op, ...rest) => (op === 4 ? -EINVAL : calls.register(fd, op, ...rest)) }),
    /too old/,
  ],
  [
    'memory cannot be shared',
    () => ({
      map: () => {
        throw new RingError('mmap', -EAGAIN);
      },
    }),
    /^io_uring cannot be used: mmap failed: EAGAIN$/,
  ],
  [
    'memory cannot be shared any more',
    (calls) => {
      let maps = 0;
      return {
        map: (...args) => {
          if (maps++ === 5) throw new RingError('mmap', -ENOMEM);
          return calls.map(...args);
        },
      };
    },
    /ulimit -l/,
  ],
  [
    'there is no pipe',
    () => ({
      pipe: () => {
        throw new RingError('pipe2', -ENFILE);
      },
    }),
    /^io_uring needs more open files than this machine has left$/,
  ],
  [
    'there are no two sockets to try it with',
    () => ({
      socketPair: () => {
        throw new RingError('socketpair', -EMFILE);
      },
    }),
    /ulimit -n/,
  ],
  ['a descriptor cannot be duplicated', () => ({ duplicate: () => -EMFILE }), /ulimit -n/],
  [
    'nothing can be submitted',
    () => ({ enter: () => -EPERM }),
    /^io_uring is (refused by .*: io_uring_enter failed: EPERM$|switched off)/,
  ],
  [
    'buffers cannot be provided, by a profile that allows the rest',
    () => ({ register: () => -EPERM }),
    /^io_uring is (refused by .*: IORING_REGISTER_PBUF_RING failed: EPERM$|switched off)/,
  ],
  [
    'submitting does nothing',
    () => ({ enter: (_fd, count) => count }),
    /^io_uring does not work as it should here: a send/,
  ],
])('says why it goes without, and leaves nothing open: %s', async (_what, fault, reason) => {
  const before = openDescriptors();
  let mapped = 0;
  const found = await openRings((calls) => {
    const faulty = { ...calls, ...fault(calls) };
    const map: KernelCalls['map'] = (...args) => {
      const mapping = faulty.map(...args);
      mapped++;
      const unmap = (): void => {
        mapped--;
        mapping.unmap();
      };
      return { ...mapping, unmap };
    };
    return { ...faulty, map };
  });
  expect(found).toMatch(reason);
  expect(mapped).toBe(0);
  // What Node.js closes is closed a turn later.
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect(openDescriptors()).toBeLessThanOrEqual(before);
});

it('works the other way where io_uring is refused, and the log tells', async () => {
  const way = await prepareSockets('uring', { faults: (calls) => ({ ...calls, setUp: () => -EPERM }) });
  expect(way).toEqual({ mode: 'direct', why: expect.stringMatching(/^io_uring is/) });
  expect(ringCounts()).toBeNull();
  const lines: unknown[] = [];
  const note = (level: string) => (message: string, fields?: LogFields) => lines.push([level, message, fields]);
  const log: Logger = { debug() {}, info: note('info'), warn: note('warn'), error() {}, child: () => log };
  tellWay('uring', way, log);
  tellWay('direct', socketWay('direct'), log);
  expect(lines).toEqual([
    ['warn', 'sockets: direct, past the streams of Node.js', { socketMode: 'uring', why: way.why }],
    ['info', 'sockets: direct, past the streams of Node.js', { socketMode: 'direct' }],
  ]);
});
