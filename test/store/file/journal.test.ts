import { existsSync } from 'node:fs';
import { cp, mkdtemp, open, readdir, readFile, rm, stat, truncate, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Logger, silentLogger } from '../../../src/log/log.js';
import { type DesiredState, emptyPushes, type Push } from '../../../src/model/model.js';
import { restoreState } from '../../../src/store/file/backup.js';
import { openFileStore } from '../../../src/store/file/file-store.js';
import { Journal } from '../../../src/store/file/journal.js';
import { encodeLine } from '../../../src/store/file/journal-lines.js';
import { withPadding } from '../../../src/store/file/journal-padding.js';
import { parseJournal } from '../../../src/store/file/journal-parse.js';
import { readFolder } from '../../../src/store/file/recover.js';
import type { Store } from '../../../src/store/store.js';
import { stateFileSettled } from '../../support/state.js';
import { changeState } from '../../support/store.js';

let folder: string;
let file: string;
let journal: string;
const stores: Store[] = [];
const folders: string[] = [];

beforeEach(async () => {
  folder = await temporaryFolder();
  file = join(folder, 'state.json');
  journal = join(folder, 'state.journal');
});
afterEach(async () => {
  letGo();
  for (const store of stores.splice(0)) await store.close();
  for (const each of folders.splice(0)) await rm(each, { recursive: true, force: true });
});

async function temporaryFolder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'aggregator-journal-'));
  folders.push(made);
  return made;
}

async function openStore(dataDir = folder, log: Logger = silentLogger): Promise<Store> {
  const store = await openFileStore({ dataDir, log });
  stores.push(store);
  return store;
}

/** What a killed process would have left behind: a copy of the two files, without the lock. */
async function copied(from = folder): Promise<string> {
  const to = await temporaryFolder();
  for (const name of await readdir(from)) {
    if (name !== 'state.lock') await cp(join(from, name), join(to, name)).catch(() => undefined);
  }
  return to;
}

const at = '2026-01-01T00:00:00.000Z';
const until = (check: () => void | Promise<void>) => vi.waitFor(check, { timeout: 20_000, interval: 20 });
const namesOf = (state: DesiredState) => [...state.cameras.keys()].sort();
const adding = (name: string, type?: string) => (state: DesiredState) => {
  const camera = { name, createdAt: at, pushes: emptyPushes, ...(type === undefined ? {} : { type }) };
  return { ...state, cameras: new Map(state.cameras).set(name, camera) };
};
/** The lines of a journal, without the padding behind them. */
const linesOf = (bytes: Buffer) => bytes.toString().replace(/\n+$/, '\n');
const removing = (name: string) => (state: DesiredState) => {
  const cameras = new Map(state.cameras);
  cameras.delete(name);
  return { ...state, cameras };
};
const pushing = (name: string, id: string, url: string) => (state: DesiredState) => {
  const camera = state.cameras.get(name)!;
  const push: Push = { id, url, enabled: true, createdAt: at };
  const pushes: Record<string, Push> = Object.assign(Object.create(null), camera.pushes, { [id]: push });
  return { ...state, cameras: new Map(state.cameras).set(name, { ...camera, pushes }) };
};

let release = () => {};

/**
 * Keeps state.json from being written: its new content waits for the disk before it gets its name. Resolves to what
 * resolves when it does.
 * @param isSlow whether the disk keeps who asks now waiting
 */
async function holdCompaction(isSlow = () => true): Promise<{ held: Promise<void> }> {
  const handle = await open(tmpdir(), 'r');
  await handle.close();
  const prototype: { sync(): Promise<void> } = Object.getPrototypeOf(handle);
  const real = prototype.sync;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  let onHeld = () => {};
  const held = new Promise<void>((resolve) => {
    onHeld = resolve;
  });
  vi.spyOn(prototype, 'sync').mockImplementation(async function wait(this: unknown) {
    if (isSlow()) {
      onHeld();
      await released;
    }
    return real.call(this as typeof prototype);
  });
  return { held };
}

function letGo(): void {
  release();
  vi.restoreAllMocks();
}

/** Resolves when state.json holds all, and nothing is under way any more. */
async function settle(store: Store): Promise<void> {
  await stateFileSettled(folder);
  await changeState(store, (state) => state);
}

