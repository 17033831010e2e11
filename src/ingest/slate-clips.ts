import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CodedError } from '../errors.js';
import { openTagSource, type TagSource } from './tag-source.js';
import { openTestPattern } from './test-pattern.js';

/** The word for the clip that comes with the program. */
const builtIn = 'built-in';

/** A clip up to this size is kept in memory while it is shown; a larger one is read anew at every pass. */
const keepBytes = 8 << 20;

/** The clips of slates. One that several cameras show at once is read once. */
export class SlateClips {
  readonly #folder: string;
  readonly #reading = new Map<string, Promise<TagSource>>();
  /** Those that are shown somewhere. */
  readonly #shown = new Map<string, WeakRef<TagSource>>();

  /** @param folder where the operator puts them */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** @param file `built-in`, or the name of a file in the folder @throws (rejects) CodedError FLV_INVALID */
  async open(file: string): Promise<TagSource> {
    if (file === builtIn) return openTestPattern();
    const path = join(this.#folder, file);
    const found = await stat(path).catch(() => null);
    // Reading a FIFO would wait for whoever writes into it.
    if (found?.isFile() !== true) throw new CodedError('FLV_INVALID', `there is no file ${path}`);
    const key = `${path} ${found.mtimeMs} ${found.size}`;
    return this.#shown.get(key)?.deref() ?? this.#reading.get(key) ?? this.#read(key, path);
  }

  #read(key: string, path: string): Promise<TagSource> {
    const reading = openTagSource(path, keepBytes).then((clip) => {
      for (const [known, other] of this.#shown) if (other.deref() === undefined) this.#shown.delete(known);
      this.#shown.set(key, new WeakRef(clip));
      return clip;
    });
    this.#reading.set(key, reading);
    const over = (): void => void this.#reading.delete(key);
    reading.then(over, over);
    return reading;
  }
}
