import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

/**
 * Durations are measured by the monotonic clock: the wall clock may be set at any time. The wall clock is for what is shown
 * or stored, and for absolute ends. So lines that calculate or compare with it, or keep it in a variable to do so later,
 * stand here with their reason. Where only a wall time is known, `elapsedMs` of `process/wall-clock.ts` measures.
 */
const allowed: readonly (readonly [file: string, words: string, reason: string])[] = [
  ['src/onvif/device.ts', 'isUsable ? ms - Date.now()', 'how far the clock of a camera is from ours'],
  ['src/process/wall-clock.ts', 'Date.now()', 'the one place that compares the two clocks'],
  ['src/access/access.ts', 'expiresMs <= Date.now()', 'absolute ends of tokens and JWT'],
  ['src/access/access.ts', 'const nowMs = Date.now();', 'what is left until an absolute end'],
  ['src/access/token-rules.ts', 'Date.parse(expiresAt)', 'absolute ends of tokens'],
  ['src/cli/doctor/files.ts', 'valid', 'absolute ends of certificates'],
  ['src/cli/doctor/system.ts', 'nowMs: number = Date.now()', 'judges the wall clock itself'],
  ['src/cli/format.ts', 'nowMs = Date.now()', 'shows the age of what another machine may have noted'],
  ['src/cli/test-patterns.ts', 'const startedMs = Date.now();', 'shows begin and end'],
  ['src/cluster/secret.ts', 'nowMs = Date.now()', 'absolute times of signatures of other nodes'],
  ['src/cluster/relay-tickets.ts', 'Ms = Date.now()', 'absolute times of signatures of other nodes'],
  ['src/cluster/node-token.ts', 'nowMs = Date.now()', 'absolute ends of tokens of other nodes'],
  ['src/files/lock.ts', 'mtimeMs', 'compares with the times of files'],
  ['src/log/destination.ts', 'const nowMs = Date.now();', 'notes when lines were lost'],
  ['src/tls/watch-certificate.ts', 'validTo', 'absolute ends of certificates'],
  ['web/src/state/history.ts', 'hourSeconds', 'compares with times that the server shows'],
];

const now = String.raw`Date\.now\(\)`;
const suspicious = new RegExp(
  [
    // A time that was noted is subtracted from it, or it from one that is to come.
    String.raw`${now}(?: / 1000)? - (?!\(nowMs - |\(performance\.now\(\) - |Math\.round\((?:verdict\.)?stalledMs\))`,
    `- ${now}`,
    `[<>]=? ${now}`,
    `${now}[^;,)]* [<>]=? `,
    String.raw`(?:const |let |[(,] ?)(?:now|start|began)\w*(?:: number)? = ${now}[;,)]`,
  ].join('|'),
);

it('no duration is measured by the wall clock', () => {
  const found: string[] = [];
  for (const folder of ['src', 'web/src']) {
    for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      if (!/\.tsx?$/.test(name)) continue;
      const path = join(folder, name);
      for (const line of readFileSync(path, 'utf8').split('\n')) {
        if (!suspicious.test(line)) continue;
        if (!allowed.some(([file, words]) => file === path && line.includes(words)))
          found.push(`${path}: ${line.trim()}`);
      }
    }
  }
  expect(found).toEqual([]);
});

it.each([
  ['if (Date.now() - this.#sinceMs > 1000) return;', true],
  ['if (this.#untilMs < Date.now()) return;', true],
  ['const nowMs = Date.now();', true],
  ['const leftMs = endsMs - Date.now();', true],
  ['else if (Date.now() + waitMs < this.#nextTryAtMs) {', true],
  ['this.#atMs = Date.now();', false],
  ['const at = new Date(Date.now() - (performance.now() - atMs)).toISOString();', false],
  ['this.#last = { code: error.code, message: error.message, atMs: Date.now() };', false],
])('would see it: %s', (line, isSuspicious) => {
  expect(suspicious.test(line)).toBe(isSuspicious);
});