/** A store whose journal holds changes that its state.json (with camera `base`) does not. */
async function withPending(...changes: ((state: DesiredState) => DesiredState)[]): Promise<Store> {
  const store = await openStore();
  await changeState(store, adding('base'));
  await settle(store);
  const { held } = await holdCompaction();
  for (const change of changes) await changeState(store, change);
  await held; // what it writes before that is behind it
  return store;
}

describe('the journal', () => {
  it('has one readable line for each commit, and begins anew when state.json holds them', async () => {
    const store = await withPending(adding('a', '360'), pushing('a', 'p', 'rtmp://127.0.0.7/live/a'), removing('base'));
    const lines = (await readFile(journal, 'utf8')).trimEnd().split('\n');
    const values = lines.map((line) => JSON.parse(line));
    expect(values.map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
    expect(values[0]).toMatchObject({ journal: 3, base: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(values[1].changes).toEqual([{ camera: 'a', is: { createdAt: at, type: '360' }, was: null }]);
    const push = { createdAt: at, enabled: true, url: 'rtmp://127.0.0.7/live/a' };
    expect(values[2].changes).toEqual([{ camera: 'a', push: 'p', is: push, was: null }]);
    expect(values[3].changes).toEqual([{ camera: 'base', is: null, was: { createdAt: at } }]);
    // One push among many costs a line of its own, not one of the whole camera.
    expect(lines[2]!.length).toBeLessThan(250);

    letGo();
    await store.close();
    expect((await readFile(journal, 'utf8')).trimEnd().split('\n')).toHaveLength(1);
    expect(Object.keys(JSON.parse(await readFile(file, 'utf8')).cameras)).toEqual(['a']);
  });

  it('cut at any byte is refused when that takes a line, and has everything when it takes padding', async () => {
    await withPending(adding('a'), adding('b'));
    const whole = await readFile(journal);
    const killed = await copied();
    letGo();
    const lines = linesOf(whole).length;
    expect(whole.length % 4096).toBe(0);
    for (let length = 0; length <= lines + 20; length += 1) {
      const cut = await copied(killed);
      await truncate(join(cut, 'state.journal'), length);
      const found = await readFolder(cut, undefined, 1).catch((error: unknown) => error);
      if (length <= lines) {
        const message = expect.stringMatching(/the file (?:was cut|is empty)|its sum does not fit/);
        expect(found, `${length}`).toMatchObject({ code: 'STATE_INVALID', message });
        continue;
      }
      expect(namesOf((found as { state: DesiredState }).state), `${length}`).toEqual(['a', 'b', 'base']);
      if (length % 10 !== 0) continue;
      const store = await openFileStore({ dataDir: cut, log: silentLogger });
      await changeState(store, adding('c'));
      expect(namesOf((await readFolder(cut)).state)).toEqual(['a', 'b', 'base', 'c']);
      await store.close();
    }
  }, 60_000);

  it('without any of the sectors of its last line goes on from the line before; with another damage it is refused', async () => {
    // A line of about eight sectors, after one line that was acknowledged.
    const long = (name: string) => (state: DesiredState) =>
      pushing(name, 'p', `rtmp://127.0.0.7/live/${'x'.repeat(1800)}`)(adding(name)(state));
    await withPending(adding('a'), (state) => long('c')(long('b')(state)));
    const whole = await readFile(journal);
    const killed = await copied();
    letGo();
    expect(namesOf((await readFolder(killed)).state)).toEqual(['a', 'b', 'base', 'c']);
    const lines = linesOf(whole);
    const begin = lines.lastIndexOf('\n', lines.length - 2) + 1;
    const firstSector = Math.floor(begin / 512);
    const sectors = Math.ceil(lines.length / 512) - firstSector;
    expect(sectors).toBeGreaterThan(7);
    const torn = await copied(killed);
    const path = join(torn, 'state.journal');
    let taken = 0;
    for (let lost = 1; lost < 2 ** sectors; lost += 1) {
      const bytes = Buffer.from(whole);
      for (let index = 0; index < sectors; index += 1) {
        const from = Math.max(begin, (firstSector + index) * 512);
        if ((lost & (1 << index)) !== 0) bytes.fill('\n', from, (firstSector + index + 1) * 512);
      }
      await writeFile(path, bytes);
      const { state, journal: content } = await readFolder(torn);
      expect(namesOf(state), `${lost}`).toEqual(['a', 'base']);
      const isAllLost = lost === 2 ** sectors - 1;
      expect(content!.tornBytes > 0, `${lost}`).toBe(!isAllLost);
      if (lost % 41 !== 0) continue;
      taken += 1;
      const store = await openFileStore({ dataDir: torn, log: silentLogger });
      await changeState(store, adding('d'));
      expect(namesOf((await readFolder(torn)).state)).toEqual(['a', 'base', 'd']);
      await store.close();
      await cp(join(killed, 'state.json'), join(torn, 'state.json'), { preserveTimestamps: true });
    }
    expect(taken).toBeGreaterThan(2);
    for (const [from, to] of [
      [begin + 5, begin + 6],
      [begin, begin + 10],
      [lines.length - 20, lines.length],
      [begin - 10, begin + 2],
    ]) {
      for (const fill of ['\n', '\0', 'x']) {
        await writeFile(path, Buffer.from(whole).fill(fill, from, to));
        await expect(readFolder(torn, undefined, 1), `${from} ${to} ${fill}`).rejects.toMatchObject({
          code: 'STATE_INVALID',
        });
      }
    }
  }, 60_000);

  it('has zeros or one damaged byte in its padding, and nothing is lost', async () => {
    await withPending(adding('a'), adding('b'));
    const whole = await readFile(journal);
    const killed = await copied();
    letGo();
    const lines = linesOf(whole).length;
    for (const [bytes, isStray] of [
      [Buffer.concat([whole, Buffer.alloc(5000)]), false],
      [Buffer.concat([whole, Buffer.alloc(512), whole.subarray(-512)]), false],
      [Buffer.from(whole).fill('*', lines, lines + 1), true],
      [Buffer.from(whole).fill('*', 9000, 9001), true],
    ] as const) {
      const left = await copied(killed);
      await writeFile(join(left, 'state.journal'), bytes);
      const { state, journal: content } = await readFolder(left);
      expect(namesOf(state)).toEqual(['a', 'b', 'base']);
      expect(content).toMatchObject({ hasStrayByte: isStray, tornBytes: 0 });
      const lines: string[] = [];
      const warn = (message: string) => void lines.push(message);
      const store = await openStore(left, { ...silentLogger, warn } as Logger);
      expect(lines.some((line) => line.includes('damaged'))).toBe(isStray);
      await changeState(store, adding('c'));
      expect((await readFile(join(left, 'state.journal'))).includes(0)).toBe(false);
    }
    await writeFile(join(killed, 'state.journal'), Buffer.from(whole).fill('xy', lines + 5, lines + 7));
    await expect(readFolder(killed, undefined, 1)).rejects.toMatchObject({ code: 'STATE_INVALID' });
  }, 60_000);

  it('grows ahead of its lines, with padding on disk behind each, whatever their lengths', async () => {
    const grown = await Journal.create(journal, null, 0);
    const sizes = new Set<number>();
    let exact = 0;
    for (let seq = 1; seq <= 150; seq += 1) {
      const before = await readFile(journal);
      const room = before.length - linesOf(before).length;
      const changeOf = (length: number) => {
        const is = { createdAt: at, enabled: true, url: `rtmp://h/${'x'.repeat(length)}` };
        return [{ camera: 'a', push: 'p', is, was: null }];
      };
      // Those that reach the end of the padding end where it does, or a few bytes around that.
      const left = room - encodeLine({ seq, at, changes: changeOf(0) }).length + (seq % 7) - 3;
      if (left > 0 && left < 1000) exact += 1;
      await grown.commit(changeOf(left > 0 ? Math.min(1000, left) : 1));
      const bytes = await readFile(journal);
      sizes.add(bytes.length);
      expect(bytes.length, `${seq}`).toBeGreaterThan(linesOf(bytes).length);
      expect(parseJournal(bytes), `${seq}`).toMatchObject({ seq, tornBytes: 0, lacksEnd: false, hasStrayByte: false });
      expect(await grown.isSound()).toBe(true);
    }
    await grown.close();
    expect(sizes.size).toBeGreaterThan(2);
    expect(exact).toBeGreaterThan(1);
  }, 60_000);

  it.each([1, 2])(
    'of version %i is read, its crash forgiven, and it becomes one of this version',
    async (version) => {
      await withPending(adding('a'), adding('b'));
      const lines = linesOf(await readFile(journal));
      const [first = '', ...rest] = lines.split('\n');
      const { sum: _, file: trace, ...values } = JSON.parse(first);
      const header = { ...values, ...(version === 2 ? { file: trace } : {}), journal: version };
      const old = [encodeLine(header).trimEnd(), ...rest].join('\n');
      const killed = await copied();
      letGo();
      for (const [text, names] of [
        [old, ['a', 'b', 'base']],
        [old.slice(0, -1), ['a', 'b', 'base']],
        [old.slice(0, -30), ['a', 'base']],
        [old + '\0'.repeat(512), ['a', 'b', 'base']],
        [encodeLine(header), ['base']],
      ] as const) {
        const left = await copied(killed);
        await writeFile(join(left, 'state.journal'), text);
        expect(namesOf((await readFolder(left)).state)).toEqual(names);
        const store = await openStore(left);
        expect(namesOf(store.state)).toEqual(names);
        const now = await readFile(join(left, 'state.journal'));
        expect(now.toString()).toMatch(/^\{"journal":3,/);
        expect(now.length).toBeGreaterThan(linesOf(now).length);
        await changeState(store, adding('c'));
        expect(namesOf((await readFolder(left)).state)).toEqual([...names, 'c'].sort());
      }
    },
    60_000,
  );

  const damages: [string, (text: string) => string, string][] = [
    ['changed in the middle', (text) => text.replace('"a"', '"z"'), 'line 2: its sum does not fit'],
    ['changed at the end', (text) => text.replace('"b"', '"z"'), 'line 3: its sum does not fit'],
    ['without a line', (text) => text.replace(/\n.*\n/, '\n'), 'line 2: seq: must be 2, not 3'],
    ['with a line twice', (text) => text + text.slice(text.lastIndexOf('\n', text.length - 2) + 1), 'line 4: seq'],
    ['with text of another', () => 'something else\n', 'line 1: its sum does not fit'],
    ['of a later version', () => encodeLine(JSON.parse('{"journal":4,"base":null,"seq":0}')), 'newer media-aggregator'],
    [
      'with a key of no prototype',
      (text) => text + encodeLine(JSON.parse('{"seq":4,"at":"x","changes":[{"__proto__":{}}]}')),
      '__proto__',
    ],
  ];
  it.each(damages)('%s is refused loudly, and left alone', async (_, damage, hint) => {
    await withPending(adding('a'), adding('b'));
    const damaged = await copied();
    const text = withPadding(Buffer.from(damage(linesOf(await readFile(journal))))).toString();
    await writeFile(join(damaged, 'state.journal'), text);
    const failure = await openStore(damaged).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'STATE_INVALID', message: expect.stringContaining(hint) });
    expect(String(failure)).toContain(join(damaged, 'state.journal'));
    expect(await readFile(join(damaged, 'state.journal'), 'utf8')).toBe(text);
  });

  it('without its state.json is refused; without both it begins empty', async () => {
    await withPending(adding('a'));
    const left = await copied();
    await unlink(join(left, 'state.json'));
    await expect(openStore(left)).rejects.toMatchObject({
      code: 'STATE_INVALID',
      message: expect.stringMatching(/state\.json is missing/),
    });
    await unlink(join(left, 'state.journal'));
    letGo();
    expect((await openStore(left)).state.cameras.size).toBe(0);
  });

  it('that somebody deletes is made anew, with all that was acknowledged in state.json', async () => {
    const store = await withPending(adding('a'));
    await unlink(journal);
    letGo();
    await changeState(store, adding('b'));
    expect(namesOf((await readFolder(folder)).state)).toEqual(['a', 'b', 'base']);
  });

  it('deleted while nothing changes any more: what it held is on disk again soon', async () => {
    const store = await withPending(adding('a'));
    await unlink(journal);
    letGo();
    await until(async () => expect(namesOf((await readFolder(folder)).state)).toEqual(['a', 'base']));
    expect(namesOf(store.state)).toEqual(['a', 'base']);
  });

  it('that cannot be written to refuses the change, which is not there after a restart either', async () => {
    const store = await withPending(adding('a'));
    const handle = await open(file, 'r');
    await handle.close();
    const prototype: { datasync(): Promise<void> } = Object.getPrototypeOf(handle);
    vi.spyOn(prototype, 'datasync').mockRejectedValueOnce(new Error('EIO'));
    vi.mocked((prototype as unknown as { sync(): Promise<void> }).sync).mockResolvedValueOnce(undefined);
    await expect(changeState(store, adding('lost'))).rejects.toMatchObject({ code: 'STATE_WRITE_FAILED' });
    expect(namesOf((await readFolder(await copied())).state)).toEqual(['a', 'base']);
    await changeState(store, adding('b'));
    expect(namesOf((await readFolder(await copied())).state)).toEqual(['a', 'b', 'base']);
  });
});

it('state.json is tried again when it could not be written, also while nothing changes any more', async () => {
  const store = await openStore();
  await changeState(store, adding('a'));
  await settle(store);
  const handle = await open(file, 'r');
  await handle.close();
  const prototype: { sync(): Promise<void> } = Object.getPrototypeOf(handle);
  vi.spyOn(prototype, 'sync').mockRejectedValueOnce(new Error('ENOSPC'));
  await changeState(store, adding('b'));
  await until(() => expect(store.problems[0]?.code).toBe('STATE_WRITE_FAILED'));
  // It is tried again after five seconds.
  await vi.waitFor(() => expect(store.problems[0]).toBeUndefined(), { timeout: 20_000, interval: 50 });
  expect(Object.keys(JSON.parse(await readFile(file, 'utf8')).cameras)).toEqual(['a', 'b']);
});

it('state.json is written once for a change, however long the disk takes to put it in place', async () => {
  const { held } = await holdCompaction(() => existsSync(file));
  const store = await openStore();
  // About 300 KB, after which state.json follows a third of a second later.
  const many = Array.from({ length: 3000 }, (_, index) => adding(`camera-${index}`));
  await changeState(store, (state) => many.reduce((next, add) => add(next), state));
  await held;
  const { ino } = await stat(file, { bigint: true });
  // The look at the files that comes each second touches the lock.
  const beatMs = async () => (await stat(join(folder, 'state.lock'))).mtimeMs;
  const before = await beatMs();
  await until(async () => expect(await beatMs()).toBeGreaterThan(before));
  letGo();
  await settle(store);
  await sleep(500);
  expect((await stat(file, { bigint: true })).ino).toBe(ino);
});

describe('a crash while state.json is written anew', () => {
  it('loses nothing, whatever a look at the two files finds', async () => {
    const store = await openStore();
    for (let round = 0; round < 30; round += 1) {
      const done = changeState(store, adding(`c${round}`));
      const acknowledged = namesOf(store.state);
      const { state } = await readFolder(await copied());
      for (const name of acknowledged) expect(state.cameras.has(name), `${round} ${name}`).toBe(true);
      await done;
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 80));
    }
  });

  it('between the note in the journal and the new journal: each commit counts once', async () => {
    await withPending(adding('a'), removing('base'));
    const old = linesOf(await readFile(journal));
    const { state } = await readFolder(folder);
    letGo();
    for (const store of stores.splice(0)) await store.close();
    const { file: written } = await readFolder(folder);
    const note = encodeLine({ seq: 3, snapshot: written!.digest });
    const later = encodeLine({ seq: 4, at, changes: [{ camera: 'later', is: { createdAt: at }, was: null }] });
    for (const [text, names] of [
      [old + note, ['a']],
      [old + note + later, ['a', 'later']],
      [old + later + note, ['a', 'later']],
    ] as const) {
      await writeFile(journal, withPadding(Buffer.from(text)));
      expect(namesOf((await readFolder(folder)).state)).toEqual(names);
    }
    expect(namesOf(state)).toEqual(['a']);
  });
});

