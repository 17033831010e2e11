import { existsSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openDataFolder } from '../../src/cli/data-folder.js';
import { dataFolderPath } from '../../src/cli/data-path.js';
import { silentLogger } from '../../src/log/log.js';
import { emptyPushes } from '../../src/model/model.js';
import { changeState } from '../support/store.js';

const camera = { name: 'gate', createdAt: '2026-01-01T00:00:00.000Z', pushes: emptyPushes };

test('with none nothing is kept: a private folder for secrets is gone at the end, and so is the state', async () => {
  const data = await openDataFolder(dataFolderPath('/somewhere', 'none'), silentLogger);
  expect(statSync(data.path).mode & 0o777).toBe(0o700);
  await changeState(data.store, (state) => ({ ...state, cameras: new Map([['gate', camera]]) }));
  await data.close();
  expect(existsSync(data.path)).toBe(false);
  const again = await openDataFolder('none', silentLogger);
  expect(again.store.state.cameras.size).toBe(0);
  await again.close();
});

test('a folder that is called none is one like any other', async () => {
  const cwd = await mkdtemp(join(tmpdir(), 'aggregator-data-'));
  const path = dataFolderPath(cwd, './none');
  expect(path).toBe(join(cwd, 'none'));
  const data = await openDataFolder(path, silentLogger);
  await changeState(data.store, (state) => ({ ...state, cameras: new Map([['gate', camera]]) }));
  await data.close();
  expect(existsSync(join(path, 'state.json'))).toBe(true);
  await rm(cwd, { recursive: true });
});
