import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { startAggregator } from '../support/aggregator.js';
import { problemCodes } from '../support/life.js';
import { testScope } from '../support/scope.js';
import { hasCompiler, troubledFile } from '../support/troubled-file.js';
import { waitFor, within } from '../support/wait.js';

const timeoutMs = 30_000;

describe.skipIf(!hasCompiler)('a start whose disk does not answer', () => {
  test.concurrent('for the state: alive, not ready, says why, and goes on when it does', async (context) => {
    const scope = testScope(context);
    const dataDir = scope.temporaryFolder();
    const disk = await troubledFile(scope, join(dataDir, 'state.json'));
    const aggregator = await startAggregator(scope, { dataDir, env: disk.env });
    await aggregator.apiOk('POST', '/v1/cameras', { name: 'gate' });
    await aggregator.process.stop('SIGTERM');

    disk.set('hang');
    const started = aggregator.launch();
    const alive = async () => (await aggregator.api('GET', '/healthz').catch(() => null))?.status === 200;
    await waitFor(alive, { what: 'an answer while it waits', timeoutMs });
    const refused = { code: 'START_WAITING', detail: expect.stringContaining('for the disk of the state') };
    expect(await aggregator.api('GET', '/readyz')).toMatchObject({ status: 503, body: refused });
    // Nobody is told that there are no cameras.
    expect(await aggregator.api('GET', '/v1/cameras')).toMatchObject({ status: 503, body: refused });
    expect(started.stderr).toContain('the start is waiting for something that does not answer');
    expect(started.stderr).toContain(dataDir);

    disk.set('well');
    await waitFor(async () => (await aggregator.api('GET', '/readyz').catch(() => null))?.status === 200, {
      what: 'the start to go on',
      timeoutMs,
    });
    expect((await aggregator.camera('gate')).name).toBe('gate');
  });

  test.concurrent('for when cameras were last live: ready, says so, and reads it when it does', async (context) => {
    const scope = testScope(context);
    const dataDir = scope.temporaryFolder();
    const disk = await troubledFile(scope, join(dataDir, 'last-live.json'));
    const aggregator = await startAggregator(scope, { dataDir, env: disk.env });
    await aggregator.apiOk('POST', '/v1/cameras', { name: 'gate' });
    await aggregator.process.stop('SIGTERM');

    disk.set('hang');
    aggregator.launch();
    await waitFor(async () => (await aggregator.api('GET', '/readyz').catch(() => null))?.status === 200, {
      what: 'the aggregator to serve',
      timeoutMs,
    });
    expect(await problemCodes(aggregator)).toContain('START_WAITING');
    disk.set('well');
    await waitFor(async () => !(await problemCodes(aggregator)).includes('START_WAITING'), {
      what: 'the problem to end',
      timeoutMs,
    });
  });

  test.concurrent('ends when it is told to, also while it waits', async (context) => {
    const scope = testScope(context);
    const dataDir = scope.temporaryFolder();
    const disk = await troubledFile(scope, join(dataDir, 'state.json'));
    const aggregator = await startAggregator(scope, { dataDir, env: disk.env });
    await aggregator.apiOk('POST', '/v1/cameras', { name: 'gate' });
    await aggregator.process.stop('SIGTERM');
    disk.set('hang');
    const started = aggregator.launch();
    await waitFor(() => started.stderr.includes('START_WAITING'), { what: 'a word of what it waits for', timeoutMs });
    // By a signal of its own: a thread that hangs in the system lets no process exit.
    started.signal('SIGTERM');
    const { code, signal } = await within(started.exited, 15_000, 'its end');
    expect(code ?? signal).toBe('SIGKILL');
    expect(started.stderr).toContain('stopping took too long');
  });
});
