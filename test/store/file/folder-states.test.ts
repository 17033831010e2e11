import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { readFile, readlink, stat } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { AdminToken } from '../../../src/access/admin-token.js';
import { Manifest, manifestFileName } from '../../../src/access/manifest.js';
import { keptKey } from '../../../src/access/private-file.js';
import { hashOf, newSecret } from '../../../src/access/secret.js';
import { encodeTokens } from '../../../src/access/token-file.js';
import { TokenStore } from '../../../src/access/token-store.js';
import { codeOf } from '../../../src/errors.js';
import { markIn } from '../../../src/files/read.js';
import type { Logger } from '../../../src/log/log.js';
import { encodeState } from '../../../src/model/document/encode.js';
import { type DesiredState, emptyPushes } from '../../../src/model/model.js';
import { openFileStore } from '../../../src/store/file/file-store.js';
import { encodeLine, headerOf, type TracedFile } from '../../../src/store/file/journal-lines.js';
import { withPadding } from '../../../src/store/file/journal-padding.js';
import { recover } from '../../../src/store/file/recover.js';

/*
 * What a data folder can look like, and what a start makes of it. The tables of docs/state.md are made here:
 * `npx vitest run --project unit test/store/file/folder-states.test.ts -u`.
 */

/** Paths that this user may not read, whoever runs the tests: root may read everything. */
const denied = vi.hoisted(() => new Set<string>());
vi.mock('node:fs/promises', async (importOriginal) => {
  const real = await importOriginal<typeof import('node:fs/promises')>();
  const open: typeof real.open = async (path, ...rest) => {
    if (!denied.has(String(path))) return real.open(path, ...rest);
    throw Object.assign(new Error(`EACCES: permission denied, open '${String(path)}'`), { code: 'EACCES' });
  };
  return { ...real, open };
});

const at = '2026-01-01T00:00:00.000Z';
const stateOf = (...names: string[]): DesiredState => ({
  cameras: new Map(names.map((name) => [name, { name, createdAt: at, pushes: emptyPushes }])),
  engines: new Map(),
});
const namesOf = (state: DesiredState) => [...state.cameras.keys()].sort().join(' ');
const adding = (camera: string) => [{ camera, is: { createdAt: at }, was: null }];

/** When all files of the templates were written; whole seconds, so that it can be set again exactly. */
const writtenAt = new Date('2026-01-02T00:00:00Z');

let root: string;
let made = 0;
let fifo: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'aggregator-folders-'));
  fifo = join(root, 'fifo');
  execFileSync('mkfifo', [fifo]);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

function put(path: string, content: string | Buffer): void {
  writeFileSync(path, content, { mode: 0o600 });
  utimesSync(path, writtenAt, writtenAt);
}

interface Template {
  readonly files: Readonly<Record<string, Buffer>>;
  /** The cameras that were acknowledged. */
  readonly all: string;
  /** Those of state.json alone. */
  readonly file: string;
}

/** What an aggregator leaves behind that was stopped, or that was killed while two changes were in the journal only. */
async function template(isKilled: boolean): Promise<Template> {
  const text = encodeState(stateOf('a', 'b'));
  const path = join(root, 'template.json');
  put(path, text);
  const digest = createHash('sha256').update(text).digest('hex');
  const file: TracedFile = { digest, mark: markIn(await stat(path, { bigint: true })) };
  const lines = [encodeLine(headerOf(file, 2))];
  if (isKilled) {
    lines.push(encodeLine({ seq: 3, at, changes: adding('c') }), encodeLine({ seq: 4, at, changes: adding('d') }));
  }
  return {
    files: {
      'state.json': Buffer.from(text),
      'state.journal': withPadding(Buffer.from(lines.join(''))),
      'etag-key': Buffer.from(`${'ab'.repeat(32)}\n`),
      ...(isKilled ? { 'state.lock': Buffer.from(await staleLock()) } : {}),
    },
    all: isKilled ? 'a b c d' : 'a b',
    file: 'a b',
  };
}

