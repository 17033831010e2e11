import { readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { silentLogger } from '../../src/log/log.js';
import type { Upgrade } from '../../src/model/document/upgrade.js';
import { openFileStore } from '../../src/store/file/file-store.js';
import { readFolder } from '../../src/store/file/recover.js';
import { testScope } from '../support/scope.js';
import { changeState } from '../support/store.js';
import { waitFor } from '../support/wait.js';
import { cli, startTestAggregator } from './support.js';

const namesIn = async (folder: string) => [...(await readFolder(folder)).state.cameras.keys()].sort();

describe('backup', () => {
  test('while an aggregator runs holds all that was acknowledged, and can be restored into an empty folder', async (context) => {
    const scope = testScope(context);
    const { dataDir } = await startTestAggregator(scope);
    const folder = scope.temporaryFolder();
    const file = join(folder, 'backup.json');
    for (let index = 0; index < 15; index += 1) {
      const added = await cli(['camera', 'add', `cam-${index}`, '--data-dir', dataDir]);
      expect(added.code).toBe(0);
      const { code, out, err } = await cli(['backup', file, '--data-dir', dataDir]);
      expect({ code, out, err }).toEqual({
        code: 0,
        out: expect.stringMatching(
          `^${file} holds ${index + 1} cameras? and 0 engines\nwith the secrets of the node: `,
        ),
        err: '',
      });
      expect(Object.keys(JSON.parse(readFileSync(file, 'utf8')).cameras)).toContain(`cam-${index}`);
    }
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect((await cli(['backup', '-', '--data-dir', dataDir])).out).toBe(readFileSync(file, 'utf8'));
    const restored = await cli(['restore', file, '--data-dir', folder]);
    expect(restored).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^restored 15 cameras and 0 engines\nrestored the secrets of the node: /),
    });
    expect(await namesIn(folder)).toHaveLength(15);
  });

  test('of a folder without state says so', async (context) => {
    const folder = testScope(context).temporaryFolder();
    const { code, err } = await cli(['backup', '-', '--data-dir', folder]);
    expect(code).toBe(1);
    expect(err).toContain('nothing to back up');
  });

  // What was left there when the node went into a cluster was taken for its state.
  test('of a folder whose node has its state in etcd is refused, and a restore into it, until the node is alone again', async (context) => {
    const folder = testScope(context).temporaryFolder();
    const file = join(folder, 'backup.json');
    writeFileSync(file, '{"version": 1, "cameras": {"restored": {}}}');
    writeFileSync(join(folder, 'state.json'), '{"version": 1, "cameras": {"old": {}}}');
    utimesSync(join(folder, 'state.json'), 1_000_000, 1_000_000);
    writeFileSync(join(folder, 'cluster-state.jsonl'), '{}');
    for (const command of [
      ['backup', '-'],
      ['restore', file],
    ]) {
      const { code, err } = await cli([...command, '--data-dir', folder]);
      expect(code).toBe(2);
      expect(err).toContain('its state is in etcd: give --cluster and --cluster-secret-file');
    }
    utimesSync(join(folder, 'cluster-state.jsonl'), 1_000_000, 999_999);
    expect((await cli(['backup', '-', '--data-dir', folder])).out).toContain('"old"');
  });
});

describe('restore', () => {
  const backup = '{"version": 1, "cameras": {"restored": {}}}';

  test('keeps what was there, journal and damaged files too', async (context) => {
    const folder = testScope(context).temporaryFolder();
    const file = join(folder, 'backup.json');
    writeFileSync(file, backup);
    writeFileSync(join(folder, 'state.json'), 'damaged');
    writeFileSync(join(folder, 'state.journal'), 'damaged too\n');
    const { code, out } = await cli(['restore', file, '--data-dir', folder]);
    expect(code).toBe(0);
    expect(out).toContain('state.journal.before-restore-1');
    expect(readFileSync(join(folder, 'state.json.before-restore-1'), 'utf8')).toBe('damaged');
    expect(readFileSync(join(folder, 'state.journal.before-restore-1'), 'utf8')).toBe('damaged too\n');
    expect(readFileSync(join(folder, 'state.journal'), 'utf8').trimEnd().split('\n')).toHaveLength(1);
    expect(await namesIn(folder)).toEqual(['restored']);
    await cli(['restore', file, '--data-dir', folder]);
    expect(readdirSync(folder)).toContain('state.json.before-restore-2');
  });

  test('refuses what is no backup, and changes nothing', async (context) => {
    const folder = testScope(context).temporaryFolder();
    const file = join(folder, 'backup.json');
    for (const [text, hint] of [
      ['{"version": 1, "cameras": {"a b": {}}}', 'a b'],
      ['{"version": 9}', 'newer media-aggregator'],
      ['', 'not JSON'],
    ] as const) {
      writeFileSync(file, text);
      const { code, err } = await cli(['restore', file, '--data-dir', folder]);
      expect(code).toBe(1);
      expect(err).toContain(hint);
      expect(readdirSync(folder)).toEqual(['backup.json']);
    }
  });

  test('is refused while an aggregator runs, unless told; then it is taken over live', async (context) => {
    const scope = testScope(context);
    const { dataDir, apiUrl } = await startTestAggregator(scope);
    const file = join(scope.temporaryFolder(), 'backup.json');
    writeFileSync(file, backup);
    await cli(['camera', 'add', 'old', '--data-dir', dataDir]);
    const refused = await cli(['restore', file, '--data-dir', dataDir]);
    expect(refused.code).toBe(1);
    expect(refused.err).toContain('STATE_LOCKED');
    expect(await namesIn(dataDir)).toEqual(['old']);
    const { code, out } = await cli(['restore', file, '--data-dir', dataDir, '--while-running']);
    expect({ code, out }).toMatchObject({ code: 0, out: expect.stringContaining('took them over') });
    await waitFor(
      async () => {
        const answer = (await (await fetch(`${apiUrl}/v1/cameras`)).json()) as { items: { name: string }[] };
        return answer.items.map(({ name }) => name).join() === 'restored';
      },
      { what: 'the restored camera' },
    );
    expect(JSON.parse(readFileSync(join(dataDir, 'state.json.before-restore-1'), 'utf8')).cameras).toHaveProperty(
      'old',
    );
  });
});

