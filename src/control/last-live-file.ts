import type { BackendProblem } from '../backend/backend.js';
import { messageOf } from '../errors.js';
import { Stretch } from '../fairness/stretch.js';
import { readRegular } from '../files/read.js';
import { answered } from '../files/silent-disk.js';
import { discard, prepareWrite, removeLeftovers, replaceFile } from '../files/write.js';
import type { Logger } from '../log/log.js';
import { isoTime } from '../process/wall-clock.js';
import type { LastLive, LastLives } from './last-live.js';
import { reasonCode } from './reason-code.js';

/** The maximum size to read: ten thousand cameras take some 4 MB. */
const maxBytes = 64 * 1024 * 1024;
/** A change is written after this, and no two writes come closer. */
const writeAfterMs = 20_000;
/** Without changes it is written as often, while cameras are live: for their last frames. */
const writeAgainMs = 300_000;
/** Entries in one piece of the text. */
const entriesPerPiece = 100;
/** How long the start waits for it. */
const readLimitMs = 5_000;
/** How long the end of the program waits for the last write. */
const lastWriteMs = 1_000;

const timePattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

/**
 * Keeps the times at which cameras were last live in a file beside the state. It is rewritten seldom, whole or not at
 * all. Only people need it. A file that cannot be read is left out, and replaced by the next write.
 */
export class LastLiveFile {
  readonly #path: string;
  readonly #lives: LastLives;
  readonly #log: Logger;
  #timer: NodeJS.Timeout | null = null;
  #written = 0;
  #writtenMs = performance.now();
  #writing: Promise<void> | null = null;
  #hasFailed = false;
  #isClosed = false;
  /** It could not be read in time, and is waited for. */
  #waitsSinceMs: number | null = null;

  constructor(path: string, lives: LastLives, log: Logger) {
    this.#path = path;
    this.#lives = lives;
    this.#log = log;
  }

  /**
   * Reads what an earlier run left, and writes changes from then on. Never rejects. A disk that does not answer is waited for
   * a moment; what the file says is taken when it does, and written only then.
   * @param isRegistered others are not remembered
   */
  async open(isRegistered: (name: string) => boolean, limitMs = readLimitMs): Promise<void> {
    const opened = this.#load(isRegistered).then(() => {
      this.#waitsSinceMs = null;
      if (!this.#isClosed) this.#start();
    });
    await answered(opened, this.#path, limitMs).catch((error: unknown) => {
      this.#waitsSinceMs = Date.now();
      this.#log.warn('the times at which cameras were last live are not known yet', { reason: messageOf(error) });
    });
  }

  /** What is wrong, while the disk does not answer. */
  get problems(): readonly BackendProblem[] {
    if (this.#waitsSinceMs === null) return [];
    const message = `The disk does not answer for ${this.#path}: when cameras were last live before this start is known when it does.`;
    return [{ code: 'START_WAITING', message, since: isoTime(this.#waitsSinceMs) }];
  }

  async #load(isRegistered: (name: string) => boolean): Promise<void> {
    try {
      await removeLeftovers(this.#path);
      const found = await readRegular(this.#path, maxBytes);
      if (found === undefined) return;
      const { writtenAt, cameras } = JSON.parse(found.bytes.toString()) as { writtenAt?: unknown; cameras?: unknown };
      if (!isObject(cameras)) throw new Error('it has no cameras');
      const endedAt = timeOf(writtenAt) ?? found.modifiedAt.toISOString();
      const stretch = new Stretch();
      for (const name of Object.keys(cameras)) {
        const known = isRegistered(name) ? decode(cameras[name], endedAt) : null;
        if (known !== null) this.#lives.restore(name, known);
        if (stretch.isOver) await stretch.rest();
      }
    } catch (error) {
      this.#log.warn('the times at which cameras were last live cannot be read', {
        file: this.#path,
        reason: messageOf(error),
      });
    }
  }

  /** Writes changes from now on. */
  #start(): void {
    this.#timer ??= setInterval(() => this.#look(), writeAfterMs).unref();
  }

  /** Writes what is left, and waits for that a moment. Never rejects. */
  async close(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#isClosed = true;
    // A file that could not be read yet is not overwritten.
    if (this.#waitsSinceMs !== null) return;
    const late = new Promise<void>((resolve) => setTimeout(resolve, lastWriteMs).unref());
    // A disk that does not answer must not delay the end of the program.
    const written = (this.#writing ?? Promise.resolve()).then(() => this.write());
    await Promise.race([written, late]);
  }

  /** Writes it now. Never rejects. */
  write(): Promise<void> {
    this.#writing ??= this.#write().finally(() => {
      this.#writing = null;
    });
    return this.#writing;
  }

  #look(): void {
    const isOld = performance.now() - this.#writtenMs > writeAgainMs && this.#lives.size > 0;
    if (this.#lives.changes !== this.#written || isOld) void this.write();
  }

  async #write(): Promise<void> {
    const { changes } = this.#lives;
    try {
      const content = await prepareWrite(this.#path, this.#pieces());
      try {
        await replaceFile(content);
      } catch (error) {
        await discard(content);
        throw error;
      }
      this.#written = changes;
      this.#writtenMs = performance.now();
      this.#hasFailed = false;
    } catch (error) {
      if (!this.#hasFailed)
        this.#log.warn('the times at which cameras were last live cannot be stored', { reason: messageOf(error) });
      this.#hasFailed = true;
    }
  }

  async *#pieces(): AsyncGenerator<Buffer> {
    yield Buffer.from(`{"version":1,"writtenAt":"${new Date().toISOString()}","cameras":{`);
    let lines: string[] = [];
    let isFirst = true;
    for (const [name, known] of this.#lives.entries()) {
      lines.push(`${isFirst ? '' : ','}\n${JSON.stringify(name)}:${JSON.stringify(known)}`);
      isFirst = false;
      if (lines.length < entriesPerPiece) continue;
      yield Buffer.from(lines.join(''));
      lines = [];
    }
    yield Buffer.from(`${lines.join('')}\n}}\n`);
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function timeOf(value: unknown): string | null {
  return typeof value === 'string' && timePattern.test(value) && !Number.isNaN(Date.parse(value)) ? value : null;
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value.slice(0, 500) : null;
}

/** Null for what is none. @param endedAt when the run ended in which a camera is live still */
function decode(value: unknown, endedAt: string): LastLive | null {
  if (!isObject(value)) return null;
  const since = timeOf(value.since);
  if (since === null) return null;
  const until = timeOf(value.until);
  const reason = until === null ? 'the aggregator ended while the camera was live' : textOf(value.reason);
  return {
    since,
    until: until ?? endedAt,
    reason,
    code: until === null ? null : reasonCode(`${textOf(value.code) ?? ''}: `),
    publisher: textOf(value.publisher),
    encoder: textOf(value.encoder),
    lastFrameAt: timeOf(value.lastFrameAt),
  };
}
