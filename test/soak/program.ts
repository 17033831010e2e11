import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
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
  readonly #dataDir = mkdtempSync(join(tmpdir(), 'media-aggregator-soak-'));
  readonly #flags: readonly string[];
  #child: ChildProcess | null = null;
  #rtmpPort = 0;
  #apiPort = 0;

  readonly #nodeFlags: readonly string[];

  /** @param flags of serve. @param nodeFlags of Node.js */
  constructor(flags: readonly string[] = [], nodeFlags: readonly string[] = []) {
    this.#flags = flags;
    this.#nodeFlags = nodeFlags;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get apiPort(): number {
    return this.#apiPort;
  }

  async start(): Promise<void> {
    const serve = ['dist/cli/bin.cjs', 'serve', '--host', '127.0.0.1'];
    const args = [...this.#nodeFlags, ...serve, '--rtmp-port', '0', '--api-port', '0'];
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
    return fetch(`http://127.0.0.1:${this.#apiPort}/metrics`, { headers: { connection: 'close' } }).then((answer) =>
      answer.text(),
    );
  }

  /** Calls the API. Without an agent: kept connections would count as handles of this process. */
  call(method: string, path: string, body?: unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const text = body === undefined ? '' : JSON.stringify(body);
      const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
      const call = request(
        { host: '127.0.0.1', port: this.#apiPort, method, path, headers, agent: false },
        (response) => {
          const parts: Buffer[] = [];
          response.on('data', (part: Buffer) => parts.push(part));
          response.once('end', () => {
            const answer = Buffer.concat(parts).toString();
            if ((response.statusCode ?? 500) < 400) resolve(answer === '' ? null : JSON.parse(answer));
            else reject(new Error(`${method} ${path}: ${response.statusCode} ${answer}`));
          });
        },
      );
      call.once('error', reject);
      call.end(text);
    });
  }

  /** @throws Error when it had ended by itself, or does not end with 0 */
  async stop(): Promise<void> {
    const child = this.#child;
    if (child === null || child.exitCode !== null)
      throw new Error(`the aggregator ended by itself: ${child?.exitCode}`);
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    const [code] = await exited;
    rmSync(this.#dataDir, { recursive: true, force: true });
    if (code !== 0) throw new Error(`the aggregator ended with ${code}`);
  }
}
