import { plural } from '../../plural.js';
import { elapsedMs } from '../../process/wall-clock.js';
import type { BackendProblem, WorkerFacts } from '../backend.js';
import type { WorkerLoad } from './protocol.js';
import { wayOfAll } from './way-of-all.js';
import type { WorkerProcess } from './worker-process.js';

/** The end of a worker stays a problem for this long after the worker is back. */
const shownMs = 30_000;

/** What is to be said about the workers themselves. */
export class PoolReport {
  readonly #workers: readonly WorkerProcess[];
  readonly #countOf: (worker: WorkerProcess) => number;

  /** @param countOf the number of cameras of a worker */
  constructor(workers: readonly WorkerProcess[], countOf: (worker: WorkerProcess) => number) {
    this.#workers = workers;
    this.#countOf = countOf;
  }

  problems(): readonly BackendProblem[] {
    return [...this.#workers.flatMap((worker) => this.#ends(worker)), ...this.#reported()];
  }

  workers(): readonly WorkerFacts[] {
    return this.#workers.map((worker) => ({
      number: worker.number,
      pid: worker.pid,
      up: worker.isUp,
      cameras: this.#countOf(worker),
      restarts: worker.restarts,
      cpuSeconds: worker.load?.cpuSeconds ?? null,
      residentBytes: worker.load?.residentBytes ?? null,
      loopDelayMs: worker.load?.loopDelayMs ?? null,
      socketMode: worker.socketWay?.mode ?? null,
      socketModeWhy: worker.socketWay?.why ?? null,
    }));
  }

  facts(): Readonly<Record<string, string | number | null>> {
    const way = wayOfAll(
      this.#workers.flatMap(({ number, socketWay }) => (socketWay === null ? [] : [{ number, ...socketWay }])),
    );
    return {
      socketMode: way?.mode ?? null,
      socketModeWhy: way?.why ?? null,
      ...this.#ring(),
      workers: this.#workers.length,
      workersUp: this.#workers.filter(({ isUp }) => isUp).length,
      workerRestarts: this.#sum(({ restarts }) => restarts),
      mediaKeptBytes: this.#sumOfLoads(({ keptBytes }) => keptBytes),
      unfinishedBytes: this.#sumOfLoads(({ unfinishedBytes }) => unfinishedBytes),
      openFilesRefused: this.#sumOfLoads(({ openFilesRefused }) => openFilesRefused),
      floodsEnded: this.#sumOfLoads(({ floodsEnded }) => floodsEnded),
    };
  }

  /** What all workers did by io_uring. */
  #ring(): Readonly<Record<string, number>> {
    const sums: Record<string, number> = {};
    for (const { load } of this.#workers)
      for (const [name, count] of Object.entries(load?.ring ?? {})) sums[name] = (sums[name] ?? 0) + count;
    return sums;
  }

  /** A worker that does not answer, or that ended not long ago. */
  #ends(worker: WorkerProcess): readonly BackendProblem[] {
    const { end, number } = worker;
    const problem = (message: string, sinceMs: number): BackendProblem => ({
      code: 'WORKER_DOWN',
      message,
      since: new Date(sinceMs).toISOString(),
    });
    if (worker.isUp && !worker.isResponsive(performance.now())) {
      const cameras = this.#countOf(worker);
      return [
        problem(
          `Media worker ${number} does not answer; its ${plural(cameras, 'camera')} ${cameras === 1 ? 'stands' : 'stand'} still.`,
          Date.now(),
        ),
      ];
    }
    if (end === null || (worker.isUp && elapsedMs(end.atMs) > shownMs)) return [];
    const times = end.times === 1 ? '' : `, ${end.times} times in a row`;
    const message = `Media worker ${number} ${end.how}${times}; its cameras had to publish again. See the log for details.`;
    return [problem(message, end.atMs)];
  }

  /** Problems that workers report. All workers read the same files, so a problem of a file is reported once. */
  #reported(): readonly BackendProblem[] {
    const byMessage = new Map<string, BackendProblem>();
    for (const { load, number } of this.#workers) {
      for (const problem of load?.problems ?? []) {
        const isOfFile = problem.code === 'TLS_CERTIFICATE';
        const message = isOfFile ? problem.message : `Media worker ${number}: ${problem.message}`;
        if (!byMessage.has(message)) byMessage.set(message, { ...problem, message });
      }
    }
    return [...byMessage.values()];
  }

  #sum(read: (worker: WorkerProcess) => number): number {
    return this.#workers.reduce((sum, worker) => sum + read(worker), 0);
  }

  #sumOfLoads(read: (load: WorkerLoad) => number): number {
    return this.#sum(({ load }) => (load === null ? 0 : read(load)));
  }
}
