import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Member, memberCheck } from '../../src/cli/doctor/cluster.js';
import { TestEtcd } from '../support/etcd.js';
import { freePort } from '../support/ports.js';
import { runOk } from '../support/process.js';
import { testScope } from '../support/scope.js';
import { cli } from './support.js';

interface Check {
  readonly name: string;
  readonly status: string;
  readonly message: string;
}

async function doctor(...args: string[]): Promise<{ code: number; checks: readonly Check[] }> {
  const all = ['doctor', '--json', '--rtmp-port', '0', '--api-port', '0', ...args];
  const { code, out } = await cli(all, { env: { PATH: process.env.PATH ?? '' } });
  const { checks }: { checks: readonly Check[] } = JSON.parse(out);
  const names = ['etcd', 'etcd writes', 'cluster state', 'state rules', 'state file'];
  return { code, checks: checks.filter(({ name }) => names.includes(name)) };
}

test('the etcd of a cluster: its members, whether it takes writes, and the secret', async (context) => {
  const scope = testScope(context);
  const etcd = await TestEtcd.start(scope);
  const folder = scope.temporaryFolder();
  const secretFile = join(folder, 'secret');
  writeFileSync(secretFile, '0123456789abcdef'.repeat(4), { mode: 0o600 });
  const flags = ['--data-dir', join(folder, 'data'), '--cluster-secret-file', secretFile, '--cluster'];
  const [endpoint = ''] = etcd.endpoints;
  const etcdctl = (...args: string[]) =>
    runOk('etcdctl', [`--endpoints=${endpoint}`, ...args], { env: { ETCDCTL_API: '3' } });

  const well = await doctor(...flags, `etcd://${endpoint}`);
  expect(well).toMatchObject({
    code: 0,
    checks: [
      { name: 'etcd', message: expect.stringMatching(`^${endpoint} is etcd 3\\.[\\d.]+, leads, database [\\d.]+ KB`) },
      { name: 'etcd writes', message: expect.stringMatching(/^taken below \/media-aggregator; .* after [\d.]+ ms$/) },
      { name: 'cluster state', message: expect.stringContaining('no node has been started with it yet') },
      { name: 'state rules' },
    ],
  });
  // Looking changes nothing.
  expect(await etcdctl('get', '', '--prefix', '--keys-only')).toMatchObject({ stdout: '' });

  const dead = `127.0.0.1:${await freePort()}`;
  const partly = await doctor(...flags, `etcd://${dead},${endpoint}`);
  expect(partly).toMatchObject({ code: 0, checks: [{ status: 'warn' }, { status: 'ok' }, {}, {}, {}] });
  expect(partly.checks[0]?.message).toContain(`etcd at ${dead}`);

  await etcdctl('put', '/media-aggregator/secrets/stream', '"sealed by another"');
  await etcdctl('user', 'add', 'root:pw');
  await etcdctl('user', 'grant-role', 'root', 'root');
  await etcdctl('user', 'add', 'node:pw');
  await etcdctl('role', 'add', 'reader');
  await etcdctl('role', 'grant-permission', 'reader', 'read', '/media-aggregator', '--prefix=true');
  await etcdctl('user', 'grant-role', 'node', 'reader');
  await etcdctl('auth', 'enable');
  const userFile = join(folder, 'user');
  writeFileSync(userFile, 'node:pw', { mode: 0o600 });
  const denied = await doctor('--cluster-user-file', userFile, ...flags, `etcd://${endpoint}`);
  expect(denied.code).toBe(1);
  expect(denied.checks.find(({ name }) => name === 'etcd writes')).toMatchObject({
    status: 'fail',
    message: expect.stringContaining('the user may not do this'),
  });
  expect(denied.checks.at(-1)).toMatchObject({
    name: 'cluster state',
    status: 'fail',
    message: expect.stringContaining('cannot be opened with the secret'),
  });
}, 60_000);

describe('a member', () => {
  const header = { clusterId: '1', memberId: '2', revision: '3' };
  const status = { header, version: '3.5.16', dbSize: '20480', leader: '2', errors: [], isLearner: false };
  const check = (changed: Partial<NonNullable<Member['status']>>) =>
    memberCheck({ endpoint: 'a:2379', status: { ...status, ...changed }, failure: '' }, []);

  test('as it should be', () => {
    expect(check({})).toEqual({
      name: 'etcd',
      status: 'ok',
      message: 'a:2379 is etcd 3.5.16, leads, database 20.0 KB',
    });
    expect(check({ leader: '7' }).message).toContain('follows');
    expect(check({ version: '3.10.0' }).status).toBe('ok');
  });

  test.each([
    ['that is full', { errors: ['memberID:2 alarm:NOSPACE '] }, 'takes no writes (alarm NOSPACE)'],
    ['that is damaged', { errors: ['memberID:2 alarm:CORRUPT '] }, 'alarm:CORRUPT'],
    ['alone', { leader: '0', errors: ['etcdserver: no leader'] }, 'no member leads'],
    ['that is too old', { version: '3.3.27' }, 'etcd 3.3.27'],
  ])('%s fails', (_, changed, message) => {
    expect(check(changed)).toMatchObject({ status: 'fail', message: expect.stringContaining(message) });
  });

  test('that does not answer fails where no other one does', () => {
    const silent = { endpoint: 'a:2379', status: undefined, failure: 'etcd at a:2379: no answer in time' };
    expect(memberCheck(silent, [silent])).toMatchObject({ status: 'fail', message: silent.failure });
    expect(memberCheck(silent, [silent, { endpoint: 'b:2379', status, failure: '' }]).status).toBe('warn');
  });

  test('that is a learner is warned of', () => {
    expect(check({ isLearner: true })).toMatchObject({ status: 'warn', message: expect.stringContaining('a learner') });
  });
});
