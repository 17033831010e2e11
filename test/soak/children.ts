import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { FromCameras, FromTarget, StreamReport, ToCameras } from './frames.js';

/** All that still run, stopped ones too; none outlives the soak. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

function start(file: string, args: readonly string[]): ChildProcess {
  const child = fork(new URL(file, import.meta.url), args, { execArgv: ['--enable-source-maps'] });
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

/** The next message of a child that `pick` takes. */
function answer<M, T>(child: ChildProcess, pick: (message: M) => T | undefined, timeoutMs = 20_000): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => finish(() => reject(new Error('a child process gave no answer'))), timeoutMs);
    const onExit = (): void => finish(() => reject(new Error('a child process ended')));
    const onMessage = (message: M): void => {
      const value = pick(message);
      if (value !== undefined) finish(() => resolve(value));
    };
    const finish = (settle: () => void): void => {
      clearTimeout(timer);
      child.off('message', onMessage);
      child.off('exit', onExit);
      settle();
    };
    child.on('message', onMessage);
    child.on('exit', onExit);
  });
}

/** A target process. It keeps its port over kills. */
export class Target {
  port = 0;
  #child: ChildProcess | null = null;
  busy = false;

  async start(): Promise<void> {
    const child = start('target-child.js', [String(this.port)]);
    this.#child = child;
    this.port = await answer(child, (message: FromTarget) => (message.kind === 'listening' ? message.port : undefined));
  }

  url(stream: string): string {
    return `rtmp://127.0.0.1:${this.port}/live/${stream}`;
  }

  /** As `kill -9`. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child?.kill(signal);
  }

  async report(): Promise<Readonly<Record<string, StreamReport>>> {
    const child = this.#child;
    if (child === null) return {};
    const report = answer(child, (message: FromTarget) => (message.kind === 'report' ? message.streams : undefined));
    child.send('report');
    return report;
  }
}

/** The process with all cameras of one soak. */
export class Cameras {
  readonly #child = start('cameras-child.js', []);

  start(camera: string, url: string): void {
    const message: ToCameras = { kind: 'start', camera, url };
    this.#child.send(message);
  }

  /** Resolves to what it sent in its last life. */
  async stop(camera: string): Promise<FromCameras> {
    const stopped = answer(this.#child, (message: FromCameras) => (message.camera === camera ? message : undefined));
    const message: ToCameras = { kind: 'stop', camera };
    this.#child.send(message);
    return stopped;
  }

  async kill(): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }
}
