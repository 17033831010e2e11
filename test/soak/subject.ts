import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DesiredPush } from '../../src/backend/backend.js';
import { NativeBackend } from '../../src/backend/native/native-backend.js';
import { defaultSettings } from '../../src/config/index.js';
import { silentLogger } from '../../src/log/log.js';

/** What is soaked. */
export interface Subject {
  readonly name: string;
  start(): Promise<void>;
  url(camera: string): string;
  addCamera(camera: string): Promise<void>;
  removeCamera(camera: string): Promise<void>;
  addPush(camera: string, id: string, url: string): Promise<void>;
  removePush(camera: string, id: string): Promise<void>;
  /** Its resources now, by name: those that must not grow. Bytes where the name says so, else counts. */
  resources(): Readonly<Record<string, number>>;
  stop(): Promise<void>;
}

/** The media backend within this process: heap, handles and timers can be counted. */
export class InsideSubject implements Subject {
  readonly name = 'inside';
  readonly #backend = new NativeBackend({
    settings: { host: '127.0.0.1', rtmpPort: 0, media: defaultSettings().media },
    log: silentLogger,
  });
  readonly #pushes = new Map<string, Map<string, DesiredPush>>();
  #port = 0;

  async start(): Promise<void> {
    this.#port = (await this.#backend.start()).port;
  }

  url(camera: string): string {
    return `rtmp://127.0.0.1:${this.#port}/${camera}/${camera}`;
  }

  async addCamera(camera: string): Promise<void> {
    this.#pushes.set(camera, new Map());
    this.#declare(camera);
  }

  async removeCamera(camera: string): Promise<void> {
    this.#pushes.delete(camera);
    this.#backend.removeCamera(camera);
  }

  async addPush(camera: string, id: string, url: string): Promise<void> {
    this.#pushes.get(camera)?.set(id, { id, url, enabled: true });
    this.#declare(camera);
  }

  async removePush(camera: string, id: string): Promise<void> {
    this.#pushes.get(camera)?.delete(id);
    this.#declare(camera);
  }

  #declare(camera: string): void {
    const pushes = this.#pushes.get(camera);
    if (pushes !== undefined) this.#backend.setCamera({ name: camera, pushes: [...pushes.values()] });
  }

  resources(): Readonly<Record<string, number>> {
    globalThis.gc?.();
    globalThis.gc?.();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    const active = process.getActiveResourcesInfo();
    const count = (test: (name: string) => boolean): number => active.filter(test).length;
    return {
      'heap bytes': heapUsed + arrayBuffers,
      sockets: count((name) => name.startsWith('TCP')),
      timers: count((name) => name === 'Timeout'),
    };
  }

  stop(): Promise<void> {
    return this.#backend.stop(5000);
  }
}

/** The whole program in a process of its own, driven through its API, measured from outside. */
export class ProcessSubject implements Subject {
  readonly name = 'process';
  readonly #dataDir = mkdtempSync(join(tmpdir(), 'media-aggregator-soak-'));
  #child: ChildProcess | null = null;
  #rtmpPort = 0;
  #apiPort = 0;

  async start(): Promise<void> {
    const args = ['dist/cli/bin.cjs', 'serve', '--host', '127.0.0.1', '--rtmp-port', '0', '--api-port', '0'];
    const child = spawn(process.execPath, [...args, '--data-dir', this.#dataDir, '--log-level', 'error'], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    this.#child = child;
    process.on('exit', () => child.kill('SIGKILL'));
    for (const untilMs = performance.now() + 20_000; this.#apiPort === 0; await sleep(50)) {
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

  addCamera(camera: string): Promise<void> {
    return this.#call('POST', '/v1/cameras', { name: camera });
  }

  removeCamera(camera: string): Promise<void> {
    return this.#call('DELETE', `/v1/cameras/${camera}`);
  }

  addPush(camera: string, id: string, url: string): Promise<void> {
    return this.#call('POST', `/v1/cameras/${camera}/pushes`, { id, url });
  }

  removePush(camera: string, id: string): Promise<void> {
    return this.#call('DELETE', `/v1/cameras/${camera}/pushes/${id}`);
  }

  resources(): Readonly<Record<string, number>> {
    const status = readFileSync(`/proc/${this.#child?.pid}/status`, 'utf8');
    return {
      'resident bytes': Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024,
      'open files': readdirSync(`/proc/${this.#child?.pid}/fd`).length,
      threads: Number(/^Threads:\s+(\d+)$/m.exec(status)?.[1]),
    };
  }

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

  /** Without an agent: kept connections would count as handles of this process. */
  #call(method: string, path: string, body?: unknown): Promise<void> {
    return new Promise((resolve, reject) => {
      const text = body === undefined ? '' : JSON.stringify(body);
      const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
      const call = request(
        { host: '127.0.0.1', port: this.#apiPort, method, path, headers, agent: false },
        (response) => {
          response.resume();
          response.once('end', () => {
            if ((response.statusCode ?? 500) < 400) resolve();
            else reject(new Error(`${method} ${path}: ${response.statusCode}`));
          });
        },
      );
      call.once('error', reject);
      call.end(text);
    });
  }
}
