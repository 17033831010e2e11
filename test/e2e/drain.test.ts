import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startAggregator } from '../support/aggregator.js';
import { testScope } from '../support/scope.js';
import { waitFor, within } from '../support/wait.js';

test('SIGTERM: not ready at once, then closed; the service manager hears of all that', async (context) => {
  const scope = testScope(context);
  const folder = scope.temporaryFolder();
  // In the place of systemd's program: writes down what it is told, and for whom.
  const told = join(folder, 'told');
  const program = join(folder, 'systemd-notify');
  writeFileSync(program, `#!/bin/sh\necho "$NOTIFY_SOCKET $@" >> ${told}\n`);
  chmodSync(program, 0o755);
  const aggregator = await startAggregator(scope, {
    flags: ['--drain-delay', '1500ms'],
    env: { NOTIFY_SOCKET: '/run/test.sock', WATCHDOG_USEC: '1000000', PATH: `${folder}:${process.env.PATH}` },
  });
  expect((await aggregator.api('GET', '/readyz')).status).toBe(200);
  await waitFor(() => readFileSync(told, 'utf8').includes('WATCHDOG=1'), { what: 'an answer to the watchdog' });
  aggregator.process.signal('SIGTERM');
  await waitFor(async () => (await aggregator.api('GET', '/readyz')).status === 503, { what: 'readyz to say so' });
  expect(await aggregator.api('GET', '/readyz')).toMatchObject({ body: { code: 'DRAINING' } });
  // Until then it serves on.
  expect((await aggregator.api('GET', '/v1/cameras')).status).toBe(200);
  expect(await within(aggregator.process.exited, 8000, 'the aggregator to exit')).toEqual({ code: 0, signal: null });
  const lines = readFileSync(told, 'utf8').trimEnd().split('\n');
  expect(lines[0]).toMatch(/^\/run\/test\.sock --pid=\d+ READY=1 STATUS=media-aggregator .* serves: /);
  await waitFor(() => readFileSync(told, 'utf8').includes('STOPPING=1'), { what: 'the last word' });
});
