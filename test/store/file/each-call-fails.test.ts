import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { Manifest } from '../../../src/access/manifest.js';
import { keptKey } from '../../../src/access/private-file.js';
import { TokenStore } from '../../../src/access/token-store.js';
import { writeSecrets } from '../../../src/cli/backup/secrets.js';
import { CodedError } from '../../../src/errors.js';
import { silentLogger } from '../../../src/log/log.js';
import { type DesiredState, emptyPushes } from '../../../src/model/model.js';
import { backupState, restoreState } from '../../../src/store/file/backup.js';
import { openFileStore } from '../../../src/store/file/file-store.js';
import type { Store } from '../../../src/store/store.js';
import { changeState } from '../../support/store.js';

/*
 * Every call of the file system fails once, or from then on, or never returns: whatever the program was doing, nothing that
 * was acknowledged is lost, nothing half written is taken for true, each failure has a code, and it goes on afterwards.
 */

interface Faults {
  /** Calls so far. */
  calls: number;
  /** The number of the call that fails, from 1; 0: none. */
  at: number;
  readonly kind: 'once' | 'lasting' | 'hang';
  readonly code: string;
  /** Ends what hangs. */
  release: () => void;
  readonly released: Promise<void>;
}

const disks = vi.hoisted(() => ({ byFolder: new Map<string, unknown>() }));

vi.mock('node:fs/promises', async (importOriginal) => {
  const real = await importOriginal<typeof import('node:fs/promises')>();
  const faultsOf = (path: unknown): Faults | undefined => {
    for (const [folder, faults] of disks.byFolder) if (String(path).startsWith(folder)) return faults as Faults;
    return undefined;
  };
  /** Reading and looking work on a disk that is full, too. */
  const reads = new Set(['stat', 'lstat', 'readdir', 'realpath', 'readlink', 'read', 'readFile', 'access', 'close']);
  const meet = async (faults: Faults | undefined, name: string): Promise<void> => {
    if (faults === undefined) return;
    faults.calls += 1;
    if (faults.at === 0 || faults.calls < faults.at) return;
    if (faults.kind === 'once' && faults.calls > faults.at) return;
    if (faults.kind === 'lasting' && reads.has(name)) return;
    if (faults.kind === 'hang') {
      if (faults.calls === faults.at) await faults.released;
      return;
    }
    throw Object.assign(new Error(`${faults.code}: injected, ${name}`), { code: faults.code });
  };
  const wrapped = (handle: FileHandle, faults: Faults): FileHandle => {
    for (const name of [
      'write',
      'read',
      'sync',
      'datasync',
      'stat',
      'chmod',
      'chown',
      'truncate',
      'writeFile',
    ] as const) {
      const method = handle[name].bind(handle) as (...args: unknown[]) => Promise<unknown>;
      Object.assign(handle, {
        [name]: async (...args: unknown[]) => {
          await meet(faults, name);
          // The order of what reaches the disk is not what is tried here, and syncs take their time.
          return name === 'sync' || name === 'datasync' ? undefined : method(...args);
        },
      });
    }
    return handle;
  };
  const names = [
    'readdir',
    'stat',
    'lstat',
    'realpath',
    'readlink',
    'rename',
    'link',
    'unlink',
    'mkdir',
    'copyFile',
    'utimes',
    'rm',
  ];
  const calls = Object.fromEntries(
    names.map((name) => [
      name,
      async (...args: unknown[]) => {
        await meet(faultsOf(args[0]), name);
        return (real as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>)[name]?.(...args);
      },
    ]),
  );
  const open: typeof real.open = async (path, ...rest) => {
    const faults = faultsOf(path);
    await meet(faults, 'open');
    const handle = await real.open(path, ...rest);
    return faults === undefined ? handle : wrapped(handle, faults);
  };
  return { ...real, ...calls, open };
});

