import { copyFileSync, mkdtempSync, rmSync, statSync, truncateSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { kernelCalls } from '../../../src/net/uring/kernel-calls.js';
import { loadWhole } from '../../../src/net/uring/whole-library.js';

const folder = mkdtempSync(join(tmpdir(), 'library-'));
afterAll(() => rmSync(folder, { recursive: true }));

const load = (file: string): unknown => loadWhole(() => createRequire(import.meta.url)(file));

it('a native library that is cut off anywhere is refused, and does not end the process; a whole one is loaded', () => {
  expect(kernelCalls()).toBeTypeOf('object');
  const { sharedObjects } = process.report.getReport() as unknown as { sharedObjects: string[] };
  const whole = sharedObjects.find((file) => file.endsWith('koffi.node'));
  if (whole === undefined) throw new Error('koffi is not loaded');
  const { size } = statSync(whole);
  const file = join(folder, 'cut.node');
  const before = process.dlopen;
  for (const bytes of [0, 1000, 20_000, size >> 1, Math.floor(size * 0.9)]) {
    copyFileSync(whole, file);
    truncateSync(file, bytes);
    expect(() => load(file)).toThrow(bytes === 0 ? 'too short' : `is cut off: it has ${bytes} bytes`);
  }
  copyFileSync(whole, file);
  expect(load(file)).toBeTypeOf('object');
  expect(process.dlopen).toBe(before);
});
