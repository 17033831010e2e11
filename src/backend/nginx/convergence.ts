import { CodedError, messageOf } from '../../errors.js';
import type { DesiredCamera } from '../backend.js';
import type { HostNames } from './host-names.js';
import { Pace } from './pace.js';
import type { Problems } from './problems.js';
import { targetOf } from './push-target.js';
import type { Setup } from './setup.js';

/** How long an answer waits for its change. The first run may start nginx. */
const settleMs = 5_000;
const firstSettleMs = 20_000;
const retryMs = 5_000;

/**
 * Brings nginx to the desired cameras: renders nginx.conf, has it checked, writes it, starts or reloads nginx. One run makes
 * all changes that were declared before it.
 */
export class Convergence {
  readonly #cameras: ReadonlyMap<string, DesiredCamera>;
  readonly #setup: () => Setup | undefined;
  readonly #hosts: HostNames;
  readonly #problems: Problems;
  readonly #look: () => Promise<void>;
  readonly #pace = new Pace(() => this.#run());
  /** Cameras that were removed since the last run. */
  readonly #removed = new Set<string>();
  /** What those wait for who declared something since the last run began. */
  #nextRun: Outcome | undefined;
  #pushes: ReadonlyMap<string, ReadonlySet<string>> = new Map();
  #wakeTimer: NodeJS.Timeout | undefined;
  #isApplying = false;
  #isFirst = true;
  #stopped = false;

  /**
   * @param options.cameras the desired cameras, by name
   * @param options.setup undefined before the start
   * @param options.look looks at nginx now
   */
  constructor(options: {
    cameras: ReadonlyMap<string, DesiredCamera>;
    setup: () => Setup | undefined;
    hosts: HostNames;
    problems: Problems;
    look: () => Promise<void>;
  }) {
    this.#cameras = options.cameras;
    this.#setup = options.setup;
    this.#hosts = options.hosts;
    this.#problems = options.problems;
    this.#look = options.look;
  }

  /** The pushes of each camera in the configuration that the newest worker has. */
  get pushes(): ReadonlyMap<string, ReadonlySet<string>> {
    return this.#pushes;
  }

  /** True while nginx is being brought to another configuration. */
  get isApplying(): boolean {
    return this.#isApplying;
  }

  /** How long an answer may wait, milliseconds. During a flood of changes, each change postpones the run, so nobody waits. */
  get answerWaitMs(): number {
    if (this.#isFirst) return firstSettleMs;
    return this.#pace.isFlood ? 0 : settleMs;
  }

  /** A camera is declared. @returns resolves when it is in force, at the end of the next run; rejects with its error */
  declared(camera: string): Promise<void> {
    this.#removed.delete(camera);
    return this.#applied();
  }

  /** A camera is removed. @returns as `declared` */
  removed(camera: string): Promise<void> {
    this.#removed.add(camera);
    return this.#applied();
  }

  /** Something else that the configuration follows from has changed. */
  note(): void {
    this.#pace.note();
  }

  /** Runs soon, although nothing has changed. */
  nudge(): void {
    this.#pace.nudge();
  }

  /** nginx.conf may have been edited. */
  async noteFile(isTouched: () => Promise<boolean>): Promise<void> {
    if (!this.#stopped && !this.#isFirst && (await isTouched())) this.#pace.note();
  }

  /** Wakes when it is time to look up hosts that do not resolve, to start an nginx that is down, or to retry a failed run. */
  planWake(failed: boolean): void {
    clearTimeout(this.#wakeTimer);
    const times = [
      this.#hosts.nextLookMs(),
      this.#setup()?.runner?.retryAtMs,
      failed ? performance.now() + retryMs : undefined,
    ];
    const due = times.filter((time) => time !== undefined);
    if (due.length === 0 || this.#stopped) return;
    const waitMs = Math.max(50, Math.min(...due) - performance.now());
    this.#wakeTimer = setTimeout(() => this.#pace.nudge(), waitMs).unref();
  }

  /** No more runs. @returns resolves when the one under way is over */
  stop(): Promise<void> {
    this.#stopped = true;
    this.#nextRun?.resolve();
    clearTimeout(this.#wakeTimer);
    return this.#pace.close();
  }

  #applied(): Promise<void> {
    this.#pace.note();
    this.#nextRun ??= new Outcome();
    return this.#nextRun.promise;
  }

  /** The same way to the desired state, whatever the present one: render, check, write, start or reload. */
  async #run(): Promise<void> {
    const setup = this.#setup();
    if (setup === undefined || this.#stopped) return;
    const outcome = this.#nextRun;
    this.#nextRun = undefined;
    const cameras = [...this.#cameras.values()].sort((left, right) => (left.name < right.name ? -1 : 1));
    let failed = false;
    try {
      await this.#hosts.look(hostsOf(cameras));
      await this.#make(setup, cameras);
    } catch (error) {
      failed = true;
      if (error instanceof CodedError) this.#problems.setError('file', error);
      else this.#problems.set('file', 'INTERNAL', `nginx.conf cannot be brought up to date: ${messageOf(error)}`);
    } finally {
      this.#isApplying = false;
      this.#isFirst = false;
    }
    const hindrance = this.#problems.get('file') ?? this.#problems.get('edit');
    if (hindrance === undefined) outcome?.resolve();
    else outcome?.reject(new CodedError(hindrance.code, hindrance.message));
    this.planWake(failed || this.#problems.has('edit'));
  }

  async #make({ configuration, observer, runner }: Setup, cameras: readonly DesiredCamera[]): Promise<void> {
    const accepted = await configuration.update(cameras);
    this.#problems.clear('file');
    if (this.#stopped) return;
    const gone = [...this.#removed].filter((name) => observer.current(name) !== undefined);
    this.#removed.clear();
    if (accepted === undefined) return;
    this.#isApplying = true;
    const isNew = (await runner?.run(accepted, gone, this.#look)) ?? true;
    if (isNew || runner?.has(accepted.text) === true) this.#pushes = accepted.pushes;
    if (isNew) await this.#look();
  }
}

/** The outcome of a run, for all who wait for it. Nobody needs to wait. */
class Outcome {
  readonly promise: Promise<void>;
  resolve: () => void = () => {};
  reject: (error: CodedError) => void = () => {};

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.promise.catch(() => {});
  }
}

function hostsOf(cameras: readonly DesiredCamera[]): Set<string> {
  const hosts = new Set<string>();
  for (const push of cameras.flatMap(({ pushes }) => pushes)) {
    const target = push.enabled ? targetOf(push) : undefined;
    if (target !== undefined && 'host' in target && target.host !== null) hosts.add(target.host);
  }
  return hosts;
}
