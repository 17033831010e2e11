import { constants } from 'node:os';

const { EBADF, ECANCELED, EAGAIN, EFAULT, EINTR, EINVAL, EIO, ENFILE, ENOBUFS, ENOMEM, ENOSYS, EOPNOTSUPP } =
  constants.errno;

/** Ends that say nothing of the connection, and of which the next receive may know nothing. */
const isPassing: ReadonlySet<number> = new Set([-ECANCELED, -ENOBUFS, -EINTR]);

/** Ends that say nothing of the connection either, but that it is not to be read like this: the ordinary path can. */
const isRefusal: ReadonlySet<number> = new Set([
  -EAGAIN,
  -ENOMEM,
  -EINVAL,
  -EOPNOTSUPP,
  -ENOSYS,
  -EFAULT,
  -EBADF,
  -ENFILE,
]);

/** So many passing ends in a row, without a byte between, are no chance: the ordinary path goes on. */
const maxPassingEnds = 1000;

/** Bytes of one socket that are told of in one turn of the event loop; the rest is kept for the next one. */
const turnBytes = 256 * 1024;

/** What is kept of a socket that is paused, before the kernel is told: most are resumed in the same turn or the next. */
const maxKeptBytes = 64 * 1024;

/** As `maxKeptBytes`, in reads: a peer may send single bytes, each of which takes an object of a hundred. */
const maxKeptReads = 256;

/** Who reads. */
export interface ReadOwner {
  /** False: its descriptor is closed, and may be another's. */
  readonly isOpen: boolean;
  /** Looks at what `onRead` will need: `prefetch` in `RingReceiver`. */
  prefetch?(): number;
  /** Bytes, valid until the call returns. */
  onRead(data: Buffer): void;
  /**
   * Nothing more is read here, and all that was read has been told of.
   * @param result 0: the peer has ended its side; `-ECANCELED`: it was stopped; `-EAGAIN`: the ordinary path is to go on; any
   *   other negative system error: the connection's
   */
  onReadOver(result: number): void;
}

/** What a reading asks of its receiver. */
export interface ReadingHost {
  /** Has it receive, at the end of this turn. */
  arm(reading: Reading): void;
  /** Has the kernel end its operation, now or as soon as it takes the wish. */
  cancel(reading: Reading): void;
  /** Waits until a cancelled operation is over; not for ever: the event loop stands still meanwhile. */
  await(reading: Reading): void;
  /** Calls `tellKept` in a later turn. */
  tellSoon(reading: Reading): void;
  /** Its operation is over, and nobody waits for anything of it. */
  forget(reading: Reading): void;
}

/**
 * What is received of one socket.
 *
 *   armed --paused, and more comes than is kept--> cancelled --resumed--> armed
 *     '---- end, error, stop: the operation is over --> what was kept is told --> over
 */
export class Reading {
  readonly fd: number;
  readonly id: number;
  readonly generation: number;
  /** The kernel has its operation. */
  isArmed = false;
  readonly #host: ReadingHost;
  readonly #owner: ReadOwner;
  #isPaused = false;
  #isStopping = false;
  #isDropped = false;
  #isCancelling = false;
  /** Why it is over, once it is; told behind what was kept. */
  #result: number | null = null;
  readonly #kept: Buffer[] = [];
  #keptBytes = 0;
  /** The turn in which it last told of something, and how much. */
  #turn = -1;
  #toldBytes = 0;
  #passingEnds = 0;

  constructor(host: ReadingHost, owner: ReadOwner, fd: number, id: number, generation: number) {
    this.#host = host;
    this.#owner = owner;
    this.fd = fd;
    this.id = id;
    this.generation = generation;
  }

