import { close, constants, fstatSync, open, openSync, readFileSync, write, writeSync } from 'node:fs';

/** What waits for a destination that takes nothing; lines beyond it are lost, and counted. */
const waitingMaxBytes = 1 << 20;
/** One write: a destination that is slow holds up no more than this. */
const pieceBytes = 64 * 1024;
/** A destination that is full for now (a pipe whose reader is slow) is tried again after this. */
const busyRetryMs = 50;
/** One that fails is tried again, and opened again where it is a file, after this. */
const failedRetryMs = 1000;

/** How the log fares. */
export interface LogHealth {
  /** Lines that were never written, since the start. */
  readonly linesLost: number;
  /** Why nothing is written at the moment, in words, and since when (milliseconds since 1970); null: it is well. */
  readonly problem: { readonly reason: string; readonly sinceMs: number } | null;
}

interface Gap {
  lines: number;
  readonly fromMs: number;
  toMs: number;
  readonly reason: string;
}

export interface DestinationOptions {
  /** A path that is appended to; a number is an open descriptor. */
  readonly to: string | number;
  /** What is written where lines are missing, once lines are taken again. It ends in a line feed. */
  readonly lostLine: (lines: number, fromMs: number, toMs: number, reason: string) => string;
}

/**
 * Where the lines of a process's log go. Whatever becomes of it, nobody waits for it: lines that it does not take wait
 * within a budget, those beyond are counted, and a line says so where they are missing once it takes lines again.
 *
 * Pipes, terminals, sockets and devices are written to by this thread, non-blocking. A file of a disk knows no such
 * mode and may hold up its writer for as long as it likes (a frozen or distant file system), so that a thread of the
 * pool writes to it, one at a time.
 */
export class LogDestination {
  readonly #to: string | number;
  readonly #lostLine: DestinationOptions['lostLine'];
  /** -1: it is not open. */
  #fd = -1;
  /** True when a write returns at once, whatever happens. */
  #isNonBlocking = false;
  #isOpening = false;
  /** Opened here, so that it is closed here too. */
  #isOwn = false;
  readonly #waiting: string[] = [];
  #waitingBytes = 0;
  /** The piece that is being written, and how many lines it has. */
  #piece: Buffer | null = null;
  /** Of a write by the pool. */
  #isWriting = false;
  #gap: Gap | null = null;
  /** Lines are lost until half of the room is free again: few long gaps are told sooner than many short ones. */
  #isFull = false;
  #linesLost = 0;
  #problem: { reason: string; sinceMs: number } | null = null;
  #timer: NodeJS.Timeout | null = null;
  #isScheduled = false;
  #wantsReopening = false;
  readonly #flushes: (() => void)[] = [];

  constructor({ to, lostLine }: DestinationOptions) {
    this.#to = to;
    this.#lostLine = lostLine;
    if (typeof to === 'number') this.#adopt(to);
  }

