import type { WorkerProcess } from './worker-process.js';

/**
 * What each worker may keep of a budget that all of them share: what it keeps now, and an equal part of what is free. If
 * together they keep more than the budget, each gives back in proportion.
 * @param kept bytes that each keeps now
 */
export function shareBudget(totalBytes: number, kept: readonly number[]): number[] {
  const sum = kept.reduce((all, bytes) => all + bytes, 0);
  if (sum > totalBytes) return kept.map((bytes) => Math.floor((bytes / sum) * totalBytes));
  const part = Math.floor((totalBytes - sum) / kept.length);
  return kept.map((bytes) => bytes + part);
}

/** Tells each worker how much media it may keep. */
export class SharedBudget {
  readonly #totalBytes: number;
  readonly #workers: readonly WorkerProcess[];
  /** What each worker was told last, bytes. */
  readonly #told: number[];

  constructor(totalBytes: number, workers: readonly WorkerProcess[]) {
    this.#totalBytes = totalBytes;
    this.#workers = workers;
    this.#told = new Array<number>(workers.length).fill(totalBytes);
  }

  /** A worker was started, and has been told nothing. */
  onUp(worker: WorkerProcess): void {
    this.#told[worker.number - 1] = 0;
    this.share();
  }

  /** Shares the budget anew. A worker whose share changes by less than 1 % of the whole is not told. */
  share(): void {
    const kept = this.#workers.map((worker) => worker.load?.keptBytes ?? 0);
    for (const [index, bytes] of shareBudget(this.#totalBytes, kept).entries()) {
      const worker = this.#workers[index]!;
      if (!worker.isUp || Math.abs(bytes - this.#told[index]!) < this.#totalBytes / 100) continue;
      this.#told[index] = bytes;
      worker.send({ type: 'budget', bytes });
    }
  }
}
