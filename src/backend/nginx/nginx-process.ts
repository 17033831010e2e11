import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { CodedError } from '../../errors.js';
import type { Logger } from '../../log/log.js';
import type { NginxBinary } from './binary.js';
import { globalDirectives, reasonIn } from './check.js';
import { type NginxPaths, readLogSince, sizeOf } from './files.js';
import {
  isShuttingDown,
  isWorker,
  nginxProcesses,
  orphansOf,
  type ProcessFacts,
  readProcess,
  sendSignal,
} from './processes.js';

/** How the master is called: by its process, which may be a child of ours or of an earlier aggregator. */
interface Master {
  readonly pid: number;
  /** undefined where /proc does not tell. */
  readonly startTicks: string | undefined;
}

const pollMs = 40;
const startTimeoutMs = 15_000;
const reloadTimeoutMs = 30_000;
/** Without /proc nobody can see the new worker; this is longer than a reload usually takes. */
const blindReloadMs = 1_000;
const adoptedPollMs = 500;

/** One nginx: started or adopted, watched, reloaded and stopped. */
export class NginxProcess {
  readonly #binary: NginxBinary;
  readonly #paths: NginxPaths;
  readonly #log: Logger;
  readonly #onDown: (reason: string) => void;
  #master: Master | undefined;
  #child: ChildProcess | undefined;
  #watch: NodeJS.Timeout | undefined;
  /** Not up yet. */
  #starting: ChildProcess | undefined;
  #stopping = false;

  /** `onDown` is called when nginx ends without having been asked to. */
  constructor(options: { binary: NginxBinary; paths: NginxPaths; log: Logger; onDown: (reason: string) => void }) {
    this.#binary = options.binary;
    this.#paths = options.paths;
    this.#log = options.log;
    this.#onDown = options.onDown;
  }

  /** The process number of the master; undefined when it does not run. */
  get pid(): number | undefined {
    return this.#master?.pid;
  }

  /** Names this very process: a later one with the same number has another name. */
  get identity(): string | undefined {
    return this.#master === undefined ? undefined : `${this.#master.pid}-${this.#master.startTicks ?? ''}`;
  }

