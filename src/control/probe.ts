import type { MediaBackend } from '../backend/backend.js';
import { setHeardTimeout } from '../process/standstill.js';

/** How long an answer counts, and how long one is waited for: callers have theirs within 2 s. */
const freshMs = 1000;
const deadlineMs = 1500;

/** Asks the media backend whether it really takes RTMP: once for all who ask at the same time, and never for ever. */
export class BackendProbe {
  readonly #backend: Pick<MediaBackend, 'probe'>;
  #answer: Promise<boolean> | undefined;

  constructor(backend: Pick<MediaBackend, 'probe'>) {
    this.#backend = backend;
  }

  isUp(): Promise<boolean> {
    this.#answer ??= this.#ask().finally(() => {
      setTimeout(() => {
        this.#answer = undefined;
      }, freshMs).unref();
    });
    return this.#answer;
  }

  async #ask(): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<boolean>((resolve) => {
      timer = setHeardTimeout(() => resolve(false), deadlineMs + 100);
    });
    try {
      return await Promise.race([this.#backend.probe(deadlineMs), tooLate]);
    } catch {
      return false;
    } finally {
      clearTimeout(timer);
    }
  }
}