/** The lock of a process of this machine whose pid is another one's by now. */
async function staleLock(): Promise<string> {
  const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')).trim();
  const namespace = await readlink('/proc/self/ns/pid').catch(() => '');
  return `${JSON.stringify({ pid: process.pid, process: `${boot}/${namespace}/1`, host: hostname(), token: 'x' })}\n`;
}

/** Makes a file into something. */
type Condition = (path: string, content: Buffer) => void;

const flipped = (content: Buffer, bit: number): Buffer => {
  const copy = Buffer.from(content);
  copy[bit >> 3]! ^= 1 << (bit & 7);
  return copy;
};

/** How much of a file is lines: a journal has padding behind them. */
const linesLength = (content: Buffer) => content.toString().replace(/\n+$/, '\n').length;

/** Every third bit, which is each of a byte in turn, and all of the last byte. */
function* bitsOf(content: Buffer): Generator<number> {
  const last = (linesLength(content) - 1) * 8;
  for (let bit = 0; bit < last; bit += 3) yield bit;
  for (let bit = last; bit < last + 8; bit += 1) yield bit;
}

/** The conditions that every file can be in. */
const conditions: Record<string, Condition> = {
  'as it was left': put,
  missing: () => {},
  empty: (path) => put(path, ''),
  'zeros only': (path, content) => put(path, Buffer.alloc(content.length)),
  'cut in the middle': (path, content) => put(path, content.subarray(0, Math.ceil(linesLength(content) / 2))),
  'cut between two lines': (path, content) => {
    const lines = linesLength(content);
    put(path, content.subarray(0, content.lastIndexOf('\n', lines - 2) + 1 || lines));
  },
  'a bit flipped at rest': (path, content) => put(path, flipped(content, 8 * (linesLength(content) - 8) + 1)),
  'of a newer version': (path, content) =>
    put(
      path,
      path.endsWith('.journal')
        ? encodeLine(JSON.parse('{"journal":4,"base":null,"seq":0}'))
        : content.toString().replace('"version": 1', '"version": 2'),
    ),
  'a directory': (path) => mkdirSync(path),
  'a FIFO': (path) => linkSync(fifo, path),
  'a device': (path) => symlinkSync('/dev/zero', path),
  'not readable': (path, content) => {
    put(path, content);
    denied.add(path);
  },
  'a link to the file': (path, content) => {
    put(`${path}-elsewhere`, content);
    symlinkSync(`${path}-elsewhere`, path);
  },
  'a link to nowhere': (path) => symlinkSync(`${path}-nowhere`, path),
  'a link to itself': (path) => symlinkSync(path, path),
};

function makeFolder(from: Template, changed: Readonly<Record<string, Condition>>): string {
  made += 1;
  const folder = join(root, `${made}`);
  mkdirSync(folder);
  for (const [name, content] of Object.entries(from.files)) (changed[name] ?? put)(join(folder, name), content);
  return folder;
}

interface Outcome {
  /** `all`, `warned` or an error code. */
  readonly verdict: string;
  readonly names: string;
  readonly message: string;
}

async function start(folder: string): Promise<Outcome> {
  const warnings: string[] = [];
  const log: Logger = {
    debug: () => {},
    info: () => {},
    warn: (message: string) => void warnings.push(message),
    error: (message: string) => void warnings.push(message),
    child: () => log,
  } as unknown as Logger;
  try {
    const store = await openFileStore({ dataDir: folder, log });
    const names = namesOf(store.state);
    await store.close();
    return { verdict: warnings.length === 0 ? 'all' : 'warned', names, message: warnings.join('; ') };
  } catch (error) {
    return { verdict: codeOf(error), names: '', message: error instanceof Error ? error.message : '' };
  } finally {
    denied.clear();
  }
}

/** What must hold of every start: nothing is lost without a word, and who refuses says where and what to do. */
function expectHonest({ verdict, names, message }: Outcome, { all }: Template, what: string): void {
  if (verdict === 'all') expect(names, `${what}: starts without a word`).toBe(all);
  else if (verdict !== 'warned') {
    expect(verdict, what).toMatch(/^STATE_(INVALID|UNREADABLE|CONFLICT)$/);
    expect(message, what).toMatch(/state\.(json|journal|lock)/);
    expect(message, what).toMatch(/;|\. /);
  }
}

