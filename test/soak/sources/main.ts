import { rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { runMain } from '../run-main.js';
import {
  commonOptions,
  killAll,
  killWithPrograms,
  measure,
  type Program,
  start,
  startProgram,
  until,
} from './helpers.js';

const help = `npm run soak -- --sources [options]

Pulls many cameras at once from a real RTSP server (GStreamer's, one camera that all share), each by an ffmpeg of its own, and as
many again by RTMP from a second aggregator; prints how long it takes until all are live, what they take of CPU and memory, and
that no ffmpeg is left when the aggregator is killed.

  --rtsp N      sources by RTSP (default 50)
  --rtmp N      sources by RTMP (default 200)
  --seconds S   how long CPU is measured (default 20)

Exit code 1 when a source does not come up, is lost, or leaves something behind.`;

const { values } = parseArgs({
  options: {
    sources: { type: 'boolean' },
    rtsp: { type: 'string', default: '50' },
    rtmp: { type: 'string', default: '200' },
    ...commonOptions,
  },
});

async function pullAll(program: Program, kind: string, count: number, url: string): Promise<number> {
  const names = Array.from({ length: count }, (_, index) => `${kind}-${index}`);
  for (const name of names) await program.api('POST', '/v1/cameras', { name, source: url });
  const took = await until(async () => {
    const { live } = await counts(program, kind);
    return live === count;
  }, `${count} sources by ${kind}`);
  console.log(
    `  ${count} sources by ${kind.padEnd(5)} all live ${(took / 1000).toFixed(1)} s after the last was declared`,
  );
  return took;
}

async function counts(program: Program, kind: string): Promise<{ live: number; again: number }> {
  let live = 0;
  let again = 0;
  let cursor = '';
  do {
    const page = (await program.api('GET', `/v1/cameras?limit=200${cursor}`)) as {
      items: { name: string; live: boolean; source?: { connects: number } }[];
      next?: string | null;
    };
    for (const { name, live: isLive, source } of page.items) {
      if (!name.startsWith(`${kind}-`)) continue;
      if (isLive) live++;
      if ((source?.connects ?? 0) > 1) again++;
    }
    cursor = page.next == null ? '' : `&after=${encodeURIComponent(page.next)}`;
  } while (cursor !== '');
  return { live, again };
}

async function main(): Promise<number> {
  const [rtsp, rtmp, seconds] = [Number(values.rtsp), Number(values.rtmp), Number(values.seconds)];
  console.log(`sources: ${rtsp} by RTSP, ${rtmp} by RTMP, ${availableParallelism()} cores`);
  const failures: string[] = [];
  const server = start('/usr/bin/python3', ['test/support/rtsp-server.py', 'digest', 'admin', 'secret']);
  let said = '';
  server.stdout?.on('data', (data: Buffer) => {
    said += data.toString();
  });
  await until(() => said.includes('\n'), 'the RTSP server');
  const program = await startProgram();
  if (rtsp > 0) {
    await pullAll(program, 'rtsp', rtsp, `rtsp://admin:secret@127.0.0.1:${said.trim()}/cam`);
    await measure(program, seconds);
    const { live, again } = await counts(program, 'rtsp');
    if (live !== rtsp || again > 0)
      failures.push(`of ${rtsp} by RTSP ${live} are live, ${again} had to be dialled again`);
    await killWithPrograms(program);
  } else program.child.kill();
  if (rtmp > 0) {
    const [far, near] = [await startProgram(), await startProgram()];
    await far.api('POST', '/v1/cameras', { name: 'src' });
    const url = `rtmp://127.0.0.1:${far.rtmpPort}/src/src`;
    const copy = [
      '-loglevel',
      'error',
      '-re',
      '-stream_loop',
      '-1',
      '-i',
      'samples/clip.flv',
      '-c',
      'copy',
      '-f',
      'flv',
      url,
    ];
    start('ffmpeg', copy);
    await until(async () => ((await far.api('GET', '/v1/cameras/src')) as { live: boolean }).live, 'the far camera');
    await pullAll(near, 'rtmp', rtmp, url);
    await measure(near, seconds);
    const { live, again } = await counts(near, 'rtmp');
    if (live !== rtmp || again > 0)
      failures.push(`of ${rtmp} by RTMP ${live} are live, ${again} had to be dialled again`);
    for (const { dataDir } of [far, near]) rmSync(dataDir, { recursive: true, force: true });
  }
  rmSync(program.dataDir, { recursive: true, force: true });
  for (const failure of failures) console.error(`FAILED: ${failure}`);
  return failures.length > 0 ? 1 : 0;
}

await runMain(values.help === true ? help : undefined, main, killAll);
