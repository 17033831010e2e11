import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface SeenCondition {
  readonly code: string;
  readonly message: string;
  readonly since: string;
}

export interface SeenCamera {
  readonly name: string;
  readonly live: boolean;
  readonly conditions?: readonly SeenCondition[];
}

/** The built program in a process of its own, on free ports, with a folder of its own. */
export class Program {
  readonly #dataDir = mkdtempSync(join(tmpdir(), 'media-aggregator-health-'));
  readonly #flags: readonly string[];
  #child: ChildProcess | null = null;
  #rtmpPort = 0;
  #apiPort = 0;

  constructor(flags: readonly string[] = []) {
    this.#flags = flags;
  }

  get apiPort(): number {
    return this.#apiPort;
  }

  async start(): Promise<void> {
    const args = ['dist/cli/bin.cjs', 'serve', '--host', '127.0.0.1', '--rtmp-port', '0', '--api-port', '0'];
    const child = spawn(
      process.execPath,
      [...args, '--data-dir', this.#dataDir, '--log-level', 'error', ...this.#flags],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    this.#child = child;
    process.on('exit', () => child.kill('SIGKILL'));
    for (const untilMs = performance.now() + 60_000; this.#apiPort === 0; await sleep(50)) {
      if (performance.now() > untilMs || child.exitCode !== null) throw new Error('the aggregator does not serve');
      try {
        const runtime = JSON.parse(readFileSync(join(this.#dataDir, 'runtime.json'), 'utf8')) as Record<string, number>;
        this.#rtmpPort = runtime.rtmpPort ?? 0;
        this.#apiPort = runtime.apiPort ?? 0;
      } catch {
        // not written yet
      }
    }
  }

  url(camera: string): string {
    return `rtmp://127.0.0.1:${this.#rtmpPort}/${camera}/${camera}`;
  }

  addCamera(name: string): Promise<unknown> {
    return this.call('POST', '/v1/cameras', { name });
  }

  addPush(camera: string, id: string, url: string): Promise<unknown> {
    return this.call('POST', `/v1/cameras/${camera}/pushes`, { id, url });
  }

  camera(name: string): Promise<SeenCamera> {
    return this.call('GET', `/v1/cameras/${name}`) as Promise<SeenCamera>;
  }

  metrics(): Promise<string> {
    return fetch(`http://127.0.0.1:${this.#apiPort}/metrics`).then((answer) => answer.text());
  }

  async call(method: string, path: string, body?: unknown): Promise<unknown> {
    const answer = await fetch(`http://127.0.0.1:${this.#apiPort}${path}`, {
      method,
      ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer.status === 204 ? null : answer.json();
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    if (child.exitCode === null) {
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    }
    rmSync(this.#dataDir, { recursive: true, force: true });
  }
}
