import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  closeSync,
  constants,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { startAggregator } from '../support/aggregator.js';
import { Life, problemCodes } from '../support/life.js';
import { run, runOk } from '../support/process.js';
import { testScope } from '../support/scope.js';
import { sleep, waitFor } from '../support/wait.js';

/** As `write`, `pwrite` and `writev` of a disk that fails, or answers no more, while the file $TROUBLE says so. */
const troubleSource = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>
static int troubled(int fd) {
  char link[64], path[512]; const char *trouble = getenv("TROUBLE"), *log = getenv("TROUBLED_LOG");
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0 || trouble == NULL || log == NULL) return 0;
  path[length] = 0;
  if (strcmp(path, log) != 0) return 0;
  while (access(trouble, F_OK) == 0) {
    char word[8] = {0}; int in = open(trouble, O_RDONLY); if (in < 0) break;
    ssize_t got = read(in, word, 4); close(in);
    if (got == 4 && memcmp(word, "hang", 4) == 0) { sleep(3600); continue; }
    errno = EIO; return 1;
  }
  return 0;
}
#define REAL(name) static __typeof__(&name) real; if (real == NULL) real = dlsym(RTLD_NEXT, #name)
ssize_t write(int fd, const void *data, size_t bytes) { REAL(write); return troubled(fd) ? -1 : real(fd, data, bytes); }
ssize_t pwrite64(int fd, const void *data, size_t bytes, off64_t at) { REAL(pwrite64); return troubled(fd) ? -1 : real(fd, data, bytes, at); }
ssize_t writev(int fd, const struct iovec *parts, int count) { REAL(writev); return troubled(fd) ? -1 : real(fd, parts, count); }
`;

const hasCompiler = spawnSync('cc', ['--version'], { stdio: 'ignore' }).status === 0;

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
    const [source, library, trouble, file] = ['trouble.c', 'trouble.so', 'trouble', 'log'].map((name) =>
      join(folder, name),
    );
    writeFileSync(source!, troubleSource);
    await runOk('cc', ['-shared', '-fPIC', '-o', library!, source!, '-ldl']);
    const env = { LD_PRELOAD: library!, TROUBLE: trouble!, TROUBLED_LOG: file! };
    const aggregator = await startAggregator(scope, { flags: [...flags, '--log-file', file!], env });
    const life = await Life.begin(scope, aggregator);
    writeFileSync(trouble!, 'fail');
    await life.makeLines(3);
    await waitFor(async () => (await problemCodes(aggregator)).includes('LOG_UNWRITABLE'), { what: 'the problem' });
    await life.expectWell();
    rmSync(trouble!);
    await waitFor(async () => !(await problemCodes(aggregator)).includes('LOG_UNWRITABLE'), { what: 'the end of it' });
    writeFileSync(`${trouble!}.new`, 'hang');
    renameSync(`${trouble!}.new`, trouble!);
    await life.makeLines(3);
    await sleep(200);
    await life.expectWell();
    // A thread of Node's pool hangs, which no exit code gets past.
    await life.expectEnd([0, 'SIGTERM']);
  });
});
