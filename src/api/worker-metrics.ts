import { Gauge, type Registry } from 'prom-client';
import type { WorkerFacts } from '../backend/backend.js';

/** What each media worker takes; without workers there are no series. The process that answers has metrics of its own. */
export class WorkerMetrics {
  readonly #gauges: readonly {
    readonly gauge: Gauge<'worker'>;
    readonly read: (worker: WorkerFacts) => number | null;
  }[];

  constructor(register: Registry) {
    const gauge = (name: string, help: string, read: (worker: WorkerFacts) => number | null) => ({
      gauge: new Gauge({
        name: `media_aggregator_worker_${name}`,
        help,
        labelNames: ['worker'] as const,
        registers: [register],
      }),
      read,
    });
    this.#gauges = [
      gauge('up', '1 while the media worker runs, else 0.', ({ up }) => (up ? 1 : 0)),
      gauge('cameras', 'Cameras that have their home in the media worker.', ({ cameras }) => cameras),
      gauge('restarts', 'How often the media worker was started again.', ({ restarts }) => restarts),
      gauge('cpu_seconds', 'CPU time of the media worker since its last start.', ({ cpuSeconds }) => cpuSeconds),
      gauge('resident_memory_bytes', 'Resident memory of the media worker.', ({ residentBytes }) => residentBytes),
      gauge('event_loop_delay_seconds', 'How late its event loop was in about the last second, at worst.', (worker) =>
        worker.loopDelayMs === null ? null : worker.loopDelayMs / 1000,
      ),
    ];
  }

  collect(workers: readonly WorkerFacts[]): void {
    for (const { gauge, read } of this.#gauges) {
      gauge.reset();
      for (const worker of workers) {
        const value = read(worker);
        if (value !== null) gauge.set({ worker: String(worker.number) }, value);
      }
    }
  }
}