  get mayArm(): boolean {
    if (!this.#owner.isOpen) return false;
    return !this.isArmed && !this.#isPaused && !this.#isStopping && !this.#isDropped && this.#result === null;
  }

  /** Looks at what `take` will need: `prefetch` in `RingReceiver`. */
  prefetch(): number {
    return this.#turn + (this.#owner.prefetch?.() ?? 0);
  }

  /** Tells of nothing until `resume`. */
  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    if (this.#isDropped) return;
    if (this.#kept.length > 0 || this.#result !== null) this.#host.tellSoon(this);
    if (this.mayArm) this.#host.arm(this);
  }

  /** Receives no more. What came is told of, and then `onReadOver`, in a later turn. */
  stop(): void {
    if (this.#isStopping || this.#isDropped || this.#result !== null) return;
    this.#isStopping = true;
    if (this.isArmed) this.#cancel();
    else this.#over(-ECANCELED);
  }

  /**
   * As `stop`, but it is over when this returns, and the owner is told of nothing. Returns what it has not told of; null: the
   * kernel has not ended its operation in time, and may still take bytes, which nobody gets. Whoever reads on would miss them.
   */
  stopNow(): Buffer | null {
    this.#isStopping = true;
    if (this.isArmed) {
      this.#cancel();
      this.#host.await(this);
    }
    const kept = this.isArmed ? null : Buffer.concat(this.#kept);
    this.drop();
    return kept;
  }

  /** Its socket is about to be closed: nothing more is told. */
  drop(): void {
    if (this.#isDropped) return;
    this.#isDropped = true;
    this.#kept.length = this.#keptBytes = 0;
    // As long as the kernel has the operation, it has the socket: its peer would not even hear that it is closed.
    if (this.isArmed) this.#cancel();
    else this.#host.forget(this);
  }

  /** Called by the receiver with what came. @param turn of the event loop. @param isQuiet nobody may be told now */
  take(data: Buffer, turn: number, isQuiet: boolean): void {
    if (this.#isDropped) {
      this.#cancel();
      return;
    }
    this.#passingEnds = 0;
    if (turn !== this.#turn) {
      this.#turn = turn;
      this.#toldBytes = 0;
    }
    const isBehind = this.#keptBytes > 0 || this.#toldBytes >= turnBytes;
    if (!isQuiet && !this.#isPaused && !isBehind) {
      this.#toldBytes += data.length;
      this.#owner.onRead(data);
      return;
    }
    this.#kept.push(Buffer.from(data));
    this.#keptBytes += data.length;
    if (!this.#isPaused) this.#host.tellSoon(this);
    const isTooMuch = this.#keptBytes > maxKeptBytes || this.#kept.length >= maxKeptReads;
    if (isTooMuch && this.isArmed) this.#cancel();
  }

  /** Called by the receiver in a later turn: tells of what was kept, as far as one turn goes. */
  tellKept(turn: number): void {
    this.#turn = turn;
    this.#toldBytes = 0;
    while (!this.#isPaused && !this.#isDropped && this.#toldBytes < turnBytes) {
      const data = this.#kept.shift();
      if (data === undefined) break;
      this.#keptBytes -= data.length;
      this.#toldBytes += data.length;
      this.#owner.onRead(data);
    }
    if (this.#isPaused || this.#isDropped) return;
    if (this.#kept.length > 0) this.#host.tellSoon(this);
    else if (this.#result !== null) this.#tellOver(this.#result);
    else if (this.mayArm) this.#host.arm(this);
  }

  /** Called by the receiver: the kernel is through with the operation. @param result bytes, or a negative system error */
  operationEnded(result: number): void {
    this.isArmed = false;
    this.#isCancelling = false;
    if (this.#isDropped) this.#host.forget(this);
    else if (result === 0) this.#over(0);
    else if (this.#isStopping) this.#over(-ECANCELED);
    else if (result > 0) this.#goOn();
    else if (isPassing.has(result) && this.#passingEnds++ < maxPassingEnds) this.#goOn();
    else if (isPassing.has(result) || isRefusal.has(result)) this.#over(-EAGAIN);
    else this.#over(result);
  }

  /** Called by the receiver: of what the kernel had for it, nothing more will be heard. */
  giveUp(): void {
    const wasArmed = this.isArmed;
    this.isArmed = false;
    if (this.#isDropped) this.#host.forget(this);
    // Without an operation nothing of it was lost: the ordinary path goes on.
    else if (this.#result === null) this.#over(wasArmed ? -EIO : -EAGAIN);
  }

  /** No buffer was left, or what was kept was too much: it begins again when it is wanted. */
  #goOn(): void {
    if (this.mayArm && this.#kept.length === 0) this.#host.arm(this);
  }

  #cancel(): void {
    if (this.#isCancelling) return;
    this.#isCancelling = true;
    this.#host.cancel(this);
  }

  #over(result: number): void {
    this.#result = result;
    if (!this.#isPaused) this.#host.tellSoon(this);
  }

  #tellOver(result: number): void {
    if (this.#isDropped) return;
    this.#isDropped = true;
    this.#host.forget(this);
    this.#owner.onReadOver(result);
  }
}
