import { constants } from 'node:os';
import { turnLine } from '../../fairness/turn-line.js';
import { afterRead, readHooks } from '../shared-read.js';
import type { ReadBuffers } from './read-buffers.js';
import { Reading, type ReadingHost, type ReadOwner } from './reading.js';
import { completionHasBuffer, completionHasMore, type OperationQueue } from './ring.js';

const { EAGAIN, ENOBUFS } = constants.errno;

/** The id of completions of cancels, which nobody waits for. */
const cancelId = 0xffffffff;

/**
 * Looks for the end of a cancelled receive, before it counts as never ending; a millisecond or two. The first is nearly always
 * enough: the kernel ends what it only waits with as it takes the wish. Only one that has no memory for the wish takes longer.
 */
const maxLooks = 1000;

/** After so long a cancel that the kernel did not take is handed to it again. */
const cancelAgainMs = 5;

/** The buffers as the receiver uses them. */
export type BufferSource = Pick<ReadBuffers, 'group' | 'has' | 'view' | 'give' | 'announce'>;

/**
 * Receives for many sockets: one operation each, which goes on by itself. What came is in memory when Node.js wakes up, so
 * one wake-up serves all sockets that have something.
 */
export class RingReceiver implements ReadingHost {
  /** Wake-ups with something to read, reads, and receives that had to begin again for want of buffers. */
  readonly counts = { wakes: 0, reads: 0, starved: 0 };
  /** Called when the kernel lost completions: call `giveUp` then. */
  onLost: () => void = () => {};
  /** Its ring is of no use any more: nothing can begin. */
  isOver = false;
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
  /** The kernel named a buffer that there is none of: nothing of this ring can be trusted. */
  #isAstray = false;
  /** Readings whose cancel the kernel did not take. */
  readonly #toCancel = new Set<Reading>();
  #cancelTimer: NodeJS.Timeout | null = null;
  #wake = 0;
  #prefetched = 0;

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
    const hooks = readHooks();
    hooks.begin();
    turnLine.beginTurn();
    let told = -1;
    try {
      told = this.#queue.takeCompletions(this.#onCompletion, this.#onNear);
    } finally {
      turnLine.endTurn();
      this.#buffers.announce();
      if (this.#toCancel.size > 0) this.#cancelAgain();
      if (this.#toArm.size > 0) this.#armAll();
      // A reader threw: nobody will wake the process for what else came at once.
      if (told < 0) setImmediate(this.look);
      if (told !== 0) this.counts.wakes++;
      if (this.#queue.lost > 0 || this.#isAstray) this.onLost();
      hooks.end();
    }
  };

  /**
   * Where many cameras send little each, nothing of a camera is in the processor's cache when it does, and a message waits for
   * some thirty places in memory one after the other. So one number of each object on the way of what is next is looked at
   * before the first is dealt with: loads that do not depend on each other, of several cameras, which the processor does at
   * once. `prefetch` does that down to the log, each class for its own; what it returns says nothing, but nobody may leave the
   * loads out for it. `FlushScheduler` does the same on the way out.
   */
  readonly #onNear = (id: number): void => {
    const reading = id === cancelId ? null : this.#readings[id];
    if (reading != null) this.#prefetched = (this.#prefetched + reading.prefetch()) & 0xffff;
  };

  readonly #onCompletion = (id: number, generation: number, result: number, flags: number): void => {
    if (id === cancelId || this.#isAstray) return;
    const reading = this.#readings[id];
    const isOurs = reading != null && reading.generation === generation;
    if ((flags & completionHasBuffer) !== 0) {
      const number = flags >>> 16;
      if (!this.#buffers.has(number)) {
        // Given back, it would have the kernel write to memory of others.
        this.#isAstray = true;
        return;
      }
      // Whoever is told may ask for its end, and need not wait for it.
      if (isOurs && (flags & completionHasMore) === 0) reading.isArmed = false;
      try {
        if (isOurs && result > 0) {
          const view = this.#buffers.view(number, result);
          this.counts.reads++;
          reading.take(view, this.#wake, this.#isQuiet);
          afterRead(view);
        }
      } finally {
        // Also where the reader throws: a buffer and an operation that nobody knows of would be lost for good.
        this.#buffers.give(number);
        if (isOurs && (flags & completionHasMore) === 0) this.#ended(reading, result);
      }
      return;
    }
    if (isOurs && (flags & completionHasMore) === 0) this.#ended(reading, result);
  };

  #ended(reading: Reading, result: number): void {
    if (result === -ENOBUFS) this.counts.starved++;
    this.#toCancel.delete(reading);
    reading.operationEnded(result);
  }

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
    if (this.isOver) return;
    for (const reading of this.#toArm) {
      // Those that it refuses make room again: the others must not wait for a turn that may not come.
      if (this.#queue.room === 0) this.#submit(added);
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

  /** As `ReadingHost`: at once where the kernel takes it, else again and again until it does. */
  cancel(reading: Reading): void {
    if (this.isOver) return;
    if (this.#tryCancel(reading)) return;
    this.#toCancel.add(reading);
    this.#cancelTimer ??= setTimeout(this.#onCancelTime, cancelAgainMs);
  }

  #tryCancel(reading: Reading): boolean {
    if (this.#queue.room === 0) return false;
    this.#queue.cancel(reading.id, reading.generation, cancelId);
    return this.#queue.submit() === 0 || this.#queue.withdraw() === 0;
  }

  readonly #onCancelTime = (): void => {
    this.#cancelTimer = null;
    this.#cancelAgain();
    if (this.#toCancel.size > 0) this.#cancelTimer ??= setTimeout(this.#onCancelTime, cancelAgainMs);
  };

  #cancelAgain(): void {
    for (const reading of this.#toCancel) {
      if (!this.#tryCancel(reading)) return;
      this.#toCancel.delete(reading);
    }
  }

  /** Waits until a cancelled operation is over. What comes for others meanwhile is told of in a later turn. */
  await(reading: Reading): void {
    this.#isQuiet = true;
    try {
      for (let looks = 0; reading.isArmed && looks < maxLooks; looks++) {
        if (this.#toCancel.size > 0) this.#cancelAgain();
        if (looks > 0) this.#queue.poke();
        this.#queue.takeCompletions(this.#onCompletion);
      }
    } finally {
      this.#isQuiet = false;
      if (this.#queue.lost > 0 || this.#isAstray) setImmediate(this.look);
      this.#buffers.announce();
      if (this.#toArm.size > 0) this.#armSoon();
    }
  }

  /** Its ring is of no use any more: what of each stream was lost, nobody knows, and each is over. */
  giveUp(): void {
    if (this.isOver) return;
    this.isOver = true;
    if (this.#cancelTimer !== null) clearTimeout(this.#cancelTimer);
    this.#toCancel.clear();
    this.#toArm.clear();
    for (const reading of [...this.#readings]) reading?.giveUp();
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
    const hooks = readHooks();
    hooks.begin();
    try {
      for (const reading of readings) {
        this.#toTell.delete(reading);
        reading.tellKept(this.#wake);
      }
    } finally {
      // Where one threw, the others are told in a later turn.
      for (const rest of this.#toTell) this.tellSoon(rest);
      hooks.end();
    }
  };

  /** Its operation is over and nobody waits for anything of it. */
  forget(reading: Reading): void {
    if (this.#readings[reading.id] !== reading) return;
    this.#readings[reading.id] = null;
    this.#free.push(reading.id);
    this.#toArm.delete(reading);
    this.#toTell.delete(reading);
    this.#toCancel.delete(reading);
    if (--this.#open === 0) this.#onNeeded(false);
  }
}
