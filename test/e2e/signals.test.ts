import { readdirSync, readFileSync, readlinkSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { programPath, startAggregator } from '../support/aggregator.js';
import { startProcess } from '../support/process.js';
import { RtmpClient } from '../support/rtmp-client.js';
import { testScope } from '../support/scope.js';
import { sleep, waitFor, within } from '../support/wait.js';

/** Ports that a process and its children listen on. */
function listeningPorts(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
  const inodes = new Map<string, number>();
  for (const file of ['tcp', 'tcp6']) {
    for (const line of readFileSync(`/proc/${pid}/net/${file}`, 'utf8').split('\n').slice(1)) {
      const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
      if (state === '0A') inodes.set(`socket:[${inode}]`, Number.parseInt(local.split(':')[1] ?? '', 16));
    }
  }
  return [String(pid), ...children].flatMap((each) =>
    readdirSync(`/proc/${each}/fd`).flatMap((fd) => {
      try {
        return inodes.get(readlinkSync(`/proc/${each}/fd/${fd}`)) ?? [];
      } catch {
        return [];
      }
    }),
  );
}

describe.each([0, 1])('with %i media workers, signals to the whole group', (workers) => {
  test.concurrent('HUP, USR1, USR2 disturb nothing, open no port, and read again what can be', async (context) => {
    const scope = testScope(context);
    const folder = scope.temporaryFolder();
    const [config, log] = [join(folder, 'settings.yaml'), join(folder, 'log')];
    writeFileSync(config, 'log-level: info\n');
    const flags = ['--config', config, '--workers', String(workers), '--log-file', log];
    const aggregator = await startAggregator(scope, { flags });
    await aggregator.addCamera('cam');
    const camera = new RtmpClient(scope, aggregator.rtmpPort);
    await camera.publish('cam', 'cam');
    const { pid } = aggregator.process;
    const before = listeningPorts(pid).sort();

    renameSync(log, `${log}.1`);
    writeFileSync(config, 'log-level: debug\nmax-cameras: 7\n');
    aggregator.process.signal('SIGHUP');
    const read = await waitFor(() => /.*reloaded the settings.*/.exec(readFileSync(log, 'utf8')) ?? undefined, {
      what: 'the new log',
    });
    expect(JSON.parse(read?.[0] ?? '')).toMatchObject({ logLevel: 'debug', needRestart: ['max-cameras'] });
    expect(await aggregator.apiOk('GET', '/v1/log')).toMatchObject({ level: 'debug' });

    writeFileSync(config, 'log-level: loud\n');
    aggregator.process.signal('SIGHUP');
    await waitFor(() => readFileSync(log, 'utf8').includes('CONFIG_INVALID_VALUE'), { what: 'the complaint' });
    expect(await aggregator.apiOk('GET', '/v1/log')).toMatchObject({ level: 'debug' });

    renameSync(log, `${log}.2`);
    aggregator.process.signal('SIGUSR1');
    await waitFor(() => readFileSync(log), { what: 'the log after USR1' });
    aggregator.process.signal('SIGUSR2');
    await sleep(300);
    expect(listeningPorts(pid).sort()).toEqual(before);
    expect(aggregator.process.stderr).not.toContain('Debugger');
    expect(camera.closedByPeer).toBe(false);
    expect((await aggregator.camera('cam')).live).toBe(true);

    aggregator.process.signal('SIGQUIT');
    expect(await within(aggregator.process.exited, 6000, 'the end')).toEqual({ code: 0, signal: null });
    expect(camera.statusCodes()).toContain('NetStream.Unpublish.Success');
  });
});

test.concurrent('a second SIGTERM ends it at once', async (context) => {
  const scope = testScope(context);
  const aggregator = await startAggregator(scope, { flags: ['--drain-delay', '5m'] });
  aggregator.process.signal('SIGTERM');
  await sleep(300);
  aggregator.process.signal('SIGTERM');
  expect(await within(aggregator.process.exited, 3000, 'the end')).toEqual({ code: 143, signal: null });
});

test.concurrent('SIGTERM during a start that hangs ends it in time', async (context) => {
  const scope = testScope(context);
  const folder = scope.temporaryFolder();
  const dataDir = join(folder, 'data');
  // A media worker that never gets to say that it is ready.
  const hang = join(folder, 'hang.cjs');
  writeFileSync(hang, 'if (process.send) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);');
  const flags = ['--data-dir', dataDir, '--rtmp-port', '0', '--api-port', '0', '--shutdown-timeout', '1s'];
  const started = startProcess(scope, process.execPath, [programPath, 'serve', ...flags, '--workers', '1'], {
    env: { NODE_OPTIONS: `--require ${hang}` },
  });
  const children = `/proc/${started.pid}/task/${started.pid}/children`;
  await waitFor(() => readFileSync(children, 'utf8').trim() !== '', { what: 'the worker', timeoutMs: 20_000 });
  await sleep(300);
  expect(started.exit).toBe(undefined);
  started.signal('SIGTERM');
  await within(started.exited, 6000, 'the end');
});
