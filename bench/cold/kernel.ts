import { Socket } from 'node:net';
import type { BufferSource } from '../../src/net/uring/receiver.js';
import type { OnCompletion, OperationQueue } from '../../src/net/uring/ring.js';
import type { SocketRings } from '../../src/net/uring/ring-socket.js';
import type { Parts } from './parts.js';

const bufferBytes = 16 * 1024;
const bufferCount = 32;
const queueEntries = 256;
/** IORING_CQE_F_BUFFER and IORING_CQE_F_MORE. */
const hasBufferAndMore = 3;

/** One end of a connection without a kernel. */
export interface End {
  readonly socket: InstanceType<Parts['RingSocket']>;
  /** Bytes come in by the ordinary path. */
  feed(data: Buffer): void;
}

/** What Node's handle of a connection is taken for. It has the name that is looked for. */
class TCP {
  readonly fd: number;
  reading = false;
  writeQueueSize = 0;

  constructor(fd: number) {
    this.fd = fd;
  }

  readStart(): number {
    return 0;
  }

  readStop(): number {
    return 0;
  }

  writeBuffer(): number {
    return 0;
  }

  useUserBuffer(): void {}

  getpeername(out: { address?: string; port?: number; family?: string }): number {
    Object.assign(out, { address: '127.0.0.1', port: 1, family: 'IPv4' });
    return 0;
  }

  close(done?: () => void): void {
    done?.();
  }
}

/**
 * Stands for the kernel: the real sockets and rings of the program, whose operations end in memory. Until `goLive` what one end
 * writes comes in at the other; from then on what is written is gone, and what comes in is given by `read`.
 */
export class FakeKernel {
  /** Sends that were taken since `goLive`. */
  sends = 0;
  readonly receiver: InstanceType<Parts['RingReceiver']>;
  readonly sender: InstanceType<Parts['RingSender']>;
  readonly #parts: Parts;
  readonly #rings: SocketRings;
  readonly #peers = new Map<number, End>();
  readonly #carried: (() => void)[] = [];
  readonly #buffers: Buffer[] = [];
  readonly #completions: { id: number; bytes: number; buffer: number }[] = [];
  #told = 0;
  readonly #sent: { id: number; bytes: number }[] = [];
  #nextFd = 10;
  #addresses = 0;
  #isLive = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    const memory = new ArrayBuffer(bufferBytes * bufferCount);
    for (let i = 0; i < bufferCount; i++) this.#buffers.push(Buffer.from(memory, i * bufferBytes, bufferBytes));
    const buffers: BufferSource = {
      group: 1,
      has: (number) => number < bufferCount,
      view: (number, bytes) => this.#buffers[number]!.subarray(0, bytes),
      give() {},
      announce() {},
    };
    this.receiver = new parts.RingReceiver(
      this.#queue((tell, onNear) => this.#tellRead(tell, onNear)),
      buffers,
      () => {},
    );
    const sending = this.#queue((tell) => this.#tellSent(tell));
    this.sender = new parts.RingSender(sending, () => this.#nextAddress());
    this.receiver.gather = (work) => this.sender.gather(work);
    const queue: SocketRings['sender']['queue'] = (owner, fd, data) => {
      if (this.#isLive) {
        this.sender.queue(owner, fd, data);
        return;
      }
      const copy = Buffer.from(data);
      this.#carried.push(() => this.#peers.get(fd)?.feed(copy));
      owner.sent(data.length, data.length);
    };
    this.#rings = { receiver: this.receiver, sender: { queue, submit: () => this.sender.submit() } };
  }

  #queue(takeCompletions: OperationQueue['takeCompletions']): OperationQueue {
    const send = (_fd: number, _address: number, bytes: number, id: number): void => {
      this.#sent.push({ id, bytes });
      this.sends++;
    };
    const sendPieces: OperationQueue['sendPieces'] = (fd, addresses, bytes, id) => {
      send(
        fd,
        addresses[0]!,
        bytes.reduce((sum, each) => sum + each, 0),
        id,
      );
    };
    return {
      ...{ lost: 0, room: queueEntries, send, sendPieces, takeCompletions },
      ...{ receive() {}, cancel() {}, poke() {}, submit: () => 0, withdraw: () => 0 },
    };
  }

  #tellRead(tell: OnCompletion, onNear?: (id: number) => void): number {
    let count = 0;
    if (onNear !== undefined) for (const { id } of this.#completions) onNear(id);
    for (; this.#told < this.#completions.length; count++) {
      const { id, bytes, buffer } = this.#completions[this.#told++]!;
      tell(id, id + 1, bytes, (buffer << 16) | hasBufferAndMore);
    }
    this.#completions.length = this.#told = 0;
    return count;
  }

  #tellSent(tell: OnCompletion): number {
    const sent = this.#sent.splice(0);
    for (const { id, bytes } of sent) tell(id, 0, bytes, 0);
    return sent.length;
  }

  #nextAddress(): number {
    this.#addresses += 65_536;
    return this.#addresses;
  }

  /** Two ends of one connection. */
  pair(): [End, End] {
    const ends = [this.#end(), this.#end()] as const;
    this.#peers.set(ends[0].fd, ends[1].end);
    this.#peers.set(ends[1].fd, ends[0].end);
    return [ends[0].end, ends[1].end];
  }

  #end(): { fd: number; end: End } {
    const fd = this.#nextFd;
    this.#nextFd = fd + 1;
    let feed: (data: Buffer) => void = () => {};
    const socket = new this.#parts.RingSocket(this.#rings, (onData) => {
      feed = onData;
      const onread = { buffer: Buffer.alloc(0), callback: () => true };
      return new Socket({ allowHalfOpen: false, ...{ handle: new TCP(fd), onread } }).on('error', () => {});
    });
    return { fd, end: { socket, feed } };
  }

  /** Carries what was written to where it goes, until nothing is. */
  async settle(): Promise<void> {
    for (let idle = 0; idle < 10; idle++) {
      for (let carry = this.#carried.shift(); carry !== undefined; carry = this.#carried.shift()) {
        carry();
        idle = 0;
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  goLive(): void {
    this.#isLive = true;
  }

  /** Bytes lie ready to be read by the receive of this id, which was begun as the first, second ... one. */
  read(id: number, data: Buffer): void {
    for (let at = 0; at < data.length; at += bufferBytes) {
      const buffer = this.#completions.length % bufferCount;
      const bytes = data.copy(this.#buffers[buffer]!, 0, at);
      this.#completions.push({ id, bytes, buffer });
    }
  }
}