  /** Takes over an nginx that an earlier aggregator started. False when none runs. */
  async adopt(): Promise<boolean> {
    const pid = Number((await readFile(this.#paths.pidFile, 'utf8').catch(() => '')).trim());
    const found = Number.isSafeInteger(pid) && pid > 1 ? await readProcess(pid) : undefined;
    // The pid file may be old and its number another program's by now.
    if (found === undefined || !found.title.startsWith('nginx: master process')) return false;
    if (!found.title.includes(this.#paths.active)) return false;
    this.#master = { pid, startTicks: found.startTicks };
    this.#watch = setInterval(() => void this.#lookAtAdopted(), adoptedPollMs).unref();
    return true;
  }

  /** @throws CodedError NGINX_DOWN, with what nginx said, when it does not come up */
  async start(): Promise<void> {
    await this.#releaseListeners();
    const { folder, active, errorLog } = this.#paths;
    const logSize = await sizeOf(errorLog);
    if (this.#stopping) throw new CodedError('NGINX_DOWN', 'nginx is being stopped');
    const log = openSync(errorLog, 'a', 0o600);
    const args = ['-p', `${folder}/`, '-c', active, '-g', globalDirectives];
    // A session of its own: a signal to the aggregator's terminal or group is not for nginx, which outlives it.
    const child = spawn(this.#binary.path, this.#binary.takesErrorLog ? [...args, '-e', errorLog] : args, {
      detached: true,
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    child.unref();
    this.#starting = child;
    let ended: string | undefined;
    child.on('error', (error) => {
      ended ??= error.message;
    });
    child.on('exit', (code, signal) => {
      if (this.#starting === child) this.#starting = undefined;
      ended ??= signal === null ? `exit code ${code}` : `signal ${signal}`;
      if (this.#child === child) this.#down(`nginx ended with ${ended}`);
    });
    const deadline = performance.now() + startTimeoutMs;
    while (ended === undefined && performance.now() < deadline) {
      if (child.pid !== undefined && (await this.#isUp(child.pid))) {
        this.#master = { pid: child.pid, startTicks: (await readProcess(child.pid))?.startTicks };
        this.#child = child;
        this.#starting = undefined;
        if (this.#stopping) sendSignal(child.pid, 'SIGTERM');
        if (ended !== undefined) this.#down(`nginx ended with ${ended}`);
        return;
      }
      await delay(pollMs);
    }
    if (ended === undefined) child.kill('SIGKILL');
    const said = await readLogSince(errorLog, logSize);
    const reason = /\[(?:emerg|alert)\]/.test(said) ? reasonIn(said) : (ended ?? `not up within ${startTimeoutMs} ms`);
    throw new CodedError('NGINX_DOWN', `nginx does not start: ${reason}`);
  }

  /**
   * Has the master read its configuration anew, and waits until a new worker has it and the old one takes no more.
   * @throws CodedError NGINX_CONFIG_REFUSED when nginx stays with the old one
   */
  async reload(): Promise<void> {
    const master = this.#master;
    if (master === undefined) throw new CodedError('NGINX_DOWN', 'nginx does not run');
    const { errorLog } = this.#paths;
    const before = new Set((await this.#workers())?.map(({ pid }) => pid));
    const logSize = await sizeOf(errorLog);
    if (!sendSignal(master.pid, 'SIGHUP')) throw new CodedError('NGINX_DOWN', 'nginx does not react to signals');
    const deadline = performance.now() + reloadTimeoutMs;
    const blindUntil = performance.now() + blindReloadMs;
    while (performance.now() < deadline) {
      await delay(pollMs);
      const said = await readLogSince(errorLog, logSize);
      if (/\[emerg\]/.test(said)) {
        throw new CodedError('NGINX_CONFIG_REFUSED', `nginx refuses the configuration: ${reasonIn(said)}`);
      }
      const workers = await this.#workers();
      if (this.#master !== master) throw new CodedError('NGINX_DOWN', 'nginx ended while it was reloaded');
      if (workers === undefined) {
        if (performance.now() > blindUntil) return;
        continue;
      }
      const taking = workers.filter((worker) => !isShuttingDown(worker));
      if (taking.length > 0 && taking.every(({ pid }) => !before.has(pid))) return;
    }
    throw new CodedError('NGINX_CONFIG_REFUSED', `nginx made no new worker within ${reloadTimeoutMs} ms of a reload`);
  }

  /** All workers, old ones and those without a master too; undefined where /proc does not tell. */
  async allWorkers(): Promise<ProcessFacts[] | undefined> {
    const processes = await nginxProcesses();
    if (processes === undefined) return undefined;
    const own = processes.filter((each) => isWorker(each) && each.parentPid === this.#master?.pid);
    return [...own, ...(await orphansOf(processes, this.#paths.errorLog))];
  }

  /** Ends nginx with all its workers: all their connections too. SIGKILL after the deadline. */
  async stop(deadlineMs: number): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#watch);
    const pids = [
      this.#master?.pid,
      this.#starting?.pid,
      ...((await this.allWorkers()) ?? []).map(({ pid }) => pid),
    ].filter((pid) => pid !== undefined);
    const master = this.#master;
    // The master ends its workers in order; those without a master have nobody else.
    for (const pid of pids) sendSignal(pid, 'SIGTERM');
    const deadline = performance.now() + deadlineMs;
    const left = async (): Promise<number[]> => {
      const alive = await Promise.all(pids.map(async (pid) => ((await isAlive(pid)) ? pid : undefined)));
      return alive.filter((pid) => pid !== undefined);
    };
    while ((await left()).length > 0 && performance.now() < deadline) await delay(20);
    for (const pid of await left()) {
      this.#log.warn('an nginx process did not end in time; it is killed', { pid });
      sendSignal(pid, 'SIGKILL');
    }
    if (this.#master === master) this.#master = undefined;
  }

  /**
   * Workers whose master was killed hold the port. They are told to close it and to end when their cameras leave: what
   * flows through them goes on.
   */
  async #releaseListeners(): Promise<void> {
    const orphans = await orphansOf((await nginxProcesses()) ?? [], this.#paths.errorLog);
    const holding = orphans.filter((each) => !isShuttingDown(each));
    for (const { pid } of holding) sendSignal(pid, 'SIGQUIT');
    if (holding.length === 0) return;
    this.#log.warn('the nginx master process has ended; its workers keep their cameras until those leave', {
      workers: holding.map(({ pid }) => pid),
    });
    const deadline = performance.now() + 3_000;
    while (performance.now() < deadline) {
      const now = await Promise.all(holding.map(({ pid }) => readProcess(pid)));
      if (now.every((each) => each === undefined || isShuttingDown(each))) return;
      await delay(pollMs);
    }
  }

  async #workers(): Promise<ProcessFacts[] | undefined> {
    const processes = await nginxProcesses();
    return processes?.filter((each) => isWorker(each) && each.parentPid === this.#master?.pid);
  }

  /** The master forks its worker when everything is open; until then its title is still the command line. */
  async #isUp(pid: number): Promise<boolean> {
    const processes = await nginxProcesses();
    if (processes !== undefined) return processes.some((each) => each.parentPid === pid && isWorker(each));
    return (await readFile(this.#paths.pidFile, 'utf8').catch(() => '')).trim() === String(pid);
  }

  async #lookAtAdopted(): Promise<void> {
    const master = this.#master;
    if (master === undefined) return;
    const found = await readProcess(master.pid);
    if (found?.startTicks !== master.startTicks && this.#master === master) this.#down('nginx ended');
  }

  #down(reason: string): void {
    clearInterval(this.#watch);
    this.#master = undefined;
    this.#child = undefined;
    if (!this.#stopping) this.#onDown(reason);
  }
}

async function isAlive(pid: number): Promise<boolean> {
  if (!sendSignal(pid, 0)) return false;
  // A zombie still takes signals.
  return process.platform !== 'linux' || (await readProcess(pid)) !== undefined;
}