describe('an edit by hand while the journal holds newer changes', () => {
  const edit = async (change: (document: { cameras: Record<string, object>; engines: object }) => void) => {
    const document = JSON.parse(await readFile(file, 'utf8'));
    change(document);
    await writeFile(file, JSON.stringify(document));
  };

  it('applies live, and the changes stay', async () => {
    const store = await withPending(adding('a'), pushing('base', 'api', 'rtmp://127.0.0.7/live/api'));
    await edit(({ cameras }) => {
      cameras.hand = {};
      cameras.base = { type: 'plane', pushes: { hand: { url: 'rtmp://127.0.0.7/live/hand' } } };
    });
    await until(() => expect(namesOf(store.state)).toEqual(['a', 'base', 'hand']));
    expect(store.state.cameras.get('base')?.type).toBe('plane');
    expect(Object.keys(store.state.cameras.get('base')!.pushes).sort()).toEqual(['api', 'hand']);
    const before = await copied();
    expect((await readFolder(before)).isMerged).toBe(true);
    const again = await openStore(before);
    expect(namesOf(again.state)).toEqual(['a', 'base', 'hand']);
    expect(Object.keys(again.state.cameras.get('base')!.pushes).sort()).toEqual(['api', 'hand']);
    letGo();
    await changeState(store, adding('b'));
    await store.close();
    expect(Object.keys(JSON.parse(await readFile(file, 'utf8')).cameras)).toEqual(['a', 'b', 'base', 'hand']);
  });

  it('of the same thing is a conflict: the edit is refused and kept aside, and the change stays', async () => {
    const store = await withPending(adding('a'), adding('base', '360'));
    await edit(({ cameras }) => {
      cameras.base = { type: 'plane' };
    });
    await until(() => expect(store.problems[0]?.code).toBe('STATE_CONFLICT'));
    expect(store.problems[0]?.field).toBe('cameras.base');
    expect(store.state.cameras.get('base')?.type).toBe('360');
    const killed = await copied();
    await expect(openStore(killed)).rejects.toMatchObject({ code: 'STATE_CONFLICT', field: 'cameras.base' });
    // The advice of the message: as it was, and as the journal has it.
    for (const type of [undefined, '360']) {
      await writeFile(join(killed, 'state.json'), JSON.stringify({ version: 1, cameras: { base: { type } } }));
      const { state } = await readFolder(killed);
      expect(state.cameras.get('base')?.type).toBe('360');
    }
    const [refused] = [await readFile(file, 'utf8')];
    letGo();
    await store.close();
    expect(JSON.parse(await readFile(file, 'utf8')).cameras.base.type).toBe('360');
    expect(await readFile(join(folder, 'state.json.rejected-1'), 'utf8')).toBe(refused);
  });

  it.each<[string, (document: { cameras: Record<string, object>; engines: object }) => void]>([
    ['removes a camera that got a push', ({ cameras }) => delete cameras.base],
    ['removes an engine that got a push', (document) => Object.assign(document, { engines: {} })],
  ])('that %s is refused', async (_, change) => {
    const store = await openStore();
    const engine = {
      name: 'e',
      host: 'h',
      pushUrl: 'rtmp://{host}/live/{name}',
      playbackUrl: 'http://h/',
      createdAt: at,
    };
    await changeState(store, (state) => ({ ...adding('base')(state), engines: new Map([['e', engine]]) }));
    await settle(store);
    await holdCompaction();
    await changeState(store, (state) => {
      const next = pushing('base', 'p', 'x')(state);
      const camera = next.cameras.get('base')!;
      const pushes = Object.assign(Object.create(null), { p: { id: 'p', engine: 'e', enabled: true, createdAt: at } });
      return { ...next, cameras: new Map(next.cameras).set('base', { ...camera, pushes }) };
    });
    await edit(change);
    await until(() => expect(store.problems[0]?.code).toMatch(/STATE_CONFLICT|STATE_INVALID/));
    expect(store.state.cameras.get('base')?.pushes.p?.engine).toBe('e');
  });

  it('before a commit and a crash: both are there', async () => {
    const store = await openStore();
    await changeState(store, adding('base'));
    await settle(store);
    await holdCompaction();
    await edit(({ cameras }) => {
      cameras.hand = { pushes: {} };
      cameras.base = { type: 'plane' };
    });
    await until(() => expect(namesOf(store.state)).toEqual(['base', 'hand']));
    await changeState(store, adding('base', '360'));
    await changeState(store, removing('hand'));
    const { state, isMerged } = await readFolder(await copied());
    expect(isMerged).toBe(false);
    expect(namesOf(state)).toEqual(['base']);
    expect(state.cameras.get('base')?.type).toBe('360');
  });
});

