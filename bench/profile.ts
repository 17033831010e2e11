import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findAdapter } from './adapters/index.js';
import type { Options } from './options.js';
import type { Revisions } from './revisions.js';
import { run } from './run.js';

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  readonly children?: readonly number[];
}

interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
  /** Microseconds of CLOCK_MONOTONIC. */
  readonly startTime: number;
}

/** Self time by function between two times, microseconds, the longest first. */
export function selfTimes(
  profile: CpuProfile,
  [fromUs, toUs]: readonly [number, number],
): { readonly name: string; readonly us: number }[] {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const times = new Map<string, number>();
  let nowUs = profile.startTime;
  for (const [i, id] of profile.samples.entries()) {
    nowUs += profile.timeDeltas[i] ?? 0;
    if (nowUs < fromUs || nowUs > toUs) continue;
    const frame = nodes.get(id)?.callFrame;
    if (frame === undefined) continue;
    const place =
      frame.url === '' ? '' : ` (${frame.url.replace(/^.*\/(?=[^/]+\/[^/]+$)/, '')}:${frame.lineNumber + 1})`;
    const name = `${frame.functionName || '(anonymous)'}${place}`;
    times.set(name, (times.get(name) ?? 0) + (profile.timeDeltas[i] ?? 0));
  }
  return [...times].map(([name, us]) => ({ name, us })).sort((a, b) => b.us - a.us);
}

/** Runs the first scenario once under Node's profiler and says where the time went. */
export async function profile(options: Options, folder: string, revisions: Revisions): Promise<string> {
  const [scenario] = options.scenarios;
  const spec = options.systems.find((system) => system.startsWith('ours')) ?? 'ours';
  if (scenario === undefined) throw new Error('there is no scenario');
  mkdirSync(folder, { recursive: true });
  const before = new Set(readdirSync(folder));
  const nodeFlags = ['--cpu-prof', `--cpu-prof-dir=${folder}`];
  const result = await run(findAdapter(spec, revisions, nodeFlags), scenario, options);
  if (result.void !== null) throw new Error(`the run is void: ${result.void}`);
  const file = readdirSync(folder).find((name) => name.endsWith('.cpuprofile') && !before.has(name));
  if (file === undefined) throw new Error(`no profile was written to ${folder}`);
  const times = selfTimes(JSON.parse(readFileSync(join(folder, file), 'utf8')) as CpuProfile, result.windowUs);
  const total = times.reduce((sum, { us }) => sum + us, 0);
  const idle = times.find(({ name }) => name === '(idle)')?.us ?? 0;
  const busy = total - idle;
  const lines = times
    .filter(({ name }) => name !== '(idle)')
    .slice(0, 40)
    .map(({ name, us }) => `${((100 * us) / busy).toFixed(1).padStart(5)} %  ${name}`);
  const { reads, writes, messagesIn, messagesOut } = result;
  return [
    `${join(folder, file)}: busy ${(busy / 1e6).toFixed(1)} s of ${(total / 1e6).toFixed(1)} s; self time by function:`,
    ...lines,
    `read calls per message in ${(reads / messagesIn).toFixed(2)}, write calls per message out ${(writes / messagesOut).toFixed(2)}`,
  ].join('\n');
}
