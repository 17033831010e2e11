import { appendFileSync, closeSync, constants, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { startAggregator } from '../support/aggregator.js';
import { Life, problemCodes } from '../support/life.js';
import { run, runOk } from '../support/process.js';
import { testScope } from '../support/scope.js';
import { hasCompiler, troubledFile } from '../support/troubled-file.js';
import { sleep, waitFor } from '../support/wait.js';

describe.each([0, 1])('with %i media workers', (workers) => {
  const flags = ['--workers', String(workers), '--log-level', 'debug'];

  test.concurrent('standard error and standard output that are full (/dev/full)', async (context) => {
    const scope = testScope(context);
    const aggregator = await startAggregator(scope, { flags, redirect: '2>/dev/full >/dev/full' });
    const life = await Life.begin(scope, aggregator);
    await waitFor(async () => (await problemCodes(aggregator)).includes('LOG_UNWRITABLE'), { what: 'the problem' });
    await life.expectWell();
    await life.expectEnd();
  });

  test.concurrent('a pipe that nobody reads, and then somebody does', async (context) => {
    const scope = testScope(context);
    const fifo = join(scope.temporaryFolder(), 'log');
    await runOk('mkfifo', [fifo]);
    const reader = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
    scope.defer(() => closeSync(reader));
    // Full before the first line.
    try {
      for (;;) appendFileSync(reader, Buffer.alloc(4096, 0x2e));
    } catch {}
    const aggregator = await startAggregator(scope, { flags, redirect: `2>'${fifo}' >'${fifo}'` });
    const life = await Life.begin(scope, aggregator);
    await waitFor(async () => (await problemCodes(aggregator)).includes('LOG_UNWRITABLE'), { what: 'the problem' });
    await life.expectWell();
    await life.expectEnd();
  });

  test.concurrent('a pipe whose reader is gone', async (context) => {
    const scope = testScope(context);
    const fifo = join(scope.temporaryFolder(), 'log');
    await runOk('mkfifo', [fifo]);
    const reader = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
    const aggregator = await startAggregator(scope, { flags, redirect: `2>'${fifo}' >'${fifo}'` });
    closeSync(reader);
    const life = await Life.begin(scope, aggregator);
    await waitFor(async () => (await problemCodes(aggregator)).includes('LOG_UNWRITABLE'), { what: 'the problem' });
    await life.expectWell();
    await life.expectEnd();
  });

  test
    .skipIf(process.getuid?.() !== 0)
    .concurrent('a file on a disk that is full, and then is not', async (context) => {
      const scope = testScope(context);
      const disk = scope.temporaryFolder();
      const mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk]);
      if (mounted.code !== 0) return context.skip('nothing can be mounted here');
      scope.defer(() => run('umount', ['-l', disk]));
      await run('sh', ['-c', 'dd if=/dev/zero of="$0" bs=1k 2>/dev/null', join(disk, 'fill')]);
      const file = join(disk, 'log');
      const aggregator = await startAggregator(scope, { flags: [...flags, '--log-file', file] });
      const life = await Life.begin(scope, aggregator);
      await waitFor(async () => (await problemCodes(aggregator)).includes('LOG_UNWRITABLE'), { what: 'the problem' });
      await life.expectWell();
      rmSync(join(disk, 'fill'));
      await waitFor(() => readFileSync(file, 'utf8').includes('camera is live'), { what: 'the lines that waited' });
      expect(await problemCodes(aggregator)).not.toContain('LOG_UNWRITABLE');
      await life.expectEnd();
      expect(readFileSync(file, 'utf8')).toContain('"message":"stopped"');
    });

  test.skipIf(!hasCompiler).concurrent('a disk that fails (EIO), and one that answers no more', async (context) => {
    const scope = testScope(context);
    const folder = scope.temporaryFolder();
    const file = join(folder, 'log');
    const { env, set } = await troubledFile(scope, file);
    const aggregator = await startAggregator(scope, { flags: [...flags, '--log-file', file], env });
    const life = await Life.begin(scope, aggregator);
    set('fail');
    await life.makeLines(3);
    await waitFor(async () => (await problemCodes(aggregator)).includes('LOG_UNWRITABLE'), { what: 'the problem' });
    await life.expectWell();
    set('well');
    await waitFor(async () => !(await problemCodes(aggregator)).includes('LOG_UNWRITABLE'), { what: 'the end of it' });
    set('hang');
    await life.makeLines(3);
    await sleep(200);
    await life.expectWell();
    // A thread of Node's pool hangs, which no exit code gets past.
    await life.expectEnd([0, 'SIGTERM']);
  });
});
