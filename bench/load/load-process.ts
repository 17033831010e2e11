import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { compiled } from '../paths.js';
import type { FromPublisher, FromSink, ToPublisher, ToSink } from './protocol.js';

interface Told {
  readonly tell: string;
}

export type Publishers = LoadProcess<ToPublisher, FromPublisher>;
export type Sinks = LoadProcess<ToSink, FromSink>;

/** A process of load, and a conversation with it: one question at a time. */
export class LoadProcess<Question extends object, Answer extends Told> {
  readonly #child: ChildProcess;
  #settle: { resolve(answer: Answer): void; reject(error: Error): void } | null = null;
  /** Why it cannot go on; null while all is well. */
  failure: string | null = null;

  /** @param script below `bench/load`, without its ending */
  constructor(script: string) {
    this.#child = fork(join(compiled, 'load', `${script}.js`), { serialization: 'advanced' });
    this.#child.on('message', (message) => this.#onMessage(message as Answer));
    this.#child.on('exit', (code, signal) => this.#fail(`the process of ${script} ended: ${signal ?? code}`));
  }

  /** Says it and waits for an answer of this kind. @throws Error when the process failed or does not answer in time */
  async ask<Kind extends Answer['tell']>(
    question: Question,
    kind: Kind,
    deadlineMs = 30_000,
  ): Promise<Extract<Answer, { readonly tell: Kind }>> {
    if (this.failure !== null) throw new Error(this.failure);
    const timer = setTimeout(() => this.#fail(`no answer "${kind}" within ${deadlineMs / 1000} s`), deadlineMs);
    try {
      const answer = await new Promise<Answer>((resolve, reject) => {
        this.#settle = { resolve, reject };
        this.#child.send(question);
      });
      if (answer.tell !== kind) throw new Error(`answered ${answer.tell} instead of ${kind}`);
      return answer as Extract<Answer, { readonly tell: Kind }>;
    } finally {
      clearTimeout(timer);
      this.#settle = null;
    }
  }

  end(): void {
    this.#child.removeAllListeners('exit');
    this.#child.kill('SIGKILL');
  }

  #onMessage(message: Answer): void {
    if (message.tell === 'failed') this.#fail('reason' in message ? String(message.reason) : 'failed');
    else this.#settle?.resolve(message);
  }

  #fail(reason: string): void {
    this.failure ??= reason;
    this.#settle?.reject(new Error(reason));
  }
}
