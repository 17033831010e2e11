import { type ConnectionEnds, type KernelQueues, kernelQueues, type QueueAsker } from '../net/kernel-queues.js';
import type { MediaSocket } from '../net/media-socket.js';
import { ProgressWatch } from '../net/progress-watch.js';
import { Flight, type FlightBudget } from './flight.js';
import { SendTimes } from './send-times.js';
import { TargetAcknowledgements } from './target-acknowledgements.js';

/** Who tells of what arrives in larger steps than this says too little; then the kernel is asked. */
const largestStepBytes = 1 << 20;

/** A target that stopped acknowledging, though it took bytes, is trusted again after this many acknowledgements. */
const proofs = 3;

/** For so long it is remembered when bytes were written that the kernel is rid of. */
const rememberedMs = 15_000;

/** A target keeps up, as far as can be seen, if the kernel holds next to nothing for it at this many checks. */
const emptyLooks = 2;
const emptyBytes = 4096;

/** What the kernel said counts for so long, and longer where it is asked and takes its time. */
const kernelFreshMs = 3000;

/** With so much under way the kernel is asked too. */
const doubtfulBytes = 256 * 1024;

/**
 * How the bytes of one connection flow to its target: what of them arrived, as far as target and kernel tell, how much
 * more may be written, and for how long nothing was taken. It looks once a second; a healthy connection pays for
 * nothing but a comparison a write, and a look at every 16 KB.
 */
export class OutgoingFlow implements QueueAsker {
  readonly acknowledgements: TargetAcknowledgements;
  readonly #socket: MediaSocket;
  readonly #kernel: KernelQueues;
  readonly #times = new SendTimes();
  readonly #progress: ProgressWatch;
  readonly #onRoom: () => void;
  #flight: Flight;
  #budget: FlightBudget;
  /** Writes up to this position need no look. */
  #lookAt = 0;
  #tellAt = Number.POSITIVE_INFINITY;
  /** Called behind each write beyond the position of `tellAt` that ends with a whole message. It may write. */
  onPosition: () => void = () => {};
  /** Whose news count. Null before there are any. */
  #source: 'acknowledgements' | 'kernel' | null = null;
  /** Acknowledgements that must come before they are believed. */
  #toProve = 1;
  /** More was written than may be under way: nothing is, until there is room. */
  #held = false;
  /** The socket takes no more for now. */
  #full = false;
  /** Looks in a row at which the kernel held nothing. */
  #empty = 0;
  #kernelBytes = 0;
  #kernelAtMs = 0;
  #kernelArrived = 0;
  /** Bytes that the far side's program has read for certain. */
  #readBytes = 0;
  /** Grows with each sign that the far side takes bytes. */
  #signs = 0;
  /** The socket's own progress at the last look. */
  #socketProgress = 0;

