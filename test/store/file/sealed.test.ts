import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { Sealer } from '../../../src/cluster/sealer.js';
import { ClusterSecret } from '../../../src/cluster/secret.js';
import { silentLogger } from '../../../src/log/log.js';
import { encodeState } from '../../../src/model/document/encode.js';
import { type DesiredState, emptyState } from '../../../src/model/model.js';
import { backupState, restoreState } from '../../../src/store/file/backup.js';
import { openFileStore } from '../../../src/store/file/file-store.js';
import { readFolder } from '../../../src/store/file/recover.js';
import { stateFileSettled } from '../../support/state.js';
import { changeState } from '../../support/store.js';

const key = '0123456789abcdef'.repeat(4);
const otherKey = 'fedcba9876543210'.repeat(4);
const sealer = (text: string) => Sealer.forFiles(ClusterSecret.fromText(text));
const createdAt = '2026-01-01T00:00:00.000Z';
const url = 'rtmp://user:pass-word@engine.example/live/secret-stream-key';

const adding =
  (name: string, target = url) =>
  (state: DesiredState) => ({
    ...state,
    cameras: new Map(state.cameras).set(name, {
      name,
      createdAt,
      source: { url: `rtsp://admin:source-pass@${name}.example/1` },
      pushes: { out: { id: 'out', url: target, enabled: true, createdAt } },
    }),
  });
const withEngine = (state: DesiredState) => ({
  ...state,
  engines: new Map([
    [
      'e',
      { name: 'e', host: 'e.example', pushUrl: 'rtmp://e/secret-app/{name}', playbackUrl: 'rtmp://e/p', createdAt },
    ],
  ]),
});
const secrets = /pass-word|secret-stream-key|source-pass|secret-app/;

