import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StateError } from '../../../src/errors.js';
import type { Logger } from '../../../src/log/log.js';
import { encodeState } from '../../../src/model/document/encode.js';
import { type DesiredState, emptyPushes, emptyState } from '../../../src/model/model.js';
import { openFileStore } from '../../../src/store/file/file-store.js';
import type { Store } from '../../../src/store/store.js';
import type { Random } from '../../fuzz/random.js';

/*
 * Data folders as a power cut, a bad disk or a careless hand leave them. A store is changed all the time; at random moments
 * its files are copied as they are, torn at random bytes, and opened. What was acknowledged before the copy is there; or, where
 * the tear went through it, the start is refused with a code, or its log says that something may be missing.
 */

export const tears = ['none', 'torn line', 'noise behind', 'cut', 'flipped bit', 'hole'] as const;
export type Tear = (typeof tears)[number];

export interface TearCounts {
  /** Folders in which all was there. */
  whole: number;
  /** Those that were refused with a code. */
  refused: number;
  /** Those that opened with less, and said so. */
  warned: number;
}

const files = ['state.json', 'state.journal'] as const;
const createdAt = '2026-01-01T00:00:00.000Z';

/** A change of a camera or a push that always changes something. */
function randomChange(state: DesiredState, random: Random): (before: DesiredState) => DesiredState {
  const names = [...state.cameras.keys()];
  const name = names.length === 0 || random.oneIn(2) ? `cam-${random.int(1000)}` : random.pick(names);
  const text = `rtmp://192.0.2.1/live/${'x'.repeat(random.int(300))}`;
  const id = `p-${random.int(3)}`;
  const isRemoval = random.oneIn(3);
  return (before) => {
    const cameras = new Map(before.cameras);
    const camera = cameras.get(name);
    if (camera === undefined) cameras.set(name, { name, createdAt, pushes: emptyPushes });
    else if (isRemoval) cameras.delete(name);
    else {
      const pushes = { ...camera.pushes, [id]: { id, url: text, enabled: true, createdAt } };
      cameras.set(name, { ...camera, pushes });
    }
    return { ...before, cameras };
  };
}

/** A store that is changed without a pause, and what it should hold after each change. */
export class BusyStore {
  /** What the state is after so many changes, as the text of a state.json. */
  readonly texts: string[] = [encodeState(emptyState)];
  acknowledged = 0;
  readonly #store: Store;
  readonly #random: Random;
  #expected: DesiredState = emptyState;
  #isEnding = false;
  readonly #work: Promise<void>;

  constructor(store: Store, random: Random) {
    this.#store = store;
    this.#random = random;
    this.#work = this.#change();
  }

  async end(): Promise<void> {
    this.#isEnding = true;
    await this.#work;
    await this.#store.close();
  }

