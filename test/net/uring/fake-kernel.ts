import { constants } from 'node:os';
import type { BufferSource } from '../../../src/net/uring/receiver.js';
import {
  completionHasBuffer,
  completionHasMore,
  type OnCompletion,
  type OperationQueue,
} from '../../../src/net/uring/ring.js';

const { EBUSY, ECANCELED, ECONNRESET, EINTR, EINVAL, ENOBUFS, ENOENT, ENOMEM, EOPNOTSUPP } = constants.errno;

/** Any number below `count`. */
export type Random = (count: number) => number;

/** A connection from the kernel's side: what its peer sent and nobody took yet. */
export interface FakeConnection {
  waiting: Buffer;
  /** Behind what waits: 0 for the peer's end, or a system error. */
  end: number | null;
}

interface Operation {
  readonly fd: number;
  readonly id: number;
  readonly generation: number;
}

interface Completion {
  readonly id: number;
  readonly generation: number;
  readonly result: number;
  readonly flags: number;
}

/** What says nothing of a connection, but that it is not read by the ring. */
const refusals: readonly number[] = [-ENOMEM, -EINVAL, -EOPNOTSUPP];

/** Spoils buffers that the kernel has: whoever reads one that was given back reads this. */
const poison = 0xa5;

/** Buffers that tell when one is given back twice, or used while it is not the reader's. */
class FakeBuffers implements BufferSource {
  readonly group = 1;
  readonly #memory: Buffer[];
  /** Those that the kernel may write to. */
  readonly #free: number[];
  readonly #unannounced: number[] = [];

  constructor(count: number, bytes: number) {
    this.#memory = Array.from({ length: count }, () => Buffer.alloc(bytes, poison));
    this.#free = this.#memory.map((_, i) => i);
  }

  get inUse(): number {
    return this.#memory.length - this.#free.length - this.#unannounced.length;
  }

  get isEmpty(): boolean {
    return this.#free.length === 0;
  }

