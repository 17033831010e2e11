import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

/** Processes that still run; none outlives this one. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A process of ours that is told things and answers. */
export class Child<To extends object, From extends { readonly kind: string }> {
  readonly #child: ChildProcess;
  readonly #seen: From[] = [];
  #wake: () => void = () => {};

  constructor(file: string, args: readonly string[]) {
    this.#child = fork(new URL(file, import.meta.url), args, { execArgv: ['--enable-source-maps'] });
    running.add(this.#child);
    this.#child.once('exit', () => running.delete(this.#child));
    this.#child.on('message', (message: From) => {
      this.#seen.push(message);
      this.#wake();
    });
  }

  send(message: To): void {
    this.#child.send(message);
  }

  /** The next message of this kind. @throws Error when none comes in time */
  async next<K extends From['kind']>(kind: K, timeoutMs = 30_000): Promise<Extract<From, { kind: K }>> {
    const untilMs = performance.now() + timeoutMs;
    for (;;) {
      const index = this.#seen.findIndex((message) => message.kind === kind);
      if (index >= 0) return this.#seen.splice(index, 1)[0] as Extract<From, { kind: K }>;
      if (performance.now() > untilMs || this.#child.exitCode !== null)
        throw new Error(`no ${kind} of a child process`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 100);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }
}
