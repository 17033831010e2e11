import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../../fuzz/random.js';

/** Callers at once; each has cameras of its own, so that it knows what they should be. */
const callers = 8;
const camerasEach = 5;
const startLimitMs = 60_000;

/** What a caller knows of one camera: whether it is there, and, while a call is under way, what it may be as well. */
interface Known {
  isThere: boolean;
  mayBe: boolean | null;
}

/** The built program on one data folder, changed over its API by several callers, and killed in the midst of it. */
export class KilledProgram {
  acknowledged = 0;
  readonly #folder: string;
  readonly #workers: number;
  readonly #known = new Map<string, Known>();

  constructor(folder: string, workers: number) {
    this.#folder = folder;
    this.#workers = workers;
  }

  /**
   * Starts it, looks whether all is there that was acknowledged before, changes for a while, and kills it.
   * @throws Error when something is missing, or when it does not start
   */
  async round(random: Random): Promise<void> {
    const { child, apiUrl } = await this.#start();
    try {
      await this.#compare(apiUrl);
      let isOver = false;
      const calling = Array.from({ length: callers }, async (_, caller) => {
        while (!isOver) await this.#call(apiUrl, `c${caller}-${random.int(camerasEach)}`);
      });
      await sleep(random.range(20, 1500));
      child.kill('SIGKILL');
      isOver = true;
      await Promise.all(calling);
    } finally {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    }
  }

  async #start(): Promise<{ child: ChildProcess; apiUrl: string }> {
    const flags = ['--host', '127.0.0.1', '--rtmp-port', '0', '--api-port', '0', '--data-dir', this.#folder];
    const child = spawn(
      process.execPath,
      ['dist/cli/bin.cjs', 'serve', ...flags, '--workers', String(this.#workers), '--log-level', 'error'],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    process.on('exit', () => child.kill('SIGKILL'));
    for (const untilMs = performance.now() + startLimitMs; ; await sleep(30)) {
      if (performance.now() > untilMs || child.exitCode !== null) throw new Error('the aggregator does not serve');
      const apiUrl = this.#apiOf(child.pid ?? 0);
      if (apiUrl !== null && (await fetch(`${apiUrl}/readyz`).catch(() => null))?.ok === true) return { child, apiUrl };
    }
  }

  #apiOf(pid: number): string | null {
    try {
      const runtime = JSON.parse(readFileSync(join(this.#folder, 'runtime.json'), 'utf8')) as Record<string, number>;
      return runtime.pid === pid ? `http://127.0.0.1:${runtime.apiPort}` : null;
    } catch {
      return null; // not written yet
    }
  }

  /** Adds the camera, or removes it. */
  async #call(apiUrl: string, name: string): Promise<void> {
    const known = this.#known.get(name) ?? { isThere: false, mayBe: null };
    if (known.mayBe !== null) return;
    this.#known.set(name, known);
    known.mayBe = !known.isThere;
    const answer = await (known.isThere
      ? fetch(`${apiUrl}/v1/cameras/${name}`, { method: 'DELETE' })
      : fetch(`${apiUrl}/v1/cameras`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ name }),
        })
    ).catch(() => null);
    // Killed before it answered: it may be made, or not.
    if (answer === null) return;
    if (!answer.ok) throw new Error(`a change of ${name} was answered with ${answer.status}`);
    known.isThere = known.mayBe;
    known.mayBe = null;
    this.acknowledged += 1;
  }

  async #compare(apiUrl: string): Promise<void> {
    const present = new Set<string>();
    for (let query = '?limit=100'; ; ) {
      const answer = await fetch(`${apiUrl}/v1/cameras${query}`);
      const { items, nextCursor } = (await answer.json()) as { items: { name: string }[]; nextCursor?: string | null };
      for (const { name } of items) present.add(name);
      if (nextCursor == null) break;
      query = `?limit=100&cursor=${encodeURIComponent(nextCursor)}`;
    }
    const wrong: string[] = [];
    for (const [name, known] of this.#known) {
      const isThere = present.has(name);
      if (isThere !== known.isThere && isThere !== known.mayBe)
        wrong.push(`${name} ${isThere ? 'is there' : 'is gone'}`);
      this.#known.set(name, { isThere, mayBe: null });
    }
    if (wrong.length > 0) throw new Error(`after a kill: ${wrong.join(', ')}`);
  }
}
