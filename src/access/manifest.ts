import { createHash } from 'node:crypto';
import { basename, dirname, join, resolve } from 'node:path';
import { messageOf } from '../errors.js';
import { readRegular } from '../files/read.js';
import { answered, SilentDisk } from '../files/silent-disk.js';
import { writeWhole } from '../files/write.js';
import type { Logger } from '../log/log.js';

/** What a file of secrets was left as. */
export interface FileNote {
  /** SHA-256 of the bytes, hexadecimal. */
  readonly sha256: string;
  readonly bytes: number;
  /** When it was written: nanoseconds since 1970, decimal. */
  readonly modified: string;
}

/** The name of the file in the data folder. */
export const manifestFileName = 'manifest.json';

const version = 1;
const maxBytes = 64 * 1024;

/**
 * Which files of secrets there are in the data folder, and what they were left as. A file alone cannot say that it was
 * there, and a key with one bit flipped is a key; both show here. Whoever edits a file changes its time, which is taken for
 * what it is. This is evidence and nothing else: where it is missing, all files count as they are.
 */
export class Manifest {
  readonly #path: string;
  readonly #log: Logger;
  readonly #notes: Map<string, FileNote>;
  #writing: Promise<void> = Promise.resolve();
  #isFailing = false;
  /** A write that the disk has not answered; what is noted meanwhile is written behind it. */
  #isSilent = false;

  readonly #limitMs: number | undefined;

  private constructor(path: string, log: Logger, notes: Map<string, FileNote>, limitMs: number | undefined) {
    this.#path = path;
    this.#limitMs = limitMs;
    this.#log = log;
    this.#notes = notes;
  }

  /**
   * Reads it; one that cannot be used is warned of, and is written anew.
   * @param limitMs how long a write may take; undefined: 10 s
   */
  static async open(folder: string, log: Logger, limitMs?: number): Promise<Manifest> {
    const path = join(resolve(folder), manifestFileName);
    try {
      const file = await answered(readRegular(path, maxBytes), path, limitMs);
      return new Manifest(path, log, file === undefined ? new Map() : decode(file.bytes.toString()), limitMs);
    } catch (error) {
      const message =
        'the manifest of the files of secrets cannot be used: whether one of them is missing or damaged is not seen at this start';
      log.warn(message, { file: path, reason: messageOf(error) });
      return new Manifest(path, log, new Map(), limitMs);
    }
  }

  /**
   * What the notes say of a file. `missing`: there was one. `damaged`: nobody edited it, and yet its content is another.
   * @param path absolute; of files elsewhere nothing is noted, they are as they should be
   */
  judge(path: string, found: FileNote | undefined): 'as it should be' | 'missing' | 'damaged' {
    const noted = this.#isOurs(path) ? this.#notes.get(basename(path)) : undefined;
    if (noted === undefined) return 'as it should be';
    if (found === undefined) return 'missing';
    const isUntouched = found.bytes === noted.bytes && found.modified === noted.modified;
    return isUntouched && found.sha256 !== noted.sha256 ? 'damaged' : 'as it should be';
  }

  /** Notes what a file is now. Never rejects: a disk that takes nothing keeps nobody from using the file. */
  note(path: string, { sha256, bytes, modified }: FileNote): Promise<void> {
    const name = basename(path);
    const noted = this.#notes.get(name);
    if (!this.#isOurs(path)) return Promise.resolve();
    if (noted?.sha256 === sha256 && noted.bytes === bytes && noted.modified === modified) return this.#writing;
    this.#notes.set(name, { sha256, bytes, modified });
    if (!this.#isSilent) this.#writing = this.#writing.then(() => this.#write());
    return this.#writing;
  }

  #isOurs(path: string): boolean {
    return dirname(resolve(path)) === dirname(this.#path);
  }

  async #write(): Promise<void> {
    if (this.#isSilent) return;
    try {
      await answered(writeWhole(this.#path, encode(this.#notes)), this.#path, this.#limitMs);
      this.#isFailing = false;
    } catch (error) {
      if (error instanceof SilentDisk) {
        this.#isSilent = true;
        void error.settled.then(() => {
          this.#isSilent = false;
          this.#writing = this.#write();
        });
      }
      if (!this.#isFailing) {
        const message = 'the list of secret files cannot be written; if one is lost later, this may not be noticed';
        this.#log.warn(message, { file: this.#path, reason: messageOf(error) });
      }
      this.#isFailing = true;
    }
  }
}

/** What is said of a file that the manifest calls damaged. */
export function damagedFile(path: string): string {
  return `${path} is damaged: its content is not what was written to it, while its size and the time of the last change are; put back the right one, or say that it is right ("touch" does)`;
}

function encode(notes: ReadonlyMap<string, FileNote>): string {
  const files = Object.fromEntries([...notes].sort(([left], [right]) => (left < right ? -1 : 1)));
  return `${JSON.stringify({ version, files, sum: sumOf(files) }, null, 2)}\n`;
}

/** @throws Error which says what is wrong */
function decode(text: string): Map<string, FileNote> {
  const content: unknown = JSON.parse(text);
  if (!isRecord(content) || !isRecord(content.files)) throw new Error('it must hold "version", "files" and "sum"');
  if (content.version !== version) throw new Error(`it is of version ${String(content.version)}`);
  if (content.sum !== sumOf(content.files)) throw new Error('its sum does not fit: it was changed or damaged');
  const notes = new Map<string, FileNote>();
  for (const [name, note] of Object.entries(content.files)) {
    if (!isRecord(note)) throw new Error('it has an entry that is none');
    const { sha256, bytes, modified } = note;
    if (typeof sha256 !== 'string' || typeof bytes !== 'number' || typeof modified !== 'string')
      throw new Error('it has an entry that is none');
    notes.set(name, { sha256, bytes, modified });
  }
  return notes;
}

function sumOf(files: object): string {
  return createHash('sha256').update(JSON.stringify(files)).digest('hex').slice(0, 16);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