it('says of each line of a journal what is wrong with it, of any bytes', () => {
  const header = encodeLine({ journal: 1, base: null, seq: 0 });
  expect(() => parseJournal(Buffer.alloc(0))).toThrow('the file is empty');
  expect(() => parseJournal(Buffer.from(header.slice(0, -2)))).toThrow('line 1');
  const lacking = { seq: 0, tornBytes: 0, goodBytes: header.length - 1, lacksEnd: true };
  expect(parseJournal(Buffer.from(header.slice(0, -1)))).toMatchObject(lacking);
  expect(parseJournal(Buffer.from(header))).toMatchObject({ seq: 0, tornBytes: 0, goodBytes: header.length });
  expect(() => parseJournal(Buffer.from(`${header}\n`))).toThrow('line 2');
});

describe('a process that was killed when state.json had its journal, and the journal was not yet shortened', () => {
  /** A folder as it is left behind: state.json holds what the journal still lists. */
  async function leftBehind(): Promise<string> {
    const store = await withPending(adding('a', '360'), adding('base', 'plane'));
    const lines = linesOf(await readFile(journal));
    letGo();
    await settle(store);
    const digest = JSON.parse((await readFile(journal, 'utf8')).split('\n', 1)[0]!).base;
    const left = await copied();
    await writeFile(
      join(left, 'state.journal'),
      withPadding(Buffer.from(lines + encodeLine({ seq: 3, snapshot: digest }))),
    );
    return left;
  }

  it.each<[string, string | undefined]>([
    ['back to what it was before', undefined],
    ['to something new', '180'],
  ])('keeps a later edit by hand through the next kill: %s', async (_, type) => {
    const left = await leftBehind();
    const store = await openStore(left);
    expect(store.state.cameras.get('base')?.type).toBe('plane');
    const path = join(left, 'state.json');
    const document = JSON.parse(await readFile(path, 'utf8'));
    document.cameras.base = { ...document.cameras.base, type };
    await writeFile(path, JSON.stringify(document));
    await until(() => expect(store.state.cameras.get('base')?.type).toBe(type));
    const { state } = await readFolder(await copied(left));
    expect(state.cameras.get('base')?.type).toBe(type);
    expect(namesOf(state)).toEqual(['a', 'base']);
  });
});

