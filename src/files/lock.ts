import { randomBytes } from 'node:crypto';
import { link, mkdir, open, rename, rmdir, stat, unlink, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { StateError } from '../errors.js';
import { hasNoHardLinks, isDiskTrouble, isErrno } from './errno.js';
import { isRunning, namespaceOf, processIdentity } from './process-identity.js';
import { readRegular, TooLargeFile } from './read.js';

/** Who holds the data folder, as it stands in `state.lock`. */
interface Holder {
  readonly pid: number;
  /** What makes a pid unique: boot, pid namespace and start time of the process; empty where there is no /proc. */
  readonly process: string;
  readonly host: string;
  readonly token: string;
}

/** How often the holder shows that it lives, and how long a holder that cannot be looked up may be silent. */
const beatMs = 1000;
const silenceMs = 3 * beatMs;

/**
 * One process per data folder. A lock of a killed process is taken over: at once when it ran here (its pid is gone, or
 * belongs to a process that started later), after 3 s without a sign of life when it ran in another container or on
 * another machine.
 */
export class FolderLock {
  readonly #folder: string;
  readonly #path: string;
  readonly #self: Holder;
  #beating: Promise<boolean> | undefined;
  #isReleased = false;

  private constructor(folder: string, path: string, self: Holder) {
    this.#folder = folder;
    this.#path = path;
    this.#self = self;
  }

  /**
   * @throws StateError STATE_LOCKED, which names the pid of the holder; what the system throws, a full disk only when
   *   nobody holds the folder
   */
  static async acquire(folder: string): Promise<FolderLock> {
    const path = join(folder, 'state.lock');
    const self: Holder = {
      pid: process.pid,
      process: processIdentity('self'),
      host: hostname(),
      token: randomBytes(9).toString('base64url'),
    };
    const placed = await place(path, self).catch((error: unknown) => {
      if (isDiskTrouble(error)) return error;
      throw error;
    });
    if (placed === true) return new FolderLock(folder, path, self);
    const holder = await readWritten(path);
    if (holder !== undefined && (await isAlive(path, holder, self))) throw lockedBy(folder, holder);
    if (placed !== false) throw placed;
    await takeOver(folder, path, holder, self);
    return new FolderLock(folder, path, self);
  }

  static readonly beatMs = beatMs;

  /**
   * Shows that the holder lives. False when another process holds the lock by now, because this process was frozen for
   * long. A lock that was deleted, damaged or released by another process is placed again.
   */
  beat(): Promise<boolean> {
    this.#beating ??= this.#beat().finally(() => {
      this.#beating = undefined;
    });
    return this.#beating;
  }

  async #beat(): Promise<boolean> {
    try {
      if (this.#isReleased) return true;
      const holder = await readHolder(this.#path);
      if (holder === undefined) {
        if (!(await place(this.#path, this.#self))) await takeOver(this.#folder, this.#path, undefined, this.#self);
      } else if (holder.token !== this.#self.token) {
        return false;
      }
      const now = new Date();
      await utimes(this.#path, now, now);
      return true;
    } catch (error) {
      if (error instanceof StateError) return false;
      // If the folder cannot be read, the next commit reports it.
      return true;
    }
  }

  async release(): Promise<void> {
    this.#isReleased = true;
    // Otherwise the beat would place the lock again.
    await this.#beating;
    const holder = await readHolder(this.#path).catch(() => undefined);
    if (holder?.token === this.#self.token) await unlink(this.#path).catch(() => undefined);
  }
}

/** Places the lock unless there is one already; false when there is. */
async function place(path: string, self: Holder): Promise<boolean> {
  const own = `${path}-${self.token}`;
  const text = `${JSON.stringify(self)}\n`;
  // Nothing in it is secret, and the next start by another user must be able to say who holds the folder.
  const file = await open(own, 'wx', 0o644);
  try {
    await file.writeFile(text);
    await file.close();
    return await giveName(own, path, text);
  } finally {
    await file.close().catch(() => undefined);
    await unlink(own).catch(() => undefined);
  }
}

/**
 * Gives a lock its name, unless there is one. A hard link never shows half of it. File systems without hard links
 * (exFAT, some network mounts) let only one process create the file; readers there wait until it is complete.
 */
async function giveName(own: string, path: string, text: string): Promise<boolean> {
  try {
    await link(own, path);
    return true;
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false;
    if (!hasNoHardLinks(error)) throw error;
  }
  try {
    const file = await open(path, 'wx', 0o644);
    try {
      await file.writeFile(text);
      await file.sync();
    } catch (error) {
      await unlink(path).catch(() => undefined);
      throw error;
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false;
    throw error;
  }
}

/**
 * Two processes may find the same dead lock. One at a time looks whether it is still there, and puts its own in its place, so
 * that the lock of the one that was first is never moved by the other.
 */
async function takeOver(folder: string, path: string, dead: Holder | undefined, self: Holder): Promise<void> {
  const turn = `${path}-turn`;
  await takeTurn(turn);
  try {
    const found = await readHolder(path);
    if (found?.token !== dead?.token) throw lockedBy(folder, found);
    if (await stat(path).catch(() => undefined)) await replace(path, self);
    else if (!(await place(path, self))) throw lockedBy(folder, await readHolder(path));
  } finally {
    await rmdir(turn).catch(() => undefined);
  }
  // On a file system of a network others may be seen late.
  await sleep(20);
  const holder = await readHolder(path);
  if (holder?.token !== self.token) throw lockedBy(folder, holder);
}

/**
 * A folder can be made by one only, on every file system. One that stays for 3 s was left by a process that was killed.
 * @throws what the system throws
 */
async function takeTurn(turn: string): Promise<void> {
  let seenMs: number | undefined;
  for (let waitedMs = 0; ; waitedMs += 20) {
    try {
      await mkdir(turn);
      return;
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw error;
    }
    const madeMs = (await stat(turn).catch(() => undefined))?.mtimeMs;
    if (madeMs !== seenMs) waitedMs = 0;
    seenMs = madeMs;
    if (waitedMs >= silenceMs) {
      waitedMs = 0;
      await rmdir(turn).catch((error: unknown) => {
        if (!isErrno(error, 'ENOENT')) throw error;
      });
    }
    await sleep(20);
  }
}

/** Puts the own lock in the place of another, which is gone at once. */
async function replace(path: string, self: Holder): Promise<void> {
  const own = `${path}-${self.token}`;
  const file = await open(own, 'wx', 0o644);
  try {
    await file.writeFile(`${JSON.stringify(self)}\n`);
    await file.close();
    await rename(own, path);
  } finally {
    await file.close().catch(() => undefined);
    await unlink(own).catch(() => undefined);
  }
}

async function isAlive(path: string, holder: Holder, self: Holder): Promise<boolean> {
  const [namespace, ownNamespace] = [namespaceOf(holder.process), namespaceOf(self.process)];
  const sameHost = holder.host === self.host || namespace !== '';
  if (sameHost && namespace === ownNamespace) {
    return isRunning(holder.pid) && processIdentity(holder.pid) === holder.process;
  }
  // Its pid means nothing here: look for signs of life.
  const before = await stat(path).catch(() => undefined);
  if (before === undefined) return false;
  for (let waitedMs = 0; waitedMs < silenceMs; waitedMs += 200) {
    await sleep(200);
    const now = await stat(path).catch(() => undefined);
    if (now?.mtimeMs !== before.mtimeMs) return now !== undefined;
  }
  return false;
}

const maxLockBytes = 4096;

/** @throws NotAFile; what the system throws */
async function readHolder(path: string): Promise<Holder | undefined> {
  try {
    const file = await readRegular(path, maxLockBytes);
    if (file === undefined) return undefined;
    const value: unknown = JSON.parse(file.bytes.toString());
    return isHolder(value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TooLargeFile) return undefined;
    throw error;
  }
}

/** The holder. Waits while a lock is being written. */
async function readWritten(path: string): Promise<Holder | undefined> {
  for (let waitedMs = 0; ; waitedMs += 100) {
    const holder = await readHolder(path);
    if (holder !== undefined || waitedMs >= silenceMs) return holder;
    const ageMs = Date.now() - ((await stat(path).catch(() => undefined))?.mtimeMs ?? 0);
    if (Math.abs(ageMs) > silenceMs) return undefined;
    await sleep(100);
  }
}

function isHolder(value: unknown): value is Holder {
  if (typeof value !== 'object' || value === null) return false;
  if (!('pid' in value && 'process' in value && 'host' in value && 'token' in value)) return false;
  const { pid, process: identity, host, token } = value;
  if (!Number.isSafeInteger(pid) || typeof pid !== 'number' || pid < 1) return false;
  return typeof identity === 'string' && typeof host === 'string' && typeof token === 'string';
}

function lockedBy(folder: string, holder: Holder | undefined): StateError {
  const who = holder === undefined ? 'another process' : `the process with pid ${holder.pid} on ${holder.host}`;
  const message = `${who} uses the data folder ${folder}; stop it, or give this one another --data-dir`;
  return new StateError('STATE_LOCKED', message);
}
