import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { type Aggregator, startAggregator } from '../support/aggregator.js';
import { run, runOk, startProcess } from '../support/process.js';
import { type Scope, testScope } from '../support/scope.js';
import { waitFor, within } from '../support/wait.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const bin = join(root, 'dist/cli/bin.cjs');
const clip = join(root, 'samples/clip.flv');

function serveArgs(scope: Scope, ...more: string[]): string[] {
  const folder = scope.temporaryFolder();
  return [bin, 'serve', '--rtmp-port', '0', '--api-port', '0', '--host', '127.0.0.1', '--data-dir', folder, ...more];
}

describe('serve', () => {
  test('says in one line that it serves, and nothing else on standard output', async (context) => {
    const scope = testScope(context);
    const server = startProcess(scope, process.execPath, serveArgs(scope));
    await waitFor(() => server.stdout.includes('\n'), { what: 'the line' });
    const line =
      /^media-aggregator [\d.]+ serves: RTMP (rtmp:\/\/127\.0\.0\.1:\d+), API (http:\/\/127\.0\.0\.1:\d+), data (\S+), dashboard http:\/\/127\.0\.0\.1:\d+\/\n$/;
    const [, , api, dataDir] = line.exec(server.stdout) ?? [];
    expect(api, server.stdout).toBeDefined();
    expect((await fetch(`${api}/healthz`)).status).toBe(200);
    const runtime = JSON.parse(readFileSync(join(dataDir!, 'runtime.json'), 'utf8'));
    expect(runtime).toMatchObject({ pid: server.pid, host: '127.0.0.1' });
    expect(await server.stop('SIGINT')).toEqual({ code: 0, signal: null });
    expect(existsSync(join(dataDir!, 'runtime.json'))).toBe(false);
    expect(server.stdout).toMatch(line);
  });

  test('the thread pool has room for slow look-ups of names', async (context) => {
    const scope = testScope(context);
    const server = startProcess(scope, process.execPath, serveArgs(scope));
    await waitFor(() => server.stdout.includes('\n'), { what: 'the line' });
    const environment = readFileSync(`/proc/${server.pid}/environ`, 'utf8');
    expect(environment).not.toContain('UV_THREADPOOL_SIZE');
    // The main thread, V8's four workers, its inspector's or signal's ones, and the pool's sixteen.
    const threads = Number(/^Threads:\s+(\d+)$/m.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1]);
    expect(threads).toBeGreaterThanOrEqual(16 + 5);
  });

  test('a port that is taken: one line that names it and its holder, exit code 1', async (context) => {
    const scope = testScope(context);
    const first = await startAggregator(scope);
    for (const [flag, port] of [
      ['--rtmp-port', first.rtmpPort],
      ['--api-port', first.apiPort],
    ] as const) {
      const { code, stdout, stderr } = await run(process.execPath, serveArgs(scope, flag, String(port)));
      const [line, ...rest] = stderr.trimEnd().split('\n').reverse();
      expect(line).toMatch(
        new RegExp(`^error: ADDRESS_IN_USE: Port ${port} is taken by \\S+ \\(pid ${first.process.pid}\\); .*${flag}`),
      );
      expect(rest.filter((each) => each.includes('ADDRESS_IN_USE'))).toEqual([]);
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    }
  });

  test('a second aggregator on the same data folder is refused', async (context) => {
    const scope = testScope(context);
    const first = await startAggregator(scope);
    const args = [bin, 'serve', '--rtmp-port', '0', '--api-port', '0', '--data-dir', first.dataDir];
    const { code, stderr } = await run(process.execPath, args);
    expect(stderr).toMatch(/^error: STATE_LOCKED: /m);
    expect(code).toBe(1);
    expect(JSON.parse(readFileSync(join(first.dataDir, 'runtime.json'), 'utf8')).pid).toBe(first.process.pid);
  });

  test('an API client in the middle of a request does not hold up the end', async (context) => {
    const scope = testScope(context);
    const aggregator = await startAggregator(scope);
    const client = connect(aggregator.apiPort, '127.0.0.1');
    scope.defer(() => client.destroy());
    client.on('error', () => {});
    client.write(
      'POST /v1/cameras HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"na',
    );
    await waitFor(() => client.bytesWritten > 0 && !client.connecting, { what: 'the request to be under way' });
    expect(await aggregator.process.stop('SIGTERM', 5000)).toEqual({ code: 0, signal: null });
  });

  test('a second signal ends it at once', async (context) => {
    const scope = testScope(context);
    const aggregator = await startAggregator(scope);
    // Holds up the orderly end for a moment.
    const client = connect(aggregator.apiPort, '127.0.0.1');
    scope.defer(() => client.destroy());
    client.on('error', () => {});
    client.write('POST /v1/cameras HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{');
    await waitFor(() => client.bytesWritten > 0 && !client.connecting, { what: 'the request to be under way' });
    aggregator.process.signal('SIGTERM');
    await waitFor(() => aggregator.logLines().some(({ message }) => message === 'stopping'), {
      what: 'the end to begin',
    });
    expect(await aggregator.process.stop('SIGTERM')).toEqual({ code: 128 + 15, signal: null });
  });

  /** Runs a server in which an exception is thrown that nobody catches, as soon as somebody listens for such. */
  async function runWithBoom(scope: Scope, before = '') {
    const trouble =
      `const t = setInterval(() => { if (process.listenerCount('uncaughtException') > 0) { ${before}` +
      " clearInterval(t); throw new Error('boom'); } }, 20);";
    const options = { env: { NODE_OPTIONS: `--import "data:text/javascript,${encodeURIComponent(trouble)}"` } };
    const server = startProcess(scope, process.execPath, serveArgs(scope), options);
    const exit = await within(server.exited, 20_000, 'the end');
    return { exit, lines: server.stderr.split('\n').filter((line) => line.includes('boom')) };
  }

  test('an exception that nobody caught is logged once, exit code 1', async (context) => {
    const { exit, lines } = await runWithBoom(testScope(context));
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0]!)).toMatchObject({
      level: 'error',
      message: 'uncaught exception',
      error: { message: 'boom' },
    });
    expect(exit).toEqual({ code: 1, signal: null });
  });

  test('a thread pool that is busy does not change the exit code', async (context) => {
    const busy = "const go = () => process.getBuiltinModule('fs').readFile('/proc/self/maps', go); go(); go();";
    const { exit, lines } = await runWithBoom(testScope(context), busy);
    expect(lines).toHaveLength(1);
    expect(exit).toEqual({ code: 1, signal: null });
  });

  test('a thread of the pool that hangs does not hold up the end', async (context) => {
    const scope = testScope(context);
    const fifo = join(scope.temporaryFolder(), 'fifo');
    await runOk('mkfifo', [fifo]);
    // Opening a FIFO that nobody writes to takes for ever.
    const hang = `process.getBuiltinModule('fs').readFile(${JSON.stringify(fifo)}, () => {});`;
    const { exit, lines } = await runWithBoom(scope, hang);
    expect(lines).toHaveLength(1);
    expect(exit).toEqual({ code: null, signal: 'SIGKILL' });
  });

  test('what is not a valid setting or state stops the start', async (context) => {
    const scope = testScope(context);
    const bad = await run(process.execPath, serveArgs(scope, '--push-retry-min', '250'));
    expect(bad).toMatchObject({ code: 2, stderr: expect.stringMatching(/^error: CONFIG_INVALID_VALUE: .*250ms/) });
    const args = serveArgs(scope);
    writeFileSync(join(args[args.indexOf('--data-dir') + 1]!, 'state.json'), '{"version": 1, "camera": {}}');
    const state = await run(process.execPath, args);
    expect(state).toMatchObject({ code: 1, stderr: expect.stringMatching(/^error: STATE_INVALID: .*camera/m) });
  });
});