describe('restore', () => {
  /** A folder whose journal holds what state.json does not, and a backup. */
  async function killed(): Promise<{ left: string; backup: string }> {
    await withPending(adding('a'));
    const left = await copied();
    letGo();
    const backup = join(folder, 'backup.json');
    await writeFile(backup, '{"version":1,"cameras":{"restored":{}}}');
    return { left, backup };
  }

  it('that cannot write leaves all that was acknowledged where it is', async () => {
    const { left, backup } = await killed();
    const handle = await open(tmpdir(), 'r');
    await handle.close();
    const full = Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
    vi.spyOn(Object.getPrototypeOf(handle), 'sync').mockRejectedValue(full);
    const restored = restoreState({ folder: left, file: backup, whileRunning: false });
    await expect(restored).rejects.toMatchObject({
      code: 'STATE_WRITE_FAILED',
      message: expect.stringMatching(/ENOSPC/),
    });
    vi.restoreAllMocks();
    expect(namesOf((await readFolder(left)).state)).toEqual(['a', 'base']);
  });

  it('that is killed at any step leaves all of the old or all of the new', async () => {
    const { left, backup } = await killed();
    const seen: string[][] = [];
    const handle = await open(tmpdir(), 'r');
    await handle.close();
    const prototype: { sync(): Promise<void> } = Object.getPrototypeOf(handle);
    const real = prototype.sync;
    vi.spyOn(prototype, 'sync').mockImplementation(async function looking(this: unknown) {
      seen.push(namesOf((await readFolder(left)).state));
      return real.call(this as typeof prototype);
    });
    await restoreState({ folder: left, file: backup, whileRunning: false });
    expect(seen.length).toBeGreaterThan(2);
    for (const names of seen) expect([['a', 'base'], ['restored']]).toContainEqual(names);
    expect(namesOf((await readFolder(left)).state)).toEqual(['restored']);
  });
});
