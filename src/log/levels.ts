import { ConflictError } from '../errors.js';
import { RecentLines } from './recent-lines.js';

/** From the least important to the most. */
export const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];

/** How many cameras may be debugged at once: each costs lines for all that happens to it. */
export const maxDebuggedCameras = 20;

/** What is logged, in the form in which one process tells another. */
export interface LinesWanted {
  readonly level: LogLevel;
  /** Cameras of which everything is logged, whatever the level. */
  readonly cameras: readonly string[];
}

/** Decides which lines are logged; what it decides by may change while the process runs. */
export class LineFilter {
  #level: LogLevel;
  #rank: number;
  #cameras: ReadonlySet<string> = new Set();

  constructor(level: LogLevel) {
    this.#level = level;
    this.#rank = logLevels.indexOf(level);
  }

  get wanted(): LinesWanted {
    return { level: this.#level, cameras: [...this.#cameras] };
  }

  set wanted({ level, cameras }: LinesWanted) {
    this.#level = level;
    this.#rank = logLevels.indexOf(level);
    this.#cameras = new Set(cameras);
  }

  /** @param camera what the line has in the field of this name */
  allows(level: LogLevel, camera: unknown): boolean {
    if (logLevels.indexOf(level) >= this.#rank) return true;
    return this.#cameras.size > 0 && typeof camera === 'string' && this.#cameras.has(camera);
  }
}

/** A camera that is debugged: all of its lines are logged, whatever the level. */
export interface DebuggedCamera {
  readonly camera: string;
  /** When that ends by itself: ISO 8601, UTC. */
  readonly endsAt: string;
}

interface Debugged {
  readonly endsAtMs: number;
  readonly timer: NodeJS.Timeout;
}

/** What operators want to see in the log, changed while the aggregator runs; it is forgotten when that ends. */
export class LogLevels {
  /** For the loggers of this process. */
  readonly filter: LineFilter;
  /** What was logged last, where the logger of the process keeps it here. */
  readonly recent = new RecentLines();
  readonly #debugged = new Map<string, Debugged>();
  #onChange: (wanted: LinesWanted) => void = () => {};

  constructor(level: LogLevel) {
    this.filter = new LineFilter(level);
  }

  get level(): LogLevel {
    return this.filter.wanted.level;
  }

  set level(level: LogLevel) {
    this.#apply(level);
  }

  /** By name. */
  get cameras(): DebuggedCamera[] {
    return [...this.#debugged.entries()].map(([camera, { endsAtMs }]) => view(camera, endsAtMs)).sort(byName);
  }

  /** Has whoever logs elsewhere told of every change from now on; the one before is told no more. */
  observe(onChange: (wanted: LinesWanted) => void): void {
    this.#onChange = onChange;
  }

  /**
   * Debugs a camera from now on; for one that is debugged already the time begins anew.
   * @param durationMs at most 24 days, the most that a timer can wait
   * @throws ConflictError LIMIT_REACHED
   */
  debug(camera: string, durationMs: number): DebuggedCamera {
    const known = this.#debugged.get(camera);
    if (known === undefined && this.#debugged.size >= maxDebuggedCameras) {
      const names = this.cameras.map((each) => each.camera).join(', ');
      const message = `${maxDebuggedCameras} cameras are debugged, which is the limit; end one of ${names}`;
      throw new ConflictError('LIMIT_REACHED', message);
    }
    clearTimeout(known?.timer);
    const timer = setTimeout(() => this.endDebug(camera), durationMs);
    timer.unref();
    const endsAtMs = Date.now() + durationMs;
    this.#debugged.set(camera, { endsAtMs, timer });
    this.#apply(this.level);
    return view(camera, endsAtMs);
  }

  /** False: it was not debugged. */
  endDebug(camera: string): boolean {
    const known = this.#debugged.get(camera);
    if (known === undefined) return false;
    clearTimeout(known.timer);
    this.#debugged.delete(camera);
    this.#apply(this.level);
    return true;
  }

  #apply(level: LogLevel): void {
    const wanted = { level, cameras: [...this.#debugged.keys()] };
    this.filter.wanted = wanted;
    this.#onChange(wanted);
  }
}

function view(camera: string, endsAtMs: number): DebuggedCamera {
  return { camera, endsAt: new Date(endsAtMs).toISOString() };
}

function byName(a: DebuggedCamera, b: DebuggedCamera): number {
  return a.camera < b.camera ? -1 : 1;
}
