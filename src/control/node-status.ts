import type { BackendProblem, BackendTotals, CapacityFacts, MediaBackend, WorkerFacts } from '../backend/backend.js';
import type { LogHealth } from '../log/destination.js';
import type { Logger } from '../log/log.js';
import { LimitWatch, type StateLimits } from '../model/state-rules.js';
import { plural } from '../plural.js';
import { type OpenFilesFigures, openFiles } from '../process/open-files.js';
import { elapsedMs } from '../process/wall-clock.js';
import type { Store } from '../store/store.js';
import { NodeLoad, type NodeLoadFigures } from './node-load.js';
import { BackendProbe } from './probe.js';
import type { Reconciler } from './reconcile.js';

/** A log that is blocked for less than this may just be slow. */
const logPatienceMs = 2000;

/** The health of this node as a whole. */
export class NodeStatus {
  readonly startedAt = new Date().toISOString();
  readonly #store: Store;
  readonly #backend: MediaBackend;
  readonly #reconciler: Reconciler;
  readonly #probe: BackendProbe;
  readonly #limits: LimitWatch;
  readonly #load: NodeLoad;
  /** What was over a limit last time, of which state, and since when. */
  #over: { readonly state: Store['state']; readonly found: readonly string[]; readonly since: string } | undefined;
  #isDraining = false;
  #files: () => readonly BackendProblem[] = () => [];
  #log: () => LogHealth = () => ({ linesLost: 0, problem: null });

  constructor(store: Store, backend: MediaBackend, reconciler: Reconciler, limits: StateLimits, log: Logger) {
    this.#store = store;
    this.#limits = new LimitWatch(limits);
    this.#backend = backend;
    this.#reconciler = reconciler;
    this.#probe = new BackendProbe(backend);
    this.#load = new NodeLoad(() => backend.totals(), log);
  }

  get backendKind(): MediaBackend['kind'] {
    return this.#backend.kind;
  }

  /** What is wrong with the state file, with the media backend, and with what it was told. */
  get problems(): readonly BackendProblem[] {
    return [
      ...this.#store.problems.map(({ code, message, since }) => ({ code, message, since })),
      ...this.#limitProblems(),
      ...this.#logProblems(),
      ...(openFiles.problem === null ? [] : [openFiles.problem]),
      ...this.#files(),
      ...this.#backend.problems(),
      ...this.#reconciler.problems,
      ...this.#load.problems,
    ];
  }

  /** Lines of the log that were never written, since the start. */
  get logLinesLost(): number {
    return this.#log().linesLost;
  }

  /** Descriptors of this process. */
  get openFiles(): OpenFilesFigures {
    return openFiles.figures;
  }

  /** Adds the log of this process to problems and figures. */
  watchLog(health: () => LogHealth): void {
    this.#log = health;
  }

  /** Adds the problems of files that others look after: those of tokens. */
  watchFiles(problems: () => readonly BackendProblem[]): void {
    this.#files = problems;
  }

  #logProblems(): BackendProblem[] {
    const { problem, linesLost } = this.#log();
    if (problem === null || elapsedMs(problem.sinceMs) < logPatienceMs) return [];
    const message = `The log cannot be written: ${problem.reason}. ${plural(linesLost, 'line has', 'lines have')} been lost since the start.`;
    return [{ code: 'LOG_UNWRITABLE', message, since: new Date(problem.sinceMs).toISOString() }];
  }

  /** A limit was lowered below the present count: everything stays in force. */
  #limitProblems(): readonly BackendProblem[] {
    const { state } = this.#store;
    if (this.#over?.state !== state) {
      const since = this.#over === undefined || this.#over.found.length === 0 ? undefined : this.#over.since;
      this.#over = { state, found: this.#limits.over(state), since: since ?? new Date().toISOString() };
    }
    const { found, since } = this.#over;
    if (found.length === 0) return [];
    const message = `the state exceeds limits of the settings: ${found.join(', ')}. All of it is in force, but nothing can be added; remove some, or raise the limit`;
    return [{ code: 'LIMIT_REACHED', message, since }];
  }

  /** Facts that only this media backend has, by name. */
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

  /** How this process is loaded, and what it showed that it can do. */
  get load(): NodeLoadFigures {
    return this.#load.figures;
  }

  /** What the settings let this node carry; null: the backend keeps to no limit. */
  get capacity(): CapacityFacts | null {
    return this.#backend.capacity?.facts ?? null;
  }

  /** Watches the load no more. */
  close(): void {
    this.#load.close();
  }

  /** True when the backend really takes RTMP; known within 2 s. */
  isUp(): Promise<boolean> {
    return this.#probe.isUp();
  }

  /** True from the moment at which the aggregator was told to stop. */
  get isDraining(): boolean {
    return this.#isDraining;
  }

  /**
   * The aggregator is about to stop: it is not ready any more, and goes on serving until it is closed.
   * @param asksAll whether all who know of it are asked at once to reconnect
   */
  drain({ asksAll }: { readonly asksAll: boolean }): void {
    this.#isDraining = true;
    if (asksAll) this.#backend.askToReconnect?.();
  }
}
