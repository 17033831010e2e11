import type { Adapter } from './adapters/adapter.js';
import { sleep } from './child.js';
import { machineCpu } from './measure/proc.js';
import { disturbance, type RunResult, voidResult } from './result.js';
import { type RunOptions, run } from './run.js';
import type { Scenario } from './scenarios.js';

/** CPU of other programs, and time that the host took, percent of one core, above which a run is called disturbed. */
const calmPercent = 25;
const calmTries = 3;

/**
 * `run` on a machine that has other work too: waits for a calm moment, and repeats a disturbed run a few times. Returns
 * the least disturbed one. @param waitMs the longest wait before each try
 */
export async function runCalmly(
  adapter: Adapter,
  scenario: Scenario,
  options: RunOptions,
  waitMs: number,
): Promise<RunResult> {
  let best: RunResult | undefined;
  for (let tries = 0; tries < calmTries; tries++) {
    const endMs = performance.now() + waitMs;
    for (let busy = Number.POSITIVE_INFINITY; busy > calmPercent && performance.now() < endMs; ) {
      const before = machineCpu();
      await sleep(1000);
      const after = machineCpu();
      busy = 100 * (after.busy - before.busy + after.stolen - before.stolen);
    }
    const result = await run(adapter, scenario, options);
    const isBetter = best === undefined || best.void !== null || disturbance(result) < disturbance(best);
    if (isBetter && (result.void === null || best === undefined)) best = result;
    if (result.void === null && disturbance(result) <= calmPercent) break;
  }
  return best ?? voidResult(adapter.name, scenario.name, 'not tried');
}