test('npx finds the program in a checkout', async () => {
  const { code, stdout } = await run('npx', ['media-aggregator', '--version'], { cwd: root });
  expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  expect(code).toBe(0);
});

test('npm start runs serve with its flags, and ends in order', async (context) => {
  const scope = testScope(context);
  const [, , ...flags] = serveArgs(scope);
  const server = startProcess(scope, 'npm', ['start', '--silent', '--', ...flags], { cwd: root });
  await waitFor(() => server.stdout.includes('serves: RTMP') || server.exit !== undefined, {
    what: 'the line',
    timeoutMs: 60_000,
  });
  expect(server.stdout).toContain('serves: RTMP');
  const { pid } = JSON.parse(readFileSync(join(flags[flags.indexOf('--data-dir') + 1]!, 'runtime.json'), 'utf8'));
  // To the aggregator alone, as a supervisor would.
  process.kill(pid, 'SIGTERM');
  expect(await server.exited).toMatchObject({ code: 0 });
});

test('publish, stopped by Ctrl-C, says goodbye: the camera is free at once', async (context) => {
  const scope = testScope(context);
  const aggregator: Aggregator = await startAggregator(scope);
  const url = await aggregator.addCamera('c');
  const publisher = startProcess(scope, process.execPath, [bin, 'publish', clip, url, '--loop']);
  await aggregator.waitForLive('c');
  expect(await publisher.stop('SIGINT')).toEqual({ code: 0, signal: null });
  expect(publisher.stdout).toMatch(/^Sent [\d.]+ (bytes|KB|MB), \d+ messages? in [\d.]+ s \(.*bit\/s\)\.\n$/);
  await aggregator.waitForLive('c', false);
  const again = await run(process.execPath, [bin, 'publish', clip, url, '--duration', '1']);
  expect(again).toMatchObject({ code: 0, stderr: '' });
});