  async #change(): Promise<void> {
    while (!this.#isEnding) {
      // Some one after the other, some together, which become one line of the journal.
      const together = Array.from({ length: this.#random.oneIn(3) ? this.#random.range(2, 8) : 1 }, () => {
        const change = randomChange(this.#expected, this.#random);
        this.#expected = change(this.#expected);
        this.texts.push(encodeState(this.#expected));
        return this.#store
          .update((before) => ({ state: change(before), result: undefined }))
          .then(() => {
            this.acknowledged += 1;
          });
      });
      await Promise.all(together);
      if (this.#random.oneIn(20)) await new Promise((resolve) => setTimeout(resolve, this.#random.int(60)));
    }
  }
}

/**
 * Copies the two files as they are at one moment: neither is replaced while they are copied. Lines may be added meanwhile.
 */
function copyMoment(from: string, to: string): void {
  const inodes = (): string => files.map((name) => statSync(join(from, name), { throwIfNoEntry: false })?.ino).join();
  for (;;) {
    const before = inodes();
    rmSync(to, { recursive: true, force: true });
    mkdirSync(to);
    const present = files.map((name) => join(from, name)).filter((path) => statSync(path, { throwIfNoEntry: false }));
    if (present.length === 0) return;
    try {
      // With times to the nanosecond, which tell an edit from damage.
      execFileSync('cp', ['-p', ...present, to], { stdio: 'ignore' });
    } catch {
      continue; // replaced in between
    }
    if (inodes() === before) return;
  }
}

/** Tears one file. False: it is too small for that. */
function tearFile(folder: string, tear: Tear, random: Random): boolean {
  const name = tear === 'torn line' || tear === 'noise behind' ? 'state.journal' : random.pick(files);
  const path = join(folder, name);
  if (statSync(path, { throwIfNoEntry: false }) === undefined) return false;
  const bytes = readFileSync(path);
  if (bytes.length < 2) return false;
  execFileSync('cp', ['-p', path, `${folder}.whole`]);
  writeFileSync(path, tornBytes(bytes, tear, random));
  // A disk that forgets, and no hand: the time is what it was.
  execFileSync('touch', ['-r', `${folder}.whole`, path]);
  rmSync(`${folder}.whole`);
  return true;
}

function tornBytes(bytes: Buffer, tear: Tear, random: Random): Buffer {
  const at = random.int(bytes.length);
  // Lines end before the padding.
  const end = bytes.toString('latin1').trimEnd().length;
  switch (tear) {
    case 'none':
      return bytes;
    case 'torn line':
      return tornLine(bytes, end + 1, random);
    case 'noise behind': {
      const noise = Buffer.from(Array.from({ length: random.range(1, 600) }, () => random.int(256)));
      return Buffer.concat([bytes.subarray(0, end), Buffer.from('\n'), noise]);
    }
    case 'cut':
      return bytes.subarray(0, at);
    case 'flipped bit': {
      const flipped = Buffer.from(bytes);
      flipped[at] = (bytes[at] ?? 0) ^ (1 << random.int(8));
      return flipped;
    }
    case 'hole':
      return Buffer.from(bytes).fill(0, at, Math.min(bytes.length, at + 512));
  }
}

const sectorBytes = 512;

/** A line that a power cut interrupted: some of its sectors are on disk, and others hold the padding from before. */
function tornLine(bytes: Buffer, at: number, random: Random): Buffer {
  const is = `{"createdAt":"${createdAt}","note":"${'x'.repeat(random.range(600, 3000))}"}`;
  const line = Buffer.from(`{"seq":99999,"at":"${createdAt}","changes":[{"camera":"torn","is":${is},"was":null}]}`);
  // Where the padding ends, the file is longer before a line is written there.
  const end = at + line.length;
  if (end + sectorBytes >= bytes.length) return bytes;
  const sectors: number[] = [];
  for (let from = at - (at % sectorBytes); from < end; from += sectorBytes) sectors.push(from);
  const lost = random.pick(sectors);
  const torn = Buffer.from(bytes);
  for (const from of sectors) {
    if (from === lost || random.oneIn(2)) continue;
    const start = Math.max(at, from);
    line.copy(torn, start, start - at, Math.min(end, from + sectorBytes) - at);
  }
  return torn;
}

/**
 * Copies the folder of a busy store, tears the copy, and opens it.
 * @throws Error when something that was acknowledged is missing and nothing says so
 */
export async function tearOnce(
  busy: BusyStore,
  { folder, copy, tear, random }: { folder: string; copy: string; tear: Tear; random: Random },
): Promise<keyof TearCounts> {
  const { acknowledged } = busy;
  copyMoment(folder, copy);
  const isTorn = tear !== 'none' && tearFile(copy, tear, random);
  const warnings: string[] = [];
  const log: Logger = {
    debug() {},
    info() {},
    warn: (message) => void warnings.push(message),
    error: (message) => void warnings.push(message),
    child: () => log,
  };
  let store: Store;
  try {
    store = await openFileStore({ dataDir: copy, log });
  } catch (error) {
    if (!(error instanceof StateError))
      throw new Error(`${tear}: no coded error, but ${String(error)}`, { cause: error });
    if (!isTorn || tear === 'torn line')
      throw new Error(`what a power cut leaves is refused: ${error.message}`, { cause: error });
    return 'refused';
  }
  const found = encodeState(store.state);
  await expectToGoOn(store, copy, log, tear);
  const at = busy.texts.lastIndexOf(found);
  if (at >= acknowledged) return 'whole';
  const said = `${tear}: ${at < 0 ? 'a state that never was' : `${acknowledged - at} acknowledged changes are missing`}`;
  if (!isTorn || warnings.length === 0 || at < 0)
    throw new Error(`${said}; warnings: ${warnings.join('; ') || 'none'}`);
  return 'warned';
}

/** What could be opened takes a change, and has it at the next start. */
async function expectToGoOn(store: Store, folder: string, log: Logger, tear: Tear): Promise<void> {
  const after = { name: 'after', createdAt, pushes: emptyPushes };
  await store.update((before) => ({
    state: { ...before, cameras: new Map(before.cameras).set('after', after) },
    result: undefined,
  }));
  await store.close();
  const again = await openFileStore({ dataDir: folder, log });
  const isThere = again.state.cameras.has('after');
  await again.close();
  if (!isThere) throw new Error(`${tear}: a change that was made afterwards is missing`);
}
