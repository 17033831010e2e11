import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { programPath } from '../support/aggregator.js';

const run = promisify(execFile);

/** A network of its own for a program, whose only addresses are of IPv6, or whose IPv6 is switched off. */
const networks = {
  'IPv6 alone': 'ip link set lo up && ip addr del 127.0.0.1/8 dev lo && ip -6 addr add fd00::7/64 dev lo nodad',
  'IPv4 alone':
    'ip link set lo up && for f in /proc/sys/net/ipv6/conf/*/disable_ipv6; do echo 1 > $f; done && ! ip -6 addr | grep -q inet6',
} as const;

const works = (setUp: string): boolean => spawnSync('unshare', ['-n', 'sh', '-c', setUp]).status === 0;

describe.each(Object.entries(networks))('a machine with %s', (what, setUp) => {
  const can = works(setUp);
  if (!can) {
    it.skip('needs the right to make a network namespace (root), and ip and unshare', () => {});
    return;
  }
  const isSix = what.startsWith('IPv6');
  const loopback = isSix ? '[::1]' : '127.0.0.1';
  let folder = '';
  let program: ChildProcess | undefined;
  let exited: Promise<unknown> = Promise.resolve();

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'ma-net-'));
    const serve = `exec node ${programPath} serve --rtmp-port 0 --api-port 0 --data-dir ${folder}`;
    program = spawn('unshare', ['-n', 'sh', '-c', `${setUp} && ${serve}`], { stdio: 'ignore' });
    const child = program;
    exited = new Promise((resolve) => child.on('exit', resolve));
    for (let waited = 0; waited < 300 && !existsSync(join(folder, 'runtime.json')); waited++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }, 60_000);

  afterAll(async () => {
    program?.kill('SIGTERM');
    await exited;
    rmSync(folder, { recursive: true, force: true });
  });

  const inside = (...command: string[]) => run('nsenter', ['-t', String(program?.pid), '-n', ...command]);

  it('is served, and its commands find the aggregator', { timeout: 60_000 }, async () => {
    const { rtmpPort, apiPort } = JSON.parse(readFileSync(join(folder, 'runtime.json'), 'utf8'));
    const script = `
      const answer = await fetch('http://${loopback}:${apiPort}/readyz');
      console.log(answer.status);
      const { connect } = await import('node:net');
      for (const host of ${JSON.stringify(isSix ? ['::1', 'fd00::7'] : ['127.0.0.1'])}) {
        await new Promise((resolve, reject) => {
          const socket = connect(${rtmpPort}, host, () => socket.end(resolve));
          socket.on('error', reject);
        });
      }
      console.log('connected');`;
    const { stdout } = await inside('node', '--input-type=module', '-e', script);
    expect(stdout.split('\n').slice(0, 2)).toEqual(['200', 'connected']);
    const status = await inside('node', programPath, 'status', '--data-dir', folder);
    expect(status.stdout).toContain('ok');
  });

  it('is told by doctor what is listened on', { timeout: 60_000 }, async () => {
    const { stdout } = await inside('node', programPath, 'doctor', '--data-dir', folder).catch((error) => error);
    expect(stdout).toContain(`listens on ${isSix ? 'IPv4 and IPv6' : 'IPv4'}`);
    if (!isSix) return;
    const asked = ['doctor', '--data-dir', folder, '--host', '0.0.0.0'];
    const wrong = await inside('node', programPath, ...asked).catch((error) => error);
    expect(wrong.stdout).toMatch(/IPv6, and --host 0\.0\.0\.0 hears IPv4 alone/);
  });
});
