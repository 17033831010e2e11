import { constants } from 'node:os';
import type { OnCompletion, OperationQueue } from '../../../src/net/uring/ring.js';

const { EAGAIN, EBUSY, ECANCELED, EINTR, ENOBUFS } = constants.errno;

/** What may happen to a send: it is carried out as it is, or of `bytes` only, or not at all. */
export type Fault =
  | { readonly kind: 'none' }
  | { readonly kind: 'short'; readonly bytes: number }
  | { readonly kind: 'error'; readonly error: number };

export const harmlessErrors: readonly number[] = [EAGAIN, ECANCELED, EINTR, ENOBUFS];

export interface Faults {
  /** For the next send. */
  next(): Fault;
  /** True: the kernel takes none of what is left of this call. */
  refuses(): boolean;
  /** How often its completion is looked for before it is carried out; 0: within the call. */
  delay(): number;
  /** Of so many completions, which one comes next. */
  pick(count: number): number;
  readonly room: number;
}

interface Send {
  readonly fd: number;
  readonly addresses: readonly number[];
  readonly bytes: readonly number[];
  readonly id: number;
}

/** A ring that does worse than the kernel would: sends are cut, refused, late and out of order. */
export class FaultyQueue implements OperationQueue {
  carriedOut = 0;
  /** Sends of several pieces that were added. */
  ofPieces = 0;
  readonly lost = 0;
  readonly #ring: OperationQueue;
  readonly #faults: Faults;
  readonly #added: Send[] = [];
  #late: { readonly send: Send; looks: number }[] = [];
  readonly #completions: (readonly [number, number])[] = [];

  constructor(ring: OperationQueue, faults: Faults) {
    this.#ring = ring;
    this.#faults = faults;
  }

  get room(): number {
    return this.#faults.room - this.#added.length;
  }

  /** Sends that were begun and have not ended. */
  get late(): number {
    return this.#late.length;
  }

  send(fd: number, address: number, bytes: number, id: number): void {
    if (this.room <= 0) throw new Error('the queue is full');
    this.#added.push({ fd, addresses: [address], bytes: [bytes], id });
  }

  sendPieces(fd: number, addresses: readonly number[], bytes: readonly number[], id: number): void {
    if (this.room <= 0) throw new Error('the queue is full');
    this.ofPieces++;
    this.#added.push({ fd, addresses: [...addresses], bytes: [...bytes], id });
  }

  receive(): void {
    throw new Error('it only sends');
  }

  cancel(): void {
    throw new Error('it only sends');
  }

  submit(): number {
    while (this.#added.length > 0) {
      if (this.#faults.refuses()) return -EBUSY;
      const send = this.#added.shift()!;
      const looks = this.#faults.delay();
      if (looks === 0) this.#carryOut(send);
      else this.#late.push({ send, looks });
    }
    return 0;
  }

  withdraw(): number {
    return this.#added.splice(0).length;
  }

  takeCompletions(onCompletion: OnCompletion): number {
    const due = this.#late.filter((each) => --each.looks <= 0);
    this.#late = this.#late.filter((each) => !due.includes(each));
    for (const { send } of due) this.#carryOut(send);
    let count = 0;
    while (this.#completions.length > 0) {
      const [[id, result] = [0, 0]] = this.#completions.splice(this.#faults.pick(this.#completions.length), 1);
      count++;
      onCompletion(id, 0, result, 0);
    }
    return count;
  }

  poke(): void {}

  #carryOut({ fd, addresses, bytes, id }: Send): void {
    this.carriedOut++;
    const fault = this.#faults.next();
    if (fault.kind === 'error') {
      this.#completions.push([id, -fault.error]);
      return;
    }
    let left = fault.kind === 'short' ? fault.bytes : Number.POSITIVE_INFINITY;
    const parts = bytes.map((each) => {
      const part = Math.min(each, left);
      left -= part;
      return part;
    });
    const count = parts.filter((each) => each > 0).length;
    if (count === 0) {
      this.#completions.push([id, -EAGAIN]);
      return;
    }
    if (addresses.length === 1) this.#ring.send(fd, addresses[0]!, parts[0]!, id);
    else this.#ring.sendPieces(fd, addresses.slice(0, count), parts.slice(0, count), id);
    this.#ring.submit();
    this.#ring.takeCompletions((ended, _generation, result) => this.#completions.push([ended, result]));
  }
}
