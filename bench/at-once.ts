import type { Adapter } from './adapters/adapter.js';
import type { RunResult } from './result.js';
import { type RunOptions, run } from './run.js';
import type { Scenario } from './scenarios.js';

/** A place where runs wait for each other. */
class Meeting {
  #awaited: number;
  #open: () => void = () => {};
  readonly #all = new Promise<void>((resolve) => {
    this.#open = resolve;
  });

  /** @param count how many are to come */
  constructor(count: number) {
    this.#awaited = count;
  }

  /** One came, or will not come. Resolves when all have. */
  come(): Promise<void> {
    if (--this.#awaited === 0) this.#open();
    return this.#all;
  }
}

/**
 * Loads all systems side by side and measures them in the same seconds. What a message costs depends on the machine, by a
 * half from one minute to the next; all that run in the same moment get the same share of that.
 */
export async function runAtOnce(
  adapters: readonly Adapter[],
  scenario: Scenario,
  options: RunOptions,
): Promise<RunResult[]> {
  const meeting = new Meeting(adapters.length);
  const results = await Promise.all(
    adapters.map(async (adapter) => {
      let hasCome = false;
      const onFlowing = (): Promise<void> => {
        hasCome = true;
        return meeting.come();
      };
      const result = await run(adapter, scenario, { ...options, onFlowing });
      if (!hasCome) void meeting.come(); // it failed before: the others need not wait for it
      return result;
    }),
  );
  const total = results.reduce((sum, result) => sum + ownCpu(result), 0);
  return results.map((result) => ({
    ...result,
    otherCpu: Math.max(0, result.otherCpu - (total - ownCpu(result))),
  }));
}

/** CPU seconds of the system and its generators. */
function ownCpu({ cpuUser, cpuSystem, generators }: RunResult): number {
  return cpuUser + cpuSystem + generators.publisherCpu + generators.sinkCpu;
}
