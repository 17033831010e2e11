import { constants } from 'node:os';
import { afterRead } from '../shared-read.js';
import type { ReadBuffers } from './read-buffers.js';
import { Reading, type ReadingHost, type ReadOwner } from './reading.js';
import { completionHasBuffer, completionHasMore, type OperationQueue } from './ring.js';

const { EAGAIN, ENOBUFS } = constants.errno;

/** The id of completions of cancels, which nobody waits for. */
const cancelId = 0xffffffff;

/** Looks for the end of a cancelled receive, before it counts as never ending. The first is nearly always enough. */
const maxLooks = 1000;

/** The buffers as the receiver uses them. */
export type BufferSource = Pick<ReadBuffers, 'group' | 'view' | 'give' | 'announce'>;

/**
 * Receives for many sockets: one operation each, which goes on by itself. What came is in memory when Node.js wakes up, so
 * one wake-up serves all sockets that have something.
 */
export class RingReceiver implements ReadingHost {
  /** Wake-ups with something to read, reads, and receives that had to begin again for want of buffers. */
  readonly counts = { wakes: 0, reads: 0, starved: 0 };
  /** Called when all that came was told of: what it caused can be sent. */
  onTold: () => void = () => {};
  /** Does the telling; what it has written is to go out together. */
  gather: (work: () => void) => void = (work) => work();
  readonly #queue: OperationQueue;
  readonly #buffers: BufferSource;
  readonly #onNeeded: (isNeeded: boolean) => void;
  /** By id. An id is used again when the operation is over for certain, with another generation. */
  readonly #readings: (Reading | null)[] = [];
  readonly #free: number[] = [];
  #generation = 0;
  #open = 0;
  readonly #toArm = new Set<Reading>();
  #isArming = false;
  /** Readings that have kept bytes and may tell of them. */
  readonly #toTell = new Set<Reading>();
  #isTelling = false;
  #isQuiet = false;
  #wake = 0;

  /** @param onNeeded whether wake-ups are needed */
  constructor(queue: OperationQueue, buffers: BufferSource, onNeeded: (isNeeded: boolean) => void) {
    this.#queue = queue;
    this.#buffers = buffers;
    this.#onNeeded = onNeeded;
  }

  /** Receives that are open. */
  get open(): number {
    return this.#open;
  }

  /** Begins to receive. @param isPaused begins when it is resumed */
  begin(owner: ReadOwner, fd: number, isPaused: boolean): Reading {
    const id = this.#free.pop() ?? this.#readings.length;
    this.#generation = (this.#generation + 1) >>> 0;
    const reading = new Reading(this, owner, fd, id, this.#generation);
    this.#readings[id] = reading;
    if (this.#open++ === 0) this.#onNeeded(true);
    if (isPaused) reading.pause();
    else this.arm(reading);
    return reading;
  }

  /** Tells of what came. Called when the ring's completions are announced. */
  readonly look = (): void => {
    this.gather(this.#lookNow);
  };

  readonly #lookNow = (): void => {
    this.#wake++;
    const told = this.#queue.takeCompletions(this.#onCompletion);
    this.#buffers.announce();
    if (this.#toArm.size > 0) this.#armAll();
    if (told === 0) return;
    this.counts.wakes++;
    this.onTold();
  };

  readonly #onCompletion = (id: number, generation: number, result: number, flags: number): void => {
    if (id === cancelId) return;
    const reading = this.#readings[id];
    const isOurs = reading != null && reading.generation === generation;
    if ((flags & completionHasBuffer) !== 0) {
      const number = flags >>> 16;
      if (isOurs && result > 0) {
        const view = this.#buffers.view(number, result);
        this.counts.reads++;
        reading.take(view, this.#wake, this.#isQuiet);
        afterRead(view);
      }
      this.#buffers.give(number);
    }
    if (isOurs && (flags & completionHasMore) === 0) {
      if (result === -ENOBUFS) this.counts.starved++;
      reading.operationEnded(result);
    }
  };

  /** Has it receive, at the end of this turn. */
  arm(reading: Reading): void {
    this.#toArm.add(reading);
    this.#armSoon();
  }

  #armSoon(): void {
    if (this.#isArming) return;
    this.#isArming = true;
    queueMicrotask(this.#onTurnEnd);
  }

  readonly #onTurnEnd = (): void => {
    this.#isArming = false;
    if (this.#toArm.size > 0) this.#armAll();
  };

  #armAll(): void {
    const added: Reading[] = [];
    for (const reading of this.#toArm) {
      if (this.#queue.room === 0 && !this.#submit(added)) break;
      this.#toArm.delete(reading);
      if (!reading.mayArm) continue;
      reading.isArmed = true;
      added.push(reading);
      this.#queue.receive(reading.fd, this.#buffers.group, reading.id, reading.generation);
    }
    this.#submit(added);
  }

  /** False: the kernel takes no more. Those of `added` that it did not take are over. */
  #submit(added: Reading[]): boolean {
    if (this.#queue.submit() === 0) {
      added.length = 0;
      return true;
    }
    const refused = added.splice(added.length - this.#queue.withdraw());
    for (const reading of refused) reading.operationEnded(-EAGAIN);
    return false;
  }

  /** As `ReadingHost`, at once: when this returns, the kernel has heard of it. */
  cancel(reading: Reading): boolean {
    if (this.#queue.room === 0) return false;
    this.#queue.cancel(reading.id, reading.generation, cancelId);
    return this.#queue.submit() === 0 || this.#queue.withdraw() === 0;
  }

  /** Waits until a cancelled operation is over. What comes for others meanwhile is told of in a later turn. */
  await(reading: Reading): void {
    this.#isQuiet = true;
    for (let looks = 0; reading.isArmed && looks < maxLooks; looks++) {
      if (looks > 0) this.#queue.poke();
      this.#queue.takeCompletions(this.#onCompletion);
    }
    this.#isQuiet = false;
    this.#buffers.announce();
    if (this.#toArm.size > 0) this.#armSoon();
  }

  /** Has it tell of what it kept, in a later turn. */
  tellSoon(reading: Reading): void {
    this.#toTell.add(reading);
    if (this.#isTelling) return;
    this.#isTelling = true;
    setImmediate(this.#tell);
  }

  readonly #tell = (): void => {
    this.gather(this.#tellNow);
  };

  readonly #tellNow = (): void => {
    this.#isTelling = false;
    this.#wake++;
    const readings = [...this.#toTell];
    this.#toTell.clear();
    for (const reading of readings) reading.tellKept(this.#wake);
    this.onTold();
  };

  /** Its operation is over and nobody waits for anything of it. */
  forget(reading: Reading): void {
    if (this.#readings[reading.id] !== reading) return;
    this.#readings[reading.id] = null;
    this.#free.push(reading.id);
    this.#toArm.delete(reading);
    this.#toTell.delete(reading);
    if (--this.#open === 0) this.#onNeeded(false);
  }
}
