import { connect, type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { startAggregator } from '../support/aggregator.js';
import { Life, problemCodes } from '../support/life.js';
import { startRtmpSink } from '../support/rtmp-sink.js';
import { type Scope, testScope } from '../support/scope.js';
import { sleep, waitFor, within } from '../support/wait.js';

/** Connections that say nothing. */
function openMany(scope: Scope, port: number, count: number): Socket[] {
  const sockets = Array.from({ length: count }, () => connect(port, '127.0.0.1').on('error', () => {}));
  scope.defer(() => {
    for (const socket of sockets) socket.destroy();
  });
  return sockets;
}

describe.each([0, 1])('with 64 descriptors and %i media workers', (workers) => {
  test.concurrent('strangers are refused before the API is, and what is live goes on', async (context) => {
    const scope = testScope(context);
    const flags = ['--workers', String(workers), '--handshake-timeout', '60s'];
    const aggregator = await startAggregator(scope, { openFiles: 64, flags });
    const life = await Life.begin(scope, aggregator);
    await life.expectWell();
    expect(await problemCodes(aggregator)).toEqual([]);

    const strangers = openMany(scope, aggregator.rtmpPort, 150);
    const callers = openMany(scope, aggregator.apiPort, 100);
    await waitFor(async () => (await problemCodes(aggregator)).includes('OPEN_FILES_LIMIT'), { what: 'the problem' });
    await life.expectWell();
    // A push that is added now has to wait, or finds one of the few that are left; the API says why.
    const other = await startRtmpSink(scope);
    await aggregator.addPush('cam', other.url('other'), 'other');
    await sleep(1500);
    await life.expectWell();
    const { state, lastError } = await aggregator.push('cam', 'other');
    if (state !== 'active') expect(lastError?.code).toBe('OPEN_FILES_LIMIT');
    const { problems } = (await aggregator.apiOk('GET', '/v1/config')) as {
      problems: { code: string; message: string; since: string }[];
    };
    const problem = problems.find(({ code }) => code === 'OPEN_FILES_LIMIT');
    expect(problem?.message).toContain('of 64 descriptors');
    expect(Date.parse(problem?.since ?? '')).toBeGreaterThan(Date.now() - 60_000);
    const metrics = await within(fetch(`${aggregator.apiUrl}/metrics`), 5000, '/metrics').then((each) => each.text());
    expect(
      Number(/^media_aggregator_open_files_refused_total\{use="media"\} (\d+)$/m.exec(metrics)?.[1]),
    ).toBeGreaterThan(50);
    const lines = aggregator.logLines().filter(({ message }) => message.includes('OPEN_FILES_LIMIT'));
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.length).toBeLessThan(30);

    for (const socket of [...strangers, ...callers]) socket.destroy();
    await aggregator.waitForPush('cam', 'other', 'active', 25_000);
    await waitFor(async () => !(await problemCodes(aggregator)).includes('OPEN_FILES_LIMIT'), {
      what: 'the end of the problem',
      timeoutMs: 20_000,
    });
    await life.expectEnd();
  });
});
