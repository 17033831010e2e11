import { constants } from 'node:os';
import { maxPieces, type OperationQueue } from './ring.js';

const { EAGAIN, ECANCELED, EIO } = constants.errno;

/** How often sends that did not end within the call are looked for. The kernel ends them by itself, at once. */
const lookAgainMs = 1;

/** Whose bytes are sent. */
export interface SendOwner {
  /** False: it is closed, and its descriptor may be somebody else's. */
  readonly isOpen: boolean;
  /** What is to go out right behind what it queued. The first of it goes in the same send; the owner keeps the rest. */
  readonly behind: readonly Buffer[];
  /** The memory that it sent from last, and its address: the sender's own notes. */
  lastMemory: ArrayBufferLike | null;
  lastAddress: number;
  /**
   * What it queued was sent, or a part of it, or nothing. Called in the middle of the work: it tells nobody else in this call.
   * @param result bytes that the kernel took, or a negative system error @param asked bytes that it was to take
   */
  sent(result: number, asked: number): void;
}

/**
 * Sends the writes of a turn of the event loop in one system call. No send waits: what the kernel does not take at once it
 * gives back, and the owner takes that to the ordinary path. So when `submit` returns, the bytes are not needed any more.
 * (Should the kernel keep one all the same, the owner hears later, and must keep the bytes until then.)
 *
 * An owner has at most one send in the queue: two would have to be linked, and a link does not end where the first was
 * short. What it has in several pieces, as where a slab ends, goes in one: a send costs the same, whatever its size.
 */
export class RingSender {
  /** Sends that the kernel took so far, calls for them, and sends that were short or refused. */
  readonly counts = { sends: 0, calls: 0, short: 0 };
  readonly #queue: OperationQueue;
  readonly #addressOf: (memory: ArrayBufferLike) => number;
  /** By the id of their operation: each is free, queued, or with the kernel. */
  readonly #owners: (SendOwner | null)[] = [];
  readonly #fds: number[] = [];
  readonly #data: (Buffer | null)[] = [];
  /** Bytes of each that the kernel is to take. */
  readonly #asked: number[] = [];
  readonly #free: number[] = [];
  /** Ids in the order in which they were queued. */
  #queued: number[] = [];
  #spare: number[] = [];
  /** Those of the call that is being made. */
  readonly #added: number[] = [];
  /** Operations that the kernel has. */
  #underWay = 0;
  /** Work that may write to many is going on. */
  #gathering = 0;
  #isSubmitting = false;
  #isClosed = false;
  #lookTimer: NodeJS.Timeout | null = null;
  /** Called when the kernel lost completions: call `giveUp` then. */
  onLost: () => void = () => {};
  readonly #addresses = new WeakMap<ArrayBufferLike, number>();

  /** @param addressOf where memory lies */
  constructor(queue: OperationQueue, addressOf: (memory: ArrayBufferLike) => number) {
    this.#queue = queue;
    this.#addressOf = addressOf;
  }

  /** Sends that are queued or with the kernel. */
  get waiting(): number {
    return this.#queued.length + this.#underWay;
  }

