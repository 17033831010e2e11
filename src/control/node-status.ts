import type { BackendProblem, BackendTotals, MediaBackend, WorkerFacts } from '../backend/backend.js';
import type { LogHealth } from '../log/destination.js';
import type { Store } from '../store/store.js';
import { BackendProbe } from './probe.js';
import type { Reconciler } from './reconcile.js';

/** A log that takes nothing for less than this may just be slow. */
const logPatienceMs = 2000;

/** How this node fares as a whole. */
export class NodeStatus {
  readonly startedAt = new Date().toISOString();
  readonly #store: Store;
  readonly #backend: MediaBackend;
  readonly #reconciler: Reconciler;
  readonly #probe: BackendProbe;
  #isDraining = false;
  #log: () => LogHealth = () => ({ linesLost: 0, problem: null });

  constructor(store: Store, backend: MediaBackend, reconciler: Reconciler) {
    this.#store = store;
    this.#backend = backend;
    this.#reconciler = reconciler;
    this.#probe = new BackendProbe(backend);
  }

  get backendKind(): MediaBackend['kind'] {
    return this.#backend.kind;
  }

  /** What is wrong with the state file, with the media backend, and with what it was told. */
  get problems(): readonly BackendProblem[] {
    const { problem } = this.#store;
    const own = problem === undefined ? [] : [{ code: problem.code, message: problem.message, since: problem.since }];
    return [...own, ...this.#logProblems(), ...this.#backend.problems(), ...this.#reconciler.problems];
  }

  /** Lines of the log that were never written, since the start. */
  get logLinesLost(): number {
    return this.#log().linesLost;
  }

  /** Has problems and figures tell how the log of this process fares, too. */
  watchLog(health: () => LogHealth): void {
    this.#log = health;
  }

  #logProblems(): BackendProblem[] {
    const { problem, linesLost } = this.#log();
    if (problem === null || Date.now() - problem.sinceMs < logPatienceMs) return [];
    const message = `The log takes no lines: ${problem.reason}. ${linesLost} lines were lost since the start.`;
    return [{ code: 'LOG_UNWRITABLE', message, since: new Date(problem.sinceMs).toISOString() }];
  }

  /** What there is to tell of this media backend only, by name. */
  get backendFacts(): Readonly<Record<string, string | number | boolean | null>> {
    return this.#backend.facts();
  }

  /** The processes that move media, where they are others than this one. */
  get workers(): readonly WorkerFacts[] {
    return this.#backend.workers();
  }

  get cameraCount(): number {
    return this.#store.state.cameras.size;
  }

  totals(): BackendTotals {
    return this.#backend.totals();
  }

  /** True when the backend really takes RTMP; known within 2 s. */
  isUp(): Promise<boolean> {
    return this.#probe.isUp();
  }

  /** True from the moment at which the aggregator was told to stop. */
  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** The aggregator is about to stop: it is not ready any more, and goes on serving until it is closed. */
  drain(): void {
    this.#isDraining = true;
  }
}
