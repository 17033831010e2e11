import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, type TestContext } from 'vitest';
import { Manifest } from '../../src/access/manifest.js';
import { openNodeKeys } from '../../src/cli/node-keys.js';
import { type Logger, silentLogger } from '../../src/log/log.js';
import { type DesiredState, emptyPushes } from '../../src/model/model.js';
import { testScope } from '../support/scope.js';

const state = (...names: string[]): DesiredState => ({
  cameras: new Map(names.map((name) => [name, { name, createdAt: '2026-01-01T00:00:00.000Z', pushes: emptyPushes }])),
  engines: new Map(),
});

function node(context: TestContext) {
  const folder = testScope(context).temporaryFolder();
  const warnings: string[] = [];
  const log: Logger = { ...silentLogger, warn: (message: string) => void warnings.push(message), child: () => log };
  return {
    warnings,
    start: async (of: DesiredState) =>
      openNodeKeys({ folder, cluster: undefined, state: of, log, manifest: await Manifest.open(folder, log) }),
    lose: (...names: string[]) => {
      for (const name of names) rmSync(join(folder, name), { force: true });
    },
    put: (name: string, text: string) => writeFileSync(join(folder, name), text),
  };
}

it('the secret stays over starts', async (context) => {
  const { start, warnings } = node(context);
  const first = await start(state());
  expect((await start(state('gate'))).streamSecret).toEqual(first.streamSecret);
  expect(warnings).toEqual([]);
});

it('a secret that is lost together with the manifest is refused by what lies beside it', async (context) => {
  const { start, lose, put } = node(context);
  await start(state());
  lose('manifest.json', 'stream-secret');
  for (let times = 0; times < 2; times++) {
    await expect(start(state('gate', 'yard'))).rejects.toMatchObject({
      code: 'ACCESS_UNREADABLE',
      message: expect.stringMatching(/stream-secret is missing, and there was one \(the state has 2 cameras/),
    });
  }
  // On purpose, as the message says.
  put('stream-secret', `${'ab'.repeat(32)}\n`);
  expect((await start(state('gate'))).streamSecret.toString('hex')).toBe('ab'.repeat(32));
});

it('a state in a new folder has a secret made for it, with a warning; a first start without cameras has none', async (context) => {
  const { start, lose, warnings } = node(context);
  await start(state('gate'));
  expect(warnings).toEqual([expect.stringContaining('restore into a new folder')]);
  lose('manifest.json', 'stream-secret', 'etag-key');
  await start(state());
  expect(warnings).toHaveLength(1);
});
