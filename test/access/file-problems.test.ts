import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AdminToken } from '../../src/access/admin-token.js';
import { Manifest } from '../../src/access/manifest.js';
import { hashOf, newSecret } from '../../src/access/secret.js';
import { TokenStore } from '../../src/access/token-store.js';
import { type Logger, silentLogger } from '../../src/log/log.js';

const isRoot = process.getuid?.() === 0;
const user = 40_000;
let folder: string;
let errors: string[];
const log: Logger = { ...silentLogger, error: (message: string) => void errors.push(message), child: () => log };

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'aggregator-tokens-'));
  errors = [];
  if (!isRoot) return;
  chownSync(folder, user, user);
  process.setegid?.(user);
  process.seteuid?.(user);
});
afterEach(() => {
  if (isRoot) {
    process.seteuid?.(0);
    process.setegid?.(0);
  }
  rmSync(folder, { recursive: true, force: true });
});

/** With the rights of root for a moment, where there are any. */
function asRoot(act: () => void): void {
  if (isRoot) process.seteuid?.(0);
  try {
    act();
  } finally {
    if (isRoot) process.seteuid?.(user);
  }
}

describe('a file of tokens that cannot be used while the aggregator runs', () => {
  const bad: [string, (path: string) => void][] = [
    ['torn', (path) => writeFileSync(path, '{"versi')],
    ['a FIFO', (path) => execFileSync('mkfifo', [path])],
    ['a link to nowhere', (path) => symlinkSync('nowhere', path)],
  ];
  it.each(bad)('%s: tokens stay, it is one problem until it is mended', async (_, put) => {
    const path = join(folder, 'tokens.json');
    const tokens = await TokenStore.open(path, log);
    const { token } = await tokens.create({ name: 'one', scope: 'read' });
    renameSync(path, `${path}.good`);
    put(path);
    for (let times = 0; times < 3; times++) await tokens.refresh();
    expect(tokens.problem).toMatchObject({ code: 'ACCESS_UNREADABLE', message: expect.stringContaining(path) });
    expect(errors).toHaveLength(1);
    expect(tokens.verify(token, hashOf(token))?.name).toBe('one');
    await expect(tokens.create({ name: 'two', scope: 'read' })).rejects.toMatchObject({ code: 'ACCESS_UNREADABLE' });
    rmSync(path);
    renameSync(`${path}.good`, path);
    await tokens.refresh();
    expect(tokens.problem).toBeUndefined();
    await tokens.create({ name: 'two', scope: 'read' });
  });

  it('removed: tokens stay until it is back, and a restart says what is missing', async () => {
    const path = join(folder, 'tokens.json');
    const tokens = await TokenStore.open(path, log, await Manifest.open(folder, log));
    const { token } = await tokens.create({ name: 'one', scope: 'read' });
    renameSync(path, `${path}.good`);
    await tokens.refresh();
    expect(tokens.problem).toMatchObject({ code: 'ACCESS_UNREADABLE', message: expect.stringContaining('is missing') });
    expect(tokens.verify(token, hashOf(token))?.name).toBe('one');
    const again = async () => TokenStore.open(path, log, await Manifest.open(folder, log));
    await expect(again()).rejects.toMatchObject({ code: 'ACCESS_UNREADABLE' });
    renameSync(`${path}.good`, path);
    await tokens.refresh();
    expect(tokens.problem).toBeUndefined();
    expect((await again()).list()).toHaveLength(1);
    // The way out that the message names.
    writeFileSync(path, '{"version":1,"tokens":{}}');
    expect((await again()).list()).toEqual([]);
  });

  it.runIf(isRoot)(
    'of another user: read again as soon as its owner is right, which changes nothing else',
    async () => {
      const path = join(folder, 'tokens.json');
      const tokens = await TokenStore.open(path, log);
      await tokens.create({ name: 'one', scope: 'read' });
      const adminPath = join(folder, 'admin-token');
      const admin = await AdminToken.open(adminPath, log);
      const { token } = newSecret();
      asRoot(() => {
        writeFileSync(`${path}.new`, '{"version":1,"tokens":{}}', { mode: 0o600 });
        renameSync(`${path}.new`, path);
        writeFileSync(`${adminPath}.new`, token, { mode: 0o600 });
        renameSync(`${adminPath}.new`, adminPath);
      });
      for (let times = 0; times < 3; times++) {
        await tokens.refresh();
        await admin.refresh();
      }
      expect(tokens.problem?.message).toContain('EACCES');
      expect(admin.problem?.message).toContain('EACCES');
      expect(errors).toHaveLength(2);
      expect(tokens.list()).toHaveLength(1);
      expect(admin.matches(hashOf(token))).toBe(false);
      asRoot(() => {
        chownSync(path, user, user);
        chownSync(adminPath, user, user);
      });
      await tokens.refresh();
      await admin.refresh();
      expect([tokens.problem, admin.problem]).toEqual([undefined, undefined]);
      expect(tokens.list()).toEqual([]);
      expect(admin.matches(hashOf(token))).toBe(true);
    },
  );

  it('a mode that a restart could not read is a problem at once', async () => {
    const path = join(folder, 'tokens.json');
    const tokens = await TokenStore.open(path, log);
    const { token } = await tokens.create({ name: 'one', scope: 'read' });
    chmodSync(path, 0o000);
    await tokens.refresh();
    expect(tokens.problem?.message).toContain('a restart would fail');
    expect(tokens.verify(token, hashOf(token))?.name).toBe('one');
    chmodSync(path, 0o600);
    await tokens.refresh();
    expect(tokens.problem).toBeUndefined();
  });
});
