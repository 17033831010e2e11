import { createHash } from 'node:crypto';
import { get } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { codeOf } from '../../errors.js';
import { writeWhole } from '../../files/write.js';
import type { Logger } from '../../log/log.js';
import { Backoff } from '../../push/backoff.js';
import type { Accepted } from './configuration.js';
import { type NginxPaths, readRecord } from './files.js';
import type { NginxProcess } from './nginx-process.js';
import type { Problems } from './problems.js';

export interface RunnerOptions {
  readonly paths: NginxPaths;
  readonly statPort: number;
  readonly controlPath: string;
  readonly process: NginxProcess;
  readonly problems: Problems;
  readonly log: Logger;
}

const restartMinMs = 250;
const restartMaxMs = 15_000;
/** nginx that ran so long had come up well; its next end is not the same failure again. */
const steadyMs = 30_000;
const reloadRetryMs = 10_000;
const dropTimeoutMs = 1_000;

/** Has nginx run with the configuration that was accepted last: starts it, reloads it, and knows which one it has. */
export class Runner {
  readonly #options: RunnerOptions;
  readonly #backoff = new Backoff(restartMinMs, restartMaxMs);
  /** Of the configuration that the process with this identity has loaded. */
  #loaded: { hash: string; identity: string } | undefined;
  #retryAtMs = 0;
  #upSinceMs = 0;
  /** Since this aggregator started. */
  reloads = 0;
  restarts = 0;

  constructor(options: RunnerOptions) {
    this.#options = options;
  }

  /** Learns what an adopted nginx has loaded. */
  async adopted(): Promise<void> {
    const record = await readRecord(this.#options.paths.loaded);
    if (typeof record?.hash !== 'string' || typeof record.identity !== 'string') return;
    this.#loaded = { hash: record.hash, identity: record.identity };
  }

  /** When nginx is to be tried again, by `performance.now()`; undefined when it need not. */
  get retryAtMs(): number | undefined {
    return this.#options.problems.has('nginx') ? this.#retryAtMs : undefined;
  }

  /** nginx ended by itself. */
  noteDown(reason: string): void {
    if (performance.now() - this.#upSinceMs > steadyMs) this.#backoff.reset();
    const pauseMs = this.#backoff.pauseMs('NGINX_DOWN');
    this.#retryAtMs = performance.now() + pauseMs;
    this.restarts++;
    this.#options.problems.set('nginx', 'NGINX_DOWN', `${reason}; it is started again`);
  }

  /** True when nginx runs with this text. */
  has(text: string): boolean {
    const { identity } = this.#options.process;
    return identity !== undefined && this.#loaded?.identity === identity && this.#loaded.hash === hashOf(text);
  }

  /**
   * Starts or reloads nginx with the active file, which holds this text. What goes wrong becomes a problem, and is tried
   * again at `retryAtMs`. `beforeReload` is awaited when there will be one.
   * @returns true when nginx has it now, and had not before
   */
  async run(accepted: Accepted, gone: readonly string[], beforeReload: () => Promise<void>): Promise<boolean> {
    const { process, problems, paths, log } = this.#options;
    if (this.has(accepted.text)) {
      problems.clear('nginx');
      return false;
    }
    if (problems.has('nginx') && performance.now() < this.#retryAtMs) return false;
    try {
      const startedAtMs = performance.now();
      if (process.pid === undefined) {
        await process.start();
        this.#upSinceMs = performance.now();
        log.info('nginx is running', { pid: process.pid, durationMs: Math.round(performance.now() - startedAtMs) });
      } else {
        await beforeReload();
        await this.#drop(gone);
        await process.reload();
        this.reloads++;
        log.info('nginx reloaded its configuration', { durationMs: Math.round(performance.now() - startedAtMs) });
      }
      problems.clear('nginx');
    } catch (error) {
      const isDown = codeOf(error) === 'NGINX_DOWN';
      this.#retryAtMs = performance.now() + (isDown ? this.#backoff.pauseMs('NGINX_DOWN') : reloadRetryMs);
      problems.setError('nginx', error);
      return false;
    }
    this.#loaded = { hash: hashOf(accepted.text), identity: process.identity ?? '' };
    // Without it an adopting aggregator reloads once more than it need to.
    await writeWhole(paths.loaded, `${JSON.stringify(this.#loaded)}\n`).catch(() => undefined);
    return true;
  }

  /** Cameras that were removed lose their connections; after the reload nobody could reach them any more. */
  async #drop(applications: readonly string[]): Promise<void> {
    for (const application of applications) {
      for (const kind of ['publisher', 'client']) await this.#command(`/drop/${kind}?app=${application}`);
    }
    if (applications.length > 0) await delay(20);
  }

  #command(query: string): Promise<void> {
    const { statPort, controlPath } = this.#options;
    return new Promise((resolve) => {
      const target = { host: '127.0.0.1', port: statPort, path: controlPath + query, agent: false };
      const request = get({ ...target, timeout: dropTimeoutMs }, (response) => {
        response.resume();
        response.on('close', resolve);
      });
      request.on('timeout', () => request.destroy());
      request.on('error', () => resolve());
    });
  }
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
