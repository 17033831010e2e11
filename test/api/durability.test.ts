import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { silentLogger } from '../../src/log/log.js';
import { openFileStore } from '../../src/store/file/file-store.js';

const rounds = 20;
const clients = 20;
const registrations = 2000;

const project = resolve(import.meta.dirname, '../..');
let compiled: string;
let folder: string;
const children = new Set<ChildProcess>();

beforeAll(async () => {
  // Below the project, so that the compiled files find the installed packages.
  await mkdir(join(project, 'node_modules/.cache'), { recursive: true });
  compiled = await mkdtemp(join(project, 'node_modules/.cache/durability-'));
  folder = await mkdtemp(join(tmpdir(), 'aggregator-durability-'));
  const roots = ['store/file/file-store.ts', 'control/control.ts', 'api/server.ts', 'log/log.ts'];
  const config = {
    extends: join(project, 'tsconfig.build.json'),
    compilerOptions: { outDir: compiled, rootDir: join(project, 'src'), declaration: false, sourceMap: false },
    include: [],
    files: roots.map((root) => join(project, 'src', root)),
  };
  await writeFile(join(compiled, 'tsconfig.json'), JSON.stringify(config));
  await promisify(execFile)(process.execPath, [join(project, 'node_modules/typescript/bin/tsc'), '-p', compiled]);
}, 60_000);

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await rm(compiled, { recursive: true, force: true });
  await rm(folder, { recursive: true, force: true });
});

async function startChild(): Promise<{ child: ChildProcess; port: number }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'durability-child.mjs'), compiled, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.add(child);
  child.once('exit', () => children.delete(child));
  for await (const line of createInterface({ input: child.stdout })) {
    const port = /^port (\d+)$/.exec(line)?.[1];
    if (port !== undefined) return { child, port: Number(port) };
  }
  throw new Error('the child ended before it served');
}

/** Registers a camera; true when that was acknowledged. */
function register(agent: Agent, port: number, name: string): Promise<boolean> {
  return new Promise((done) => {
    const headers = { 'content-type': 'application/json' };
    const call = request({ agent, port, host: '127.0.0.1', method: 'POST', path: '/registerCamera', headers });
    call.on('response', (response) => {
      response.resume();
      response.on('end', () => done(response.statusCode === 200));
      response.on('error', () => done(false));
    });
    call.on('error', () => done(false));
    call.end(JSON.stringify({ name }));
  });
}

it(`kill -9 at random moments of ${registrations} registrations from ${clients} clients, ${rounds} times: nothing acknowledged is lost`, async () => {
  const acknowledged = new Set<string>();
  const kills: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const { child, port } = await startChild();
    const agent = new Agent({ keepAlive: true, maxSockets: clients });
    const before = acknowledged.size;
    let next = 0;
    let killed = false;
    const work = Array.from({ length: clients }, async () => {
      while (!killed && next < registrations) {
        const name = `r${round}-${next}`;
        next += 1;
        if (await register(agent, port, name)) acknowledged.add(name);
      }
    });
    // The moment is random: in every other round in the midst of acknowledgements, else also before the first one.
    const exited = once(child, 'exit');
    while (acknowledged.size === (round % 2 === 0 ? before : 0)) await sleep(5);
    await sleep(Math.random() * 600);
    child.kill('SIGKILL');
    killed = true;
    await exited;
    await Promise.all(work);
    agent.destroy();
    kills.push(acknowledged.size - before);

    if (existsSync(join(folder, 'state.json'))) JSON.parse(await readFile(join(folder, 'state.json'), 'utf8'));
    const store = await openFileStore({ dataDir: folder, log: silentLogger });
    const lost = [...acknowledged].filter((name) => !store.state.cameras.has(name));
    await store.close();
    expect(lost, `round ${round}`).toEqual([]);
  }
  console.log(`acknowledged before each kill: ${kills.join(', ')}; ${acknowledged.size} in all, none lost`);
  expect(acknowledged.size).toBeGreaterThan(rounds);
  // A kill after the last registration proves nothing: many must have come in the middle.
  expect(kills.filter((count) => count > 0 && count < registrations).length).toBeGreaterThanOrEqual(rounds / 2);
}, 180_000);
