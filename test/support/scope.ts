import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'vitest';

/**
 * What one test opens and must leave closed: processes, sockets, folders. Closed in reverse order when the test ends,
 * however it ends. On a failure the collected logs are printed, since the processes they came from are gone by then.
 */
export class Scope {
  readonly #cleanups: (() => Promise<unknown> | unknown)[] = [];
  readonly #logs: { name: string; text: () => string }[] = [];

  /** Runs when the test ends. What it throws is reported after the other clean-ups ran. */
  defer(cleanup: () => Promise<unknown> | unknown): void {
    this.#cleanups.push(cleanup);
  }

  /** A log whose tail is printed if the test fails. */
  attachLog(name: string, text: () => string): void {
    this.#logs.push({ name, text });
  }

  /** A fresh folder, removed with the scope. */
  temporaryFolder(prefix = 'media-aggregator-test-'): string {
    const folder = mkdtempSync(join(tmpdir(), prefix));
    this.defer(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
    return folder;
  }

  /** The last `lines` lines of every attached log. */
  logTails(lines = 60): string {
    return this.#logs
      .map(({ name, text }) => `--- ${name}\n${text().trimEnd().split('\n').slice(-lines).join('\n')}`)
      .join('\n');
  }

  async close(): Promise<void> {
    const errors: unknown[] = [];
    for (let cleanup = this.#cleanups.pop(); cleanup !== undefined; cleanup = this.#cleanups.pop()) {
      try {
        await cleanup();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw new AggregateError(errors, 'clean-up of a test failed');
  }
}

/** The scope of a test, from its context; so that tests of one file may run side by side. */
export function testScope({
  onTestFinished,
  onTestFailed,
}: Pick<TestContext, 'onTestFinished' | 'onTestFailed'>): Scope {
  const scope = new Scope();
  onTestFinished(() => scope.close());
  onTestFailed(() => console.log(scope.logTails()));
  return scope;
}
