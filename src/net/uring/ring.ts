import { constants } from 'node:os';
import type { KernelCalls, Mapping } from './kernel-calls.js';
import { RingError } from './ring-error.js';

const { EAGAIN, EBUSY, EINTR } = constants.errno;

// Numbers of linux/io_uring.h.
const setupSubmitAll = 1 << 7;
const setupCoopTaskrun = 1 << 8;
const setupSingleIssuer = 1 << 12;
const setupDeferTaskrun = 1 << 13;
const setupCqSize = 1 << 3;
const featureSingleMmap = 1 << 0;
const featureNoDrop = 1 << 1;
const offsetSqes = 0x10000000;
const enterGetEvents = 1;
const flagCqOverflow = 1 << 1;
const opSend = 26;
const opSendMessage = 9;
const opReceive = 27;
const opCancel = 14;
const opNothing = 0;
const flagBufferSelect = 1 << 5;
const receiveMultishot = 1 << 1;
const dontWait = 0x40;
const noSignal = 0x4000;

/** Pieces that one send may have. */
export const maxPieces = 8;

/** Memory of an operation for `struct msghdr`, which takes 56 bytes, and `maxPieces` of `struct iovec`, 16 bytes each. */
const messageWords = 64;
const vectorsAt = 16;

/** More come of so many pokes than there are completions for. */
const maxPokes = 200;

/** So many completions are named before the first of them is told of. */
const nearCompletions = 8;

/** More completions belong to the same operation. */
export const completionHasMore = 1 << 1;
/** The completion has a buffer, whose number is in the upper 16 bits of the flags. */
export const completionHasBuffer = 1 << 0;

/**
 * Gets a completion: the two halves of what the operation was submitted with, bytes or a negative system error, and flags.
 */
export type OnCompletion = (id: number, generation: number, result: number, flags: number) => void;

/** Operations that are handed to the kernel, and what became of them. */
export interface OperationQueue {
  /**
   * Completions that the kernel could not keep, since it had no memory: who is owed them waits in vain, and what was read may
   * be among them. Once there is one, no completion is told any more.
   */
  readonly lost: number;
  /** Operations that can be added before `submit`. */
  readonly room: number;
  /** Adds a send that never waits. */
  send(fd: number, address: number, bytes: number, id: number): void;
  /** As `send`, of several pieces that lie at different places, `maxPieces` at most: they arrive one behind the other. */
  sendPieces(fd: number, addresses: readonly number[], bytes: readonly number[], id: number): void;
  /** Adds a receive into buffers of the group that goes on until it fails, ends, or is cancelled. */
  receive(fd: number, group: number, id: number, generation: number): void;
  /** Adds the end of another operation. Its own completion has the id `ownId`. */
  cancel(id: number, generation: number, ownId: number): void;
  /** Hands over what was added. Returns 0, or why the rest was not taken: a negative system error. */
  submit(): number;
  /** Takes back what was added and not handed over: the last ones. Returns how many. */
  withdraw(): number;
  /**
   * Tells of every completion there is. Returns how many.
   * @param onNear called with the ids of those that are next, a few at a time
   */
  takeCompletions(onCompletion: OnCompletion, onNear?: (id: number) => void): number;
  /** Has the kernel do what it has put off, without waiting for anything. */
  poke(): void;
}

/**
 * One io_uring: a queue of operations into the kernel, and a queue of completions out of it, both in memory that is shared
 * with it. One thread uses it, so the only thing to take care of is the order in which indexes are stored.
 */
export class Ring implements OperationQueue {
  readonly fd: number;
  readonly isDeferred: boolean;
  readonly #calls: KernelCalls;
  readonly #mappings: Mapping[] = [];
  readonly #entries: number;
  #words: Uint32Array;
  #sqes: Uint32Array;
  /** Where operations name their pieces, each in a place of its own; the kernel looks there until `submit` returns. */
  #messages: Uint32Array;
  readonly #messagesAddress: number;
  readonly #sqHead: number;
  readonly #sqTail: number;
  readonly #sqMask: number;
  readonly #sqFlags: number;
  readonly #cqHead: number;
  readonly #cqTail: number;
  readonly #cqMask: number;
  readonly #cqes: number;
  readonly #cqLost: number;
  /** Where the next operation is written. */
  #tail: number;
  #closed = false;

