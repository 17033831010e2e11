import { execFile, execFileSync } from 'node:child_process';
import { chownSync, mkdirSync, readdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { type Aggregator, programPath, startAggregator } from '../support/aggregator.js';
import { type Scope, testScope } from '../support/scope.js';
import { stateFileSettled } from '../support/state.js';
import { waitFor } from '../support/wait.js';

const isRoot = process.getuid?.() === 0;

interface Problem {
  readonly code: string;
  readonly message: string;
}

async function problems(aggregator: Aggregator): Promise<readonly Problem[]> {
  return ((await aggregator.apiOk('GET', '/v1/config')) as { problems: Problem[] }).problems;
}

async function ready(aggregator: Aggregator): Promise<{ status: number; codes: string[] }> {
  const { status, body } = await aggregator.api('GET', '/readyz');
  return { status, codes: (body as { problems: Problem[] }).problems.map(({ code }) => code) };
}

async function restore(...args: string[]): Promise<{ code: number; out: string }> {
  const run = promisify(execFile)(process.execPath, [programPath, 'restore', ...args], { timeout: 60_000 });
  return run.then(
    ({ stdout }) => ({ code: 0, out: stdout }),
    (error: { code: number; stderr: string }) => ({ code: error.code, out: error.stderr }),
  );
}

function backupFile(scope: Scope): string {
  const file = join(scope.temporaryFolder(), 'backup.json');
  writeFileSync(file, '{"version":1,"cameras":{"restored":{}}}');
  return file;
}

describe('restore --while-running', () => {
  test('says that a stopped process does not answer, and changes nothing', async (context) => {
    const scope = testScope(context);
    const aggregator = await startAggregator(scope);
    await aggregator.addCamera('old');
    await stateFileSettled(aggregator.dataDir);
    process.kill(aggregator.process.pid, 'SIGSTOP');
    const { code, out } = await restore(backupFile(scope), '--data-dir', aggregator.dataDir, '--while-running');
    process.kill(aggregator.process.pid, 'SIGCONT');
    expect({ code, out }).toMatchObject({ code: 3, out: expect.stringContaining('API_UNREACHABLE') });
    expect(readFileSync(join(aggregator.dataDir, 'state.json'), 'utf8')).toContain('"old"');
    expect(readdirSync(aggregator.dataDir).filter((name) => name.includes('before-restore'))).toEqual([]);
  });

  test.runIf(isRoot)('by root leaves the files to the user that the aggregator runs as', async (context) => {
    const scope = testScope(context);
    const dataDir = scope.temporaryFolder();
    chownSync(dataDir, 40_000, 40_000);
    const aggregator = await startAggregator(scope, { dataDir, user: 40_000, flags: ['--api-auth', 'off'] });
    await aggregator.addCamera('old');
    await stateFileSettled(dataDir);
    const { code, out } = await restore(backupFile(scope), '--data-dir', dataDir, '--while-running');
    expect({ code, out }).toMatchObject({ code: 0, out: expect.stringContaining('took them over') });
    expect((await aggregator.api('GET', '/v1/cameras/restored')).status).toBe(200);
    await aggregator.addCamera('new');
    expect(await problems(aggregator)).toEqual([]);
  });
});

test.runIf(isRoot)('a state.json of root is told where it is looked for, and changes go on', async (context) => {
  const scope = testScope(context);
  const dataDir = scope.temporaryFolder();
  chownSync(dataDir, 40_000, 40_000);
  const aggregator = await startAggregator(scope, { dataDir, user: 40_000, flags: ['--api-auth', 'off'] });
  await aggregator.addCamera('old');
  await stateFileSettled(dataDir);
  rmSync(join(dataDir, 'state.json'));
  writeFileSync(join(dataDir, 'state.json'), '{"version":1,"cameras":{"by-root":{}}}', { mode: 0o600 });
  await waitFor(async () => (await ready(aggregator)).codes.includes('STATE_UNREADABLE'), { what: 'the problem' });
  expect((await ready(aggregator)).status).toBe(200);
  const [problem] = await problems(aggregator);
  expect(problem?.message).toMatch(/state\.json cannot be read: EACCES.*uid 40000/);
  const metrics = await (await fetch(`${aggregator.apiUrl}/metrics`)).text();
  expect(metrics).toMatch(/problem\{[^}]*code="STATE_UNREADABLE"[^}]*\} 1/);
  await aggregator.addCamera('new');
  expect(aggregator.logLines().filter(({ level }) => level === 'error')).toHaveLength(1);
  chownSync(join(dataDir, 'state.json'), 40_000, 40_000);
  await waitFor(async () => (await problems(aggregator)).length === 0, { what: 'the problem to end' });
  const names = async (): Promise<string> => {
    const { items } = (await aggregator.apiOk('GET', '/v1/cameras')) as { items: { name: string }[] };
    return items
      .map(({ name }) => name)
      .sort()
      .join();
  };
  await waitFor(async () => (await names()) === 'by-root,new', { what: 'the cameras of the file' });
});

test('a disk that was full when the process was killed lets it start, and takes changes when there is room', async (context) => {
  const scope = testScope(context);
  const disk = join(scope.temporaryFolder(), 'disk');
  mkdirSync(disk);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=200k', 'tmpfs', disk], { stdio: 'ignore' });
  } catch {
    context.skip('only root may mount a small file system here; the unit tests inject the fault');
    return;
  }
  scope.defer(() => void execFileSync('umount', ['-l', disk]));
  const dataDir = join(disk, 'data');
  const aggregator = await startAggregator(scope, { dataDir });
  for (let index = 0; index < 6; index++) await aggregator.addCamera(`cam-${index}`);
  await aggregator.kill9();
  const { bavail, bsize } = statfsSync(disk);
  writeFileSync(join(disk, 'filler'), Buffer.alloc(bavail * bsize));
  // Without room it writes no runtime.json; its ports are those of before.
  aggregator.launch();
  await waitFor(async () => (await fetch(`${aggregator.apiUrl}/readyz`)).ok, { what: 'it to serve again' });
  const { items } = (await aggregator.apiOk('GET', '/v1/cameras')) as { items: unknown[] };
  expect(items).toHaveLength(6);
  expect(await ready(aggregator)).toEqual({ status: 200, codes: ['STATE_WRITE_FAILED'] });
  expect((await aggregator.api('POST', '/v1/cameras', { name: 'late' })).status).toBe(503);
  rmSync(join(disk, 'filler'));
  await waitFor(async () => (await problems(aggregator)).length === 0, { what: 'room to be found' });
  await aggregator.addCamera('late');
});
