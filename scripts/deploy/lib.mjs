/** What the checks of scripts/deploy.sh share: commands, waiting, and what is undone at the end. */
import { spawn, spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

const startedAt = Date.now();
const cleanups = [];
let passed = 0;

/** Runs a story, and whatever it left to undo; the exit code says whether all held. */
export async function tell(name, story) {
  try {
    await story();
    say(`${name}: ${passed} checks passed in ${Math.round((Date.now() - startedAt) / 1000)} s`);
  } catch (error) {
    say(`${name}: FAILED: ${error.message}`);
    process.exitCode = 1;
  } finally {
    await undo();
  }
}

/** @param {() => unknown} each what is done at the end, the last one first */
export function atTheEnd(each) {
  cleanups.push(each);
}

async function undo() {
  for (let each = cleanups.pop(); each !== undefined; each = cleanups.pop()) {
    try {
      await each();
    } catch (error) {
      say(`could not be undone: ${error.message}`);
      process.exitCode = 1;
    }
  }
}

export function say(text) {
  console.log(`deploy: ${text}`);
}

export function expect(what, isTrue) {
  if (!isTrue) throw new Error(what);
  passed += 1;
  say(`ok: ${what}`);
}

/** The result of a command that may fail. */
export function attempt(command, args, { input = '', env = {}, timeoutMs = 600_000 } = {}) {
  const options = { encoding: 'utf8', input, env: { ...process.env, ...env }, timeout: timeoutMs, maxBuffer: 64 << 20 };
  const { status, signal, error, stdout, stderr } = spawnSync(command, args, options);
  return { code: status ?? signal ?? error?.message, stdout: stdout ?? '', stderr: stderr ?? '' };
}

/** What a command prints; it must not fail. */
export function output(command, args, options) {
  const { code, stdout, stderr } = attempt(command, args, options);
  if (code !== 0) throw new Error(`${command} ${args.join(' ')}: ${code}\n${(stderr || stdout).slice(-3000)}`);
  return stdout;
}

/** Removes what a run that was cut off left in the daemon: a container of it may be started again, and hold a port. */
export function removeLeft() {
  const filter = ['--quiet', '--filter', 'name=^/?media-aggregator-trial'];
  for (const [kind, list, remove] of [
    ['container', ['ls', '--all'], ['rm', '--force', '--volumes']],
    ['volume', ['ls'], ['rm', '--force']],
    ['network', ['ls'], ['rm']],
  ]) {
    const names = output('docker', [kind, ...list, ...filter])
      .split('\n')
      .filter(Boolean);
    if (names.length > 0) output('docker', [kind, ...remove, ...names]);
  }
}

/** A program that runs beside the story, and ends with it. */
export function background(command, args, { env = {} } = {}) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      log = (log + text).slice(-20_000);
    });
  }
  const exited = new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(code ?? signal));
  });
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null || child.pid === undefined;
  const stop = async (signal = 'SIGTERM') => {
    if (!hasEnded()) child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), 20_000);
    const code = await exited;
    clearTimeout(timer);
    return code;
  };
  atTheEnd(stop);
  return { child, exited, hasEnded, stop, log: () => log };
}

/** Waits until the probe answers something true, and returns that. Failures of the probe are "not yet". */
export async function until(what, probe, timeoutMs = 60_000, tellMore = () => '') {
  const begun = Date.now();
  let last = '';
  for (;;) {
    try {
      const answer = await probe();
      if (answer) {
        expect(`${what} (${((Date.now() - begun) / 1000).toFixed(1)} s)`, true);
        return answer;
      }
    } catch (error) {
      last = error.message;
    }
    if (Date.now() - begun > timeoutMs) {
      throw new Error(`${what}: not within ${timeoutMs / 1000} s ${last}\n${tellMore()}`);
    }
    await sleep(300);
  }
}

/** A node's API, with a token. */
export function apiOf(url, token) {
  return async (method, path, body) => {
    const headers = { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) };
    const response = await fetch(url + path, {
      method,
      headers,
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(10_000),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.json();
  };
}

/** Waits until an engine's playlist has a segment that it has not yet, and that decodes. */
export async function pictureAt(what, url, timeoutMs = 90_000) {
  const newest = async () => {
    const response = await fetch(url, { signal: AbortSignal.timeout(5000) });
    const last = (await response.text()).split('\n').findLast((line) => line.endsWith('.ts'));
    return response.ok ? last : undefined;
  };
  const before = await newest().catch(() => undefined);
  const next = async () => {
    const found = await newest();
    return found !== before && found;
  };
  const segment = await until(`${what}: a new segment at ${url}`, next, timeoutMs);
  const args = ['-nostdin', '-v', 'error', '-xerror', '-i', new URL(segment, url).href, '-f', 'null', '-'];
  const decoded = attempt('ffmpeg', args);
  expect(`${what}: it decodes ${decoded.stderr.trim().slice(0, 300)}`, decoded.code === 0 && decoded.stderr === '');
}

/** A camera as an encoder is: it tries its addresses one after the other, again and again. */
export function camera(endpoints) {
  let current;
  let isOver = false;
  let turn = 0;
  const tries = [];
  const run = async () => {
    while (!isOver) {
      const endpoint = endpoints[turn++ % endpoints.length];
      tries.push(endpoint);
      current = background('ffmpeg', [
        ...['-nostdin', '-v', 'error', '-re', '-stream_loop', '-1', '-i', 'samples/clip.flv'],
        ...['-c', 'copy', '-f', 'flv', '-rw_timeout', '3000000', endpoint],
      ]);
      await current.exited;
      await sleep(500);
    }
  };
  const running = run();
  const stop = async () => {
    isOver = true;
    await current?.stop('SIGINT');
    await running;
  };
  atTheEnd(stop);
  return { tries, stop };
}