async function folderWithState() {
  const folder = await mkdtemp(join(tmpdir(), 'aggregator-sealed-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const open = (keys: string | undefined) =>
    openFileStore({ dataDir: folder, log: silentLogger, sealing: keys === undefined ? undefined : sealer(keys) });
  const text = () => readFile(join(folder, 'state.json'), 'utf8');
  const journal = () => readFile(join(folder, 'state.journal'), 'utf8');
  return { folder, open, text, journal };
}

it('neither state.json nor its journal shows a secret, and a start from either has all of it', async () => {
  const { folder, open, text, journal } = await folderWithState();
  const store = await open(key);
  await changeState(store, withEngine);
  await changeState(store, adding('gate'));
  const written = await journal();
  expect(written).toContain('sealed:');
  expect(written).not.toMatch(secrets);
  // As after a crash: what only the journal has is opened, too.
  const crashed = await mkdtemp(join(tmpdir(), 'aggregator-crashed-'));
  onTestFinished(() => rm(crashed, { recursive: true, force: true }));
  // The files may be written anew while they are copied.
  const state = await vi.waitFor(
    async () => {
      await cp(folder, crashed, { recursive: true, filter: (from) => !from.includes('.tmp-') });
      return (await readFolder(crashed, sealer(key), 1)).state;
    },
    { timeout: 20_000 },
  );
  expect(state.cameras.get('gate')).toEqual(store.state.cameras.get('gate'));
  expect(state.engines.get('e')?.pushUrl).toBe('rtmp://e/secret-app/{name}');

  await store.close();
  expect(await text()).not.toMatch(secrets);
  expect(await journal()).not.toMatch(secrets);
  const before = await text();
  const again = await open(key);
  expect(again.state.cameras.get('gate')?.pushes.out?.url).toBe(url);
  // What did not change is written as it was.
  await changeState(again, adding('yard'));
  await again.close();
  const line = (all: string) => all.split('\n').find((each) => each.includes('"pushUrl"'));
  expect(line(await text())).toBe(line(before));
});

it('counts URLs as they are sealed: what could not be read again is refused', async () => {
  const { folder } = await folderWithState();
  const store = await openFileStore({ dataDir: folder, log: silentLogger, sealing: sealer(key), maxFileBytes: 1250 });
  onTestFinished(() => store.close());
  const three = (state: DesiredState) => adding('c')(adding('b')(adding('a')(state)));
  // Without a key they would have room.
  expect(Buffer.byteLength(encodeState(three(emptyState)))).toBeLessThan(1200);
  await expect(changeState(store, three)).rejects.toMatchObject({ code: 'STATE_WRITE_FAILED' });
  await changeState(store, adding('a'));
});

it('a missing or another key is said by its code, and changes nothing', async () => {
  const { open, text, journal } = await folderWithState();
  const store = await open(key);
  await changeState(store, adding('gate'));
  await store.close();
  const files = [await text(), await journal()];
  await expect(open(undefined)).rejects.toMatchObject({
    code: 'STATE_SEALED',
    message: expect.stringMatching(/cameras\.gate\..*--seal-key; MEDIA_AGGREGATOR_SEAL_KEY/),
  });
  await expect(open(otherKey)).rejects.toMatchObject({
    code: 'STATE_SEALED',
    message: expect.stringMatching(/not in the seal-key of this node$/),
  });
  expect([await text(), await journal()]).toEqual(files);
});

it('a plain URL that is written by hand is taken, and sealed at the next write; one that was moved is refused', async () => {
  const { folder, open, text } = await folderWithState();
  const store = await open(key);
  onTestFinished(() => store.close());
  await changeState(store, adding('gate'));
  await stateFileSettledWith(folder);
  const file = JSON.parse(await text()) as { cameras: Record<string, { pushes: Record<string, { url: string }> }> };
  file.cameras.gate!.pushes.out!.url = 'rtmp://new.example/live/hand-written';
  await writeFile(join(folder, 'state.json'), JSON.stringify(file));
  await vi.waitFor(
    () => expect(store.state.cameras.get('gate')?.pushes.out?.url).toBe('rtmp://new.example/live/hand-written'),
    { timeout: 20_000 },
  );
  expect(await store.rewrite?.()).toBe(sealer(key).keyId);
  expect(await text()).not.toContain('hand-written');

  const sealed = JSON.parse(await text()) as typeof file;
  sealed.cameras.other = { pushes: { out: { url: sealed.cameras.gate!.pushes.out!.url } } };
  await writeFile(join(folder, 'state.json'), JSON.stringify(sealed));
  await vi.waitFor(() => expect(store.problems.map(({ code }) => code)).toContain('STATE_SEALED'), { timeout: 20_000 });
  expect(store.state.cameras.has('other')).toBe(false);
});

it('another key, and the first key of a state that was plain, are in force after one rewrite', async () => {
  const { open, text, journal } = await folderWithState();
  const plain = await open(undefined);
  await changeState(plain, adding('gate'));
  await plain.close();
  expect(await text()).toContain('secret-stream-key');
  for (const keys of [key, `${otherKey}\n${key}`]) {
    const store = await open(keys);
    await store.rewrite?.();
    expect(await text()).not.toMatch(secrets);
    expect(await journal()).not.toMatch(secrets);
    await store.close();
  }
  const rotated = await open(otherKey);
  expect(rotated.state.cameras.get('gate')?.pushes.out?.url).toBe(url);
  await rotated.close();
});

it('a backup is made with the key, and restored with another one or none', async () => {
  const { folder, open } = await folderWithState();
  const store = await open(key);
  await changeState(store, adding('gate'));
  await store.close();
  const { text } = await backupState(folder, sealer(key));
  await expect(backupState(folder)).rejects.toMatchObject({ code: 'STATE_SEALED' });
  const file = join(folder, 'backup.json');
  await writeFile(file, text);
  for (const sealing of [sealer(otherKey), undefined]) {
    const target = join(folder, sealing === undefined ? 'plain' : 'sealed');
    await restoreState({ folder: target, file, whileRunning: false, sealing });
    expect((await readFolder(target, sealing)).state.cameras.get('gate')?.pushes.out?.url).toBe(url);
    const written = await readFile(join(target, 'state.json'), 'utf8');
    expect(written.includes('secret-stream-key')).toBe(sealing === undefined);
  }
});

const stateFileSettledWith = (folder: string) => stateFileSettled(folder, sealer(key));
