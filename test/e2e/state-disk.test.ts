import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { startAggregator } from '../support/aggregator.js';
import { Life, problemCodes } from '../support/life.js';
import { testScope } from '../support/scope.js';
import { hasCompiler, troubledFile } from '../support/troubled-file.js';
import { waitFor, within } from '../support/wait.js';

describe.skipIf(!hasCompiler).each([0, 1])('the disk of the state, with %i media workers', (workers) => {
  const flags = ['--workers', String(workers)];

  test.concurrent('answers no more: media flows, changes are refused in time, and it recovers', async (context) => {
    const scope = testScope(context);
    const dataDir = scope.temporaryFolder();
    const disk = await troubledFile(scope, join(dataDir, 'state.journal'));
    const aggregator = await startAggregator(scope, { flags, dataDir, env: disk.env });
    const life = await Life.begin(scope, aggregator);

    disk.set('hang');
    const startedMs = Date.now();
    const change = aggregator.api('POST', '/v1/cameras', { name: 'late' });
    await life.expectWell();
    const { status, body } = await within(change, 20_000, 'an answer to a change');
    expect(status).toBe(503);
    expect(body).toMatchObject({ code: 'STATE_WRITE_FAILED', detail: expect.stringContaining('may still be made') });
    expect(Date.now() - startedMs).toBeGreaterThan(9000);
    // From then on they are refused at once.
    const next = await within(aggregator.api('POST', '/v1/cameras', { name: 'next' }), 3000, 'the next answer');
    expect(next).toMatchObject({ status: 503, body: { detail: expect.stringContaining('nothing was changed') } });
    expect(await problemCodes(aggregator)).toContain('STATE_WRITE_FAILED');
    await life.expectWell();

    disk.set('well');
    await waitFor(async () => (await aggregator.api('POST', '/v1/cameras', { name: 'next' })).status < 300, {
      what: 'a change',
    });
    expect(await problemCodes(aggregator)).not.toContain('STATE_WRITE_FAILED');
    expect((await aggregator.camera('late')).name).toBe('late'); // it was made after all
    await life.expectWell();

    disk.set('hang');
    void aggregator.api('POST', '/v1/cameras', { name: 'never' }).catch(() => {});
    await life.expectEnd([0, 1, 'SIGKILL', 'SIGTERM']);
  });
});
