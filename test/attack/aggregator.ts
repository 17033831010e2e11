import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** The built program under attack, driven and measured from outside. */
export class AttackedAggregator {
  readonly #dataDir = mkdtempSync(join(tmpdir(), 'media-aggregator-attack-'));
  readonly #program: string;
  readonly #workers: number;
  #child: ChildProcess | null = null;
  rtmpPort = 0;
  apiPort = 0;

  /** @param program the file that is run by Node.js */
  constructor(program: string, workers: number) {
    this.#program = program;
    this.#workers = workers;
  }

  /** Starts it with these cameras, by name, and their pushes, by id. */
  async start(cameras: Readonly<Record<string, Readonly<Record<string, string>>>>): Promise<void> {
    const createdAt = '2026-01-01T00:00:00.000Z';
    const entries = Object.entries(cameras).map(([name, pushes]) => {
      const made = Object.entries(pushes).map(([id, url]) => [id, { createdAt, enabled: true, url }]);
      return [name, { createdAt, pushes: Object.fromEntries(made), type: 'plane' }];
    });
    const state = { version: 1, cameras: Object.fromEntries(entries), engines: {} };
    writeFileSync(join(this.#dataDir, 'state.json'), `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
    const args = ['serve', '--host', '127.0.0.1', '--rtmp-port', '0', '--api-port', '0', '--log-level', 'error'];
    if (this.#workers > 0) args.push('--workers', String(this.#workers));
    const child = spawn(process.execPath, [this.#program, ...args, '--data-dir', this.#dataDir], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    this.#child = child;
    process.on('exit', () => {
      child.kill('SIGKILL');
      rmSync(this.#dataDir, { recursive: true, force: true });
    });
    for (const untilMs = performance.now() + 60_000; this.apiPort === 0; await sleep(50)) {
      if (performance.now() > untilMs || child.exitCode !== null) throw new Error('the aggregator does not serve');
      try {
        const runtime = JSON.parse(readFileSync(join(this.#dataDir, 'runtime.json'), 'utf8')) as Record<string, number>;
        this.rtmpPort = runtime.rtmpPort ?? 0;
        this.apiPort = runtime.apiPort ?? 0;
      } catch {
        // not written yet
      }
    }
  }

  get isUp(): boolean {
    return this.#child?.exitCode === null;
  }

  /** Resident megabytes. */
  get residentMb(): number {
    const status = readFileSync(`/proc/${this.#child?.pid}/status`, 'utf8');
    return Math.round(Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024);
  }

  /** Milliseconds that a call takes, by a connection of its own; a failure or no answer in time counts as that time. */
  call(
    method: string,
    path: string,
    body?: unknown,
    timeoutMs = 30_000,
  ): Promise<{ ms: number; status: number; text: string }> {
    const startMs = performance.now();
    return new Promise((resolve) => {
      const done = (status: number, text: string): void => resolve({ ms: performance.now() - startMs, status, text });
      const payload = body === undefined ? '' : JSON.stringify(body);
      const headers =
        payload === '' ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) };
      const call = request(
        { host: '127.0.0.1', port: this.apiPort, method, path, headers, agent: false, timeout: timeoutMs },
        (response) => {
          const parts: Buffer[] = [];
          response.on('data', (part: Buffer) => parts.push(part));
          response.on('end', () => done(response.statusCode ?? 0, Buffer.concat(parts).toString()));
          response.on('error', () => done(0, ''));
        },
      );
      call.on('timeout', () => call.destroy());
      call.on('error', () => done(0, ''));
      call.end(payload);
    });
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child !== null && child.exitCode === null) {
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      const deadline = setTimeout(() => child.kill('SIGKILL'), 10_000);
      await exited;
      clearTimeout(deadline);
    }
    rmSync(this.#dataDir, { recursive: true, force: true });
  }
}
