import { type Signal, useSignal } from '@preact/signals';
import { ApiProblem } from '../../../src/client/index.js';

/** A failure as it is shown: the server's own words, and its code. */
export interface ShownError {
  readonly message: string;
  readonly code: string | undefined;
  readonly field: string | undefined;
}

export function shown(error: unknown): ShownError {
  if (error instanceof ApiProblem) return { message: error.message, code: error.code, field: error.field };
  return { message: error instanceof Error ? error.message : String(error), code: undefined, field: undefined };
}

/** Something that is done to the server: at most once at a time, and its failure stays until the next try. */
export interface Action {
  readonly busy: Signal<boolean>;
  readonly error: Signal<ShownError | null>;
  /** True when it was done; never rejects. */
  run(work: () => Promise<unknown>): Promise<boolean>;
}

export function useAction(): Action {
  const busy = useSignal(false);
  const error = useSignal<ShownError | null>(null);
  const run = async (work: () => Promise<unknown>): Promise<boolean> => {
    if (busy.peek()) return false;
    busy.value = true;
    error.value = null;
    try {
      await work();
      return true;
    } catch (reason) {
      error.value = shown(reason);
      return false;
    } finally {
      busy.value = false;
    }
  };
  return { busy, error, run };
}

const observeTimeoutMs = 15_000;
const observeIntervalMs = 300;

/**
 * Looks until what was asked for is seen to be so: what was sent is no proof.
 * @param look gives true when it is seen
 * @throws Error that names what was not seen in time
 */
export async function observe(what: string, look: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + observeTimeoutMs;
  for (;;) {
    if (await look()) return;
    if (performance.now() > deadline) {
      throw new Error(`The server accepted the change, but ${what} was not seen within ${observeTimeoutMs / 1000} s.`);
    }
    await new Promise((resolve) => setTimeout(resolve, observeIntervalMs));
  }
}
