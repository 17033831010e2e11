import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { lossyWay } from '../../support/lossy-way.js';
import { runMain } from '../run-main.js';
import {
  commonOptions,
  cpuSeconds,
  killAll,
  killWithPrograms,
  mb,
  measure,
  memoryBytes,
  start,
  startProgram,
  sum,
  until,
} from '../sources/helpers.js';

const help = `npm run soak -- --srt [options]

Many encoders (ffmpeg) publish by SRT at once, over a way that loses packets; prints what the aggregator and its ffmpegs take of
CPU and memory, what was lost and not replaced, and that no ffmpeg is left when the aggregator is killed.

  --encoders N   how many (default 50)
  --kbps N       what each sends (default 2000)
  --loss P       percent of datagrams that are lost, each way (default 1)
  --delay MS     of each datagram, each way (default 10)
  --seconds S    how long CPU is measured (default 20)
  --compare      measures as many ffmpegs that listen for SRT themselves, too

Exit code 1 when an encoder is not let in, is lost, or leaves something behind.`;

const { values } = parseArgs({
  options: {
    srt: { type: 'boolean' },
    encoders: { type: 'string', default: '50' },
    kbps: { type: 'string', default: '2000' },
    loss: { type: 'string', default: '1' },
    delay: { type: 'string', default: '10' },
    compare: { type: 'boolean', default: false },
    ...commonOptions,
  },
});

interface SeenCamera {
  readonly name: string;
  readonly live: boolean;
  readonly videoCodec: string | null;
  readonly srt?: {
    readonly rttMs: number;
    readonly packets: number;
    readonly packetsLost: number;
    readonly packetsDropped: number;
  };
}

function makeClip(file: string, kbps: number): void {
  const { status, stderr } = spawnSync('ffmpeg', [
    ...['-v', 'error', '-y', '-f', 'lavfi', '-i', 'testsrc2=size=640x360:rate=25,noise=alls=20:allf=t'],
    ...['-f', 'lavfi', '-i', 'sine=frequency=400', '-t', '10', '-c:v', 'libx264', '-preset', 'ultrafast'],
    ...['-pix_fmt', 'yuv420p', '-b:v', `${kbps}k`, '-maxrate', `${kbps}k`, '-bufsize', `${kbps / 2}k`, '-g', '50'],
    ...['-c:a', 'aac', '-f', 'mpegts', file],
  ]);
  if (status !== 0) throw new Error(String(stderr));
}

let isOver = false;
let again = 0;

/** An encoder, which calls again when its connection is lost, as they do. */
function encode(clip: string, url: string): void {
  const args = ['-nostdin', '-v', 'fatal', '-re', '-stream_loop', '-1', '-i', clip, '-c', 'copy', '-f', 'mpegts', url];
  start('ffmpeg', args).once('exit', () => {
    if (isOver) return;
    again++;
    setTimeout(() => {
      if (!isOver) encode(clip, url);
    }, 1000);
  });
}

async function main(): Promise<number> {
  const [encoders, kbps, seconds] = [Number(values.encoders), Number(values.kbps), Number(values.seconds)];
  console.log(
    `srt: ${encoders} encoders of ${kbps} kbit/s, ${values.loss} % lost and ${values.delay} ms each way, ${availableParallelism()} cores`,
  );
  const failures: string[] = [];
  const folder = mkdtempSync(join(tmpdir(), 'soak-srt-'));
  const clip = join(folder, 'clip.ts');
  makeClip(clip, kbps);
  const program = await startProgram(['--srt-port', '0', '--srt-latency', '300ms']);
  const { srtPort } = JSON.parse(readFileSync(join(program.dataDir, 'runtime.json'), 'utf8')) as { srtPort: number };
  const way = await lossyWay({ defer() {} }, srtPort, {
    loss: Number(values.loss) / 100,
    delayMs: Number(values.delay),
  });
  const names = Array.from({ length: encoders }, (_, index) => `srt-${index}`);
  for (const name of names) await program.api('POST', '/v1/cameras', { name });
  for (const name of names) encode(clip, `srt://127.0.0.1:${way.port}?streamid=${name}&latency=300000`);
  const seen = async (): Promise<readonly SeenCamera[]> =>
    ((await program.api('GET', '/v1/cameras?limit=500')) as { items: SeenCamera[] }).items;
  const took = await until(
    async () => (await seen()).every(({ live, videoCodec }) => live && videoCodec !== null),
    'all encoders to be live',
  );
  console.log(`  all live ${(took / 1000).toFixed(1)} s after the last was started; ${again} had to call again`);
  const [before, againBefore] = [await seen(), again];
  await measure(program, seconds);
  const after = await seen();
  const total = (all: readonly SeenCamera[], pick: (srt: NonNullable<SeenCamera['srt']>) => number): number =>
    sum(all.map(({ srt }) => (srt === undefined ? 0 : pick(srt))));
  const passed = (pick: (srt: NonNullable<SeenCamera['srt']>) => number): number =>
    total(after, pick) - total(before, pick);
  console.log(
    `  ${passed(({ packets }) => packets)} packets, ${passed(({ packetsLost }) => packetsLost)} lost at first, ` +
      `${passed(({ packetsDropped }) => packetsDropped)} never replaced; round trip ${(total(after, ({ rttMs }) => rttMs) / encoders).toFixed(0)} ms`,
  );
  const lost = after.filter(({ live }) => !live).length;
  if (lost > 0) failures.push(`${lost} encoders are not live any more`);
  if (again > againBefore) failures.push(`${again - againBefore} encoders had to call again while they were measured`);
  isOver = true;
  await killWithPrograms(program);
  killAll();
  if (values.compare) await compare(clip, encoders, seconds);
  for (const each of [folder, program.dataDir]) rmSync(each, { recursive: true, force: true });
  for (const failure of failures) console.error(`FAILED: ${failure}`);
  return failures.length > 0 ? 1 : 0;
}

/** The other way: an ffmpeg that listens for each encoder, without anything before it. */
async function compare(clip: string, encoders: number, seconds: number): Promise<void> {
  const first = 20_000 + Math.floor(Math.random() * 10_000);
  const listeners = Array.from({ length: encoders }, (_, index) => {
    const url = `srt://127.0.0.1:${first + index}?mode=listener`;
    return (
      start('ffmpeg', ['-nostdin', '-v', 'error', '-i', url, '-c', 'copy', '-f', 'flv', '/dev/null', '-y']).pid ?? 0
    );
  });
  await new Promise((resolve) => setTimeout(resolve, 5000));
  isOver = false;
  for (let index = 0; index < encoders; index++) encode(clip, `srt://127.0.0.1:${first + index}`);
  await new Promise((resolve) => setTimeout(resolve, 10_000));
  const before = sum(listeners.map(cpuSeconds));
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const share = (sum(listeners.map(cpuSeconds)) - before) / seconds;
  const memory = sum(listeners.map(memoryBytes));
  console.log(
    `  in comparison, ${encoders} ffmpegs that listen: ${(share * 100).toFixed(0)} % of one core, ${mb(memory)}`,
  );
}

await runMain(values.help === true ? help : undefined, main, killAll);
