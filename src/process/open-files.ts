import { closeSync, openSync, readFileSync, statSync } from 'node:fs';
import { CodedError } from '../errors.js';

/**
 * What a descriptor is wanted for, from who is refused first to who is refused last. Strangers with media come first, so
 * that the pushes of cameras that are live find one; then callers of the API from elsewhere, then those of this machine.
 * The rest is for files: state, journal, log, certificates.
 */
export type OpenFileUse = 'media' | 'push' | 'api' | 'local';

/** Why there is no descriptor, in words and since when. */
export interface OpenFilesProblem {
  readonly code: 'OPEN_FILES_LIMIT';
  readonly message: string;
  /** ISO 8601, UTC. */
  readonly since: string;
}

export interface OpenFilesFigures {
  readonly open: number;
  /** Infinity: none, or the system does not tell. */
  readonly limit: number;
  /** How often somebody was refused, by what for, since the start. */
  readonly refused: Readonly<Record<OpenFileUse, number>>;
}

/** Shares of the limit that are kept free of each use. */
const keptShares: Readonly<Record<OpenFileUse, number>> = { media: 8, push: 6, api: 4, local: 3 };
/** A share is this part of the limit, so that media leaves a quarter of a small one free; */
const shareOfLimit = 32;
/** but of a large one no more than so many: 128 descriptors in all. */
const largestShare = 16;

/** The problem is told for so long after the last refusal: who is refused tries again and again. */
const toldMs = 10_000;
/** An operator may raise the limit of a running process (`prlimit`). */
const limitEveryMs = 1000;

/** How this process finds out; another one in tests. */
export interface OpenFilesSource {
  readonly limit: () => number;
  readonly open: () => number;
}

/**
 * Descriptors of this process, which are a limit of the system (`ulimit -n`): what each kind of use leaves to those
 * behind it, who was refused, and since when. Whoever is about to take one asks; who was refused is told by the asker.
 */
export class OpenFiles {
  readonly #source: OpenFilesSource;
  #limit: number;
  #limitReadMs = performance.now();
  #sinceMs = 0;
  #refusedMs = Number.NEGATIVE_INFINITY;
  readonly #refused = { media: 0, push: 0, api: 0, local: 0 };

  constructor(source: OpenFilesSource = ofThisProcess) {
    this.#source = source;
    this.#limit = source.limit();
  }

  get figures(): OpenFilesFigures {
    return { open: this.#source.open(), limit: this.#limit, refused: { ...this.#refused } };
  }

  /** Descriptors that this use leaves free. */
  kept(use: OpenFileUse): number {
    return keptFree(use, this.#limit);
  }

  /**
   * True when there is one more for this use. False is counted, and makes the problem.
   * @param taken descriptors for it that are open already: 1 for a connection that was accepted
   */
  hasRoomFor(use: OpenFileUse, taken = 0): boolean {
    if (this.#limit === Number.POSITIVE_INFINITY) return true;
    const isFree = this.#isFree(use, taken);
    if (isFree || (this.#limitChanged() && this.#isFree(use, taken))) return true;
    this.#refused[use]++;
    const nowMs = performance.now();
    if (nowMs - this.#refusedMs > toldMs) this.#sinceMs = Date.now();
    this.#refusedMs = nowMs;
    return false;
  }

  /** For who stays long on a connection that is open already. @throws CodedError OPEN_FILES_LIMIT */
  requireRoomToStay(): void {
    if (this.hasRoomFor('media')) return;
    const { open, limit } = this.figures;
    const text = `${open} of ${limit} descriptors are open (ulimit -n); nobody new may stay until there are fewer`;
    throw new CodedError('OPEN_FILES_LIMIT', text);
  }

  /** Told from the first refusal on, until nobody was refused for ten seconds and there is room again. */
  get problem(): OpenFilesProblem | null {
    if (performance.now() - this.#refusedMs > toldMs) {
      if (this.#sinceMs === 0 || this.#isFree('media', 0)) {
        this.#sinceMs = 0;
        return null;
      }
      this.#refusedMs = performance.now() - toldMs; // it stays the same problem
    }
    const { media, push, api, local } = this.#refused;
    const message =
      `${this.#source.open()} of ${this.#limit} descriptors are open (ulimit -n); the last ${this.kept('media')} are kept for ` +
      `the API and for files. Refused since the start: ${media} connections of cameras and viewers, ${push} of pushes, ` +
      `${api + local} of the API. Raise the limit (LimitNOFILE= of systemd, "ulimit -n"), or lower max-connections`;
    return { code: 'OPEN_FILES_LIMIT', message, since: new Date(this.#sinceMs).toISOString() };
  }

  #isFree(use: OpenFileUse, taken: number): boolean {
    return this.#limit - this.#source.open() + taken > this.kept(use);
  }

  #limitChanged(): boolean {
    const nowMs = performance.now();
    if (nowMs - this.#limitReadMs < limitEveryMs) return false;
    this.#limitReadMs = nowMs;
    const before = this.#limit;
    this.#limit = this.#source.limit();
    return this.#limit !== before;
  }
}

/** Descriptors that a use leaves free under a limit. */
export function keptFree(use: OpenFileUse, limit: number): number {
  return keptShares[use] * Math.min(largestShare, Math.max(1, Math.floor(limit / shareOfLimit)));
}

const ofThisProcess: OpenFilesSource = {
  limit: () => {
    try {
      const text = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1];
      return text === undefined ? Number.POSITIVE_INFINITY : Number(text);
    } catch {
      return reportedLimit();
    }
  },
  open: () => {
    // Since Linux 6.2 the size of this folder is the number of its entries; it takes microseconds, and no descriptor.
    const size = statSync('/proc/self/fd', { throwIfNoEntry: false })?.size ?? 0;
    if (size > 0) return size;
    try {
      // The system gives the lowest number that is free: all below it are taken.
      const lowest = openSync('/dev/null', 'r');
      closeSync(lowest);
      return lowest;
    } catch {
      return Number.MAX_SAFE_INTEGER;
    }
  },
};

/** Where there is no /proc. */
function reportedLimit(): number {
  if (process.platform === 'win32') return Number.POSITIVE_INFINITY;
  const report = process.report?.getReport() as { userLimits?: { open_files?: { soft?: unknown } } } | undefined;
  const soft = report?.userLimits?.open_files?.soft;
  return typeof soft === 'number' ? soft : Number.POSITIVE_INFINITY;
}

/** Those of this process. */
export const openFiles = new OpenFiles();
