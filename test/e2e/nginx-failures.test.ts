import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { makeClip, publish } from '../support/ffmpeg.js';
import { startNginxRtmp } from '../support/nginx-rtmp.js';
import { testWith } from '../support/peers.js';
import { freePort } from '../support/ports.js';
import { startProcess } from '../support/process.js';
import { testScope } from '../support/scope.js';
import { sleep, waitFor } from '../support/wait.js';
import { isAlive, kill, NginxAggregator, startNginxAggregator } from './nginx-support.js';

describe('nginx that fails', () => {
  const test = testWith('ffmpeg', 'nginx-rtmp', 'iproute2');

  test('kill -9 of the master: live cameras go on, a new master takes new ones', async (context) => {
    const scope = testScope(context);
    const [clip, target, aggregator] = await Promise.all([
      makeClip({ seconds: 30 }),
      startNginxRtmp(scope),
      startNginxAggregator(scope),
    ]);
    await aggregator.addCamera('cam');
    await aggregator.addPush('cam', target.url('cam'), 'push');
    await aggregator.addCamera('late');
    const camera = publish(scope, clip, aggregator.url('cam'));
    await aggregator.waitForPush('cam', 'push', 'active');
    const [master, [worker]] = [aggregator.master(), aggregator.workers()];

    kill(master, 'SIGKILL');
    await waitFor(() => aggregator.master() !== master && aggregator.workers().length === 1, { what: 'a new master' });
    await waitFor(async () => (await aggregator.problems()).length === 0, { what: 'the problem to be gone' });
    expect(aggregator.oldWorkers()).toEqual([worker]);
    publish(scope, clip, aggregator.url('late'));
    await aggregator.waitForLive('late');
    expect(camera.exit).toBeUndefined();
    expect(await aggregator.camera('cam')).toMatchObject({ live: true, pushes: [{ state: 'active' }] });
    await waitFor(async () => (await aggregator.stats()).input_conn === 2, { what: 'both cameras in the stats' });
    expect(await aggregator.facts()).toMatchObject({ nginxRestarts: 1, nginxOldWorkers: 1 });
    await aggregator.waitForLine('nginx ended with signal SIGKILL');
  });

  test('kill -9 of a worker: the next one takes the camera when it comes back', async (context) => {
    const scope = testScope(context);
    const [clip, aggregator] = await Promise.all([makeClip({ seconds: 30 }), startNginxAggregator(scope)]);
    await aggregator.addCamera('cam');
    const camera = publish(scope, clip, aggregator.url('cam'));
    await aggregator.waitForLive('cam');
    const [worker] = aggregator.workers();
    kill(worker!, 'SIGKILL');
    expect((await camera.exited).code).not.toBe(0);
    await waitFor(() => aggregator.workers().length === 1 && aggregator.workers()[0] !== worker, { what: 'a worker' });
    await aggregator.waitForLive('cam', false);
    expect((await aggregator.stats()).input_conn).toBe(0);
    publish(scope, clip, aggregator.url('cam'));
    await aggregator.waitForLive('cam');
  });

  test('kill -9 of the aggregator: nginx is taken over, nothing is reloaded; SIGTERM ends all of it', async (context) => {
    const scope = testScope(context);
    const [clip, target, aggregator] = await Promise.all([
      makeClip({ seconds: 30 }),
      startNginxRtmp(scope),
      startNginxAggregator(scope),
    ]);
    await aggregator.addCamera('cam');
    await aggregator.addPush('cam', target.url('cam'), 'push');
    const camera = publish(scope, clip, aggregator.url('cam'));
    await aggregator.waitForPush('cam', 'push', 'active');
    const before = aggregator.nginx();
    await aggregator.kill9();
    await sleep(300);
    expect(aggregator.nginx()).toEqual(before);
    await aggregator.start();
    await aggregator.waitForPush('cam', 'push', 'active');
    expect(aggregator.nginx()).toEqual(before);
    expect(await aggregator.facts()).toMatchObject({ nginxReloads: 0, nginxPid: aggregator.master() });
    expect(camera.exit).toBeUndefined();
    // What was taken over is watched too.
    const master = aggregator.master();
    await aggregator.addCamera('other');
    kill(master, 'SIGKILL');
    await waitFor(() => aggregator.master() !== master, { what: 'a new master' });
    await waitFor(() => aggregator.workers().length === 1, { what: 'its worker' });
    expect(camera.exit).toBeUndefined();

    const pids = aggregator.nginx().map(({ pid }) => pid);
    expect(pids.length).toBeGreaterThanOrEqual(3);
    expect(await aggregator.process.stop('SIGTERM')).toEqual({ code: 0, signal: null });
    expect(pids.filter(isAlive)).toEqual([]);
  });

  test('nginx that cannot come up: status down, stats zeros, the reason told; it comes up when it can', async (context) => {
    const scope = testScope(context);
    const aggregator = await startNginxAggregator(scope);
    await aggregator.addCamera('cam');
    const { rtmpPort } = aggregator;
    // The port is another's before nginx can have it again.
    const pids = aggregator.nginx().map(({ pid }) => pid);
    kill(aggregator.process.pid, 'SIGSTOP');
    for (const pid of pids) kill(pid, 'SIGKILL');
    await waitFor(() => !pids.some(isAlive), { what: 'nginx to end' });
    const thief = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => thief.listen(rtmpPort, '127.0.0.1', resolve));
    scope.defer(() => thief.close());
    kill(aggregator.process.pid, 'SIGCONT');
    await waitFor(async () => (await aggregator.problems()).some(({ message }) => message.includes('bind()')), {
      what: 'the reason',
      timeoutMs: 20_000,
    });
    expect(await aggregator.problems()).toMatchObject([{ code: 'NGINX_DOWN' }]);
    expect(await aggregator.status()).toBe('down');
    expect(await aggregator.stats()).toMatchObject({ bw_in: '0', bw_out: '0', input_conn: 0 });
    expect((await aggregator.api('GET', '/readyz')).status).toBe(503);
    // The API works on.
    await aggregator.addCamera('meanwhile');
    await new Promise((resolve) => thief.close(resolve));
    await waitFor(async () => (await aggregator.status()) === 'ok', { what: 'nginx to come up', timeoutMs: 20_000 });
    // It answers before its start is noted.
    await waitFor(async () => (await aggregator.problems()).length === 0, { what: 'the problem to end' });
    expect(aggregator.conf).toContain('application meanwhile {');
  });

  test('a full disk while rendering: the old configuration stays, with a clear error; room heals it', async (context) => {
    const scope = testScope(context);
    const folder = scope.temporaryFolder();
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=128k', 'tmpfs', folder], { stdio: 'ignore' });
    } catch {
      context.skip('this machine lets nobody mount a tmpfs');
    }
    scope.defer(() => execFileSync('umount', ['-l', folder]));
    const aggregator = await startNginxAggregator(scope, { confFile: join(folder, 'nginx.conf') });
    await aggregator.addCamera('before');
    const before = aggregator.conf;
    const ballast = join(folder, 'ballast');
    expect(() => writeFileSync(ballast, Buffer.alloc(1 << 20))).toThrow(/ENOSPC/);
    await aggregator.addCamera('during');
    await waitFor(async () => (await aggregator.problems())[0]?.code === 'NGINX_WRITE_FAILED', { what: 'the problem' });
    expect((await aggregator.problems())[0]?.message).toMatch(/ENOSPC/);
    expect(aggregator.conf).toBe(before);
    expect(readFileSync(`${aggregator.confFile}.active`, 'utf8')).toBe(before);
    expect(readdirSync(folder).sort()).toEqual(['ballast', 'nginx.conf', 'nginx.conf.active']);
    expect(await aggregator.status()).toBe('ok');
    writeFileSync(ballast, '');
    await aggregator.inForce('application during {');
    await waitFor(async () => (await aggregator.problems()).length === 0, { what: 'the problem to be gone' });
  });

  test('a broken nginx.conf at the start: nginx comes up with the last good one', async (context) => {
    const scope = testScope(context);
    const aggregator = await startNginxAggregator(scope);
    await aggregator.addCamera('cam');
    expect((await aggregator.process.stop('SIGTERM')).code).toBe(0);
    const good = aggregator.conf;
    writeFileSync(aggregator.confFile, good.slice(0, good.length / 2));
    await aggregator.start();
    expect(await aggregator.status()).toBe('ok');
    expect(await aggregator.problems()).toMatchObject([{ code: 'NGINX_CONFIG_REFUSED' }]);
    await aggregator.addCamera('new');
    await aggregator.inForce('application new {');
  });

  test('an nginx of somebody else: the file is written and the statistics are read', async (context) => {
    const scope = testScope(context);
    const [clip, rtmpPort, statPort] = await Promise.all([makeClip({ seconds: 30 }), freePort(), freePort()]);
    const ports = ['--rtmp-port', String(rtmpPort), '--nginx-stat-port', String(statPort)];
    const aggregator = new NginxAggregator(scope, { flags: ['--nginx-external', ...ports] });
    // Nothing takes RTMP yet, so that it is not ready.
    const started = aggregator.start();
    await waitFor(() => aggregator.conf, { what: 'nginx.conf' });
    const own = ['-c', aggregator.confFile, '-p', aggregator.dataDir, '-e', 'stderr', '-g', 'daemon off;'];
    const nginx = startProcess(scope, 'nginx', own);
    await started;
    expect(await aggregator.status()).toBe('ok');
    await aggregator.addCamera('cam');
    await waitFor(() => aggregator.conf.includes('application cam {'), { what: 'the camera in nginx.conf' });
    nginx.signal('SIGHUP');
    await sleep(500);
    publish(scope, clip, aggregator.url('cam'));
    await aggregator.waitForLive('cam');
    expect(await aggregator.facts()).toMatchObject({ nginxPid: null, kernelCounts: false });
    await waitFor(async () => Number((await aggregator.stats()).bw_in) > 50_000, { what: 'the rate' });
    expect((await aggregator.process.stop('SIGTERM')).code).toBe(0);
    expect(nginx.exit).toBeUndefined();
  });

  test('no nginx, no template, and a taken port end the start with what to do', async (context) => {
    const scope = testScope(context);
    const taken = await freePort();
    const holder = createServer();
    await new Promise<void>((resolve) => holder.listen(taken, '127.0.0.1', resolve));
    scope.defer(() => holder.close());
    const cases: [string[], RegExp][] = [
      [['--nginx-binary', '/nowhere/nginx'], /There is no nginx at \/nowhere\/nginx.*apt-get/s],
      [['--rtmp-port', String(taken)], /ADDRESS_IN_USE/],
      [['--nginx-template', '/nowhere/template'], /template \/nowhere\/template cannot be read/],
    ];
    for (const [flags, message] of cases) {
      const aggregator = new NginxAggregator(scope, { flags });
      await expect(aggregator.start()).rejects.toThrow(message);
      expect(aggregator.nginx()).toEqual([]);
    }
  });
});
