import { type FileHandle, open, rename, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder, temporarySuffix } from '../../files/disk.js';
import { isErrno } from '../../files/lock.js';
import { encodeLine, type JournalCommit, type JournalContent, type JournalHeader } from './journal-lines.js';

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
  static async create(path: string, base: string | null, seq: number): Promise<Journal> {
    const { file, inode, bytes } = await begin(path, { journal: 1, base, seq }, undefined);
    return new Journal(path, file, inode, { bytes, seq, pending: 0 });
  }

  /**
   * Goes on with a journal that was read; a torn line at its end is cut off.
   * @param pending how many of its commits state.json does not hold
   */
  static async resume(path: string, content: JournalContent, pending: number): Promise<Journal> {
    const file = await open(path, 'r+');
    try {
      if (content.tornBytes > 0) {
        await file.truncate(content.goodBytes);
        await file.sync();
      }
      const { ino } = await file.stat({ bigint: true });
      return new Journal(path, file, ino, { bytes: content.goodBytes, seq: content.seq, pending });
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

  /** Notes that a state.json with this digest holds what was committed until `seq`. */
  async noteSnapshot(digest: string, seq: number): Promise<void> {
    await this.#append(encodeLine({ seq, snapshot: digest }));
  }

  /** Drops what state.json, whose digest is `base`, holds for good: all up to `place`, which it has, and a last note. */
  async dropUntil(base: string, place: JournalPlace): Promise<void> {
    const rest = await this.#read(place.bytes, Math.max(place.bytes, this.#noteAt));
    const { file, inode, bytes } = await begin(this.#path, { journal: 1, base, seq: place.seq }, rest);
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
  const temporaryPath = `${path}${temporarySuffix}${process.pid}`;
  const first = Buffer.from(encodeLine(header));
  const content = rest === undefined ? first : Buffer.concat([first, rest]);
  const file = await open(temporaryPath, 'w+', 0o600);
  try {
    await writeAll(file, content, 0);
    await file.sync();
    const { ino } = await file.stat({ bigint: true });
    await rename(temporaryPath, path);
    await syncFolder(dirname(path));
    return { file, inode: ino, bytes: content.length };
  } catch (error) {
    await file.close().catch(() => undefined);
    await unlink(temporaryPath).catch(() => undefined);
    throw error;
  }
}

async function writeAll(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    at += (await file.write(bytes, at, bytes.length - at, position + at)).bytesWritten;
  }
}
