import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { tryApart } from '../../../src/net/uring/trial.js';

const folder = mkdtempSync(join(tmpdir(), 'trial-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Ends its first thread alone, as a filter does that ends the thread. */
const threadEnd = `
import koffi from ${JSON.stringify(createRequire(import.meta.url).resolve('koffi'))};
koffi.load(null).func('long syscall(long call, int code)')(process.arch === 'x64' ? 60 : 93, 0);`;

it.each<[string, string, string | null]>([
  ['lives', 'process.exit(0)', null],
  ['fails', 'process.exit(1)', 'it ended with 1'],
  ['is killed', "process.kill(process.pid, 'SIGKILL'); setTimeout(() => {}, 1e6)", 'it ended with SIGKILL'],
  ['is ended', "process.kill(process.pid, 'SIGSYS'); setTimeout(() => {}, 1e6)", 'refused by the seccomp profile'],
  ['loses the thread that asked', threadEnd, 'refused by the seccomp profile'],
])('a process that asks for io_uring %s', async (what, text, expected) => {
  const program = join(folder, `${what.replaceAll(/\W/g, '')}.mjs`);
  writeFileSync(program, text);
  const why = await tryApart(program);
  if (expected === null) expect(why).toBeNull();
  else expect(why).toContain(expected);
});

it('a process that does not end is given up, and leaves nothing', async () => {
  const program = join(folder, 'hangs.mjs');
  const pidFile = join(folder, 'hangs.pid');
  const text = `import { writeFileSync } from 'node:fs';
    writeFileSync(${JSON.stringify(pidFile)}, String(process.pid));
    setInterval(() => {}, 1000);`;
  writeFileSync(program, text);
  expect(await tryApart(program, { limitMs: 2000 })).toContain('did not end');
  // Nor as a zombie.
  if (existsSync(pidFile)) {
    const folderOfIt = `/proc/${readFileSync(pidFile, 'utf8')}`;
    await expect.poll(() => existsSync(folderOfIt), { timeout: 20_000 }).toBe(false);
  }
});

it.each([
  ['is missing', 'none'],
  // The system's answer is thrown, and not told later.
  ['is no name of a file', 'node\0'],
])('a program that %s is no reason not to start', async (_what, node) => {
  const program = join(folder, 'lives.mjs');
  writeFileSync(program, 'process.exit(0)');
  expect(await tryApart(program, { node: join(folder, node) })).toContain('could not be tried in another process');
});

it('where the program is not built it is not tried apart', async () => {
  expect(await tryApart(join(folder, 'none.js'))).toBeNull();
});
