import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { type KernelCalls, kernelCalls } from './kernel-calls.js';
import { Looker } from './looker.js';
import { ReadBuffers } from './read-buffers.js';
import { RingReceiver } from './receiver.js';
import { Ring } from './ring.js';
import { RingError } from './ring-error.js';
import { testRings } from './self-test.js';
import { RingSender } from './sender.js';
import { isFiltered } from './trial.js';
import { Waker } from './waker.js';

const { EPERM, EACCES, ENOSYS, EINVAL, ENOMEM, EMFILE, ENFILE } = constants.errno;

/** What is sent in one call: small, so that the queues stay in the processor's cache. */
const sendEntries = 256;
const receiveEntries = 256;
/** Each socket may have one completion without a buffer, of a receive that was starved. The kernel keeps what is more. */
const receiveCompletions = 4096;

/** Two megabytes at most stay in the cache; with thousands of buffers each read would go to memory that is cold. */
const bufferCount = 128;
const bufferBytes = 16 * 1024;

/** As `bufferCount`, where more comes in between two looks. Only those that are used take memory. */
const seldomBufferCount = 512;

/** How io_uring is asked for, and how memory is named; faults can be put into both by tests. */
export type RingFaults = (calls: KernelCalls) => KernelCalls;

/**
 * What a process needs to send and receive by io_uring. One ring sends: its completions are there when the call returns, and
 * wake nobody. The other receives, and wakes Node.js; or it is looked at in intervals.
 */
export class Rings {
  readonly sender: RingSender;
  readonly receiver: RingReceiver;
  /** In which intervals is read, milliseconds; 0: whenever something comes. */
  readonly readEveryMs: number;
  readonly #rings: readonly Ring[];
  readonly #buffers: ReadBuffers;
  readonly #waker: Waker | Looker;
  /** Called once, when the kernel lost completions: nothing goes by these rings any more. */
  onLost: () => void = () => {};

  /**
   * @param readEveryMs how often is looked whether something came; 0: whenever it does
   * @throws RingError, Error when the kernel refuses any of it
   */
  constructor(calls: KernelCalls, readEveryMs = 0) {
    const sending = new Ring(calls, sendEntries, 2 * sendEntries);
    // What was made before the kernel refused the rest: the rings first, which may still write to the buffers.
    const closers = [() => sending.close()];
    try {
      sending.tryOut();
      const receiving = receivingRing(calls, readEveryMs);
      closers.push(() => receiving.close());
      this.#rings = [sending, receiving];
      const { isDeferred } = receiving;
      this.readEveryMs = isDeferred ? readEveryMs : 0;
      const buffers = new ReadBuffers(calls, receiving.fd, isDeferred ? seldomBufferCount : bufferCount, bufferBytes);
      closers.push(() => buffers.close());
      this.#buffers = buffers;
      this.#waker = isDeferred
        ? new Looker(readEveryMs, () => this.#lookNow(receiving))
        : new Waker(calls, receiving.fd, () => this.receiver.look());
      this.sender = new RingSender(sending, calls.addressOf);
      this.receiver = new RingReceiver(receiving, this.#buffers, (isNeeded) => {
        this.#waker.isNeeded = isNeeded;
      });
      this.receiver.gather = (work) => this.sender.gather(work);
      this.sender.onLost = this.receiver.onLost = () => this.#giveUp();
    } catch (error) {
      for (const close of closers) close();
      throw error;
    }
  }

  #lookNow(receiving: Ring): void {
    const { starved } = this.receiver.counts;
    receiving.pokeAll();
    this.receiver.look();
    // Buffers were too few for all that came: the rest is not left for the next interval.
    if (this.receiver.counts.starved > starved) setImmediate(() => this.#lookNow(receiving));
  }

  /** Those whose bytes may be lost end, all others go on by the ordinary path. */
  #giveUp(): void {
    if (this.receiver.isOver) return;
    this.receiver.giveUp();
    this.sender.giveUp();
    this.#waker.close();
    // The read buffers stay: the kernel ends what it has of a ring some time after that is closed.
    for (const ring of this.#rings) ring.close();
    this.onLost();
  }

  /** Only when no socket uses them any more. */
  close(): void {
    this.sender.close();
    this.#waker.close();
    for (const ring of this.#rings) ring.close();
    this.#buffers.close();
  }
}

function receivingRing(calls: KernelCalls, readEveryMs: number): Ring {
  if (readEveryMs > 0) {
    try {
      return new Ring(calls, receiveEntries, receiveCompletions, true);
    } catch (error) {
      // Linux 6.0: the ring wakes whenever something comes.
      if (!(error instanceof RingError) || error.result !== -EINVAL) throw error;
    }
  }
  return new Ring(calls, receiveEntries, receiveCompletions);
}

/**
 * Makes rings and tries them, over a pair of sockets. A text says why there are none.
 * @param readEveryMs see `Rings`
 */
export async function openRings(faults: RingFaults = (calls) => calls, readEveryMs = 0): Promise<Rings | string> {
  const found = kernelCalls();
  if (typeof found === 'string') return found;
  const calls = faults(found);
  let rings: Rings;
  try {
    rings = new Rings(calls, readEveryMs);
  } catch (error) {
    return describeRefusal(error);
  }
  let failure: string | null;
  try {
    failure = await testRings(rings, calls);
    if (failure === null) return rings;
  } catch (error) {
    rings.close();
    return describeRefusal(error);
  }
  rings.close();
  return `io_uring does not work as it should here: ${failure}`;
}

function describeRefusal(error: unknown): string {
  if (!(error instanceof RingError)) return error instanceof Error ? error.message : String(error);
  const disabled = readNumber('/proc/sys/kernel/io_uring_disabled', /^(\d)/);
  switch (-error.result) {
    case EPERM:
    case EACCES:
      if (disabled !== undefined && disabled !== '0')
        return `io_uring is switched off (kernel.io_uring_disabled=${disabled})`;
      return refusedBy(isFiltered() ? 'the seccomp profile' : 'the system', error);
    case ENOSYS:
      return isFiltered() ? refusedBy('the seccomp profile', error) : 'this kernel has no io_uring';
    case EINVAL:
      return "this kernel's io_uring is too old: Linux 6.0 or later is needed";
    case ENOMEM:
      return 'the memory that io_uring needs is not allowed (ulimit -l), or there is none';
    case EMFILE:
      return 'io_uring needs more open files than are allowed (ulimit -n)';
    case ENFILE:
      return 'io_uring needs more open files than this machine has left';
    default:
      return `io_uring cannot be used: ${error.message}`;
  }
}

/** Profiles that allow a part of what is needed are as useless as those that allow nothing of it, and harder to see through. */
function refusedBy(whom: string, { what, message }: RingError): string {
  return `io_uring is refused by ${whom}${what === 'io_uring_setup' ? '' : `: ${message}`}`;
}

/** Undefined where the file cannot be read, or says nothing of the kind. */
function readNumber(file: string, pattern: RegExp): string | undefined {
  try {
    const match = pattern.exec(readFileSync(file, 'utf8'));
    return match === null ? undefined : (match[1] ?? match[0]);
  } catch {
    return undefined;
  }
}
