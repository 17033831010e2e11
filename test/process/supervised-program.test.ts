import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transformWithEsbuild } from 'vite';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type ProgramEnd, SupervisedProgram } from '../../src/process/supervised-program.js';
import { waitFor } from '../support/wait.js';

const guardFile = fileURLToPath(new URL('../../src/process/orphan-guard.ts', import.meta.url));

function run(script: string, input: string | null = '') {
  let output = '';
  const ends: ProgramEnd[] = [];
  const program = new SupervisedProgram({
    ...{ file: '/bin/sh', args: ['-c', script], env: { PATH: '/usr/bin:/bin' }, input },
    onOutput: (data) => {
      output += data.toString();
    },
    onEnd: (end) => ends.push(end),
  });
  onTestFinished(() => program.stop());
  return { program, ends, output: () => output };
}

const isThere = (pid: number): boolean => existsSync(`/proc/${pid}/status`);

describe('a supervised program', () => {
  test('that cannot be started, for whatever reason, is over in the same way and takes nothing', async () => {
    const ends: ProgramEnd[] = [];
    const options = { args: [], env: {}, input: null, onOutput: () => {}, onEnd: (end: ProgramEnd) => ends.push(end) };
    for (const file of ['/no/such/file', 'a\0b']) {
      const program = new SupervisedProgram({ ...options, file });
      program.write(Buffer.alloc(10));
      await program.gone;
      expect(program.write(Buffer.alloc(10))).toBe(false);
      program.stop();
    }
    expect(ends.map(({ failure }) => failure?.code)).toEqual(['ENOENT', 'ERR_INVALID_ARG_VALUE']);
  });

  test('hands on what it writes, and tells how it ended with its last words', async () => {
    const { ends, output } = run('cat; echo one >&2; printf two >&2; exit 3', 'from its input');
    await waitFor(() => ends.length === 1, { what: 'its end' });
    expect(output()).toBe('from its input');
    expect(ends).toEqual([{ code: 3, signal: null, failure: null, lines: ['one', 'two'] }]);
  });

  test('keeps little of what it says, however much that is', async () => {
    const { ends } = run(
      'i=0; while [ $i -lt 300 ]; do echo line$i >&2; i=$((i+1)); done; head -c 100000 /dev/zero | tr "\\0" x >&2',
    );
    await waitFor(() => ends.length === 1, { what: 'its end' });
    const { lines = [] } = ends[0] ?? {};
    expect(lines.length).toBeLessThanOrEqual(50);
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(500);
  });

  test('one that is not there ends at once', async () => {
    const ends: ProgramEnd[] = [];
    const options = { file: '/nowhere/ffmpeg', args: [], env: {}, input: '', onOutput: () => {} };
    new SupervisedProgram({ ...options, onEnd: (end) => ends.push(end) });
    await waitFor(() => ends.length === 1, { what: 'its end' });
    expect(ends[0]?.failure?.code).toBe('ENOENT');
  });

  test('one that waits for more to read hears that there is no more when it is ended, and need not be killed', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'supervised-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, 'done');
    // As ffmpeg, which does not look whether it was asked to end while it reads from a pipe.
    const { program, output } = run(`trap '' TERM; echo ready; cat > /dev/null; : > ${file}`, null);
    await waitFor(() => output() !== '', { what: 'its word' });
    program.stop();
    await program.gone;
    expect(existsSync(file)).toBe(true);
  });

  test('one that does not end when it is asked is killed, with its children', async () => {
    const { program, ends, output } = run("trap '' TERM; sleep 1000 & echo $!; wait; sleep 1000");
    await waitFor(() => output() !== '', { what: 'its child' });
    program.stop();
    await program.gone;
    expect(ends).toEqual([]);
    await waitFor(() => !isThere(Number(output())), { what: 'the child to be gone' });
  });
});

/** The guard as a module that another process can import. */
async function makeGuardModule(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'guard-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const { code } = await transformWithEsbuild(readFileSync(guardFile, 'utf8'), guardFile);
  const guardModule = join(folder, 'orphan-guard.mjs');
  writeFileSync(guardModule, code);
  return guardModule;
}

test('without a descriptor left there is no guard for now, and no error', async () => {
  const script = `
    import { openSync } from 'node:fs';
    import { orphanGuard } from ${JSON.stringify(await makeGuardModule())};
    try {
      for (;;) openSync('/dev/null');
    } catch {}
    orphanGuard.watch(2 ** 30);
    setTimeout(() => {
      orphanGuard.forget(2 ** 30);
      console.log('went on');
    }, 50);
  `;
  const line = 'ulimit -n 64; exec "$0" --input-type=module -e "$1"';
  const { stdout, status } = spawnSync('/bin/sh', ['-c', line, process.execPath, script], { encoding: 'utf8' });
  expect({ stdout, status }).toEqual({ stdout: 'went on\n', status: 0 });
});

test('programs are killed when the process that guards them was killed', async () => {
  const guardModule = await makeGuardModule();
  const script = `
    import { spawn, spawnSync } from 'node:child_process';
    import { orphanGuard } from ${JSON.stringify(guardModule)};
    const children = [1, 2, 3].map(() => spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' }));
    for (const { pid } of children) orphanGuard.watch(pid);
    orphanGuard.forget(children[0].pid);
    console.log(children.map(({ pid }) => pid).join(' '));
    setInterval(() => {}, 1000);
  `;
  const parent = spawn(process.execPath, ['--input-type=module', '-e', script]);
  let text = '';
  parent.stdout.on('data', (data: Buffer) => {
    text += data.toString();
  });
  await waitFor(() => text.includes('\n'), { what: 'the programs' });
  const [freed = 0, ...guarded] = text.trim().split(' ').map(Number);
  onTestFinished(() => {
    process.kill(freed, 'SIGKILL');
  });
  parent.kill('SIGKILL');
  await waitFor(() => guarded.every((pid) => !isThere(pid)), { what: 'the programs to be gone' });
  expect(isThere(freed)).toBe(true);
});