const words: Record<string, string> = { all: 'everything', warned: 'starts, and warns' };
const cell = ({ verdict }: Outcome) => words[verdict] ?? `\`${verdict}\``;

const page = new URL('../../../docs/state.md', import.meta.url).pathname;
const tables = new Map<string, string>();

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

describe('a data folder', () => {
  it('with each state.json and each journal has a verdict, and no start loses anything without a word', async () => {
    for (const isKilled of [false, true]) {
      const from = await template(isKilled);
      const rows: string[][] = [];
      for (const [fileName, file] of Object.entries(conditions)) {
        const row = [fileName];
        for (const [journalName, journal] of Object.entries(conditions)) {
          const outcome = await start(makeFolder(from, { 'state.json': file, 'state.journal': journal }));
          expectHonest(outcome, from, `state.json ${fileName}, state.journal ${journalName}, killed ${isKilled}`);
          row.push(cell(outcome));
        }
        rows.push(row);
      }
      const kinds = new Set(rows.flatMap((row) => row.slice(1)));
      expect(kinds.size).toBeGreaterThan(3);
      tables.set(isKilled ? 'killed' : 'stopped', pairTable(rows));
    }
  }, 120_000);

  it('with each state.lock that no process holds starts, or says which file is in the way', async () => {
    const from = await template(true);
    const rows: string[][] = [];
    for (const [name, lock] of Object.entries(conditions)) {
      const outcome = await start(makeFolder(from, { 'state.lock': lock }));
      expectHonest(outcome, from, `state.lock ${name}`);
      if (!['all', 'warned'].includes(outcome.verdict)) expect(outcome.message).toContain('state.lock');
      rows.push([name, cell(outcome)]);
    }
    tables.set('lock', table(['state.lock', 'the start'], rows));
  }, 60_000);

  it('with a journal that is cut anywhere in its lines is refused, and with less padding has everything', async () => {
    for (const isKilled of [false, true]) {
      const from = await template(isKilled);
      const whole = from.files['state.journal']!;
      const lines = linesLength(whole);
      const folder = makeFolder(from, {});
      const paths = { file: join(folder, 'state.json'), journal: join(folder, 'state.journal') };
      for (let length = 0; length < lines + 40; length += 1) {
        put(paths.journal, whole.subarray(0, length));
        const found = await recover(paths).catch((error: unknown) => error);
        if (length <= lines) expect(found, `${length}`).toMatchObject({ code: 'STATE_INVALID' });
        else expect(namesOf((found as { state: DesiredState }).state), `${length}`).toBe(from.all);
      }
    }
  }, 60_000);

  it('with one bit of the journal flipped keeps all of it or refuses', async () => {
    const from = await template(true);
    const whole = from.files['state.journal']!;
    let kept = 0;
    const folder = makeFolder(from, {});
    const paths = { file: join(folder, 'state.json'), journal: join(folder, 'state.journal') };
    for (const bit of bitsOf(whole)) {
      put(paths.journal, flipped(whole, bit));
      const found = await recover(paths).catch((error: unknown) => error);
      if (found instanceof Error) {
        expect(found, `bit ${bit}`).toMatchObject({ code: 'STATE_INVALID' });
        continue;
      }
      kept += 1;
      expect(namesOf((found as { state: DesiredState }).state), `bit ${bit}`).toBe(from.all);
    }
    // Those of the last newline.
    expect(kept).toBe(8);
  }, 60_000);

  it('with one bit of state.json flipped at rest is refused, and not taken for an edit', async () => {
    for (const isKilled of [false, true]) {
      const from = await template(isKilled);
      const whole = from.files['state.json']!;
      const folder = makeFolder(from, {});
      const paths = { file: join(folder, 'state.json'), journal: join(folder, 'state.journal') };
      for (const bit of bitsOf(whole)) {
        put(paths.file, flipped(whole, bit));
        const found = await recover(paths).catch((error: unknown) => error);
        expect(found, `bit ${bit}`).toMatchObject({
          code: 'STATE_INVALID',
          message: expect.stringContaining('damaged'),
        });
      }
      // The same by hand is an edit: its time says so.
      writeFileSync(paths.file, whole.toString().replace('"a"', '"e"'));
      expect(namesOf((await recover(paths)).state)).toBe(isKilled ? 'b c d e' : 'b e');
    }
  }, 60_000);

  it('with a state.json that is cut anywhere is refused, or has everything', async () => {
    const from = await template(false);
    const whole = from.files['state.json']!;
    const folder = makeFolder(from, {});
    const paths = { file: join(folder, 'state.json'), journal: join(folder, 'state.journal') };
    for (let length = 0; length < whole.length; length += 1) {
      put(paths.file, whole.subarray(0, length));
      const found = await recover(paths).catch((error: unknown) => error);
      if (found instanceof Error) expect(found, `${length}`).toMatchObject({ code: 'STATE_INVALID' });
      else expect(namesOf((found as { state: DesiredState }).state)).toBe(from.all);
    }
  }, 60_000);

  /** The files beside the state, as they are in a folder of before, and how a start opens them. */
  const log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log } as unknown as Logger;
  type Open = (path: string, log: Logger, manifest: Manifest) => Promise<unknown>;
  const key = `${'cd'.repeat(32)}\n`;
  const { id, token } = newSecret();
  const stored = { name: 'one', id, scope: 'read', hash: hashOf(token), createdAt: at } as const;
  const secrets: Record<string, { content: string; open: Open }> = {
    'admin-token': { content: `${token}\n`, open: (...args) => AdminToken.open(...args) },
    'tokens.json': {
      content: encodeTokens(new Map([['one', stored]])),
      open: async (...args) => {
        expect((await TokenStore.open(...args)).list().map(({ name }) => name)).toEqual(['one']);
      },
    },
    'stream-secret': { content: key, open: (path, log, manifest) => keptKey(path, { log, manifest, otherKey: 'x' }) },
    'webhook-key': { content: key, open: (path, log, manifest) => keptKey(path, { log, manifest, otherKey: 'x' }) },
    'etag-key': { content: key, open: (path, log, manifest) => keptKey(path, { log, manifest }) },
  };

  /** A folder in which this file was used once, and what a start says when it is in a condition. */
  async function openSecret(name: string, condition: Condition, manifested?: Condition) {
    made += 1;
    const folder = join(root, `${made}`);
    mkdirSync(folder);
    const path = join(folder, name);
    const { content, open } = secrets[name]!;
    put(path, content);
    await open(path, log, await Manifest.open(folder, log));
    rmSync(path);
    condition(path, Buffer.from(content));
    const noted = join(folder, manifestFileName);
    const bytes = readFileSync(noted);
    rmSync(noted);
    (manifested ?? put)(noted, bytes);
    const warnings: string[] = [];
    const listening: Logger = { ...log, warn: (message: string) => void warnings.push(message) };
    try {
      const manifest = await Manifest.open(folder, listening);
      await open(path, listening, manifest);
      return { verdict: warnings.length === 0 ? 'everything' : 'starts, and warns', path, content };
    } catch (error) {
      expect(error, name).toMatchObject({ code: 'ACCESS_UNREADABLE', message: expect.stringContaining(path) });
      expect((error as Error).message).toMatch(/;|: |\. /);
      return { verdict: '`ACCESS_UNREADABLE`', path, content };
    } finally {
      denied.clear();
    }
  }

  it('whose files beside the state are missing, torn, damaged or no files says so', async () => {
    const rows: string[][] = [];
    for (const [name, condition] of Object.entries(conditions)) {
      if (['of a newer version', 'cut between two lines'].includes(name)) continue;
      const row = [name];
      for (const file of Object.keys(secrets)) {
        const { verdict } = await openSecret(file, condition);
        if (['as it was left', 'a link to the file'].includes(name)) expect(verdict).toBe('everything');
        else expect(verdict, `${file} ${name}`).not.toBe('everything');
        row.push(verdict);
      }
      rows.push(row);
    }
    tables.set('secrets', table(['', ...Object.keys(secrets).map((name) => `\`${name}\``)], rows));
  }, 60_000);

  it('with one bit of a file of secrets flipped says so, whichever it is', async () => {
    for (const [name, { content }] of Object.entries(secrets)) {
      for (const bit of bitsOf(Buffer.from(content))) {
        const { verdict } = await openSecret(name, (path, bytes) => put(path, flipped(bytes, bit)));
        expect(verdict, `${name}, bit ${bit}`).not.toBe('everything');
      }
    }
  }, 120_000);

  it('with a file of secrets that somebody edited takes it as it is, and notes it', async () => {
    const { path, verdict } = await openSecret('stream-secret', (path) => writeFileSync(path, `${'12'.repeat(32)}\n`));
    expect(verdict).toBe('everything');
    const folder = dirname(path);
    const open = async () => keptKey(path, { log, manifest: await Manifest.open(folder, log), otherKey: 'x' });
    expect((await open()).toString('hex')).toBe('12'.repeat(32));
    // The edit is what is known by now.
    const { mtime } = statSync(path);
    writeFileSync(path, `${'13'.repeat(32)}\n`);
    utimesSync(path, writtenAt, writtenAt);
    expect((await open()).toString('hex')).toBe('13'.repeat(32));
    writeFileSync(path, `${'14'.repeat(32)}\n`);
    utimesSync(path, writtenAt, writtenAt);
    await expect(open()).rejects.toMatchObject({
      code: 'ACCESS_UNREADABLE',
      message: expect.stringContaining('touch'),
    });
    utimesSync(path, mtime, mtime);
    expect((await open()).toString('hex')).toBe('14'.repeat(32));
  });

  it('with each manifest goes by the files of secrets, and warns where it says nothing of them', async () => {
    const rows: string[][] = [];
    for (const [name, condition] of Object.entries(conditions)) {
      if (name === 'cut between two lines') continue;
      const { verdict } = await openSecret('stream-secret', put, condition);
      const isFine = ['as it was left', 'a link to the file', 'missing'].includes(name);
      expect(verdict, name).toBe(isFine ? 'everything' : 'starts, and warns');
      rows.push([name, verdict]);
    }
    tables.set('manifest', table([manifestFileName, 'the start'], rows));
  });

  it('is described in docs/state.md', async () => {
    expect([...tables.keys()]).toEqual(['stopped', 'killed', 'lock', 'secrets', 'manifest']);
    let text = readFileSync(page, 'utf8');
    for (const [name, content] of tables) {
      const place = new RegExp(`(<!-- table: ${name} -->\n)[\\s\\S]*?(<!-- end -->)`);
      expect(text, name).toMatch(place);
      text = text.replace(place, (_, before, after) => `${before}\n${content}\n\n${after}`);
    }
    await expect(text).toMatchFileSnapshot(page);
  });
});

/** One row for each state.json; journals of which a start makes the same share a column. */
function pairTable(rows: readonly (readonly string[])[]): string {
  const names = Object.keys(conditions);
  const columns = new Map<string, string[]>();
  for (const [index, name] of names.entries()) {
    const key = rows.map((row) => row[index + 1]).join('\n');
    columns.set(key, [...(columns.get(key) ?? []), name]);
  }
  const merged = new Map<string, string[]>();
  const chosen = [...columns.values()].map((group) => names.indexOf(group[0]!) + 1);
  for (const row of rows) {
    const key = chosen.map((index) => row[index]).join('\n');
    merged.set(key, [...(merged.get(key) ?? []), row[0]!]);
  }
  const body = [...merged].map(([key, group]) => [group.join(', '), ...key.split('\n')]);
  return table(['state.json \\ journal', ...[...columns.values()].map((group) => group.join(', '))], body);
}