  /** The kernel reads into one. */
  fill(data: Buffer): { number: number; bytes: number } {
    const number = this.#free.shift()!;
    return { number, bytes: data.copy(this.#memory[number]!) };
  }

  has(number: number): boolean {
    return this.#memory[number] !== undefined;
  }

  view(number: number, bytes: number): Buffer {
    this.#expectInUse(number);
    return this.#memory[number]!.subarray(0, bytes);
  }

  give(number: number): void {
    this.#expectInUse(number);
    this.#memory[number]!.fill(poison);
    this.#unannounced.push(number);
  }

  announce(): void {
    this.#free.push(...this.#unannounced.splice(0));
  }

  #expectInUse(number: number): void {
    if (this.#memory[number] === undefined) throw new Error(`there is no buffer ${number}`);
    if (this.#free.includes(number) || this.#unannounced.includes(number))
      throw new Error(`buffer ${number} was given back`);
  }
}

/** What the kernel does with receives, or worse: any order of sockets, any size, ends without need, refusals. */
export class FakeKernel implements OperationQueue {
  readonly buffers: FakeBuffers;
  readonly connections = new Map<number, FakeConnection>();
  /** Goes on in the middle of completions, with buffers without end. */
  isTireless = false;
  /** As of the kernel: nothing is told any more when there are any. */
  lost = 0;
  readonly #random: Random;
  readonly #added: (() => void)[] = [];
  readonly #armed: Operation[] = [];
  readonly #completions: Completion[] = [];

  constructor(random: Random, buffers: number) {
    this.#random = random;
    this.buffers = new FakeBuffers(buffers, 64);
  }

  get room(): number {
    return 4 - this.#added.length;
  }

  /** Operations that are under way. */
  get armed(): number {
    return this.#armed.length;
  }

  send(): void {
    throw new Error('it only receives');
  }

  sendPieces(): void {
    throw new Error('it only receives');
  }

  receive(fd: number, _group: number, id: number, generation: number): void {
    if (this.#armed.some((each) => each.fd === fd)) throw new Error(`two operations read descriptor ${fd}`);
    this.#added.push(() => this.#armed.push({ fd, id, generation }));
  }

  cancel(id: number, generation: number, ownId: number): void {
    this.#added.push(() => {
      const at = this.#armed.findIndex((each) => each.id === id && each.generation === generation);
      this.#completions.push({ id: ownId, generation: 0, result: at < 0 ? -ENOENT : 0, flags: 0 });
      if (at >= 0) this.#over(this.#armed[at]!, -ECANCELED);
    });
  }

  submit(): number {
    while (this.#added.length > 0) {
      if (!this.isTireless && this.#random(12) === 0) return -EBUSY;
      this.#added.shift()!();
    }
    return 0;
  }

  withdraw(): number {
    return this.#added.splice(0).length;
  }

  takeCompletions(onCompletion: OnCompletion): number {
    this.work();
    if (this.lost > 0) return 0;
    let count = 0;
    while (this.#completions.length > 0) {
      // Of one operation they come in order, of several in any.
      const { id } = this.#completions[this.#random(this.#completions.length)]!;
      const at = this.#completions.findIndex((each) => each.id === id);
      const [completion] = this.#completions.splice(at, 1);
      count++;
      onCompletion(completion!.id, completion!.generation, completion!.result, completion!.flags);
      if (this.isTireless) {
        this.buffers.announce();
        this.work();
      }
    }
    return count;
  }

  poke(): void {
    this.work();
  }

  /** Carries out what can be carried out. */
  work(): void {
    for (let tries = this.isTireless ? 8 : this.#random(8); tries > 0 && this.#armed.length > 0; tries--) {
      if (this.isTireless && this.buffers.isEmpty) return;
      const operation = this.#armed[this.#random(this.#armed.length)]!;
      const connection = this.connections.get(operation.fd)!;
      const whim = this.isTireless ? 3 : this.#random(24);
      if (whim === 0) this.#over(operation, -EINTR);
      else if (whim === 4 && this.#random(4) === 0) this.#over(operation, refusals[this.#random(refusals.length)]!);
      else if (whim === 5) this.#astray(operation);
      else if (connection.waiting.length > 0 && (this.buffers.isEmpty || whim === 1)) this.#over(operation, -ENOBUFS);
      else if (connection.waiting.length > 0) this.#read(operation, connection, whim !== 2);
      else if (connection.end === 0 && whim === 6 && !this.buffers.isEmpty) this.#over(operation, 0, true);
      else if (connection.end !== null) this.#over(operation, connection.end);
    }
  }

  /** What is armed has read into a buffer that there is none of. */
  misname(): void {
    for (const { id, generation } of this.#armed)
      this.#completions.push({
        ...{ id, generation, result: 10 },
        flags: completionHasBuffer | completionHasMore | (999 << 16),
      });
  }

  /** A word that is nobody's: of an operation that was over long ago, with a buffer where there is one, or of one that goes on. */
  #astray({ id, generation }: Operation): void {
    const result = this.#random(2) === 0 ? 17 : -ENOBUFS;
    if (this.buffers.isEmpty) this.#completions.push({ id, generation, result: -ENOBUFS, flags: completionHasMore });
    else this.#completions.push({ id, generation: generation - 1, result, flags: this.#emptyBuffer() });
  }

  #emptyBuffer(): number {
    return completionHasBuffer | (this.buffers.fill(Buffer.alloc(0)).number << 16);
  }

  #read({ fd, id, generation }: Operation, connection: FakeConnection, hasMore: boolean): void {
    const { number, bytes } = this.buffers.fill(connection.waiting.subarray(0, 1 + this.#random(64)));
    connection.waiting = connection.waiting.subarray(bytes);
    const flags = completionHasBuffer | (number << 16) | (hasMore ? completionHasMore : 0);
    this.#completions.push({ id, generation, result: bytes, flags });
    if (!hasMore)
      this.#armed.splice(
        this.#armed.findIndex((each) => each.fd === fd),
        1,
      );
  }

  #over(operation: Operation, result: number, hasBuffer = false): void {
    this.#armed.splice(this.#armed.indexOf(operation), 1);
    const flags = hasBuffer ? this.#emptyBuffer() : 0;
    this.#completions.push({ id: operation.id, generation: operation.generation, result, flags });
  }
}

export const resetByPeer = -ECONNRESET;
