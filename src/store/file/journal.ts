import { constants } from 'node:fs';
import { type FileHandle, rename, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isErrno } from '../../files/errno.js';
import { openRegular } from '../../files/read.js';
import { openBeside, syncFolder, writeAll } from '../../files/write.js';
import {
  encodeLine,
  headerOf,
  type JournalCommit,
  type JournalContent,
  type JournalHeader,
  snapshotOf,
  type TracedFile,
} from './journal-lines.js';

/** A place in the journal: behind the commit with this number. */
export interface JournalPlace {
  readonly seq: number;
  readonly bytes: number;
  /** Of which of the files that took each other's place. */
  readonly generation: number;
}

/**
 * The open journal: commits are appended and are on disk when that resolves. Only the holder of the folder's lock
 * writes it, and one call at a time.
 */
export class Journal {
  readonly #path: string;
  #file: FileHandle;
  #inode: bigint;
  #generation = nextGeneration();
  /** Bytes of whole lines that were acknowledged. */
  #bytes: number;
  #seq: number;
  /** How much of the journal is not in state.json. */
  #pending: number;
  /** Where the last line begins when it is a note of a snapshot; else where the next line will begin. */
  #noteAt: number;
  /** What could not be written may be there all the same, and could not be cut off. */
  #isBroken = false;

  private constructor(
    path: string,
    file: FileHandle,
    inode: bigint,
    start: Omit<JournalPlace, 'generation'> & { pending: number },
  ) {
    this.#path = path;
    this.#file = file;
    this.#inode = inode;
    this.#bytes = start.bytes;
    this.#noteAt = start.bytes;
    this.#seq = start.seq;
    this.#pending = start.pending;
  }

  /** Begins a journal in place of the one that there may be. @throws what the system throws */
  static async create(path: string, base: TracedFile | null, seq: number): Promise<Journal> {
    const { file, inode, bytes } = await begin(path, headerOf(base, seq), undefined);
    return new Journal(path, file, inode, { bytes, seq, pending: 0 });
  }

  /**
   * Goes on with a journal that was read; a torn line at its end is cut off, a whole one gets its end.
   * @param pending how many of its commits state.json does not hold
   */
  static async resume(path: string, content: JournalContent, pending: number): Promise<Journal> {
    const opened = await openRegular(path, constants.O_RDWR | constants.O_NONBLOCK);
    if (opened === undefined) throw new Error(`${path} is gone`);
    const { file, stats } = opened;
    try {
      let bytes = content.goodBytes;
      if (content.tornBytes > 0 || content.lacksEnd) {
        await file.truncate(bytes);
        if (content.lacksEnd) {
          const end = Buffer.from('\n');
          await writeAll(file, end, bytes);
          bytes += end.length;
        }
        await file.sync();
      }
      return new Journal(path, file, stats.ino, { bytes, seq: content.seq, pending });
    } catch (error) {
      await file.close().catch(() => undefined);
      throw error;
    }
  }

  get place(): JournalPlace {
    return { seq: this.#seq, bytes: this.#bytes, generation: this.#generation };
  }

  /** False for a place of a journal that has begun anew since. */
  has(place: JournalPlace): boolean {
    return place.generation === this.#generation;
  }

  /** How many commits state.json does not hold. */
  get pending(): number {
    return this.#pending;
  }

  /** False when somebody removed or changed the file, or when it may hold what was reported as failed. */
  async isSound(): Promise<boolean> {
    if (this.#isBroken) return false;
    try {
      const { ino, size } = await stat(this.#path, { bigint: true });
      return ino === this.#inode && size === BigInt(this.#bytes);
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return false;
      throw error;
    }
  }

  /** Writes a commit to disk. @throws what the system throws; the journal is then as before, or not sound */
  async commit(changes: JournalCommit['changes']): Promise<void> {
    const seq = this.#seq + 1;
    await this.#append(encodeLine({ seq, at: new Date().toISOString(), changes }));
    this.#noteAt = this.#bytes;
    this.#seq = seq;
    this.#pending += 1;
  }

  /** Notes that this state.json holds what was committed until `seq`. */
  async noteSnapshot(file: TracedFile, seq: number): Promise<void> {
    await this.#append(encodeLine(snapshotOf(file, seq)));
  }

  /** Drops what state.json, which is `base`, holds for good: all up to `place`, which it has, and a last note. */
  async dropUntil(base: TracedFile, place: JournalPlace): Promise<void> {
    const rest = await this.#read(place.bytes, Math.max(place.bytes, this.#noteAt));
    const { file, inode, bytes } = await begin(this.#path, headerOf(base, place.seq), rest);
    await this.#file.close().catch(() => undefined);
    this.#file = file;
    this.#inode = inode;
    this.#generation = nextGeneration();
    this.#bytes = bytes;
    this.#noteAt = bytes;
    this.#pending = this.#seq - place.seq;
    this.#isBroken = false;
  }

  async close(): Promise<void> {
    await this.#file.close().catch(() => undefined);
  }

  async #append(line: string): Promise<void> {
    const bytes = Buffer.from(line);
    try {
      await writeAll(this.#file, bytes, this.#bytes);
      await this.#file.datasync();
    } catch (error) {
      await this.#cutOff();
      throw error;
    }
    this.#bytes += bytes.length;
  }

  /** What was reported as failed must not be there after a restart. */
  async #cutOff(): Promise<void> {
    try {
      await this.#file.truncate(this.#bytes);
      await this.#file.sync();
    } catch {
      this.#isBroken = true;
    }
  }

  async #read(from: number, to: number): Promise<Buffer> {
    const rest = Buffer.alloc(to - from);
    for (let at = 0; at < rest.length; ) {
      const { bytesRead } = await this.#file.read(rest, at, rest.length - at, from + at);
      if (bytesRead === 0) throw new Error(`${this.#path} is shorter than what was written to it`);
      at += bytesRead;
    }
    return rest;
  }
}

let generations = 0;

function nextGeneration(): number {
  generations += 1;
  return generations;
}

/** Puts a new journal in place of the old one, whole and on disk. */
async function begin(
  path: string,
  header: JournalHeader,
  rest: Buffer | undefined,
): Promise<{ file: FileHandle; inode: bigint; bytes: number }> {
  const first = Buffer.from(encodeLine(header));
  const content = rest === undefined ? first : Buffer.concat([first, rest]);
  const { file, temporaryPath, path: target } = await openBeside(path);
  try {
    await writeAll(file, content, 0);
    await file.sync();
    const { ino } = await file.stat({ bigint: true });
    await rename(temporaryPath, target);
    await syncFolder(dirname(target));
    return { file, inode: ino, bytes: content.length };
  } catch (error) {
    await file.close().catch(() => undefined);
    await unlink(temporaryPath).catch(() => undefined);
    throw error;
  }
}
