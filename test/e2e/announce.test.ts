import { createServer } from 'node:http';
import { expect, test } from 'vitest';
import { startAggregator } from '../support/aggregator.js';
import { freePort } from '../support/ports.js';
import { testScope } from '../support/scope.js';
import { waitFor } from '../support/wait.js';

interface ConfigView {
  readonly contentManager: { state: string; url: string; attempt: number; address: string } | null;
  readonly settings: Record<string, { value: unknown; source: string }>;
}

test('the aggregator serves while the content manager is down, fails and stalls, and is announced when it is well', async (context) => {
  const scope = testScope(context);
  const port = await freePort();
  const env = { CMS_IP: `127.0.0.1:${port}`, container_name: 'ma-7', event: 'stadium' };
  // Down: the start waits for nothing.
  const aggregator = await startAggregator(scope, { env });
  const config = async (): Promise<ConfigView> => (await aggregator.apiOk('GET', '/v1/config')) as ConfigView;
  const serves = async (name: string): Promise<void> => {
    await aggregator.addCamera(name);
    expect(await aggregator.apiOk('GET', '/status')).toEqual({ resource_id: 'ma-7', status: 'ok' });
    expect((await config()).contentManager?.state).not.toBe('accepted');
  };
  await waitFor(async () => ((await config()).contentManager?.attempt ?? 0) >= 1, { what: 'a failure' });
  await serves('while-down');
  expect((await config()).settings.contentManager).toMatchObject({
    value: `http://127.0.0.1:${port}`,
    source: 'environment CMS_IP',
  });

  let mode: 'stall' | 'fail' | 'well' = 'fail';
  const seen: string[] = [];
  const bodies: unknown[] = [];
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (data) => {
      text += String(data);
    });
    request.on('end', () => {
      seen.push(mode);
      bodies.push(JSON.parse(text));
      if (mode === 'fail') response.writeHead(500).end('<html>Internal Server Error</html>');
      if (mode === 'well') response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  scope.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  await waitFor(() => seen.includes('fail'), { what: 'a try that is answered with 500', timeoutMs: 20_000 });
  await serves('while-failing');
  mode = 'stall';
  await waitFor(() => seen.includes('stall'), { what: 'a try that is not answered', timeoutMs: 20_000 });
  await serves('while-stalled');
  mode = 'well';
  await waitFor(async () => (await config()).contentManager?.state === 'accepted', {
    what: 'the announcement',
    timeoutMs: 60_000,
  });
  expect(bodies.at(-1)).toEqual({
    Aggregators: [{ name: 'ma-7', location: 'stadium', ip: `127.0.0.1:${aggregator.apiPort}` }],
    StreamingEngines: [],
  });
  // The log comes by a pipe, behind the answer that told of it.
  const lastLine = () => aggregator.logLines().findLast(({ part }) => part === 'announcement')?.message;
  await waitFor(() => lastLine() === 'the content manager knows this aggregator', { what: 'the line in the log' });
  expect(await aggregator.process.stop('SIGTERM')).toEqual({ code: 0, signal: null });
});

test('without a content manager nobody is told', async (context) => {
  const aggregator = await startAggregator(testScope(context));
  expect(await aggregator.apiOk('GET', '/v1/config')).toMatchObject({ contentManager: null });
});
