import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, open, readdir, readFile, rename, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { silentLogger } from '../../../src/log/log.js';
import { type DesiredState, defaultPlaybackUrl, defaultPushUrl, emptyPushes } from '../../../src/model/model.js';
import { openFileStore } from '../../../src/store/file/file-store.js';
import { readFolder } from '../../../src/store/file/recover.js';
import type { StateChange, Store } from '../../../src/store/store.js';
import { changeState } from '../../support/store.js';

let folder: string;
let path: string;
const stores: Store[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aggregator-state-'));
  path = join(folder, 'state.json');
});
afterEach(async () => {
  vi.restoreAllMocks();
  for (const store of stores.splice(0)) await store.close();
  await rm(folder, { recursive: true, force: true });
});

async function openStore(dataDir = folder, log = silentLogger): Promise<Store> {
  const store = await openFileStore({ dataDir, log });
  stores.push(store);
  return store;
}

const at = '2026-01-01T00:00:00.000Z';
const adding = (name: string) => (state: DesiredState) => ({
  ...state,
  cameras: new Map(state.cameras).set(name, { name, createdAt: at, pushes: emptyPushes }),
});
const namesOnDisk = async (dataDir = folder) => [...(await readFolder(dataDir)).state.cameras.keys()].sort();
const until = (check: () => void | Promise<void>) => vi.waitFor(check, { timeout: 20_000, interval: 20 });

/** The methods of file handles, to count or to break what the store really calls. */
async function handlePrototype(): Promise<{ sync(): Promise<void>; datasync(): Promise<void> }> {
  const handle = await open(folder, 'r');
  await handle.close();
  return Object.getPrototypeOf(handle);
}

