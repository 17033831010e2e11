import { createRequire } from 'node:module';
import { endianness } from 'node:os';
import { RingError } from './ring-error.js';
import { loadWhole } from './whole-library.js';

/** Memory that the kernel and this process share. */
export interface Mapping {
  readonly memory: ArrayBuffer;
  readonly address: number;
  /** Gives it back. Nobody may touch `memory` afterwards: it lies nowhere. */
  unmap(): void;
}

/**
 * The system calls that io_uring needs, and a few that Node.js has not. Each returns what the kernel does: a number, or a
 * negative system error (`-EAGAIN`).
 */
export interface KernelCalls {
  setUp(entries: number, params: Buffer): number;
  enter(fd: number, toSubmit: number, minComplete: number, flags: number): number;
  register(fd: number, operation: number, argument: Buffer | null, count: number): number;
  /** @param fd -1: memory that belongs to no file. @throws RingError when the kernel refuses */
  map(bytes: number, fd: number, offset: number): Mapping;
  /** Where the memory lies. It stays there as long as it is referred to. */
  addressOf(memory: ArrayBufferLike): number;
  /** A counter that is read without waiting. */
  eventFd(): number;
  /** Both ends of a pipe, read and written without waiting. @throws RingError */
  pipe(): readonly [number, number];
  /** Makes the number `onto` mean what `fd` means. */
  duplicate(fd: number, onto: number): number;
  /** Two connected sockets. @throws RingError */
  socketPair(): readonly [number, number];
  close(fd: number): number;
  /** What is wrong with a descriptor, or whether its other end is gone, as `revents` of poll(2); 0: nothing. */
  trouble(fd: number): number;
}

/** The part of koffi that is used. */
interface Koffi {
  load(path: null): { func(prototype: string): (...values: unknown[]) => number | bigint };
  address(value: unknown): bigint;
  view(address: unknown, bytes: number): ArrayBuffer;
  errno(): number;
}

// The same on every architecture of Linux that Node.js runs on.
const setupCall = 425;
const enterCall = 426;
const registerCall = 427;
const readAndWrite = 3;
const sharedAndPopulated = 0x8001;
const privateAndAnonymous = 0x22;
const closeOnExec = 0x80000;
const nonBlocking = 0x800;
const unixFamily = 1;
const streamType = 1;

let loaded: KernelCalls | string | undefined;

/** The calls of this process; a text says why there are none. */
export function kernelCalls(): KernelCalls | string {
  loaded ??= load();
  return loaded;
}

function load(): KernelCalls | string {
  const { platform, arch } = process;
  if (platform !== 'linux') return `there is no io_uring on ${platform}`;
  if ((arch !== 'x64' && arch !== 'arm64') || endianness() !== 'LE') return `io_uring is not used on ${arch}`;
  try {
    return bind(loadWhole(() => createRequire(import.meta.url)('koffi') as Koffi));
  } catch (error) {
    const text = error instanceof Error ? (error.message.split('\n', 1)[0] ?? '') : String(error);
    return `the optional package koffi, which makes system calls, cannot be loaded (${text})`;
  }
}

function bind(koffi: Koffi): KernelCalls {
  const libc = koffi.load(null);
  // Without its ellipsis: on both architectures the arguments lie in the same registers.
  const setUp = libc.func('long syscall(long call, uint32 entries, void* params)');
  const enter = libc.func(
    'long syscall(long call, int fd, uint32 submit, uint32 min, uint32 flags, uintptr a, long b)',
  );
  const register = libc.func('long syscall(long call, int fd, uint32 operation, void* argument, uint32 count)');
  const mmap = libc.func('void* mmap(uintptr at, size_t bytes, int protection, int flags, int fd, long offset)');
  const munmap = libc.func('int munmap(void* at, size_t bytes)');
  const eventfd = libc.func('int eventfd(uint32 value, int flags)');
  const pipe2 = libc.func('int pipe2(void* fds, int flags)');
  const dup3 = libc.func('int dup3(int from, int onto, int flags)');
  const socketpair = libc.func('int socketpair(int family, int type, int protocol, void* fds)');
  const close = libc.func('int close(int fd)');
  const poll = libc.func('int poll(void* entries, ulong count, int timeout)');
  const told = (result: number | bigint): number => (result < 0 ? -koffi.errno() : Number(result));
  const two = (what: string, call: (fds: Buffer) => number | bigint): readonly [number, number] => {
    const fds = Buffer.alloc(8);
    const result = told(call(fds));
    if (result < 0) throw new RingError(what, result);
    return [fds.readInt32LE(0), fds.readInt32LE(4)];
  };
  return {
    setUp: (entries, params) => told(setUp(setupCall, entries, params)),
    enter: (fd, toSubmit, minComplete, flags) => told(enter(enterCall, fd, toSubmit, minComplete, flags, 0, 0)),
    register: (fd, operation, argument, count) => told(register(registerCall, fd, operation, argument, count)),
    map(bytes, fd, offset) {
      const at = mmap(0, bytes, readAndWrite, fd < 0 ? privateAndAnonymous : sharedAndPopulated, fd, offset);
      const address = Number(koffi.address(at));
      // MAP_FAILED is the last address there is.
      if (address <= 0 || address > Number.MAX_SAFE_INTEGER) throw new RingError('mmap', -koffi.errno());
      return { memory: koffi.view(at, bytes), address, unmap: () => munmap(at, bytes) };
    },
    addressOf: (memory) => Number(koffi.address(memory)),
    eventFd: () => told(eventfd(0, closeOnExec | nonBlocking)),
    pipe: () => two('pipe2', (fds) => pipe2(fds, closeOnExec | nonBlocking)),
    duplicate: (fd, onto) => told(dup3(fd, onto, closeOnExec)),
    socketPair: () =>
      two('socketpair', (fds) => socketpair(unixFamily, streamType | closeOnExec | nonBlocking, 0, fds)),
    close: (fd) => told(close(fd)),
    trouble(fd) {
      // struct pollfd: the descriptor, what is asked for (nothing: troubles are always told), and the answer.
      const entry = Buffer.alloc(8);
      entry.writeInt32LE(fd, 0);
      const result = told(poll(entry, 1, 0));
      return result < 0 ? result : entry.readUInt16LE(6);
    },
  };
}
