import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { openTagSource } from '../../../src/ingest/tag-source.js';
import { Program } from '../program.js';
import { runMain } from '../run-main.js';
import { Encoder, type Trouble, troubles } from './encoder.js';
import { WritingTarget } from './target.js';

const help = `npm run soak -- --standby [options]

Cameras with two encoders each, main and backup, whose live one leaves, is killed, freezes, loses its picture or is cut off at
random moments, before the built program. Prints how long their targets were without a picture, and fails when a time ran
backwards, a target had to connect again, or ffmpeg cannot decode what one got. Needs ffmpeg.

  --switches N    how many in all (default 100)
  --cameras N     so many at once (default 5)
  --workers N     with media workers
  --bframes       encoders with B-frames
  --seed S        the same seed makes the same choices`;

const { values } = parseArgs({
  options: {
    standby: { type: 'boolean' },
    switches: { type: 'string', default: '100' },
    cameras: { type: 'string', default: '5' },
    workers: { type: 'string', default: '0' },
    bframes: { type: 'boolean', default: false },
    seed: { type: 'string' },
    help: { type: 'boolean' },
  },
});

/** Key frames of both encoders are so far apart. */
const gopSeconds = 2;
const gapGoalMs = 700;

interface SeenIngest {
  readonly name: string;
  readonly live: boolean;
  readonly state: string;
}

interface Gap {
  readonly trouble: Trouble;
  /** Between the arrival of two pictures. */
  readonly wallMs: number;
  /** Between their times. */
  readonly streamMs: number;
}

/** Numbers from 0 to 1 that a seed gives (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function makeClip(file: string, size: string): void {
  const frames = String(gopSeconds * 25);
  const { status, stderr } = spawnSync('ffmpeg', [
    ...['-v', 'error', '-y', '-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=25`],
    ...['-f', 'lavfi', '-i', 'sine=frequency=400:sample_rate=44100', '-t', '20'],
    ...['-c:v', 'libx264', '-preset', values.bframes ? 'fast' : 'ultrafast', '-bf', values.bframes ? '2' : '0'],
    ...['-pix_fmt', 'yuv420p', '-b:v', '400k', '-g', frames, '-keyint_min', frames, '-sc_threshold', '0'],
    ...['-c:a', 'aac', '-b:a', '64k', '-f', 'flv', file],
  ]);
  if (status !== 0) throw new Error(`ffmpeg: ${String(stderr)}`);
}

/** The longest time without a picture that began after `sinceMs`, or was under way then. */
function gapSince(target: WritingTarget, sinceMs: number): Omit<Gap, 'trouble'> {
  let longest = { wallMs: 0, streamMs: 0 };
  const { pictures } = target;
  for (let i = pictures.length - 1; i > 0 && pictures[i]!.atMs >= sinceMs; i--) {
    const [one, next] = [pictures[i - 1]!, pictures[i]!];
    const wallMs = next.atMs - one.atMs;
    if (wallMs > longest.wallMs) longest = { wallMs, streamMs: next.timestampMs - one.timestampMs };
  }
  return longest;
}