describe('the file', () => {
  it('comes soon after the first change, is readable, sorted, and only for its owner', async () => {
    const store = await openStore();
    expect(existsSync(path)).toBe(false);
    await changeState(store, adding('b'));
    await changeState(store, adding('a'));
    await until(async () =>
      expect(await readFile(path, 'utf8')).toBe(`{
  "version": 1,
  "cameras": {
    "a": {
      "createdAt": "${at}",
      "pushes": {}
    },
    "b": {
      "createdAt": "${at}",
      "pushes": {}
    }
  },
  "engines": {}
}
`),
    );
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(join(folder, 'state.journal'))).mode & 0o777).toBe(0o600);
  });

  it('is read again as it was written, names of Object’s own properties too', async () => {
    const store = await openStore();
    for (const name of ['constructor', 'toString', '10', '9']) await changeState(store, adding(name));
    const before = store.state;
    await store.close();
    const again = await openStore();
    expect(new Map([...again.state.cameras].sort())).toEqual(new Map([...before.cameras].sort()));
  });

  it('gets defaults where a person left something out', async () => {
    await writeFile(
      path,
      '{"version":1,"engines":{"e":{"host":"H.local"}},"cameras":{"c":{"pushes":{"p":{"engine":"e"}}},"d":{}}}',
    );
    const { state } = await openStore();
    expect(state.engines.get('e')).toMatchObject({
      host: 'h.local',
      pushUrl: 'rtmp://{host}:1935/live/{name}',
      playbackUrl: 'http://{host}:80/hls/{name}.m3u8',
    });
    expect(state.cameras.get('c')?.pushes.p).toMatchObject({ id: 'p', engine: 'e', enabled: true });
    expect(Date.parse(state.cameras.get('d')?.createdAt ?? '')).toBeGreaterThan(0);
  });

  it('that holds the replacement character is read again: it is a character like any other', async () => {
    const store = await openStore();
    const engine = { name: 'e', host: 'h', pushUrl: defaultPushUrl, playbackUrl: defaultPlaybackUrl, createdAt: at };
    const location = 'Z\ufffdrich';
    await changeState(store, (state) => ({ ...state, engines: new Map([['e', { ...engine, location }]]) }));
    await store.close();
    expect((await openStore()).state.engines.get('e')?.location).toBe(location);
  });

  it('is never written larger than it would be read again', async () => {
    const maxFileBytes = 1000;
    const small = await openFileStore({ dataDir: folder, log: silentLogger, maxFileBytes });
    stores.push(small);
    const results = [];
    for (let index = 0; index < 20; index++)
      results.push(await changeState(small, adding(`c${index}`)).catch((e) => e));
    const refused = results.filter((result) => result instanceof Error);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused[0]).toMatchObject({ code: 'STATE_WRITE_FAILED', message: expect.stringContaining('1000') });
    await until(async () => expect((await stat(path)).size).toBeGreaterThan(maxFileBytes * 0.8));
    expect((await stat(path)).size).toBeLessThanOrEqual(maxFileBytes);
    const kept = await namesOnDisk();
    expect(kept).toHaveLength(20 - refused.length);
    await changeState(small, (state) => ({ ...state, cameras: new Map([...state.cameras].slice(1)) }));
    await small.close();
    const again = await openFileStore({ dataDir: folder, log: silentLogger, maxFileBytes });
    stores.push(again);
    expect(again.state.cameras.size).toBe(kept.length - 1);
    expect(await readdir(folder)).not.toContainEqual(expect.stringContaining('.tmp-'));
  });

  it('is not written when nothing changes', async () => {
    const store = await openStore();
    await changeState(store, (state) => state);
    expect(existsSync(path)).toBe(false);
  });

  it('leaves nothing half written behind from a killed process', async () => {
    await writeFile(`${path}.tmp-1-1`, '{"vers');
    await writeFile(join(folder, 'state.lock-abc'), '');
    await openStore();
    expect((await readdir(folder)).sort()).toEqual(['state.journal', 'state.lock']);
  });

  const invalid: [string, string, string][] = [
    ['no JSON', '{"version":1,\n  "cameras": {,}}', 'line 2, column 15'],
    ['a newer version', '{"version":2}', 'written by a newer media-aggregator; this one knows versions up to 1'],
    ['a version that never was', '{"version":0}', 'version: must be 1, not 0'],
    ['an unknown key', '{"version":1,"camera":{}}', 'camera: unknown key; did you mean "cameras"?'],
    [
      'an unknown key deep inside',
      '{"version":1,"cameras":{"c":{"pushs":{}}}}',
      'cameras.c.pushs: unknown key; did you mean "pushes"?',
    ],
    ['a wrong type', '{"version":1,"cameras":{"c":{"type":5}}}', 'cameras.c.type: must be a string, not a number'],
    ['a bad name', '{"version":1,"cameras":{"a b":{}}}', 'cameras.a b'],
    ['a name with a line end', '{"version":1,"cameras":{"a\\n":{}}}', 'line 1: cameras."a\\n": "a\\n" is no name'],
    ['__proto__', '{"version":1,"cameras":{"__proto__":{}}}', '__proto__'],
    ['__proto__ in disguise', '{"version":1,"cameras":{"\\u005f_proto__":{}}}', '__proto__'],
    ['a key twice', '{"version":1,"cameras":{"a":{},"a":{}}}', '"a" stands twice'],
    [
      'neither url nor engine',
      '{"version":1,"cameras":{"c":{"pushes":{"p":{}}}}}',
      'line 1: cameras.c.pushes.p.url: a push needs exactly one',
    ],
    ['no RTMP URL', '{"version":1,"cameras":{"c":{"pushes":{"p":{"url":"http://x/y"}}}}}', 'cameras.c.pushes.p.url'],
    [
      'an unknown engine',
      '{"version":1,"engines":{"edge":{"host":"h"}},"cameras":{"c":{"pushes":{"p":{"engine":"egde"}}}}}',
      'did you mean "edge"?',
    ],
    [
      'an unknown placeholder',
      '{"version":1,"engines":{"e":{"host":"h","pushUrl":"rtmp://{host}/live/{nam}"}}}',
      '{nam}',
    ],
    [
      'a type that a template needs',
      '{"version":1,"engines":{"e":{"host":"h","pushUrl":"rtmp://{host}/{type}/{name}"}},"cameras":{"c":{"pushes":{"p":{"engine":"e"}}}}}',
      'cameras.c.pushes.p.engine',
    ],
    ['an impossible date', '{"version":1,"cameras":{"c":{"createdAt":"2026-13-01T00:00:00Z"}}}', 'cameras.c.createdAt'],
    ['an empty file', '', 'the end of the text'],
    ['no UTF-8', '{"version":1}\xff', 'UTF-8'],
  ];
  it.each(invalid)('%s: it does not start, says where, and leaves the file alone', async (_, text, hint) => {
    await writeFile(path, text, 'latin1');
    const failure = await openStore().catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'STATE_INVALID' });
    expect(String(failure)).toContain(path);
    expect(String(failure)).toContain(hint);
    expect(await readFile(path, 'latin1')).toBe(text);
    await writeFile(path, '{"version":1}');
    await openStore();
  });
});

