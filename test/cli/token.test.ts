import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Scope } from '../support/scope.js';
import { cli, startTestAggregator, type TestAggregator } from './support.js';

const scope = new Scope();
let aggregator: TestAggregator;
beforeAll(async () => {
  aggregator = await startTestAggregator(scope, { 'api-auth': 'on' });
});
afterAll(() => scope.close());

const here = (...args: string[]) => cli([...args, '--data-dir', aggregator.dataDir]);
const there = (args: string[], env: Record<string, string> = {}) => cli([...args, '--api', aggregator.apiUrl], { env });

describe('token', () => {
  test('create prints the token alone; list shows it without its secret; revoke ends it', async () => {
    const made = await here('token', 'create', 'operator', '--scope', 'operate', '--expires', '90d');
    expect(made.code).toBe(0);
    expect(made.out).toMatch(/^mat_[0-9a-f]{12}_[A-Za-z0-9_-]{43}\n$/);
    expect(made.err).toMatch(/^Token operator with the scope operate was created; it ends at 20\d\d-.*\n$/);
    const token = made.out.trim();
    expect((await there(['camera', 'add', 'gate-1', '--token', token])).code).toBe(0);
    const list = await here('token', 'list');
    expect(list.out).toMatch(
      /^NAME +SCOPE +MADE +ENDS +LAST USED\noperator +operate +20\d\d-\d\d-\d\d +20\S+ +\ds ago\n$/,
    );
    expect(list.out).not.toContain(token.slice(-20));
    expect((await here('token', 'revoke', 'operator')).out).toBe('Token operator was revoked.\n');
    expect(await there(['camera', 'list', '--token', token])).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^error: UNAUTHENTICATED: .*--token-file FILE or MEDIA_AGGREGATOR_TOKEN/),
    });
    expect((await here('token', 'list')).out).toMatch(/no token except the admin token/);
  });

  test('without --scope it reads only', async () => {
    const token = (await here('token', 'create', 'reader')).out.trim();
    expect((await there(['camera', 'list', '--token', token])).code).toBe(0);
    expect(await there(['camera', 'add', 'x', '--token', token])).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^error: FORBIDDEN: .*"operate".*"read"/),
    });
    expect((await here('token', 'create', 'reader')).err).toMatch(/^error: TOKEN_CONFLICT: /);
  });

  test.each([
    [['token', 'create', 'x', '--scope', 'root'], /read, operate, admin/],
    [['token', 'create', 'x', '--expires', 'soon'], /90d/],
    [['token', 'create', 'x', '--expires', '90'], /90d/],
  ])('%j is a wrong use', async (args, message) => {
    expect(await here(...args)).toMatchObject({ code: 2, err: expect.stringMatching(message) });
  });
});

describe('where the commands have their token from', () => {
  test('the data folder, a file, a variable, a flag', async () => {
    const file = join(aggregator.dataDir, 'admin-token');
    const token = readFileSync(file, 'utf8').trim();
    expect((await here('camera', 'list')).code).toBe(0);
    expect((await there(['camera', 'list', '--token-file', file])).code).toBe(0);
    expect((await there(['camera', 'list', '--token', token])).code).toBe(0);
    expect((await there(['camera', 'list'], { MEDIA_AGGREGATOR_TOKEN: token })).code).toBe(0);
    expect(await there(['camera', 'list'])).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^error: UNAUTHENTICATED: /),
    });
  });

  test('what is no token is a wrong use, and is not shown', async () => {
    const file = join(aggregator.dataDir, 'not-a-token');
    writeFileSync(file, 'two\nSECRET lines\n');
    chmodSync(file, 0o600);
    for (const args of [
      ['--token', 'SECRET\r\nx: y'],
      ['--token-file', file],
      ['--token-file', '/nonexistent'],
      ['--token', 'a', '--token-file', file],
    ]) {
      const result = await there(['camera', 'list', ...args]);
      expect(result).toMatchObject({ code: 2, err: expect.stringMatching(/^error: USAGE: --token/) });
      expect(result.err).not.toContain('SECRET');
    }
  });
});
