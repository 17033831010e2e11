import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { testScope } from '../support/scope.js';

import { cli, startTestAggregator } from './support.js';

const cameras = (names: readonly string[], pushes = 0) => {
  const all = Array.from({ length: pushes }, (_, index) => [`p${index}`, { url: `rtmp://127.0.0.9/live/${index}` }]);
  return Object.fromEntries(names.map((name) => [name, { pushes: Object.fromEntries(all) }]));
};
const engines = (names: readonly string[]) => {
  const urls = { pushUrl: 'rtmp://{host}/live/{name}', playbackUrl: 'http://{host}/{name}' };
  return Object.fromEntries(names.map((name) => [name, { host: `${name}.test`, ...urls }]));
};
const documentOf = (parts: { cameras: object; engines?: object }) => JSON.stringify({ version: 1, ...parts });

const until = (check: () => Promise<void>) => vi.waitFor(check, { timeout: 20_000, interval: 30 });

interface Problem {
  readonly code: string;
  readonly message: string;
}

async function problemsOf(apiUrl: string): Promise<Problem[]> {
  const response = await fetch(`${apiUrl}/v1/config`);
  return ((await response.json()) as { problems: Problem[] }).problems;
}

/** An aggregator on a state.json, with limits of two. */
async function startOn(context: Parameters<typeof testScope>[0], text: string) {
  const scope = testScope(context);
  const dataDir = scope.temporaryFolder();
  const file = join(dataDir, 'state.json');
  writeFileSync(file, text);
  const limits = { 'max-cameras': '2', 'max-engines': '2', 'max-pushes-per-camera': '2' };
  const { apiUrl } = await startTestAggregator(scope, { 'data-dir': dataDir, ...limits });
  const save = (edited: string): void => {
    writeFileSync(`${file}.new`, edited);
    renameSync(`${file}.new`, file);
  };
  return { apiUrl, file, save };
}

const over: [string, string, string][] = [
  ['cameras', documentOf({ cameras: cameras(['a', 'b', 'c']) }), '3 cameras (max-cameras: 2)'],
  ['engines', documentOf({ cameras: {}, engines: engines(['e', 'f', 'g']) }), '3 engines (max-engines: 2)'],
  [
    'pushes of a camera',
    documentOf({ cameras: cameras(['a'], 3) }),
    '1 camera with too many pushes (max-pushes-per-camera: 2)',
  ],
];

describe.each(over)('too many %s', (_, text, message) => {
  const fine = documentOf({ cameras: cameras(['a'], 1), engines: engines(['e']) });

  test('at a start: they are in force, and it is a problem until there are fewer', async (context) => {
    const { apiUrl, save } = await startOn(context, text);
    const problem = { code: 'LIMIT_REACHED', message: expect.stringContaining(message), since: expect.any(String) };
    expect(await problemsOf(apiUrl)).toEqual([problem]);
    const ready = await fetch(`${apiUrl}/readyz`);
    expect(ready.status).toBe(200);
    expect(await ready.json()).toMatchObject({ problems: [{ code: 'LIMIT_REACHED' }] });
    save(fine);
    await until(async () => expect(await problemsOf(apiUrl)).toEqual([]));
  });

  test('by an edit by hand: it is not applied, and it is a problem until the file is right', async (context) => {
    const { apiUrl, save } = await startOn(context, fine);
    const state = async () => [
      await (await fetch(`${apiUrl}/v1/cameras`)).text(),
      await (await fetch(`${apiUrl}/v1/engines`)).text(),
    ];
    expect(await problemsOf(apiUrl)).toEqual([]);
    const before = await state();
    save(text);
    await until(async () =>
      expect(await problemsOf(apiUrl)).toEqual([
        { code: 'LIMIT_REACHED', message: expect.stringMatching(/is not applied.*limit/), since: expect.any(String) },
      ]),
    );
    expect(await state()).toEqual(before);
    save(fine);
    await until(async () => expect(await problemsOf(apiUrl)).toEqual([]));
  });
});

test('all that is wrong with the state is told at once', async (context) => {
  const { apiUrl, file, save } = await startOn(context, documentOf({ cameras: cameras(['a', 'b', 'c']) }));
  save('{"version": 1, "cameras": {"a": {"typo": 1}}}');
  const codes = async () => (await problemsOf(apiUrl)).map(({ code }) => code);
  await until(async () => expect(await codes()).toEqual(['STATE_INVALID', 'LIMIT_REACHED']));
  // A refused edit that nobody can read any more: both are for a person.
  renameSync(file, `${file}.edit`);
  mkdirSync(file);
  await until(async () => expect(await codes()).toEqual(['STATE_UNREADABLE', 'STATE_INVALID', 'LIMIT_REACHED']));
  expect(readFileSync(`${file}.edit`, 'utf8')).toContain('typo');
});

test('cluster accept at a node that is alone says that it is', async (context) => {
  const { apiUrl, dataDir } = await startTestAggregator(testScope(context));
  const token = readFileSync(join(dataDir, 'admin-token'), 'utf8').trim();
  const headers = { authorization: `Bearer ${token}` };
  const answer = await fetch(`${apiUrl}/v1/cluster/accept`, { method: 'POST', headers });
  expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([409, 'NOT_IN_CLUSTER']);
  const { code, err } = await cli(['cluster', 'accept', '--api', apiUrl, '--token', token]);
  expect([code, err]).toEqual([
    1,
    expect.stringMatching(/^error: NOT_IN_CLUSTER: this node was started without --cluster/),
  ]);
});