  /**
   * @param entries a power of two, 1 to 4096
   * @param isDeferred the kernel receives when it is asked to (`poke`), and interrupts nobody before; Linux 6.1 or later
   * @throws RingError when the kernel refuses; Error when memory cannot be shared
   */
  constructor(calls: KernelCalls, entries: number, completions: number, isDeferred = false) {
    this.#calls = calls;
    this.isDeferred = isDeferred;
    const params = Buffer.alloc(120);
    params.writeUInt32LE(completions, 4);
    const taskrun = isDeferred ? setupDeferTaskrun : setupCoopTaskrun;
    params.writeUInt32LE(setupSubmitAll | taskrun | setupSingleIssuer | setupCqSize, 8);
    this.fd = calls.setUp(entries, params);
    if (this.fd < 0) throw new RingError('io_uring_setup', this.fd);
    const word = (at: number): number => params.readUInt32LE(at);
    const features = featureSingleMmap | featureNoDrop;
    try {
      if ((word(20) & features) !== features) throw new Error('io_uring is that of an old kernel');
      this.#entries = word(0);
      const [sqArray, cqes] = [word(40 + 24), word(80 + 20)];
      const ringBytes = Math.max(sqArray + 4 * this.#entries, cqes + 16 * word(4));
      this.#words = new Uint32Array(this.#map(ringBytes, 0).memory, 0, ringBytes >> 2);
      this.#sqes = new Uint32Array(this.#map(64 * this.#entries, offsetSqes).memory);
      for (let i = 0; i < this.#entries; i++) this.#words[(sqArray >> 2) + i] = i;
      const messages = this.#map(4 * messageWords * this.#entries, 0, -1);
      this.#messages = new Uint32Array(messages.memory);
      this.#messagesAddress = messages.address;
    } catch (error) {
      this.close();
      throw error;
    }
    this.#sqHead = word(40) >> 2;
    this.#sqTail = word(44) >> 2;
    this.#sqMask = this.#words[word(48) >> 2] ?? 0;
    this.#sqFlags = word(56) >> 2;
    this.#cqHead = word(80) >> 2;
    this.#cqTail = word(84) >> 2;
    this.#cqMask = this.#words[word(88) >> 2] ?? 0;
    this.#cqLost = word(96) >> 2;
    this.#cqes = word(100) >> 2;
    this.#tail = this.#words[this.#sqTail] ?? 0;
  }

  get room(): number {
    if (this.#closed) return 0;
    return this.#entries - this.#added;
  }

  get lost(): number {
    return this.#words[this.#cqLost] ?? 0;
  }

  /** Operations that were added and not handed over. */
  get #added(): number {
    return (this.#tail - Atomics.load(this.#words, this.#sqHead)) >>> 0;
  }

  send(fd: number, address: number, bytes: number, id: number): void {
    this.#addSend(opSend, fd, id, address, bytes);
  }

  sendPieces(fd: number, addresses: readonly number[], bytes: readonly number[], id: number): void {
    const messages = this.#messages;
    const at = (this.#tail & this.#sqMask) * messageWords;
    const count = addresses.length;
    for (let i = 0; i < count; i++) {
      const vector = at + vectorsAt + 4 * i;
      storeAddress(messages, vector, addresses[i]!);
      // The upper half is 0, as is of the message what is not written: no name, no control data, no flags.
      messages[vector + 2] = bytes[i]!;
    }
    const address = this.#messagesAddress + 4 * at;
    storeAddress(messages, at + 4, address + 4 * vectorsAt);
    messages[at + 6] = count;
    this.#addSend(opSendMessage, fd, id, address, 1);
  }

  #addSend(operation: number, fd: number, id: number, address: number, length: number): void {
    const at = this.#add(operation, fd, id, 0);
    const sqes = this.#sqes;
    storeAddress(sqes, at + 4, address);
    sqes[at + 6] = length;
    sqes[at + 7] = noSignal | dontWait;
  }

  receive(fd: number, group: number, id: number, generation: number): void {
    const at = this.#add(opReceive | (flagBufferSelect << 8) | (receiveMultishot << 16), fd, id, generation);
    this.#sqes[at + 10] = group;
  }

  cancel(id: number, generation: number, ownId: number): void {
    const at = this.#add(opCancel, -1, ownId, 0);
    this.#sqes[at + 4] = id;
    this.#sqes[at + 5] = generation;
  }

  /** Hands over an operation that does nothing. @throws RingError when the kernel does not take it */
  tryOut(): void {
    this.#add(opNothing, -1, 0, 0);
    const result = this.submit();
    if (result < 0) throw new RingError('io_uring_enter', result);
    this.takeCompletions(() => {});
  }

  submit(): number {
    if (this.#closed) return -EBUSY;
    Atomics.store(this.#words, this.#sqTail, this.#tail);
    for (let tries = 0; ; tries++) {
      const waiting = this.#added;
      if (waiting === 0) return 0;
      const taken = this.#calls.enter(this.fd, waiting, 0, 0);
      if (taken === waiting) return 0;
      if (taken < 0 && taken !== -EINTR) return taken;
      if (tries === 100) return -EAGAIN;
    }
  }

  withdraw(): number {
    if (this.#closed) return 0;
    const count = this.#added;
    this.#tail = (this.#tail - count) >>> 0;
    Atomics.store(this.#words, this.#sqTail, this.#tail);
    return count;
  }

  takeCompletions(onCompletion: OnCompletion, onNear?: (id: number) => void): number {
    let count = 0;
    let near = 0;
    let before = -1;
    if (this.#closed) return 0;
    for (;;) {
      const words = this.#words;
      for (;;) {
        // Read anew each time: who was told of one may have looked for more.
        const head = words[this.#cqHead] ?? 0;
        if (head === Atomics.load(words, this.#cqTail)) break;
        if (onNear !== undefined && near-- === 0) near = this.#nameNear(head, onNear);
        const at = this.#cqes + ((head & this.#cqMask) << 2);
        // What comes behind one that was lost is no part of the same stream of bytes.
        if (words[this.#cqLost] !== 0) return count;
        const [id, generation, result, flags] = [words[at]!, words[at + 1]!, words[at + 2]! | 0, words[at + 3]!];
        Atomics.store(words, this.#cqHead, head + 1);
        count++;
        onCompletion(id, generation, result, flags);
        if (this.#closed) return count;
      }
      if ((Atomics.load(words, this.#sqFlags) & flagCqOverflow) === 0 || count === before) return count;
      // The queue was full: the kernel kept the rest, and adds it when it is entered for completions; or has no room for that.
      before = count;
      if (this.#calls.enter(this.fd, 0, 0, enterGetEvents) < 0) return count;
    }
  }

  /** @returns how many come behind the first of those that it named */
  #nameNear(head: number, onNear: (id: number) => void): number {
    const words = this.#words;
    const count = Math.min(nearCompletions, (Atomics.load(words, this.#cqTail) - head) >>> 0);
    for (let i = 0; i < count; i++) onNear(words[this.#cqes + (((head + i) & this.#cqMask) << 2)]!);
    return count - 1;
  }

  poke(): void {
    if (!this.#closed) this.#calls.enter(this.fd, 0, 0, enterGetEvents);
  }

  /** As `poke`, until nothing more comes of it: the kernel does 20 of the things that it has put off in one call. */
  pokeAll(): void {
    for (let i = 0; i < maxPokes && !this.#closed; i++) {
      const before = Atomics.load(this.#words, this.#cqTail);
      this.#calls.enter(this.fd, 0, 0, enterGetEvents);
      if (Atomics.load(this.#words, this.#cqTail) === before) return;
    }
  }

  /** Has the kernel drop it with all that is under way. Buffers that it may still write to must outlive this. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#words = this.#sqes = this.#messages = new Uint32Array(0);
    this.#calls.close(this.fd);
    // The memory keeps the ring alive as the descriptor does.
    for (const mapping of this.#mappings) mapping.unmap();
  }

  #map(bytes: number, offset: number, fd = this.fd): Mapping {
    const mapping = this.#calls.map(bytes, fd, offset);
    this.#mappings.push(mapping);
    return mapping;
  }

  /** @returns where the operation lies, in words */
  #add(first: number, fd: number, id: number, generation: number): number {
    const at = (this.#tail & this.#sqMask) << 4;
    this.#tail = (this.#tail + 1) >>> 0;
    const sqes = this.#sqes;
    sqes[at] = first;
    sqes[at + 1] = fd;
    for (let i = at + 2; i < at + 16; i++) sqes[i] = 0;
    sqes[at + 8] = id;
    sqes[at + 9] = generation;
    return at;
  }
}

function storeAddress(words: Uint32Array, at: number, address: number): void {
  words[at] = address >>> 0;
  words[at + 1] = Math.floor(address / 2 ** 32);
}