  get health(): LogHealth {
    return { linesLost: this.#linesLost, problem: this.#problem };
  }

  /**
   * Opens a file, made where it is not there.
   * @throws Error of `open` for what only a person mends: no such folder, no right, a folder
   */
  async open(): Promise<void> {
    const error = await this.#open();
    if (error !== null && ['ENOENT', 'EACCES', 'EPERM', 'EISDIR', 'ENOTDIR', 'EROFS'].includes(error.code ?? '')) {
      throw error;
    }
  }

  /** Opens a file anew, after it was renamed: what comes from now on goes into the new one. */
  reopen(): void {
    if (typeof this.#to === 'number') return;
    if (this.#isWriting || this.#isOpening) this.#wantsReopening = true;
    else void this.#open();
  }

  /** Takes a line, with its line feed. Never waits. */
  write(line: string): void {
    if (this.#waitingBytes >= (this.#isFull ? waitingMaxBytes / 2 : waitingMaxBytes)) {
      this.#isFull = true;
      this.#lose(this.#problem?.reason ?? 'the log is read too slowly');
      return;
    }
    this.#isFull = false;
    // Behind lines that are missing, so that the log says where.
    this.#tellGap();
    this.#waiting.push(line);
    this.#waitingBytes += line.length;
    if (this.#isScheduled || this.#timer !== null) return;
    this.#isScheduled = true;
    // One write for all lines of a turn.
    setImmediate(() => {
      this.#isScheduled = false;
      this.#go();
    });
  }

  /** Resolves when all lines are written, or after the deadline: a destination may take none. */
  flush(deadlineMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, deadlineMs);
      this.#flushes.push(() => {
        clearTimeout(timer);
        resolve();
      });
      this.#go();
    });
  }

  #lose(reason: string): void {
    const nowMs = Date.now();
    this.#linesLost++;
    this.#gap ??= { lines: 0, fromMs: nowMs, toMs: nowMs, reason };
    this.#gap.lines++;
    this.#gap.toMs = nowMs;
  }

  #tellGap(): void {
    const gap = this.#gap;
    if (gap === null) return;
    this.#gap = null;
    const line = this.#lostLine(gap.lines, gap.fromMs, gap.toMs, gap.reason);
    this.#waiting.push(line);
    this.#waitingBytes += line.length;
  }

  /** Writes what can be written now. */
  #go(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#isWriting || this.#isOpening) return;
    if (this.#fd === -1) {
      if (typeof this.#to === 'string' && this.#hasWork) void this.#open();
      return;
    }
    if (!this.#isNonBlocking) {
      this.#writeByPool();
      return;
    }
    for (let written = 0; written < 16 && this.#nextPiece() !== null; written++) {
      const piece = this.#piece!;
      try {
        this.#took(writeSync(this.#fd, piece));
      } catch (error) {
        this.#failed(error as NodeJS.ErrnoException);
        return;
      }
    }
    if (this.#hasWork) this.#later(1);
    else this.#isEmpty();
  }

  #writeByPool(): void {
    const piece = this.#nextPiece();
    if (piece === null) {
      this.#isEmpty();
      return;
    }
    this.#isWriting = true;
    write(this.#fd, piece, (error, bytes) => {
      this.#isWriting = false;
      if (error === null) this.#took(bytes);
      if (this.#wantsReopening) void this.#open();
      else if (error !== null) this.#failed(error);
      else this.#go();
    });
  }

  get #hasWork(): boolean {
    return this.#piece !== null || this.#waiting.length > 0 || this.#gap !== null;
  }

  #nextPiece(): Buffer | null {
    if (this.#piece !== null) return this.#piece;
    if (this.#waiting.length === 0) this.#tellGap();
    let length = 0;
    let count = 0;
    while (count < this.#waiting.length && (count === 0 || length + this.#waiting[count]!.length <= pieceBytes)) {
      length += this.#waiting[count]!.length;
      count++;
    }
    if (count === 0) return null;
    // The bytes count until they are written: what waits in the piece waits too.
    this.#piece = Buffer.from(this.#waiting.splice(0, count).join(''));
    this.#waitingBytes += this.#piece.length - length;
    return this.#piece;
  }

  #took(bytes: number): void {
    this.#problem = null;
    this.#waitingBytes -= bytes;
    const piece = this.#piece;
    this.#piece = piece === null || bytes >= piece.length ? null : piece.subarray(bytes);
  }

  #isEmpty(): void {
    for (const done of this.#flushes.splice(0)) done();
  }

  #failed({ code = 'unknown error', message }: NodeJS.ErrnoException): void {
    const isBusy = code === 'EAGAIN' || code === 'EINTR' || code === 'EBUSY';
    const reason = isBusy ? 'nobody reads it' : (reasons[code] ?? message);
    if (this.#problem?.reason !== reason) this.#problem = { reason, sinceMs: Date.now() };
    this.#later(isBusy ? busyRetryMs : failedRetryMs);
  }

  #later(ms: number): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#go();
    }, ms).unref();
  }

  /** Null when it is open; else why not. What was open before stays where the new one cannot be had. */
  #open(): Promise<NodeJS.ErrnoException | null> {
    this.#isOpening = true;
    this.#wantsReopening = false;
    return new Promise((resolve) => {
      const { O_APPEND, O_CREAT, O_NONBLOCK, O_WRONLY, O_NOCTTY } = constants;
      // Non-blocking: a FIFO that nobody reads must not keep its opener waiting.
      const flags = O_APPEND | O_CREAT | O_NONBLOCK | O_WRONLY | O_NOCTTY;
      open(this.#to as string, flags, 0o640, (error, fd) => {
        this.#isOpening = false;
        if (error === null) {
          if (this.#isOwn) close(this.#fd, () => {});
          this.#fd = fd;
          this.#isOwn = true;
          this.#isNonBlocking = !isFileOfDisk(fd);
          this.#go();
        } else {
          this.#failed(error.code === 'ENXIO' ? Object.assign(error, { code: 'EPIPE' }) : error);
        }
        resolve(error);
      });
    });
  }

  /** A descriptor of somebody else, who may want to go on using it in the mode that it has. */
  #adopt(fd: number): void {
    this.#fd = fd;
    this.#isNonBlocking = false;
    try {
      if (isFileOfDisk(fd)) return;
    } catch {
      return; // it is closed: each write will say so
    }
    try {
      // Another description of the same pipe, terminal or device, so that its mode is our own.
      this.#fd = openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
      this.#isNonBlocking = true;
    } catch {
      // Sockets cannot be opened, terminals of another user may not. Node's own stream makes the former non-blocking.
      this.#isNonBlocking = touchStream(fd) && isNonBlocking(fd);
    }
  }
}

/** Words for an operator. */
const reasons: Readonly<Record<string, string>> = {
  ENOSPC: 'no space left on its disk (ENOSPC)',
  EDQUOT: 'the quota of its disk is used up (EDQUOT)',
  EIO: 'its disk or terminal fails (EIO)',
  EPIPE: 'nobody reads it any more (EPIPE)',
  EFBIG: 'it is as large as a file may be (EFBIG)',
  EROFS: 'its disk is read-only (EROFS)',
  EBADF: 'it is closed (EBADF)',
};

function isFileOfDisk(fd: number): boolean {
  const stat = fstatSync(fd);
  return stat.isFile() || stat.isDirectory() || stat.isBlockDevice();
}

function touchStream(fd: number): boolean {
  if (fd === 1) return process.stdout.writable;
  return fd === 2 && process.stderr.writable;
}

function isNonBlocking(fd: number): boolean {
  try {
    const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1];
    return flags !== undefined && (Number.parseInt(flags, 8) & constants.O_NONBLOCK) !== 0;
  } catch {
    return false;
  }
}