async function runCamera(
  program: Program,
  name: string,
  folder: string,
  clips: { main: string; backup: string },
  plan: { switches: number; random: () => number },
): Promise<{ gaps: Gap[]; failures: string[]; file: string }> {
  const failures: string[] = [];
  const gaps: Gap[] = [];
  const file = join(folder, `${name}.flv`);
  const target = new WritingTarget(file);
  await program.call('POST', '/v1/cameras', { name, ingests: ['main', 'backup'] });
  await program.addPush(name, 'target', await target.listen());
  const serverPort = Number(new URL(program.url(name).replace('rtmp:', 'http:')).port);
  const encoders: Record<string, Encoder> = {};
  for (const ingest of ['main', 'backup'] as const) {
    const url = (port: number): string => `rtmp://127.0.0.1:${port}/${name}/${name}?ingest=${ingest}`;
    encoders[ingest] = new Encoder(serverPort, url, await openTagSource(clips[ingest]));
    await encoders[ingest].start();
  }
  const ingests = async (): Promise<readonly SeenIngest[]> =>
    ((await program.call('GET', `/v1/cameras/${name}`)) as { ingests: SeenIngest[] }).ingests;
  const until = async (what: string, isSo: (seen: readonly SeenIngest[]) => boolean): Promise<boolean> => {
    for (const endMs = performance.now() + 30_000; performance.now() < endMs; await sleep(50)) {
      if (isSo(await ingests())) return true;
    }
    failures.push(`${name}: not within 30 s: ${what}`);
    return false;
  };
  for (let i = 0; i < plan.switches; i++) {
    if (!(await until('both encoders', (seen) => seen.every(({ state }) => state === 'ready')))) break;
    // Until a GOP of the other is kept, and then to any place in it.
    await sleep((gopSeconds + plan.random() * gopSeconds) * 1000);
    const live = (await ingests()).find((each) => each.live)?.name ?? '';
    const trouble = troubles[Math.floor(plan.random() * troubles.length)]!;
    const sinceMs = performance.now();
    await encoders[live]?.trouble(trouble);
    if (!(await until(`another ingest than ${live}`, (seen) => seen.some((each) => each.live && each.name !== live))))
      break;
    await sleep(400);
    gaps.push({ trouble, ...gapSince(target, sinceMs) });
    await encoders[live]?.stop();
    // Its connection may be known to be gone only after a while.
    await sleep(trouble === 'cut off' ? 3100 : 100);
    await encoders[live]?.start();
  }
  for (const encoder of Object.values(encoders)) await encoder.stop();
  await program.call('DELETE', `/v1/cameras/${name}`);
  await sleep(300);
  await target.close();
  failures.push(...target.faults.map((fault) => `${name}: ${fault}`));
  if (target.connections !== 1) failures.push(`${name}: its target had ${target.connections} connections`);
  return { gaps, failures, file };
}

/** What ffmpeg complains of. To be asked when nothing is measured any more. */
function complaintsOf(file: string): string[] {
  const { status, stderr } = spawnSync('ffmpeg', ['-nostdin', '-v', 'error', '-xerror', '-i', file, '-f', 'null', '-']);
  const text = String(stderr).trim();
  return status === 0 && text === '' ? [] : [`${file}: ffmpeg: ${text.slice(0, 500)}`];
}

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

function row(what: string, gaps: readonly Gap[]): string {
  const of = (pick: (gap: Gap) => number) => gaps.map(pick).sort((one, other) => one - other);
  const [wall, stream] = [of(({ wallMs }) => wallMs), of(({ streamMs }) => streamMs)];
  const figures = [wall, stream].flatMap((sorted) => [percentile(sorted, 0.5), percentile(sorted, 0.99)]);
  return `| ${what} | ${gaps.length} | ${figures.map((each) => `${Math.round(each)} ms`).join(' | ')} |`;
}

async function main(): Promise<number> {
  const seed = Number(values.seed ?? Date.now() & 0x7fffffff);
  const cameras = Number(values.cameras);
  const switches = Math.ceil(Number(values.switches) / cameras);
  console.log(`standby: ${cameras} cameras, ${switches} switches each, key frames every ${gopSeconds} s, seed ${seed}`);
  const folder = mkdtempSync(join(tmpdir(), 'media-aggregator-standby-'));
  const program = new Program(['--workers', values.workers]);
  try {
    const clips = { main: join(folder, 'main.flv'), backup: join(folder, 'backup.flv') };
    makeClip(clips.main, '320x240');
    makeClip(clips.backup, '480x272');
    await program.start();
    const results = await Promise.all(
      Array.from({ length: cameras }, (_, index) =>
        runCamera(program, `cam-${index}`, folder, clips, { switches, random: randomOf(seed + index) }),
      ),
    );
    const gaps = results.flatMap((result) => result.gaps);
    const failures = results.flatMap((result) => [...result.failures, ...complaintsOf(result.file)]);
    console.log('| the live one | times | gap p50 | p99 | gap in the stream p50 | p99 |\n|---|---|---|---|---|---|');
    for (const trouble of troubles)
      console.log(
        row(
          trouble,
          gaps.filter((gap) => gap.trouble === trouble),
        ),
      );
    console.log(row('all', gaps));
    const p99 = percentile(
      gaps.map(({ wallMs }) => wallMs).sort((one, other) => one - other),
      0.99,
    );
    if (p99 > gapGoalMs) failures.push(`the gap is ${Math.round(p99)} ms at p99; the goal is ${gapGoalMs} ms`);
    for (const failure of failures.slice(0, 50)) console.error(`FAILED: ${failure}`);
    return failures.length > 0 ? 1 : 0;
  } finally {
    await program.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

await runMain(values.help === true ? help : undefined, main);
