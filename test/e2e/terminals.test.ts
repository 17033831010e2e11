import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { nodePath, programPath, startAggregator } from '../support/aggregator.js';
import { Life } from '../support/life.js';
import { startProcess } from '../support/process.js';
import { testScope } from '../support/scope.js';
import { sleep, waitFor, within } from '../support/wait.js';

describe.each([0, 1])('with %i media workers', (workers) => {
  const flags = ['--workers', String(workers)];

  test.concurrent('under nohup a HUP ends nothing, and reads again what can be', async (context) => {
    const scope = testScope(context);
    const config = join(scope.temporaryFolder(), 'settings.yaml');
    writeFileSync(config, 'log-level: info\n');
    const aggregator = await startAggregator(scope, { flags: [...flags, '--config', config], through: ['nohup'] });
    const life = await Life.begin(scope, aggregator);
    writeFileSync(config, 'log-level: debug\n');
    process.kill(-aggregator.process.pid, 'SIGHUP');
    await waitFor(() => aggregator.logLines().some(({ message }) => message === 'reloaded the settings'), {
      what: 'the settings to be read',
    });
    expect(await aggregator.apiOk('GET', '/v1/log')).toMatchObject({ level: 'debug' });
    await life.expectWell();
    await life.expectEnd();
  });

  test.concurrent('Ctrl-Z stops it, and fg has it go on as if nothing had been', async (context) => {
    const scope = testScope(context);
    const aggregator = await startAggregator(scope, {
      flags: [...flags, '--idle-timeout', '2s', '--publish-takeover', '1s', '--stall-timeout', '2s'],
    });
    const life = await Life.begin(scope, aggregator);
    await life.expectWell();
    const { pid } = aggregator.process;
    const state = () => /^State:\s+(\S)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    // A terminal sends TSTP to the whole group. One without a terminal (an orphaned group) is stopped by nothing but STOP.
    process.kill(-pid, 'SIGTSTP');
    await sleep(200);
    if (state() !== 'T') process.kill(-pid, 'SIGSTOP');
    await waitFor(() => state() === 'T', { what: 'it to stand still' });
    await sleep(3000);
    process.kill(-pid, 'SIGCONT');
    await life.expectWell();
    await life.expectEnd();
  });
});

test('a terminal that is closed takes no server with it', async (context) => {
  const scope = testScope(context);
  const dataDir = scope.temporaryFolder();
  const words = [nodePath, programPath, 'serve', '--host', '127.0.0.1', '--rtmp-port', '0', '--api-port', '0'];
  const command = [...words, '--data-dir', dataDir].map((word) => `'${word}'`).join(' ');
  // `script` holds the other end of a terminal of its own, and the server is in its foreground.
  const terminal = startProcess(scope, 'script', ['-qefc', command, '/dev/null']);
  const runtime = await waitFor(
    () => JSON.parse(readFileSync(join(dataDir, 'runtime.json'), 'utf8')) as { pid: number; apiPort: number },
    { what: 'the start', timeoutMs: 20_000 },
  );
  const isThere = (): boolean => {
    try {
      process.kill(runtime.pid, 0);
      return true;
    } catch {
      return false;
    }
  };
  scope.defer(() => {
    if (isThere()) process.kill(runtime.pid, 'SIGKILL');
  });
  terminal.signal('SIGKILL');
  await within(terminal.exited, 5000, 'the terminal to be gone').catch(() => undefined);
  await sleep(1000);
  expect(isThere()).toBe(true);
  const response = await within(fetch(`http://127.0.0.1:${runtime.apiPort}/healthz`), 5000, '/healthz');
  expect(response.ok).toBe(true);
  process.kill(runtime.pid, 'SIGTERM');
  await waitFor(() => !isThere(), { what: 'the end' });
});