  /** @param onRoom called when bytes may be written again after `write` said false */
  constructor(socket: MediaSocket, budget: FlightBudget, onRoom: () => void, kernel = kernelQueues) {
    this.#socket = socket;
    this.#kernel = kernel;
    this.#budget = budget;
    this.#onRoom = onRoom;
    this.acknowledgements = new TargetAcknowledgements(this.#times);
    this.#flight = new Flight(this.#times, budget);
    this.#progress = new ProgressWatch(this);
  }

  get ends(): ConnectionEnds | undefined {
    const { localPort, remoteAddress, remotePort } = this.#socket;
    if (localPort === undefined || remoteAddress === undefined || remotePort === undefined) return undefined;
    return { localPort, remoteAddress, remotePort };
  }

  /** Bytes that wait: more than none while any are held back. */
  get pendingBytes(): number {
    return this.#socket.pendingBytes + this.#kernelBytes + (this.#held ? 1 : 0);
  }

  /** Bytes of writes that our own kernel took whole. */
  get handedBytes(): number {
    return this.#socket.bytesWritten - this.#socket.pendingBytes;
  }

  /**
   * Changes when the far side takes bytes, by the best sign there is. That our own kernel takes some proves nothing where
   * there is a better one: answers to pings fit into its buffer for ever.
   */
  get progress(): number {
    return this.#signs;
  }

  /** True when the target was seen to take bytes more slowly than they come. */
  get isSlow(): boolean {
    return this.#flight.bytesPerSecond !== null;
  }

  /** Bytes that are written and certainly have not arrived. */
  get flightBytes(): number {
    return this.#flight.bytes(this.#socket.bytesWritten);
  }

  /** Milliseconds that they will take, as the target goes; 0 while it keeps up. */
  get flightDelayMs(): number {
    return this.#flight.delayMs(this.#socket.bytesWritten);
  }

  /** Milliseconds since the oldest of them was written. */
  flightAgeMs(nowMs: number): number {
    return this.#flight.ageMs(this.#socket.bytesWritten, nowMs);
  }

  setBudget(budget: FlightBudget): void {
    this.#budget = budget;
    this.#flight.setBudget(budget);
    this.#release();
  }

  /** As `MediaSocket.write`; false also when enough is under way. @param goesOn as `OutletSink.write` has it */
  write(data: Buffer, goesOn = false): boolean {
    const more = this.#socket.write(data);
    const position = this.#socket.bytesWritten;
    if (position >= this.#lookAt) this.#lookAtWrite(position, goesOn);
    if (!more) this.#full = true;
    return more && !this.#held;
  }

  #lookAtWrite(position: number, goesOn: boolean): void {
    if (this.#times.wants(position)) this.#times.note(position, performance.now());
    if (this.#flight.isOver(position)) this.#held = true;
    // Who is told may write: not in the middle of a message.
    if (position > this.#tellAt && !goesOn) this.onPosition();
    this.#lookAt = Math.min(this.#times.nextPosition, this.#flight.limitPosition, this.#tellAt);
  }

  /** Has `onPosition` called when more than so many bytes were written; infinite: never. */
  tellAt(position: number): void {
    this.#tellAt = position;
    this.#lookAt = 0;
  }

  /** The socket drained. */
  drained(): void {
    this.#full = false;
    if (!this.#held) this.#onRoom();
  }

  /** The target acknowledged. @param sequence as on the wire */
  acknowledged(sequence: number, nowMs: number): void {
    const { acknowledgements } = this;
    const written = this.#socket.bytesWritten;
    const before = acknowledgements.acknowledgedBytes;
    acknowledgements.received(sequence, written, nowMs);
    const bytes = acknowledgements.acknowledgedBytes;
    if (bytes === null || bytes === before) return;
    this.#signs++;
    this.#toProve = Math.max(0, this.#toProve - 1);
    if (this.#toProve > 0 || acknowledgements.stepBytes > largestStepBytes) return;
    this.#listenTo('acknowledgements');
    this.#flight.news(bytes, written, acknowledgements.stepBytes, nowMs);
    this.#times.forget(bytes);
    this.#release();
  }

  /** The program at the far end has read all bytes up to `position`: it answered what was written behind them. */
  read(position: number): void {
    if (position <= this.#readBytes) return;
    this.#readBytes = position;
    this.#signs++;
    this.#flight.proven(position, this.#socket.bytesWritten);
    this.#release();
  }

  queued(bytes: number, handedBytes: number, nowMs: number): void {
    const { bytesWritten } = this.#socket;
    this.#kernelBytes = bytes;
    this.#kernelAtMs = nowMs;
    // At least so many: whether the look saw what was handed over meanwhile, nobody knows.
    const arrived = handedBytes - bytes;
    if (arrived > this.#kernelArrived) {
      this.#kernelArrived = arrived;
      if (!this.#needsAcknowledgements) this.#signs++;
    }
    if (this.#toProve === 0 && this.acknowledgements.stepBytes <= largestStepBytes) return;
    this.#listenTo('kernel');
    this.#flight.news(this.#kernelArrived, bytesWritten, 0, nowMs);
    this.#empty = bytes < emptyBytes ? this.#empty + 1 : 0;
    if (this.#empty >= emptyLooks) this.#flight.keepsUp();
    // Of what lies in the target's own buffers it may still tell.
    this.#times.forget(Math.min(this.#kernelArrived, this.#times.at(nowMs - rememberedMs)));
    this.#release();
  }

  /** Call about once a second while media flows. */
  look(nowMs: number): void {
    const written = this.#socket.bytesWritten;
    // What the kernel has for certain is no matter of doubt.
    if (this.#held && this.#kernelBytes === 0 && this.#flight.doubt(written, nowMs)) {
      this.#toProve = proofs;
      this.#release();
    }
    const doubtful = this.#source !== 'acknowledgements' || this.#held || this.#socket.pendingBytes > 0;
    if (doubtful || this.flightBytes > doubtfulBytes) this.#kernel.ask(this, nowMs);
    const freshMs = kernelFreshMs + (doubtful ? 2 * this.#kernel.everyMs : 0);
    if (nowMs - this.#kernelAtMs > freshMs) this.#kernelBytes = this.#kernelAtMs = 0;
  }

  /**
   * Milliseconds for which the far side has taken nothing although bytes wait for it, to about a second, or to a look of
   * the kernel's where that takes longer.
   */
  silentMs(nowMs: number): number {
    const { progress } = this.#socket;
    const isBestSign = this.#source === null || (this.#kernelAtMs === 0 && !this.#needsAcknowledgements);
    if (progress !== this.#socketProgress && isBestSign) this.#signs++;
    this.#socketProgress = progress;
    return this.#progress.silentMs(nowMs);
  }

  /** Nothing else is a sign where bytes are held back for the acknowledgements of a target that sends them. */
  get #needsAcknowledgements(): boolean {
    return this.#source !== null && this.#toProve === 0 && this.#held;
  }

  #listenTo(source: 'acknowledgements' | 'kernel'): void {
    if (source === this.#source) return;
    // The two count differently: what lies in the target's own buffer has arrived for the kernel alone.
    if (this.#source !== null) this.#flight = new Flight(this.#times, this.#budget);
    this.#source = source;
  }

  #release(): void {
    this.#lookAt = 0;
    if (!this.#held || !this.#flight.hasRoom(this.#socket.bytesWritten)) return;
    this.#held = false;
    if (!this.#full) this.#onRoom();
  }
}
