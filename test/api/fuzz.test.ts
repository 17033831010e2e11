import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestAggregator } from '../cli/support.js';
import { Scope } from '../support/scope.js';
import { ask } from './ask.js';
import { callsOf, type FuzzedOperation, faultOf, type Hints, operationsOf } from './document-fuzz.js';
import { startTestApi, type TestApi } from './harness.js';

/** Set it for a longer search; a failure prints the seed to find it again. */
const runsEach = Number(process.env.MEDIA_AGGREGATOR_FUZZ_RUNS ?? '25');

const name = fc.constantFrom(
  'cam',
  'cam2',
  'constructor',
  'toString',
  'p',
  'eng',
  'a b',
  '..',
  '__proto__',
  'é',
  '%2e',
);
/** Hosts of this machine, and names that nobody has: a push really dials its target. */
const hosts = fc.constantFrom('127.0.0.7', '127.0.0.8', 'nobody.invalid', '::1', '127.0.0.7:80', 'a b', '', '{host}');
const hints: Hints = {
  name,
  id: name,
  camera: name,
  engine: fc.constantFrom('eng', 'eng2', 'none'),
  host: hosts,
  se_ip: hosts,
  url: fc.constantFrom(
    ...[
      'rtmp://127.0.0.7:9/live/x',
      'rtmp://127.0.0.7:9/live/y?key=S',
      'rtmp://nobody.invalid/a/b',
      'rtmps://127.0.0.7/a/b',
    ],
    ...['http://127.0.0.7/', 'rtmp://', 'rtmp://127.0.0.7:99999/a/b', 'rtmp://127.0.0.7/***/b', '\u0000'],
  ),
  pushUrl: fc.constantFrom(
    'rtmp://127.0.0.7:9/live/{name}',
    'rtmp://{host}:9/{type}/{name}',
    'rtmp://{nobody}/a',
    'x',
    null,
  ),
  playbackUrl: fc.constantFrom('http://127.0.0.7/{name}.m3u8', '{', 'x', null),
  // Devices of the network are asked by it.
  address: hosts,
  addresses: fc.array(hosts, { maxLength: 3 }),
  waitMs: fc.constantFrom(100, 99, -1, 'x'),
  'if-match': fc.constantFrom('*', '"x"', 'W/"y", "z"', ''),
  'if-none-match': fc.constantFrom('*', '"x"'),
};

const timeLimitMs = Math.max(15_000, runsEach * 600);
/** Made even by a machine that has ten times the work it can do; an idle one makes thousands. */
const fewestCalls = 100;

/** A call of one of them; by its index, so that a report of a failure can be read. */
function oneOf(operations: readonly FuzzedOperation[]) {
  return fc
    .nat(operations.length - 1)
    .chain((index) => callsOf(operations[index]!, hints).map((call) => ({ index, call })));
}

/** As the holder of the admin token, who gets behind every route. */
async function fuzz(port: number, folder: string, operations: readonly FuzzedOperation[]): Promise<number> {
  const admin = readFileSync(join(folder, 'admin-token'), 'utf8').trim();
  let calls = 0;
  const one = fc
    .constantFrom(...operations)
    .chain((operation) => callsOf(operation, hints).map((call) => ({ operation, call })));
  await fc.assert(
    fc.asyncProperty(one, async ({ operation, call }) => {
      calls += 1;
      const sent = { ...call, headers: { authorization: `Bearer ${admin}`, ...call.headers } };
      expect(await faultOf(port, operation, sent)).toBeUndefined();
    }),
    { numRuns: runsEach * operations.length, interruptAfterTimeLimit: timeLimitMs },
  );
  return calls;
}

describe('every route, fuzzed from the OpenAPI document: no failure, no undocumented status, bodies as documented', () => {
  let test: TestApi;
  beforeAll(async () => {
    test = await startTestApi({ maxCameras: 10, maxEngines: 3 });
  });
  afterAll(() => test.close());

  it('by a caller who may do everything', async () => {
    const operations = operationsOf(test.api.describe());
    expect(operations.length).toBeGreaterThan(30);
    expect(await fuzz(test.api.port, test.folder, operations)).toBeGreaterThan(fewestCalls);
    expect((await ask(test.api.port, { path: '/healthz' })).status).toBe(200);
  });

  it.each([
    ['by a caller without a token', () => ({ 'x-forwarded-for': '192.0.2.1' })],
    ['by a page of another site', () => ({ origin: 'https://evil.example' })],
  ])('%s: 401 or 403, whatever is asked', async (_, headers) => {
    const operations = operationsOf(test.api.describe()).filter(({ responses }) => '401' in responses);
    const { state } = test.store;
    await fc.assert(
      fc.asyncProperty(oneOf(operations), async ({ index, call }) => {
        const operation = operations[index]!;
        const sent = { ...call, headers: { ...call.headers, ...headers() } };
        expect(await faultOf(test.api.port, operation, sent)).toBeUndefined();
        const answer = await ask(test.api.port, { method: operation.method, ...sent });
        // A name that is too long for any route is refused before anyone is asked who they are.
        expect([401, 403, 414]).toContain(answer.status);
      }),
      { numRuns: 100 },
    );
    expect(test.store.state).toBe(state);
  });
});

it('a whole aggregator, fuzzed in the same way, keeps serving', async () => {
  const scope = new Scope();
  try {
    const { apiPort, apiUrl, dataDir } = await startTestAggregator(scope, { 'max-cameras': '10' });
    const document = (await (await fetch(`${apiUrl}/openapi.json`)).json()) as object;
    // Answers of a network are waited for; the other suite has this call.
    const isQuick = ({ path }: FuzzedOperation): boolean => path !== '/v1/discovery/scan';
    const operations = operationsOf(resolved(document)).filter(isQuick);
    expect(await fuzz(apiPort, dataDir, operations)).toBeGreaterThan(fewestCalls);
    expect((await ask(apiPort, { path: '/readyz' })).status).toBe(200);
  } finally {
    await scope.close();
  }
}, 120_000);

/** The document with every reference replaced by what it is to. */
function resolved(document: object): object {
  const { components } = document as { components: { schemas: Record<string, unknown> } };
  const visit = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(visit);
    if (typeof value !== 'object' || value === null) return value;
    if ('$ref' in value) return visit(components.schemas[String(value.$ref).split('/').at(-1) ?? '']);
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, visit(entry)]));
  };
  return Object(visit(document));
}
