import { constants } from 'node:fs';
import { type FileHandle, rename, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { inStretches } from '../../fairness/stretch.js';
import { isErrno } from '../../files/errno.js';
import { openRegular } from '../../files/read.js';
import { openBeside, syncFolder, writeAll } from '../../files/write.js';
import { maxStateFileBytes } from './disk.js';
import {
  encodeCommitSteps,
  encodeLine,
  headerOf,
  type JournalCommit,
  type JournalContent,
  type JournalHeader,
  journalVersion,
  snapshotOf,
  type TracedFile,
} from './journal-lines.js';
import { makeRoom, writeBlanks, writePadded } from './journal-padding.js';

/** A place in the journal: behind the commit with this number. */
export interface JournalPlace {
  readonly seq: number;
  readonly bytes: number;
  /** Which of the successive journal files it belongs to. */
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
  /** With the padding behind them. */
  #size: number;
  #seq: number;
  /** How much of the journal is not in state.json. */
  #pending: number;
  /** Where the last line begins when it is a note of a snapshot; else where the next line will begin. */
  #noteAt: number;
  /** A failed write may be in the file nevertheless, and could not be cut off. */
  #isBroken = false;

  private constructor(
    path: string,
    file: FileHandle,
    inode: bigint,
    start: Omit<JournalPlace, 'generation'> & { size: number; pending: number },
  ) {
    this.#path = path;
    this.#file = file;
    this.#inode = inode;
    this.#bytes = start.bytes;
    this.#size = start.size;
    this.#noteAt = start.bytes;
    this.#seq = start.seq;
    this.#pending = start.pending;
  }

  /** Begins a new journal in place of an existing one. @throws what the system throws */
  static async create(path: string, base: TracedFile | null, seq: number): Promise<Journal> {
    const { file, inode, bytes, size } = await begin(path, headerOf(base, seq), undefined);
    return new Journal(path, file, inode, { bytes, size, seq, pending: 0 });
  }

  /**
   * Goes on with a journal that was read; a torn line at its end is taken away, a whole one gets its end. One of an older
   * version becomes one of this.
   * @param pending how many of its commits state.json does not hold
   */
  static async resume(path: string, content: JournalContent, pending: number): Promise<Journal> {
    const isOld = content.header.journal !== journalVersion;
    const opened = await openRegular(path, (isOld ? constants.O_RDONLY : constants.O_RDWR) | constants.O_NONBLOCK);
    if (opened === undefined) throw new Error(`${path} is gone`);
    const { file, stats } = opened;
    const { goodBytes, lacksEnd, seq } = content;
    try {
      if (isOld) {
        const lines = await readBytes(file, path, 0, goodBytes);
        const rest = lines.subarray(lines.indexOf('\n') + 1 || goodBytes);
        const end = Buffer.from(lacksEnd && rest.length > 0 ? '\n' : '');
        const header = { ...content.header, journal: journalVersion } as const;
        const anew = await begin(path, header, Buffer.concat([rest, end]));
        await file.close().catch(() => undefined);
        return new Journal(path, anew.file, anew.inode, { ...anew, seq, pending });
      }
      if (lacksEnd || content.dirtyEnd > goodBytes) {
        await writeBlanks(file, goodBytes, Math.max(goodBytes + 1, content.dirtyEnd));
        await file.sync();
      }
      const bytes = lacksEnd ? goodBytes + 1 : goodBytes;
      return new Journal(path, file, stats.ino, { bytes, size: Number(stats.size), seq, pending });
    } catch (error) {
      await file.close().catch(() => undefined);
      throw error;
    }
  }

  get place(): JournalPlace {
    return { seq: this.#seq, bytes: this.#bytes, generation: this.#generation };
  }

  /** False for a place in an earlier journal file. */
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
      return ino === this.#inode && size === BigInt(this.#size);
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return false;
      throw error;
    }
  }

  /** Writes a commit to disk. @throws what the system throws; the journal is then as before, or not sound */
  async commit(changes: JournalCommit['changes']): Promise<void> {
    const seq = this.#seq + 1;
    await this.#append(await inStretches(encodeCommitSteps({ seq, at: new Date().toISOString(), changes })));
    this.#noteAt = this.#bytes;
    this.#seq = seq;
    this.#pending += 1;
  }

  /** Notes that this state.json holds what was committed until `seq`. */
  async noteSnapshot(file: TracedFile, seq: number): Promise<void> {
    await this.#append(Buffer.from(encodeLine(snapshotOf(file, seq))));
  }

  /** Drops what state.json, which is `base`, holds for good: all up to `place`, which it has, and a last note. */
  async dropUntil(base: TracedFile, place: JournalPlace): Promise<void> {
    const rest = await readBytes(this.#file, this.#path, place.bytes, Math.max(place.bytes, this.#noteAt));
    const { file, inode, bytes, size } = await begin(this.#path, headerOf(base, place.seq), rest);
    await this.#file.close().catch(() => undefined);
    this.#file = file;
    this.#inode = inode;
    this.#generation = nextGeneration();
    this.#bytes = bytes;
    this.#size = size;
    this.#noteAt = bytes;
    this.#pending = this.#seq - place.seq;
    this.#isBroken = false;
  }

  async close(): Promise<void> {
    await this.#file.close().catch(() => undefined);
  }

  async #append(bytes: Buffer): Promise<void> {
    const end = this.#bytes + bytes.length;
    // More is not read again.
    if (end >= maxStateFileBytes) throw new Error(`it would have ${end} bytes, and ${maxStateFileBytes} are allowed`);
    this.#size = await makeRoom(this.#file, this.#size, end);
    try {
      await writeAll(this.#file, bytes, this.#bytes);
      await this.#file.datasync();
    } catch (error) {
      await this.#takeBack(end);
      throw error;
    }
    this.#bytes = end;
  }

  /** A change that was reported as failed must not appear after a restart. */
  async #takeBack(end: number): Promise<void> {
    try {
      await writeBlanks(this.#file, this.#bytes, end);
      await this.#file.sync();
    } catch {
      this.#isBroken = true;
    }
  }
}

async function readBytes(file: FileHandle, path: string, from: number, to: number): Promise<Buffer> {
  const bytes = Buffer.alloc(to - from);
  for (let at = 0; at < bytes.length; ) {
    const { bytesRead } = await file.read(bytes, at, bytes.length - at, from + at);
    if (bytesRead === 0) throw new Error(`${path} is shorter than what was written to it`);
    at += bytesRead;
  }
  return bytes;
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
): Promise<{ file: FileHandle; inode: bigint; bytes: number; size: number }> {
  const first = Buffer.from(encodeLine(header));
  const content = rest === undefined ? first : Buffer.concat([first, rest]);
  const { file, temporaryPath, path: target } = await openBeside(path);
  try {
    const size = await writePadded(file, content);
    const { ino } = await file.stat({ bigint: true });
    await rename(temporaryPath, target);
    await syncFolder(dirname(target));
    return { file, inode: ino, bytes: content.length, size };
  } catch (error) {
    await file.close().catch(() => undefined);
    await unlink(temporaryPath).catch(() => undefined);
    throw error;
  }
}
