import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { srs } from '../../bench/adapters/srs.js';
import { Child, orStop, until } from '../../bench/child.js';
import type { Report, Row } from '../../bench/report.js';
import type { RunResult } from '../../bench/result.js';
import { outcomeOf, type Target } from '../../bench/targets.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bench-peers-'));
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

/** Reads its configuration as SRS does, asks where a stream goes, and listens. */
const likeSrs = `#!${process.execPath}
const settings = require('node:fs').readFileSync(process.argv[3], 'utf8');
const at = (name) => new RegExp(name + ' (\\\\S+);').exec(settings)[1];
const body = JSON.stringify({ action: 'on_forward', vhost: '__defaultVhost__', app: 'cam1', stream: 'cam1' });
fetch(at('backend'), { method: 'POST', body }).then((answer) => answer.text()).then((text) => {
  console.log(text);
  const [host, port] = at('listen').split(':');
  require('node:net').createServer().listen(Number(port), host);
});
`;

describe('SRS', () => {
  test('is left out, and how to come by it is said, where its program is not there', async () => {
    vi.stubEnv('SRS', '');
    expect(await srs.unavailable()).toMatch(/^SRS is not set .*ossrs\/srs.*make/);
    vi.stubEnv('SRS', '/nowhere/srs');
    expect(await srs.unavailable()).toMatch(/^SRS is \/nowhere\/srs, which is no program that can be run/);
  });

  test('is told the targets of each camera when that publishes', async () => {
    const program = join(folder, 'srs');
    writeFileSync(program, likeSrs);
    chmodSync(program, 0o755);
    vi.stubEnv('SRS', program);
    expect(await srs.unavailable()).toBeUndefined();
    const server = await srs.start(folder, [
      { name: 'cam0', targets: ['rtmp://127.0.0.1:1/t0-0/cam0'] },
      { name: 'cam1', targets: ['rtmp://127.0.0.1:1/t1-0/cam1', 'rtmp://127.0.0.1:1/t1-1/cam1'] },
    ]);
    try {
      await until('its answer', () => server.output().includes('urls'), 20_000);
      expect(JSON.parse(server.output())).toEqual({
        code: 0,
        data: { urls: ['rtmp://127.0.0.1:1/t1-0/cam1', 'rtmp://127.0.0.1:1/t1-1/cam1'] },
      });
    } finally {
      await server.stop();
    }
  });
});

test('a program that does not come up is stopped, so that the benchmark can end', async () => {
  const child = new Child(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  await expect(orStop(child, () => Promise.reject(new Error('in vain')))).rejects.toThrow('in vain');
  expect(child.hasEnded).toBe(true);
});

test('a target is judged by ratios of the same round', () => {
  const run = (system: string, cpuUser: number): RunResult =>
    ({ scenario: '20x8', system, void: null, cpuUser, cpuSystem: 0, bytesOut: 1e9 }) as RunResult;
  const runs = [run('ours', 1), run('srs', 2), run('ours', 3), run('srs', 3), run('ours', 5), run('srs', 4)];
  const report = { rows: [{ scenario: '20x8', system: 'ours', void: null } as Row], runs } as unknown as Report;
  const target: Target = { scenario: '20x8', system: 'ours', what: 'cost', atMost: 1, to: 'srs' };
  expect(outcomeOf(target, report)).toEqual({ median: 1, least: 0.5, most: 1.25 });
  expect(outcomeOf({ ...target, to: 'nginx-rtmp' }, report)).toBeUndefined();
  expect(outcomeOf({ ...target, scenario: '100x1' }, report)).toBeUndefined();
});
