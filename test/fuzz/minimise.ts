import { examine } from './fuzzer.js';
import type { FuzzTarget, Input, Step } from './input.js';

/**
 * The smallest input found within the time that is a find of the same kind: steps are left out, then pieces of bytes.
 */
export function minimise(target: FuzzTarget, input: Input, kind: string, seconds: number): Input {
  const untilMs = performance.now() + seconds * 1000;
  const fails = (candidate: Input): boolean =>
    performance.now() < untilMs && examine(target, candidate).finding?.kind === kind;
  let best = joined(input);
  if (!fails(best)) best = [...input];
  for (let before = Number.POSITIVE_INFINITY; sizeOf(best) < before && performance.now() < untilMs; ) {
    before = sizeOf(best);
    best = withoutRuns(best, fails);
    for (let i = 0; i < best.length; i++) best = shortened(best, i, fails);
  }
  return best;
}

/** Neighbouring pieces for the same connection as one. */
function joined(input: Input): Step[] {
  const steps: Step[] = [];
  for (const step of input) {
    const last = steps.at(-1);
    if (last?.what === 'data' && step.what === 'data' && last.to === step.to) {
      steps[steps.length - 1] = { ...last, data: Buffer.concat([last.data, step.data]) };
    } else steps.push(step);
  }
  return steps;
}

function withoutRuns(steps: Step[], fails: (candidate: Input) => boolean): Step[] {
  let best = steps;
  for (let run = Math.ceil(best.length / 2); run >= 1; run = run === 1 ? 0 : Math.ceil(run / 2)) {
    for (let at = 0; at < best.length; ) {
      const candidate = [...best.slice(0, at), ...best.slice(at + run)];
      if (fails(candidate)) best = candidate;
      else at += run;
    }
  }
  return best;
}

function shortened(steps: Step[], index: number, fails: (candidate: Input) => boolean): Step[] {
  let best = steps;
  const start = best[index]?.data.length ?? 0;
  for (let run = Math.ceil(start / 2); run >= 1; run = run === 1 ? 0 : Math.ceil(run / 2)) {
    for (let at = 0; at < (best[index]?.data.length ?? 0); ) {
      const step = best[index]!;
      const data = Buffer.concat([step.data.subarray(0, at), step.data.subarray(at + run)]);
      const candidate = best.map((each, i) => (i === index ? { ...each, data } : each));
      if (fails(candidate)) best = candidate;
      else at += run;
    }
  }
  return best;
}

function sizeOf(steps: Input): number {
  return steps.reduce((sum, { data }) => sum + data.length + 1, 0);
}
