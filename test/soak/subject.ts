import { readdirSync, readFileSync } from 'node:fs';
import type { DesiredPush } from '../../src/backend/backend.js';
import { NativeBackend } from '../../src/backend/native/native-backend.js';
import { defaultSettings } from '../../src/config/index.js';
import { silentLogger } from '../../src/log/log.js';
import { Program } from './program.js';

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
  readonly #program: Program;

  /** @param nodeFlags of Node.js, before the program */
  constructor(nodeFlags: readonly string[] = []) {
    this.#program = new Program([], nodeFlags);
  }

  start(): Promise<void> {
    return this.#program.start();
  }

  url(camera: string): string {
    return this.#program.url(camera);
  }

  async addCamera(camera: string): Promise<void> {
    await this.#program.addCamera(camera);
  }

  async removeCamera(camera: string): Promise<void> {
    await this.#program.call('DELETE', `/v1/cameras/${camera}`);
  }

  async addPush(camera: string, id: string, url: string): Promise<void> {
    await this.#program.addPush(camera, id, url);
  }

  async removePush(camera: string, id: string): Promise<void> {
    await this.#program.call('DELETE', `/v1/cameras/${camera}/pushes/${id}`);
  }

  resources(): Readonly<Record<string, number>> {
    const { pid } = this.#program;
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return {
      'resident bytes': Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024,
      'open files': readdirSync(`/proc/${pid}/fd`).length,
      threads: Number(/^Threads:\s+(\d+)$/m.exec(status)?.[1]),
    };
  }

  /** Its counts of io_uring, by name; none where it goes without. */
  async ring(): Promise<Readonly<Record<string, number>>> {
    const facts = (await this.#program.metrics()).matchAll(/backend_fact\{name="(ring\w+)"\} (\d+)/g);
    return Object.fromEntries([...facts].map(([, name, count]) => [name, Number(count)]));
  }

  stop(): Promise<void> {
    return this.#program.stop();
  }
}
