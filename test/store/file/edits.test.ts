import { mkdtemp, open, readdir, readFile, rename, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Logger, silentLogger } from '../../../src/log/log.js';
import { type DesiredState, emptyPushes } from '../../../src/model/model.js';
import { openFileStore } from '../../../src/store/file/file-store.js';
import type { StateChange, Store } from '../../../src/store/store.js';
import { changeState } from '../../support/store.js';

let folder: string;
let path: string;
let store: Store;
let lines: string[];
let changes: StateChange[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aggregator-edits-'));
  path = join(folder, 'state.json');
  lines = [];
  changes = [];
  const note = (level: string) => (message: string) => {
    lines.push(`${level} ${message}`);
  };
  const log: Logger = {
    debug: note('debug'),
    info: note('info'),
    warn: note('warn'),
    error: note('error'),
    child: () => log,
  };
  store = await openFileStore({ dataDir: folder, log });
  await changeState(store, adding('a'));
  await until(async () => expect(await namesInFile()).toEqual(['a']));
  store.subscribe((change) => changes.push(change));
});
afterEach(async () => {
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

const adding = (name: string) => (state: DesiredState) => ({
  ...state,
  cameras: new Map(state.cameras).set(name, { name, createdAt: '2026-01-01T00:00:00.000Z', pushes: emptyPushes }),
});
const namesInFile = async () => Object.keys(JSON.parse(await readFile(path, 'utf8')).cameras);
const names = () => [...store.state.cameras.keys()];
const rejected = async () => (await readdir(folder)).filter((name) => name.includes('.rejected-')).sort();
const until = (check: () => void | Promise<void>) => vi.waitFor(check, { timeout: 20_000, interval: 20 });

/** As an editor that writes a new file and renames it. */
async function save(text: string): Promise<void> {
  await writeFile(join(folder, 'state.json.swp'), text);
  await rename(join(folder, 'state.json.swp'), path);
}

describe('a valid edit', () => {
  it.each([
    ['in place', (text: string) => writeFile(path, text)],
    ['by rename', save],
  ])('saved %s applies live and tells what changed', async (_, write) => {
    const before = store.state.cameras.get('a');
    const text = (await readFile(path, 'utf8')).replace('"engines"', '"engines": {"e": {"host": "h"}}, "x"');
    await write(text.replace(', "x": {}', '').replace('"cameras": {', '"cameras": {"hand": {},'));
    await until(() => expect(names().sort()).toEqual(['a', 'hand']));
    expect(store.state.engines.get('e')?.host).toBe('h');
    expect(changes).toHaveLength(1);
    expect([...(changes[0]?.cameras ?? [])]).toEqual(['hand']);
    expect([...(changes[0]?.engines ?? [])]).toEqual(['e']);
    // What is the same is the same value, so that nobody looks at it again.
    expect(store.state.cameras.get('a')).toBe(before);
    await changeState(store, adding('b'));
    await until(async () => expect(await namesInFile()).toEqual(['a', 'b', 'hand']));
  });

  it('is applied when events are missed', async () => {
    // A write that keeps size and folder: the poll compares the time of change.
    const text = (await readFile(path, 'utf8')).replace('"a"', '"z"');
    await writeFile(path, text);
    await until(() => expect(names()).toEqual(['z']));
  });

  it('just before a change by the API is merged, not overwritten', async () => {
    await save('{"version": 1, "cameras": {"a": {}, "hand": {}}}');
    await changeState(store, adding('b'));
    expect(names().sort()).toEqual(['a', 'b', 'hand']);
    await until(async () => expect(await namesInFile()).toEqual(['a', 'b', 'hand']));
  });

  it('that comes while a change is being written is merged too', async () => {
    const handle = await open(folder, 'r');
    await handle.close();
    const prototype: { datasync(): Promise<void> } = Object.getPrototypeOf(handle);
    vi.spyOn(prototype, 'datasync').mockImplementationOnce(() =>
      save('{"version": 1, "cameras": {"a": {}, "hand": {}}}'),
    );
    await changeState(store, adding('b'));
    vi.restoreAllMocks();
    await until(() => expect(names().sort()).toEqual(['a', 'b', 'hand']));
    await until(async () => expect(await namesInFile()).toEqual(['a', 'b', 'hand']));
  });
});

describe('an invalid edit', () => {
  const bad = '{"version": 1, "cameras": {"a": {"tpye": "360"}}}';

  it('is refused loudly, once, and the running state stays; putting it right is enough', async () => {
    await save(bad);
    await until(() => expect(store.problems[0]?.code).toBe('STATE_INVALID'));
    expect(store.problems[0]?.message).toContain('cameras.a.tpye: unknown key; did you mean "type"?');
    expect(store.problems[0]?.field).toBe('cameras.a.tpye');
    expect(names()).toEqual(['a']);
    await sleep(1500);
    expect(lines.filter((line) => line.startsWith('error'))).toHaveLength(1);
    expect(changes).toEqual([]);
    await save(bad.replace('tpye', 'type'));
    await until(() => expect(store.state.cameras.get('a')?.type).toBe('360'));
    expect(store.problems[0]).toBeUndefined();
    expect(await rejected()).toEqual([]);
  });

  it('is kept aside when a change by the API writes the file, and neither is lost', async () => {
    await save(bad);
    await until(() => expect(store.problems[0]).toBeDefined());
    await changeState(store, adding('b'));
    await until(async () => expect(await namesInFile()).toEqual(['a', 'b']));
    await until(async () => expect(await rejected()).toEqual(['state.json.rejected-1']));
    expect(await readFile(join(folder, 'state.json.rejected-1'), 'utf8')).toBe(bad);
    await until(() => expect(store.problems[0]?.message).toContain('state.json.rejected-1'));
    await save(`${bad} `);
    await changeState(store, adding('c'));
    await until(async () => expect(await rejected()).toEqual(['state.json.rejected-1', 'state.json.rejected-2']));
    expect(names()).toEqual(['a', 'b', 'c']);
    await unlink(join(folder, 'state.json.rejected-2'));
    await until(() => expect(store.problems[0]).toBeUndefined());
  });

  it.each([
    ['is not UTF-8', Buffer.from('{"version": 1}\xff', 'latin1')],
    ['is too large', Buffer.alloc(3000, ' ')],
  ])('that %s is a problem, keeps no change from being made, and is kept aside', async (_, bytes) => {
    await store.close();
    store = await openFileStore({ dataDir: folder, log: silentLogger, maxFileBytes: 2000 });
    await writeFile(path, bytes);
    await until(() => expect(store.problems[0]?.code).toBe('STATE_INVALID'));
    await changeState(store, adding('b'));
    expect(names()).toEqual(['a', 'b']);
    await until(async () => expect(await readFile(join(folder, 'state.json.rejected-1'))).toEqual(bytes));
  });

  it.each([
    '{"version": 1, "cameras": {"a": {"pushes": {"p": {"url": "rtmp://h:x/live2/abSECRET"}}}}}',
    '{"version": 1, "cameras": {"a": {"pushes": {"p": {"engine": "rtmp://h/live2/abSECRET"}}}}}',
    '{"version": 1, "engines": {"e": {"host": "h", "pushUrl": "rtmp://{host}:x/live2/abSECRET"}}}',
    '{"version": 1, "engines": {"e": {"host": "h", "pushUrl": "rtmp://{host}/{x}/abSECRET"}}}',
  ])('that holds a stream key is told of without it: %s', async (text) => {
    await save(text);
    await until(() => expect(store.problems[0]?.message).toContain('ab***'));
    expect(store.problems[0]?.message).not.toContain('SECRET');
    expect(lines.join()).not.toContain('SECRET');
  });

  it('that was no UTF-8 is applied once the bytes are replaced by the character that stands for them', async () => {
    const text = '{"version": 1, "engines": {"e": {"host": "h", "location": "X"}}}';
    await writeFile(path, text.replace('X', '\xff'), 'latin1');
    await until(() => expect(store.problems[0]?.message).toContain('UTF-8'));
    await writeFile(path, text.replace('X', '\ufffd'));
    await until(() => expect(store.state.engines.get('e')?.location).toBe('\ufffd'));
    expect(store.problems[0]).toBeUndefined();
  });

  it('of an editor that writes slowly is no mistake while it grows', async () => {
    const whole = '{"version": 1, "cameras": {"a": {}, "slow": {}}}';
    for (let end = 5; end < whole.length; end += 9) {
      await writeFile(path, whole.slice(0, end));
      await sleep(30);
    }
    await writeFile(path, whole);
    await until(() => expect(names()).toEqual(['a', 'slow']));
    expect(lines.filter((line) => line.startsWith('error'))).toEqual([]);
  });
});

it('a removed file is written again: what was acknowledged is not in memory only', async () => {
  await unlink(path);
  await until(async () => expect(Object.keys(JSON.parse(await readFile(path, 'utf8')).cameras)).toEqual(['a']));
  expect(names()).toEqual(['a']);
  // The file is there before the store has heard that it is.
  await until(() => expect(lines.some((line) => line.startsWith('warn'))).toBe(true));
});
