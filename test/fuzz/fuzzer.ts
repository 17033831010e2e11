import { setImmediate } from 'node:timers/promises';
import { clientTarget } from './client-target.js';
import { amfTarget, bodyTarget, flvTarget, stateTarget, urlTarget } from './data-targets.js';
import { Finding, type FuzzTarget, type Input } from './input.js';
import { oddTarget } from './odd-target.js';
import { Random } from './random.js';
import { loadSeeds } from './seeds.js';
import { serverTarget } from './server-target.js';

/** No feed may hold up the event loop for longer. */
const maxPauseMs = 100;
/** A slow input is tried again so often: machines pause by themselves. */
const slowTries = 4;
const memoryLookEvery = 500;
const collectAboveBytes = 128 << 20;
/** After so many inputs what was put off by promises and immediates gets its turn. */
const turnEvery = 20;

export interface Find {
  readonly target: string;
  readonly kind: string;
  readonly message: string;
  readonly index: number;
  readonly input: Input;
}

export interface FuzzFigures {
  readonly inputs: number;
  readonly seconds: number;
  readonly bytes: number;
  /** The longest single feed that was as long again when tried again, milliseconds. */
  readonly worstPauseMs: number;
  readonly worstPauseTarget: string;
  readonly heapPeakBytes: number;
  readonly rssPeakBytes: number;
  readonly byTarget: ReadonlyMap<string, number>;
  readonly finds: readonly Find[];
}

export interface FuzzOptions {
  readonly seed: number;
  /** Ends after so many inputs, or so much time, whichever comes first. */
  readonly inputs: number;
  readonly seconds: number;
  /** The number of the first input. */
  readonly from?: number;
  readonly maxFinds?: number;
  readonly onProgress?: (inputs: number, seconds: number) => void;
  /** At once, for a run that may be ended from outside. */
  readonly onFind?: (find: Find) => void;
}

/** Everything that can be fuzzed. @param root the folder of the repository */
export function allTargets(root: string): FuzzTarget[] {
  const seeds = loadSeeds(root);
  return [
    ...[serverTarget(seeds), clientTarget(seeds), amfTarget(seeds), flvTarget(seeds)],
    ...[oddTarget(), urlTarget(), stateTarget(), bodyTarget()],
  ];
}

interface Outcome {
  readonly finding: Finding | null;
  readonly worstMs: number;
}

/** Feeds one input once. */
function runOnce(target: FuzzTarget, input: Input): Outcome {
  let worstMs = 0;
  const timed = (work: () => void): void => {
    const startMs = performance.now();
    work();
    worstMs = Math.max(worstMs, performance.now() - startMs);
  };
  try {
    target.run(input, timed);
  } catch (error) {
    if (error instanceof Finding) return { finding: error, worstMs };
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { finding: new Finding('uncoded error', text, { cause: error }), worstMs };
  }
  return { finding: null, worstMs };
}

/** Feeds one input; a slow one again, so that only what is slow by itself counts. */
export function examine(target: FuzzTarget, input: Input): Outcome {
  let { finding, worstMs } = runOnce(target, input);
  for (let i = 0; i < slowTries && worstMs > maxPauseMs && finding === null; i++) {
    const again = runOnce(target, input);
    finding = again.finding;
    worstMs = Math.min(worstMs, again.worstMs);
  }
  if (finding === null && worstMs > maxPauseMs) {
    finding = new Finding('pause', `one feed took ${Math.round(worstMs)} ms, again and again`);
  }
  return { finding, worstMs };
}

/** The input of this number: the same for the same seed. */
function inputAt(targets: readonly FuzzTarget[], seed: number, index: number): [FuzzTarget, Input] {
  const random = new Random(seed, index);
  let ticket = random.int(targets.reduce((sum, { weight }) => sum + weight, 0));
  const target = targets.find(({ weight }) => {
    ticket -= weight;
    return ticket < 0;
  })!;
  return [target, target.generate(random)];
}

/** Bytes on the heap and in buffers. What looks like much may be garbage, so that is collected first, where it can be. */
function liveBytes(): number {
  const used = (): number => {
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  if (used() > collectAboveBytes) globalThis.gc?.();
  return used();
}

/** Makes inputs and feeds them, until the count, the time, or the finds are enough. */
export async function fuzz(targets: readonly FuzzTarget[], options: FuzzOptions): Promise<FuzzFigures> {
  const startMs = performance.now();
  const byTarget = new Map<string, number>();
  const finds: Find[] = [];
  const from = options.from ?? 0;
  let [done, bytes, worstPauseMs, heapPeakBytes, rssPeakBytes] = [0, 0, 0, 0, 0];
  let worstPauseTarget = '';
  const elapsed = (): number => (performance.now() - startMs) / 1000;
  while (done < options.inputs && elapsed() < options.seconds && finds.length < (options.maxFinds ?? 1)) {
    const index = from + done;
    const [target, input] = inputAt(targets, options.seed, index);
    const { finding, worstMs } = examine(target, input);
    done++;
    byTarget.set(target.name, (byTarget.get(target.name) ?? 0) + 1);
    for (const { data } of input) bytes += data.length;
    if (worstMs > worstPauseMs) {
      // What happens once is the garbage collector's or another program's.
      const againMs = Math.min(worstMs, runOnce(target, input).worstMs);
      if (againMs > worstPauseMs) {
        worstPauseMs = againMs;
        worstPauseTarget = `${target.name}, input ${index}`;
      }
    }
    const { kind, message } = finding ?? {};
    if (kind !== undefined && !finds.some((old) => old.target === target.name && old.kind === kind)) {
      const find = { target: target.name, kind, message: message ?? '', index, input };
      finds.push(find);
      options.onFind?.(find);
    }
    if (done % turnEvery === 0) await setImmediate();
    if (done % memoryLookEvery === 0) {
      heapPeakBytes = Math.max(heapPeakBytes, liveBytes());
      rssPeakBytes = Math.max(rssPeakBytes, process.memoryUsage.rss());
      options.onProgress?.(done, elapsed());
    }
  }
  return {
    ...{ inputs: done, seconds: elapsed(), bytes, worstPauseMs, worstPauseTarget, heapPeakBytes, rssPeakBytes },
    ...{ byTarget, finds },
  };
}
