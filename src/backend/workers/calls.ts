import { CodedError, type ErrorCode, errorCodes } from '../../errors.js';
import { setHeardTimeout } from '../../process/standstill.js';
import type { Call, Report } from './protocol.js';
import type { WorkerProcess } from './worker-process.js';

/** The longest that a worker may take: the test of a target goes through several steps, each with a deadline of its own. */
const limitMs = 120_000;

interface Asked {
  readonly worker: WorkerProcess;
  readonly timer: NodeJS.Timeout;
  resolve(value: unknown): void;
  reject(error: CodedError): void;
}

/** Questions to workers, and their answers. */
export class Calls {
  readonly #asked = new Map<number, Asked>();
  #nextId = 1;

  /** @throws CodedError as the worker throws it; WORKER_DOWN when there is no answer */
  ask(worker: WorkerProcess, call: Call): Promise<unknown> {
    if (!worker.isUp) return Promise.reject(downError(worker));
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      const timer = setHeardTimeout(() => this.#settle(id)?.reject(downError(worker)), limitMs);
      this.#asked.set(id, { worker, timer, resolve, reject });
      worker.send({ type: 'call', id, call });
    });
  }

  onReport(report: Extract<Report, { readonly type: 'answer' | 'failure' }>): void {
    const asked = this.#settle(report.id);
    if (report.type === 'answer') asked?.resolve(report.value);
    else asked?.reject(new CodedError(isCode(report.code) ? report.code : 'INTERNAL', report.message));
  }

  /** A worker ended: it answers no more. */
  fail(worker: WorkerProcess): void {
    for (const [id, asked] of this.#asked) if (asked.worker === worker) this.#settle(id)?.reject(downError(worker));
  }

  failAll(): void {
    for (const [id, { worker }] of this.#asked) this.#settle(id)?.reject(downError(worker));
  }

  #settle(id: number): Asked | undefined {
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    clearTimeout(asked?.timer);
    return asked;
  }
}

function downError(worker: WorkerProcess): CodedError {
  return new CodedError('WORKER_DOWN', `media worker ${worker.number} does not answer; try again in a moment`);
}

function isCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorCodes, code);
}
