import { type ChildProcess, spawn } from 'node:child_process';
import { accepts } from '../test/support/ports.js';

/** A program in a process group of its own, which is ended with the benchmark whatever happens. */
export class Child {
  readonly pid: number;
  readonly exited: Promise<string>;
  output = '';
  readonly #child: ChildProcess;
  #ended = false;

  /** @throws Error when the program cannot be started */
  constructor(command: string, args: readonly string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}) {
    this.#child = spawn(command, [...args], { ...options, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    const keep = (text: Buffer): void => {
      this.output = (this.output + text.toString()).slice(-20_000);
    };
    this.#child.stdout?.on('data', keep);
    this.#child.stderr?.on('data', keep);
    this.exited = new Promise((resolve) => {
      const done = (how: string): void => {
        this.#ended = true;
        live.delete(this);
        resolve(how);
      };
      this.#child.once('error', (error) => done(error.message));
      this.#child.once('close', (code, signal) => done(signal ?? `exit code ${code}`));
    });
    if (this.#child.pid === undefined) throw new Error(`${command} could not be started`);
    this.pid = this.#child.pid;
    live.add(this);
  }

  get hasEnded(): boolean {
    return this.#ended;
  }

  kill(signal: NodeJS.Signals): void {
    if (this.#ended) return;
    try {
      process.kill(-this.pid, signal);
    } catch {
      // It ended a moment ago.
    }
  }

  /** SIGTERM, and SIGKILL when that does not help. */
  async stop(deadlineMs = 8000): Promise<void> {
    this.kill('SIGTERM');
    const timer = setTimeout(() => this.kill('SIGKILL'), deadlineMs);
    await this.exited;
    clearTimeout(timer);
  }
}

const live = new Set<Child>();
process.on('exit', () => {
  for (const child of live) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));

/**
 * Waits until it takes connections on the port of 127.0.0.1.
 * @throws Error with what it said when it ends or does not listen in time; it is stopped then
 */
export async function untilListening(name: string, child: Child, port: number, deadlineMs: number): Promise<void> {
  await orStop(child, async () => {
    await until(`${name} to listen`, () => child.hasEnded || accepts(port), deadlineMs);
    if (child.hasEnded) throw new Error(`${name} ended: ${child.output}`);
  });
}

/** Does the work, and stops the program where that fails: nobody else knows it yet. */
export async function orStop(child: Child, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    await child.stop();
    throw error;
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Asks again until it is true. @throws Error naming `what` after the deadline */
export async function until(what: string, isTrue: () => Promise<boolean> | boolean, deadlineMs: number): Promise<void> {
  const endMs = performance.now() + deadlineMs;
  while (!(await isTrue())) {
    if (performance.now() > endMs) throw new Error(`waited ${deadlineMs / 1000} s in vain for ${what}`);
    await sleep(50);
  }
}
