import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Logger } from '../../../src/log/log.js';
import { type DesiredState, emptyPushes } from '../../../src/model/model.js';
import { openFileStore } from '../../../src/store/file/file-store.js';
import { readFolder } from '../../../src/store/file/recover.js';
import type { Store } from '../../../src/store/store.js';
import { stateFileSettled } from '../../support/state.js';
import { changeState } from '../../support/store.js';

let root: string;
let folder: string;
let path: string;
let store: Store;
let lines: string[];

const log: Logger = {
  debug: () => {},
  info: () => {},
  warn: (message: string) => void lines.push(message),
  error: (message: string) => void lines.push(message),
  child: () => log,
} as unknown as Logger;

const isRoot = process.getuid?.() === 0;
const user = 40_000;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'aggregator-unreadable-'));
  folder = join(root, 'data');
  path = join(folder, 'state.json');
  mkdirSync(folder);
  lines = [];
  if (isRoot) {
    for (const each of [root, folder]) chownSync(each, user, user);
    process.setegid?.(user);
    process.seteuid?.(user);
  }
  store = await openFileStore({ dataDir: folder, log });
  await changeState(store, adding('a'));
  await stateFileSettled(folder);
});
afterEach(async () => {
  await store.close();
  asRoot(() => rmSync(root, { recursive: true, force: true }));
  if (!isRoot) return;
  process.seteuid?.(0);
  process.setegid?.(0);
});

/** As `sudo` would: the rights of root for a moment. */
function asRoot(act: () => void): void {
  if (isRoot) process.seteuid?.(0);
  try {
    act();
  } finally {
    if (isRoot) process.seteuid?.(user);
  }
}

const at = '2026-01-01T00:00:00.000Z';
const adding = (name: string) => (state: DesiredState) => ({
  ...state,
  cameras: new Map(state.cameras).set(name, { name, createdAt: at, pushes: emptyPushes }),
});
const names = () => [...store.state.cameras.keys()].sort();
const until = (check: () => void | Promise<void>) => vi.waitFor(check, { timeout: 20_000, interval: 20 });
const text = '{"version":1,"cameras":{"a":{},"by-root":{}}}';

/** What comes in place of state.json while the aggregator runs, and how it is put right. */
const troubles: [string, { readonly rootOnly?: boolean; put: () => void; why: RegExp; mend: () => void }][] = [
  [
    'a file of root',
    {
      rootOnly: true,
      put: () =>
        asRoot(() => {
          writeFileSync(`${path}.new`, text, { mode: 0o600 });
          renameSync(`${path}.new`, path);
        }),
      why: /EACCES.*uid 40000/,
      mend: () => asRoot(() => chownSync(path, user, user)),
    },
  ],
  [
    'another file of mode 000',
    {
      put: () => {
        writeFileSync(`${path}.new`, text, { mode: 0o000 });
        renameSync(`${path}.new`, path);
      },
      why: /EACCES/,
      mend: () => chmodSync(path, 0o600),
    },
  ],
  ['a directory', { put: () => replaced(() => mkdirSync(path)), why: /is a directory/, mend: () => replaced(put) }],
  [
    'a FIFO',
    { put: () => replaced(() => execFileSync('mkfifo', [path])), why: /is a FIFO/, mend: () => replaced(put) },
  ],
  [
    'a device',
    { put: () => replaced(() => symlinkSync('/dev/zero', path)), why: /is a device/, mend: () => replaced(put) },
  ],
  [
    'a link to nowhere',
    {
      put: () => replaced(() => symlinkSync(`${path}.target`, path)),
      why: /is a link to .*, which is not there/,
      mend: () => writeFileSync(`${path}.target`, text),
    },
  ],
  ['a link to itself', { put: () => replaced(() => symlinkSync(path, path)), why: /ELOOP/, mend: () => replaced(put) }],
];

function put(): void {
  writeFileSync(path, text);
}

function replaced(act: () => void): void {
  rmSync(path, { recursive: true, force: true });
  act();
}

describe('a state.json that becomes', () => {
  it.each(troubles)(
    '%s is one problem; changes are taken, nothing unread is written over',
    async (_, trouble) => {
      if (trouble.rootOnly === true && !isRoot) return;
      trouble.put();
      await until(() => expect(store.problems[0]?.code).toBe('STATE_UNREADABLE'));
      expect(store.problems[0]?.message).toMatch(trouble.why);
      expect(store.problems[0]?.message).toContain('a restart would fail');
      const { since } = store.problems[0]!;
      await changeState(store, adding('b'));
      await changeState(store, adding('c'));
      await sleep(2500);
      expect(store.problems[0]).toMatchObject({ code: 'STATE_UNREADABLE', since });
      expect(lines.filter((line) => line.includes('STATE_UNREADABLE') || line.includes('state.json'))).toHaveLength(1);
      expect(readdirSync(folder).filter((name) => name.includes('rejected'))).toEqual([]);
      // The journal has what was acknowledged.
      expect(readFileSync(join(folder, 'state.journal'), 'utf8')).toContain('"camera":"c"');
      trouble.mend();
      await until(() => expect([...store.state.cameras.keys()].sort()).toEqual(['a', 'b', 'by-root', 'c']));
      await until(() => expect(store.problems[0]).toBeUndefined());
      await stateFileSettled(folder);
      expect([...(await readFolder(folder)).state.cameras.keys()].sort()).toEqual(['a', 'b', 'by-root', 'c']);
    },
    30_000,
  );
});

it('a state.json whose mode becomes 000 is a problem before a restart finds it, and is mended by the next change', async () => {
  chmodSync(path, 0o000);
  await until(() => expect(store.problems[0]?.code).toBe('STATE_UNREADABLE'));
  await changeState(store, adding('b'));
  await until(() => expect(store.problems[0]).toBeUndefined());
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

it('a state.json behind a link stays there', async () => {
  await store.close();
  const elsewhere = join(root, 'elsewhere.json');
  renameSync(path, elsewhere);
  symlinkSync(elsewhere, path);
  store = await openFileStore({ dataDir: folder, log });
  await changeState(store, adding('b'));
  await until(() => expect(readFileSync(elsewhere, 'utf8')).toContain('"b"'));
  // An edit of what the link leads to applies too.
  writeFileSync(elsewhere, readFileSync(elsewhere, 'utf8').replace('"b"', '"e"'));
  await until(() => expect(names()).toEqual(['a', 'e']));
  await changeState(store, adding('f'));
  await until(() => expect(readFileSync(elsewhere, 'utf8')).toContain('"f"'));
  expect(readdirSync(root).sort()).toEqual(['data', 'elsewhere.json']);
});