  /**
   * Sends bytes: now, or at the end of what `gather` does. They must not change until the owner hears of them.
   * @param fd of the owner. @param data not empty
   */
  queue(owner: SendOwner, fd: number, data: Buffer): void {
    if (this.#isClosed) {
      owner.sent(-EAGAIN, data.length);
      return;
    }
    const id = this.#free.pop() ?? this.#owners.length;
    this.#owners[id] = owner;
    this.#fds[id] = fd;
    this.#data[id] = data;
    this.#asked[id] = data.length;
    this.#queued.push(id);
    if (this.#gathering === 0) this.submit();
  }

  /** Does work that writes to many, and sends all of that in one call behind it. */
  gather(work: () => void): void {
    this.#gathering++;
    try {
      work();
    } finally {
      this.#gathering--;
      if (this.#gathering === 0) this.submit();
    }
  }

  /** Sends what is queued, and tells the owners. */
  submit(): void {
    // An owner that hears of one send may queue the next: the call that is being made goes on with it.
    if (this.#isSubmitting) return;
    this.#isSubmitting = true;
    try {
      while (this.#queued.length > 0) {
        const ids = this.#queued;
        this.#queued = this.#spare;
        this.#spare = [];
        let from = 0;
        while (from < ids.length) from = this.#submitFrom(ids, from);
        ids.length = 0;
        this.#spare = ids;
      }
    } finally {
      this.#isSubmitting = false;
    }
    if (this.#queue.lost > 0) this.onLost();
  }

  /** Looks for nothing any more. What is queued from now on goes by the ordinary path. */
  close(): void {
    this.#isClosed = true;
    if (this.#lookTimer !== null) clearTimeout(this.#lookTimer);
  }

  /** Its ring is of no use any more: how much was sent of what the kernel has, nobody knows. */
  giveUp(): void {
    this.close();
    const queued = new Set(this.#queued.splice(0));
    for (const [id, owner] of this.#owners.entries())
      if (owner !== null) this.#end(id, queued.has(id) ? -EAGAIN : -EIO);
    this.#underWay = 0;
  }

  /** As many as fit at once. @returns where to go on */
  #submitFrom(ids: readonly number[], from: number): number {
    const queue = this.#queue;
    const end = Math.min(ids.length, from + queue.room);
    if (end === from) {
      // Only where others hold the queue's places, which happens if the kernel takes none.
      for (let i = from; i < ids.length; i++) this.#end(ids[i]!, -EAGAIN);
      return ids.length;
    }
    const added = this.#added;
    added.length = 0;
    for (let i = from; i < end; i++) {
      const id = ids[i]!;
      const owner = this.#owners[id];
      const data = this.#data[id];
      if (owner == null || data == null) continue;
      if (!owner.isOpen) {
        this.#end(id, -ECANCELED);
        continue;
      }
      if (owner.behind.length === 0) queue.send(this.#fds[id]!, this.#addressIn(owner, data), data.length, id);
      else this.#addPieces(id, owner, data);
      added.push(id);
    }
    this.#underWay += added.length;
    if (added.length > 0) {
      this.counts.calls++;
      this.counts.sends += added.length;
      if (queue.submit() < 0) this.#withdraw();
    }
    queue.takeCompletions(this.#onCompletion);
    if (this.#underWay > 0) this.#lookTimer ??= setTimeout(this.#look, lookAgainMs);
    return end;
  }

  #addPieces(id: number, owner: SendOwner, data: Buffer): void {
    const { behind } = owner;
    const addresses = [this.#addressIn(owner, data)];
    const lengths = [data.length];
    let asked = data.length;
    for (let i = 0; i < behind.length && i + 1 < maxPieces; i++) {
      const piece = behind[i]!;
      addresses.push(this.#addressIn(owner, piece));
      lengths.push(piece.length);
      asked += piece.length;
    }
    this.#asked[id] = asked;
    this.#queue.sendPieces(this.#fds[id]!, addresses, lengths, id);
  }

  /** The kernel did not take all of what was added: the last ones go by the ordinary path. */
  #withdraw(): void {
    const refused = this.#added.splice(this.#added.length - this.#queue.withdraw());
    this.#underWay -= refused.length;
    this.counts.sends -= refused.length;
    for (const id of refused) this.#end(id, -EAGAIN);
  }

  readonly #onCompletion = (id: number, _generation: number, result: number): void => {
    if (this.#owners[id] == null) return;
    this.#underWay--;
    this.#end(id, result);
  };

  #end(id: number, result: number): void {
    const owner = this.#owners[id];
    const asked = this.#asked[id] ?? 0;
    this.#owners[id] = null;
    this.#data[id] = null;
    this.#free.push(id);
    if (result < asked) this.counts.short++;
    owner?.sent(result, asked);
  }

  readonly #look = (): void => {
    this.#lookTimer = null;
    this.#queue.takeCompletions(this.#onCompletion);
    if (this.#queue.lost > 0) this.onLost();
    if (this.#underWay > 0 && !this.#isClosed) this.#lookTimer = setTimeout(this.#look, lookAgainMs);
  };

  /** Memory never moves, and an owner sends from the same slab many times before it comes to the next. */
  #addressIn(owner: SendOwner, data: Buffer): number {
    const memory = data.buffer;
    if (memory !== owner.lastMemory) {
      let address = this.#addresses.get(memory);
      if (address === undefined) {
        address = this.#addressOf(memory);
        this.#addresses.set(memory, address);
      }
      owner.lastMemory = memory;
      owner.lastAddress = address;
    }
    return owner.lastAddress + data.byteOffset;
  }
}