describe('restore', () => {
  test('that the running aggregator does not take over says so, and leaves what was there', async (context) => {
    const scope = testScope(context);
    const { dataDir } = await startTestAggregator(scope);
    const file = join(scope.temporaryFolder(), 'backup.json');
    await cli(['camera', 'add', 'old', '--data-dir', dataDir]);
    // The rules of the running aggregator hold, whatever this command was told.
    const cameras = Object.fromEntries(
      Array.from({ length: 101 }, (_, index) => [`p${index}`, { url: `rtmp://h${index}/a/b` }]),
    );
    writeFileSync(file, JSON.stringify({ version: 1, cameras: { many: { pushes: cameras } } }));
    const env = { MEDIA_AGGREGATOR_MAX_PUSHES_PER_CAMERA: '1000' };
    const { code, err } = await cli(['restore', file, '--data-dir', dataDir, '--while-running'], { env });
    expect({ code, err }).toMatchObject({ code: 1, err: expect.stringContaining('LIMIT_REACHED') });
    expect(await namesIn(dataDir)).toEqual(['old']);
    await waitFor(async () => (await cli(['camera', 'add', 'new', '--data-dir', dataDir])).code === 0, {
      what: 'a change after the refused one',
    });
    expect(await namesIn(dataDir)).toEqual(['new', 'old']);
    expect(readdirSync(dataDir).filter((name) => name.includes('rejected'))).toEqual([]);
  });

  test('holds the limits of the settings', async (context) => {
    const folder = testScope(context).temporaryFolder();
    const file = join(folder, 'backup.json');
    writeFileSync(file, '{"version": 1, "cameras": {"a": {}, "b": {}}}');
    const env = { MEDIA_AGGREGATOR_MAX_CAMERAS: '1' };
    const { code, err } = await cli(['restore', file, '--data-dir', folder], { env });
    expect({ code, err }).toMatchObject({ code: 1, err: expect.stringContaining('LIMIT_REACHED') });
    expect(readdirSync(folder)).toEqual(['backup.json']);
  });
});

test('a state file of an older version is brought up step by step, and a copy is kept', async (context) => {
  const folder = testScope(context).temporaryFolder();
  const text = '{"version": -1, "sources": ["a", "b"]}';
  writeFileSync(join(folder, 'state.json'), text);
  const upgrades = new Map<number, Upgrade>([
    [-1, ({ sources }) => ({ names: sources })],
    [
      0,
      ({ names }) => ({
        cameras: Object.fromEntries([...(names as string[])].map((n) => [n, {}])),
      }),
    ],
  ]);
  const store = await openFileStore({ dataDir: folder, log: silentLogger, upgrades });
  expect([...store.state.cameras.keys()]).toEqual(['a', 'b']);
  expect(readFileSync(join(folder, 'state.json.version--1'), 'utf8')).toBe(text);
  await changeState(store, (state) => ({ ...state, cameras: new Map([...state.cameras].slice(1)) }));
  await store.close();
  expect(JSON.parse(readFileSync(join(folder, 'state.json'), 'utf8'))).toMatchObject({
    version: 1,
    cameras: { b: {} },
  });
  await expect(
    openFileStore({ dataDir: folder, log: silentLogger }).then((again) => again.close()),
  ).resolves.toBeUndefined();
});