describe('commits', () => {
  it('are shared by concurrent changes: far fewer fsyncs than changes, and each is on disk when it resolves', async () => {
    const store = await openStore();
    const sync = vi.spyOn(await handlePrototype(), 'datasync');
    const seen: StateChange[] = [];
    store.subscribe((change) => seen.push(change));
    const clients = Array.from({ length: 20 }, async (_, client) => {
      for (let index = 0; index < 10; index += 1) {
        const name = `c${client}-${index}`;
        const state = await changeState(store, adding(name));
        expect(state.cameras.has(name)).toBe(true);
        expect(await namesOnDisk()).toContain(name);
      }
    });
    await Promise.all(clients);
    expect(store.state.cameras.size).toBe(200);
    expect(sync.mock.calls.length).toBeGreaterThanOrEqual(20);
    expect(sync.mock.calls.length).toBeLessThan(150);
    expect(seen.flatMap((change) => [...change.cameras])).toHaveLength(200);
  });

  it('run in the order of the calls; one that throws is refused alone', async () => {
    const store = await openStore();
    const order: string[] = [];
    const noting = (name: string) => (state: DesiredState) => {
      order.push(name);
      return adding(name)(state);
    };
    const results = await Promise.allSettled([
      changeState(store, noting('a')),
      changeState(store, () => {
        throw new Error('no');
      }),
      changeState(store, noting('b')),
    ]);
    expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(order).toEqual(['a', 'b']);
    expect(await namesOnDisk()).toEqual(['a', 'b']);
  });

  it('that fail at fsync are undone for the whole batch, and later ones work', async () => {
    const store = await openStore();
    await changeState(store, adding('kept'));
    const seen: StateChange[] = [];
    store.subscribe((change) => seen.push(change));
    const sync = vi.spyOn(await handlePrototype(), 'datasync').mockRejectedValueOnce(new Error('EIO: disk is gone'));
    const results = await Promise.allSettled(['x', 'y', 'z'].map((name) => changeState(store, adding(name))));
    for (const result of results) expect(result).toMatchObject({ reason: { code: 'STATE_WRITE_FAILED' } });
    expect([...store.state.cameras.keys()]).toEqual(['kept']);
    expect(seen).toEqual([]);
    sync.mockRestore();
    await changeState(store, adding('later'));
    expect(await namesOnDisk()).toEqual(['kept', 'later']);
    await until(async () => expect(await readdir(folder)).toEqual(['state.journal', 'state.json', 'state.lock']));
  });

  it('fail while a file stands in the folder’s place, and work when it is back', async () => {
    const dataDir = join(folder, 'data');
    const store = await openStore(dataDir);
    await changeState(store, adding('a'));
    await rename(dataDir, join(folder, 'away'));
    await writeFile(dataDir, 'not a folder');
    await expect(changeState(store, adding('b'))).rejects.toMatchObject({ code: 'STATE_WRITE_FAILED' });
    expect([...store.state.cameras.keys()]).toEqual(['a']);
    await unlink(dataDir);
    await rename(join(folder, 'away'), dataDir);
    await changeState(store, adding('c'));
    expect(await namesOnDisk(dataDir)).toEqual(['a', 'c']);
  });

  it.runIf(canMount())('fail on a full disk with everything kept, and work when there is room', async () => {
    const disk = join(folder, 'disk');
    await mkdir(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk]);
    try {
      const store = await openFileStore({ dataDir: disk, log: silentLogger });
      await changeState(store, adding('a'));
      await until(() => expect(existsSync(join(disk, 'state.json'))).toBe(true));
      await writeFile(join(disk, 'filler'), Buffer.alloc(60_000)).catch(() => undefined);
      const wide = (state: DesiredState) => {
        let next = state;
        for (let index = 0; index < 300; index += 1) next = adding(`camera-${index}`)(next);
        return next;
      };
      const failure = await changeState(store, wide).catch((error: unknown) => error);
      expect(failure).toMatchObject({ code: 'STATE_WRITE_FAILED' });
      expect(String(failure)).toContain('ENOSPC');
      expect([...store.state.cameras.keys()]).toEqual(['a']);
      expect(await namesOnDisk(disk)).toEqual(['a']);
      await unlink(join(disk, 'filler'));
      await changeState(store, adding('b'));
      expect(await namesOnDisk(disk)).toEqual(['a', 'b']);
      await store.close();
    } finally {
      execFileSync('umount', ['-l', disk]);
    }
  });

  it('go on when somebody deletes the lock; a lock of another is a problem until it is gone', async () => {
    const store = await openStore();
    const lock = join(folder, 'state.lock');
    const own = await readFile(lock, 'utf8');
    await unlink(lock);
    await vi.waitFor(async () => expect(await readFile(lock, 'utf8')).toBe(own), { timeout: 20_000 });
    await changeState(store, adding('a'));
    expect(store.problems[0]).toBeUndefined();

    await writeFile(lock, JSON.stringify({ ...JSON.parse(own), token: 'other' }));
    await vi.waitFor(() => expect(store.problems[0]?.code).toBe('STATE_LOCKED'), { timeout: 20_000 });
    await expect(changeState(store, adding('b'))).rejects.toMatchObject({ code: 'STATE_WRITE_FAILED' });
    await expect(store.rewrite?.()).rejects.toMatchObject({ code: 'STATE_WRITE_FAILED' });
    await unlink(lock);
    await vi.waitFor(() => expect(store.problems[0]).toBeUndefined(), { timeout: 20_000 });
    await changeState(store, adding('c'));
    expect(await namesOnDisk()).toEqual(['a', 'c']);
  });

  it('stay in the journal at the end where state.json cannot be written, which is said once', async () => {
    const said: string[] = [];
    const store = await openStore(folder, { ...silentLogger, warn: (message) => void said.push(message) });
    vi.spyOn(await handlePrototype(), 'sync').mockRejectedValue(new Error('ENOSPC'));
    await changeState(store, adding('a'));
    await store.close();
    expect(said.filter((message) => message.includes('its journal has the rest'))).toHaveLength(1);
    expect(await namesOnDisk()).toEqual(['a']);
  });

  it('are refused after close', async () => {
    const store = await openStore();
    const last = changeState(store, adding('a'));
    await store.close();
    await last;
    expect(await namesOnDisk()).toEqual(['a']);
    await expect(changeState(store, adding('b'))).rejects.toMatchObject({ code: 'STATE_WRITE_FAILED' });
  });
});

it('cannot be read: says so', async () => {
  await mkdir(path);
  await expect(openStore()).rejects.toMatchObject({ code: 'STATE_UNREADABLE' });
  await chmod(folder, 0o700);
});

function canMount(): boolean {
  try {
    const probe = execFileSync('mktemp', ['-d'], { encoding: 'utf8' }).trim();
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', probe], { stdio: 'ignore' });
    execFileSync('umount', ['-l', probe]);
    execFileSync('rmdir', [probe]);
    return true;
  } catch {
    return false;
  }
}
