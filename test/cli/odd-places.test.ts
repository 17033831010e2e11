import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { workingFolder } from '../../src/cli/io.js';
import { silentLogger } from '../../src/log/log.js';
import { emptyPushes } from '../../src/model/model.js';
import { openFileStore } from '../../src/store/file/file-store.js';
import { testScope } from '../support/scope.js';
import { changeState } from '../support/store.js';
import { cli } from './support.js';

/** Names that a shell, a table or a terminal may take for something else. */
const oddNames = ['a b', `it's "odd"`, '-x', '--help', '$HOME', 'ünï', '%2e%2e', 'a'.repeat(200)];

test('a data folder with an odd name is opened, backed up and restored', async (context) => {
  const root = testScope(context).temporaryFolder();
  for (const name of oddNames) {
    const folder = join(root, name);
    const store = await openFileStore({ dataDir: folder, log: silentLogger });
    const pushes = emptyPushes;
    await changeState(store, (state) => ({
      ...state,
      cameras: new Map([['gate', { name: 'gate', createdAt: '2026-01-01T00:00:00.000Z', pushes }]]),
    }));
    await store.close();
    const backup = join(root, `backup of ${name}`);
    const made = await cli(['backup', '--data-dir', folder, '--', backup]);
    expect([made.code, made.err], name).toEqual([0, '']);
    const restored = await cli(['restore', '--data-dir', `${folder}-2`, '--', backup]);
    expect([restored.code, restored.err], name).toEqual([0, '']);
    expect(restored.out, name).toContain('restored 1 camera ');
  }
  // What a line of a log could not show is refused in words.
  for (const name of ['', 'tab\there', 'a'.repeat(5000)]) {
    const { code, err } = await cli(['backup', join(root, 'file'), '--data-dir', name]);
    expect(code).toBe(2);
    expect(err).toMatch(
      /^error: CONFIG_INVALID_VALUE: --data-dir is ".{0,90}", but must be 1 to 1024 printable characters/,
    );
  }
});

describe('a data folder that is none', () => {
  test('is told as what it is', async (context) => {
    const folder = testScope(context).temporaryFolder();
    writeFileSync(join(folder, 'file'), '');
    symlinkSync('nowhere', join(folder, 'dangling'));
    const open = (name: string) => openFileStore({ dataDir: join(folder, name), log: silentLogger });
    await expect(open('file')).rejects.toThrow(/file cannot be used: .*no folder; name one with --data-dir$/);
    await expect(open('file/below')).rejects.toThrow(/no folder; name one with --data-dir$/);
    await expect(open('dangling')).rejects.toThrow(/dangling cannot be used: .*a link that leads nowhere/);
    const { out } = await cli(['doctor', '--data-dir', join(folder, 'file')]);
    expect(out).toMatch(/^fail data folder .*ENOTDIR.*\n.*no folder: name one with --data-dir/m);
  });

  test('by a link is opened', async (context) => {
    const folder = testScope(context).temporaryFolder();
    mkdirSync(join(folder, 'real'));
    symlinkSync('real', join(folder, 'link'));
    const store = await openFileStore({ dataDir: join(folder, 'link'), log: silentLogger });
    await store.close();
    expect((await cli(['doctor', '--data-dir', join(folder, 'link')])).out).toMatch(/^ok {3}data folder/m);
  });
});

test('a working folder that was removed is where it was, and nothing asks for it in vain', () => {
  let isGone = true;
  const of = {
    env: { PWD: '/removed' },
    cwd: () => {
      if (isGone) throw Object.assign(new Error('ENOENT: uv_cwd'), { code: 'ENOENT' });
      return '/';
    },
    chdir: (to: string) => {
      expect(to).toBe('/');
      isGone = false;
    },
  };
  expect(workingFolder(of)).toBe('/removed');
  expect(of.cwd()).toBe('/');
  isGone = true;
  expect(workingFolder({ ...of, env: {} })).toBe('/');
});
