import type { BackendProblem } from '../backend/backend.js';
import { codeOf, type ErrorCode, messageOf } from '../errors.js';
import { Stretch } from '../fairness/stretch.js';
import type { Logger } from '../log/log.js';

/** The pause before a failed camera is tried again; it doubles with each failure. */
const retryMinMs = 500;
const retryMaxMs = 30_000;

/** The maximum number of problems that name one camera; further ones are summed up in one problem. */
const maxNamed = 10;

/** A camera that is not in force. */
interface Failed {
  /** ISO 8601, UTC: since when. */
  readonly since: string;
  attempts: number;
  code: ErrorCode;
  message: string;
  timer: NodeJS.Timeout;
}

/**
 * Declares cameras to the media backend until they are in force. A camera on which the backend fails is retried with
 * growing pauses, and is a problem until it is in force. No other camera waits for it.
 */
export class Applying {
  readonly #apply: (camera: string) => void | Promise<void>;
  readonly #log: Logger;
  /** Declared, and neither in force nor failed yet. */
  readonly #pending = new Map<string, Promise<void>>();
  readonly #failed = new Map<string, Failed>();
  #isClosed = false;

  /** @param apply declares a camera as it is desired now, or removes it: see CameraApplier */
  constructor(apply: (camera: string) => void | Promise<void>, log: Logger) {
    this.#apply = apply;
    this.#log = log;
  }

  /** The number of cameras on which the backend failed and which are not in force yet. */
  get failedCount(): number {
    return this.#failed.size;
  }

  /** Problems of cameras that are not in force, oldest first. */
  get problems(): readonly BackendProblem[] {
    const problems: BackendProblem[] = [];
    for (const [camera, { since, message }] of this.#failed) {
      if (problems.length === maxNamed) break;
      const text = `camera "${camera}" is not in force: ${message}; it is tried again`;
      problems.push({ code: 'CAMERA_NOT_APPLIED', message: text, since });
    }
    const more = this.#failed.size - problems.length;
    if (more > 0) {
      const [first] = [...this.#failed.values()].slice(maxNamed);
      const text = `more cameras are not in force beside those that are named; they are tried again`;
      problems.push({ code: 'CAMERA_NOT_APPLIED', message: text, since: first?.since ?? new Date().toISOString() });
    }
    return problems;
  }

  /** The codes of the failures. */
  get codes(): ReadonlySet<ErrorCode> {
    return new Set([...this.#failed.values()].map(({ code }) => code));
  }

  /** Declares a camera, now. Never throws. */
  run(camera: string): void {
    const known = this.#failed.get(camera);
    if (known !== undefined) clearTimeout(known.timer);
    let outcome: void | Promise<void>;
    try {
      outcome = this.#apply(camera);
    } catch (error) {
      this.#pending.delete(camera);
      this.#noteFailed(camera, error);
      return;
    }
    if (outcome === undefined) {
      this.#pending.delete(camera);
      this.#noteDone(camera);
      return;
    }
    const pending: Promise<void> = outcome.then(
      () => this.#end(camera, pending, () => this.#noteDone(camera)),
      (error: unknown) => this.#end(camera, pending, () => this.#noteFailed(camera, error)),
    );
    this.#pending.set(camera, pending);
  }

  /**
   * Declares many cameras, in stretches: an edit of ten thousand must not hold up a frame. Never throws. Who waits for one
   * of them meanwhile waits for all.
   */
  runAll(cameras: Iterable<string>): void {
    const names = [...cameras];
    let onOver = (): void => {};
    const work = new Promise<void>((resolve) => {
      onOver = resolve;
    });
    for (const camera of names) this.#pending.set(camera, work);
    void this.#runEach(names, work).finally(onOver);
  }

  async #runEach(cameras: readonly string[], work: Promise<void>): Promise<void> {
    const stretch = new Stretch();
    for (const camera of cameras) {
      if (stretch.isOver) await stretch.rest();
      if (this.#isClosed) return;
      // A camera that was declared meanwhile is up to date already.
      if (this.#pending.get(camera) === work) this.run(camera);
    }
  }

  /** Resolves when these cameras are in force or have failed, or after `limitMs`. */
  async settled(cameras: Iterable<string>, limitMs: number): Promise<void> {
    const open: Promise<void>[] = [];
    for (const camera of cameras) {
      const pending = this.#pending.get(camera);
      if (pending !== undefined) open.push(pending);
    }
    if (open.length === 0 || limitMs <= 0) return;
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, limitMs);
    });
    await Promise.race([Promise.all(open), limit]);
    clearTimeout(timer);
  }

  /** The names of all cameras that are declared and neither in force nor failed. */
  get pending(): Iterable<string> {
    return this.#pending.keys();
  }

  close(): void {
    this.#isClosed = true;
    for (const { timer } of this.#failed.values()) clearTimeout(timer);
  }

  /** An outcome counts only while the camera was not declared anew. */
  #end(camera: string, pending: Promise<void>, note: () => void): void {
    if (this.#pending.get(camera) !== pending) return;
    this.#pending.delete(camera);
    note();
  }

  #noteDone(camera: string): void {
    const known = this.#failed.get(camera);
    if (known === undefined) return;
    this.#failed.delete(camera);
    const { since, attempts } = known;
    this.#log.info('the settings of a camera are applied, after earlier failures', { camera, since, attempts });
  }

  #noteFailed(camera: string, error: unknown): void {
    if (this.#isClosed) return;
    const known = this.#failed.get(camera);
    const attempts = (known?.attempts ?? 0) + 1;
    const pauseMs = Math.min(retryMaxMs, retryMinMs * 2 ** (attempts - 1));
    const timer = setTimeout(() => this.run(camera), pauseMs).unref();
    const [code, message] = [codeOf(error), messageOf(error)];
    if (known === undefined || known.message !== message) {
      this.#log.error('the media backend could not apply a camera; it is retried', { camera, code, error: message });
    }
    this.#failed.set(camera, { since: known?.since ?? new Date().toISOString(), attempts, code, message, timer });
  }
}