const root = mkdtempSync(join(tmpdir(), 'aggregator-faults-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const limitMs = 150;
const createdAt = '2026-01-01T00:00:00.000Z';
const adding = (name: string) => (state: DesiredState) => ({
  ...state,
  cameras: new Map(state.cameras).set(name, { name, createdAt, pushes: emptyPushes }),
});
const removing = (name: string) => (state: DesiredState) => {
  const cameras = new Map(state.cameras);
  cameras.delete(name);
  return { ...state, cameras };
};
const pushing = (name: string, id: string) => (state: DesiredState) => {
  const push = { id, url: 'rtmp://192.0.2.1/live/x', enabled: true, createdAt };
  return {
    ...state,
    cameras: new Map(state.cameras).set(name, { name, createdAt, pushes: { [id]: push } }),
  } as unknown as DesiredState;
};

let made = 0;

/** What became of each step: done, or refused (surely not done, or perhaps). */
type Fate = 'done' | 'not done' | 'perhaps';

async function run(kind: Faults['kind'], code: string, at: number) {
  made += 1;
  const folder = join(root, `f${made}-`);
  mkdirSync(folder);
  let release: () => void = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const faults: Faults = { calls: 0, at, kind, code, release, released };
  disks.byFolder.set(folder, faults);
  const fates = new Map<string, Fate>();
  const uncoded: string[] = [];
  const attempt = async (what: string, act: () => Promise<unknown>): Promise<void> => {
    try {
      await act();
      fates.set(what, 'done');
    } catch (error) {
      if (!(error instanceof CodedError)) uncoded.push(`${what}: ${String(error)}`);
      fates.set(what, /may still be made|has not answered/.test(String(error)) ? 'perhaps' : 'not done');
    }
  };
  const heal = (): void => {
    faults.at = 0;
    release();
  };
  const open = () => openFileStore({ dataDir: folder, log: silentLogger, answerLimitMs: limitMs });
  const openTokens = async () =>
    TokenStore.open(
      join(folder, 'tokens.json'),
      silentLogger,
      await Manifest.open(folder, silentLogger, limitMs),
      limitMs,
    );
  let store: Store | undefined;
  let tokens: TokenStore | undefined;
  // A start that hangs is the matter of whoever started it: here the disk answers after a while.
  const patience = kind === 'hang' ? setTimeout(heal, 4 * limitMs) : undefined;
  await attempt('start', async () => {
    store = await open();
  });
  await attempt('token file', async () => {
    tokens = await openTokens();
  });
  await attempt('key', () => keptKey(join(folder, 'stream-secret'), { log: silentLogger, otherKey: 'x' }));
  if (store !== undefined) {
    const changing = store;
    await attempt('camera a', () => changeState(changing, adding('a')));
    await Promise.all([
      attempt('camera b', () => changeState(changing, adding('b'))),
      attempt('camera c', () => changeState(changing, adding('c'))),
    ]);
    await attempt('push on a', () => changeState(changing, pushing('a', 'p')));
    // Time for state.json to be written.
    await new Promise((resolve) => setTimeout(resolve, 90));
    await attempt('removal of b', () => changeState(changing, removing('b')));
  }
  if (tokens !== undefined) {
    const making = tokens;
    await attempt('token t', () => making.create({ name: 't', scope: 'read' }));
  }
  await attempt('backup', () => backupState(folder));
  // It recovers: all goes on with a disk that is well.
  heal();
  clearTimeout(patience);
  if (store !== undefined) {
    const changing = store;
    await vi.waitFor(() => changeState(changing, adding('later')), { timeout: 30_000, interval: 50 });
    fates.set('camera later', 'done');
    await vi.waitFor(() => expect(changing.problems).toEqual([]), { timeout: 30_000, interval: 50 });
    await store.close();
  }
  if (tokens !== undefined) {
    const making = tokens;
    const make = () =>
      making.create({ name: 'later', scope: 'read' }).catch((error: unknown) => {
        // On a slow machine an earlier try may have been made behind its time.
        if (!(error instanceof CodedError) || error.code !== 'TOKEN_CONFLICT') throw error;
      });
    await vi.waitFor(make, { timeout: 30_000, interval: 50 });
  }
  const calls = faults.calls;
  const again = await open();
  const tokensAgain = await openTokens();
  const key = await keptKey(join(folder, 'stream-secret'), { log: silentLogger });
  const seen = {
    cameras: new Set(again.state.cameras.keys()),
    pushes: Object.keys(again.state.cameras.get('a')?.pushes ?? {}),
    tokens: tokensAgain.list().map(({ name }) => name),
    key: key.length,
  };
  await again.close();
  disks.byFolder.delete(folder);
  return { fates, uncoded, seen, calls, folder };
}

function judge({ fates, uncoded, seen }: Awaited<ReturnType<typeof run>>, what: string): void {
  expect(uncoded, what).toEqual([]);
  const is = (name: string): Fate => fates.get(name) ?? 'not done';
  for (const name of ['a', 'c', 'later']) {
    if (is(`camera ${name}`) === 'done') expect(seen.cameras.has(name), `${what}: ${name} was acknowledged`).toBe(true);
  }
  for (const name of ['a', 'b', 'c']) {
    // A push declares its camera, too.
    if (is(`camera ${name}`) === 'not done' && (name !== 'a' || is('push on a') === 'not done'))
      expect(seen.cameras.has(name), `${what}: ${name} was refused`).toBe(false);
  }
  if (is('camera b') === 'done' && is('removal of b') !== 'perhaps')
    expect(seen.cameras.has('b'), `${what}: b`).toBe(is('removal of b') !== 'done');
  if (is('push on a') !== 'perhaps') expect(seen.pushes, what).toEqual(is('push on a') === 'done' ? ['p'] : []);
  if (is('token t') !== 'perhaps') expect(seen.tokens.includes('t'), `${what}: t`).toBe(is('token t') === 'done');
  expect(seen.key, what).toBe(32);
}

/** All calls are tried with MEDIA_AGGREGATOR_EVERY_CALL=1; else a share of them, which begins somewhere else each time. */
const isTried = (at: number, every: number): boolean =>
  process.env.MEDIA_AGGREGATOR_EVERY_CALL === '1' || (at + shift) % every === 0;
const shift = Math.floor(Math.random() * 12);

const calls = await run('once', 'EIO', 0);

describe('a data folder whose disk fails at any call', { timeout: 300_000 }, () => {
  it.each([
    ['is full from then on', 'lasting', ['ENOSPC'], 4],
    ['fails once', 'once', ['ENOSPC', 'EIO', 'EACCES'], 2],
    ['does not answer', 'hang', [''], 6],
  ] as const)('%s: nothing acknowledged is lost', async (_, kind, codes, every) => {
    expect([...calls.fates.values()].every((fate) => fate === 'done')).toBe(true);
    expect(calls.calls).toBeGreaterThan(60);
    const numbers = Array.from({ length: calls.calls }, (__, index) => index + 1).filter((at) => isTried(at, every));
    // Several at a time: each mostly waits.
    const worker = async (): Promise<void> => {
      for (let at = numbers.shift(); at !== undefined; at = numbers.shift()) {
        const code = codes[at % codes.length] ?? '';
        judge(await run(kind, code, at), `${kind} ${code} at call ${at}`);
      }
    };
    await Promise.all(Array.from({ length: 12 }, worker));
  });
});

const [oldKey, newKey] = ['0'.repeat(64), '1'.repeat(64)];
const secretNames = ['stream-secret', 'webhook-key'];

function contentOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

describe('restoring a backup on a disk that fails at any call', { timeout: 300_000 }, () => {
  it('leaves all that was there, state and secrets, or puts all of the backup in place', async () => {
    const backup = join(root, 'backup.json');
    const prepare = async (): Promise<{ folder: string; faults: Faults }> => {
      made += 1;
      const folder = join(root, `r${made}-`);
      const store = await openFileStore({ dataDir: folder, log: silentLogger });
      await changeState(store, adding('old'));
      await store.close();
      writeFileSync(join(folder, 'stream-secret'), oldKey);
      const faults: Faults = { calls: 0, at: 0, kind: 'once', code: '', release() {}, released: Promise.resolve() };
      disks.byFolder.set(folder, faults);
      return { folder, faults };
    };
    const restore = (folder: string) =>
      restoreState({
        folder,
        file: backup,
        whileRunning: false,
        alongside: (replaced) =>
          writeSecrets(folder, secretNames, { 'stream-secret': newKey, 'webhook-key': newKey }, replaced),
      });
    const first = await prepare();
    writeFileSync(backup, readFileSync(join(first.folder, 'state.json'), 'utf8').replaceAll('"old"', '"new"'));
    await restore(first.folder);
    const total = first.faults.calls;
    expect(total).toBeGreaterThan(20);
    for (let at = 1; at <= total; at++) {
      for (const [kind, code] of [
        ['once', at % 2 === 0 ? 'EIO' : 'EACCES'],
        ['lasting', 'ENOSPC'],
      ] as const) {
        if (!isTried(at, kind === 'once' ? 3 : 5)) continue;
        const { folder, faults } = await prepare();
        Object.assign(faults, { at, kind, code });
        const error: unknown = await restore(folder).then(
          () => undefined,
          (failure: unknown) => failure,
        );
        const what = `${kind} ${code} at call ${at}: ${String(error)}`;
        if (error !== undefined) expect(error, what).toBeInstanceOf(CodedError);
        faults.at = 0;
        // A lock that could not be taken away ends with the process of the command, which here goes on.
        rmSync(join(folder, 'state.lock'), { force: true });
        const store = await openFileStore({ dataDir: folder, log: silentLogger });
        const names = [...store.state.cameras.keys()];
        await store.close();
        const keys = secretNames.map((name) => contentOf(join(folder, name)));
        const isNew = { names: ['new'], keys: [newKey, newKey] };
        const isOld = { names: ['old'], keys: [oldKey, undefined] };
        if (error === undefined) {
          expect({ names, keys }, what).toEqual(isNew);
        } else if (!/could not be put back/.test(String(error))) {
          // The lock is released at the very end, when all is done.
          expect(/state\.lock|injected, unlink/.test(String(error)) ? [isOld, isNew] : [isOld], what).toContainEqual({
            names,
            keys,
          });
        } else {
          expect(kind, what).toBe('lasting');
          expect([['old'], ['new']], what).toContainEqual(names);
        }
        // And then it can be done.
        await restore(folder);
        disks.byFolder.delete(folder);
      }
    }
  });
});
