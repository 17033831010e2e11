import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

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
    seconds: { type: 'string', default: '20' },
    help: { type: 'boolean' },
  },
});

/** Jiffies a second, as Linux counts CPU time for programs. */
const ticksPerSecond = 100;
const children: ChildProcess[] = [];

function start(command: string, args: readonly string[]): ChildProcess {
  const child = spawn(command, [...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  return child;
}

interface Program {
  readonly child: ChildProcess;
  readonly dataDir: string;
  readonly api: (method: string, path: string, body?: unknown) => Promise<unknown>;
  readonly rtmpPort: number;
}

async function startProgram(): Promise<Program> {
  const dataDir = mkdtempSync(join(tmpdir(), 'soak-sources-'));
  const child = start(process.execPath, [
    ...['dist/cli/bin.cjs', 'serve', '--host', '127.0.0.1', '--data-dir', dataDir, '--log-level', 'error'],
    ...['--rtmp-port', '0', '--api-port', '0'],
  ]);
  const file = join(dataDir, 'runtime.json');
  await until(() => existsSync(file), 'the aggregator');
  const { apiPort, rtmpPort } = JSON.parse(readFileSync(file, 'utf8')) as { apiPort: number; rtmpPort: number };
  const api: Program['api'] = async (method, path, body) => {
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    const answer = await fetch(`http://127.0.0.1:${apiPort}${path}`, init);
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  };
  return { child, dataDir, api, rtmpPort };
}

async function until(isDone: () => boolean | Promise<boolean>, what: string, limitMs = 180_000): Promise<number> {
  const startedMs = performance.now();
  while (!(await isDone())) {
    if (performance.now() - startedMs > limitMs) throw new Error(`waited ${limitMs / 1000} s in vain for ${what}`);
    await sleep(50);
  }
  return performance.now() - startedMs;
}

/** Processes whose parent is this one. */
function childrenOf(pid: number): number[] {
  const found: number[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      const command = readFileSync(`/proc/${name}/comm`, 'utf8').trim();
      if (Number(/\) \S (\d+) /.exec(stat)?.[1]) === pid && command === 'ffmpeg') found.push(Number(name));
    } catch {
      // it is over
    }
  }
  return found;
}

function cpuSeconds(pid: number): number {
  const [, , ...fields] = /\) (\S) (.*)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[0].split(' ') ?? [];
  // utime and stime are the fields 14 and 15, of which 3 is the state.
  return (Number(fields[10]) + Number(fields[11])) / ticksPerSecond;
}

/** Its own share of memory: what it shares with others counts for each in part. */
function memoryBytes(pid: number): number {
  return Number(/^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0) * 1024;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);
const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;

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

async function measure(program: Program, seconds: number): Promise<void> {
  const pid = program.child.pid ?? 0;
  const programs = childrenOf(pid);
  const before = { own: cpuSeconds(pid), programs: sum(programs.map(cpuSeconds)) };
  await sleep(seconds * 1000);
  const own = (cpuSeconds(pid) - before.own) / seconds;
  const others = (sum(programs.map(cpuSeconds)) - before.programs) / seconds;
  const percent = (share: number): string => `${(share * 100).toFixed(0)} % of one core`;
  console.log(`  aggregator: ${percent(own)}, ${mb(memoryBytes(pid))}`);
  if (programs.length > 0) {
    const memory = sum(programs.map(memoryBytes));
    console.log(
      `  ${programs.length} ffmpeg: ${percent(others)}, ${mb(memory)} (${mb(memory / programs.length)} each)`,
    );
  }
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
    const programs = childrenOf(program.child.pid ?? 0);
    program.child.kill('SIGKILL');
    const took = await until(
      () => !programs.some((pid) => existsSync(`/proc/${pid}`)),
      'the ffmpegs to be gone',
      20_000,
    );
    console.log(`  killed: its ${programs.length} ffmpegs were gone ${(took / 1000).toFixed(1)} s later`);
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

if (values.help === true) console.log(help);
else {
  const code = await main().catch((error: unknown) => {
    console.error(error);
    return 1;
  });
  for (const child of children) child.kill('SIGKILL');
  process.exit(code);
}
