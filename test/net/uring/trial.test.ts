import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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
  ['is refused, which is no matter here', 'process.exit(1)', null],
  ['is ended', "process.kill(process.pid, 'SIGSYS'); setTimeout(() => {}, 1e6)", 'refused by the seccomp profile'],
  ['loses the thread that asked', threadEnd, 'refused by the seccomp profile'],
])('a process that asks for io_uring %s', async (what, text, expected) => {
  const program = join(folder, `${what.replaceAll(/\W/g, '')}.mjs`);
  writeFileSync(program, text);
  const why = await tryApart(program);
  if (expected === null) expect(why).toBeNull();
  else expect(why).toContain(expected);
});

it('where the program is not built it is not tried apart', async () => {
  expect(await tryApart(join(folder, 'none.js'))).toBeNull();
});
