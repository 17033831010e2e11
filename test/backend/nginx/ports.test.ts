import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { nginxPaths } from '../../../src/backend/nginx/files.js';
import { type ChoiceOptions, type Choices, chooseOnce } from '../../../src/backend/nginx/ports.js';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  while (cleanups.length > 0) await cleanups.pop()?.();
  vi.restoreAllMocks();
});

/** What was chosen at an earlier start, or nothing. */
async function choose(before: Partial<Choices> | null, options: Partial<ChoiceOptions> = {}): Promise<Choices> {
  const folder = await mkdtemp(join(tmpdir(), 'aggregator-ports-'));
  cleanups.push(() => rm(folder, { recursive: true, force: true }));
  const paths = { ...nginxPaths(folder, undefined), choices: join(folder, 'choices.json') };
  if (before !== null) await writeFile(paths.choices, JSON.stringify(before));
  const set = { host: '127.0.0.1', rtmpPort: 0, statPort: 0, apiPort: 0, isRunning: false, isExternal: false };
  const chosen = await chooseOnce({ paths, ...set, ...options });
  expect(JSON.parse(await readFile(paths.choices, 'utf8'))).toEqual(chosen);
  return chosen;
}

it('keeps the ports of an earlier start', async () => {
  const first = await choose(null);
  expect(await choose(first)).toEqual(first);
});

it('takes no port on which another part of this program is to listen', async () => {
  const { statPort } = await choose(null);
  expect((await choose({ statPort }, { apiPort: statPort })).statPort).not.toBe(statPort);
  expect((await choose({ statPort }, { rtmpPort: statPort })).statPort).not.toBe(statPort);
  const both = await choose({ rtmpPort: statPort, statPort });
  expect(both.statPort).not.toBe(both.rtmpPort);
});

it('asks again where the system offers such a port', async () => {
  // A system that offers the lowest of these that nobody holds.
  const free = [(await choose(null)).rtmpPort, (await choose(null)).rtmpPort, (await choose(null)).rtmpPort];
  const held = new Set<number>();
  const { listen } = Server.prototype;
  vi.spyOn(Server.prototype, 'listen').mockImplementation(function (this: Server, ...given: unknown[]) {
    const [at, then] = given as [{ host: string; port: number }, () => void];
    const port = at.port === 0 ? (free.find((each) => !held.has(each)) ?? 0) : at.port;
    held.add(port);
    this.once('close', () => held.delete(port));
    return Reflect.apply(listen, this, [{ ...at, port }, then]);
  });
  const [first, second] = new Set(free);
  const chosen = await choose(null, { apiPort: first ?? 0 });
  expect(chosen.rtmpPort).toBe(second);
  expect([first, second]).not.toContain(chosen.statPort);
});
