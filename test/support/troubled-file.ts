import { spawnSync } from 'node:child_process';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runOk } from './process.js';
import type { Scope } from './scope.js';

/** As what writes to one file, or reads it, of a disk that fails, or answers no more, while the file $TROUBLE says so. */
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
  char link[64], path[512]; const char *trouble = getenv("TROUBLE"), *log = getenv("TROUBLED_FILE");
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0 || trouble == NULL || log == NULL) return 0;
  path[length] = 0;
  if (strcmp(path, log) != 0) return 0;
  while (access(trouble, F_OK) == 0) {
    char word[8] = {0}; int in = open(trouble, O_RDONLY); if (in < 0) break;
    ssize_t got = read(in, word, 4); close(in);
    if (got == 4 && memcmp(word, "hang", 4) == 0) { usleep(50000); continue; }
    errno = EIO; return 1;
  }
  return 0;
}
#define REAL(name) static __typeof__(&name) real; if (real == NULL) real = dlsym(RTLD_NEXT, #name)
ssize_t write(int fd, const void *data, size_t bytes) { REAL(write); return troubled(fd) ? -1 : real(fd, data, bytes); }
ssize_t pwrite64(int fd, const void *data, size_t bytes, off64_t at) { REAL(pwrite64); return troubled(fd) ? -1 : real(fd, data, bytes, at); }
int fsync(int fd) { REAL(fsync); return troubled(fd) ? -1 : real(fd); }
int fdatasync(int fd) { REAL(fdatasync); return troubled(fd) ? -1 : real(fd); }
ssize_t read(int fd, void *data, size_t bytes) { REAL(read); return troubled(fd) ? -1 : real(fd, data, bytes); }
ssize_t pread64(int fd, void *data, size_t bytes, off64_t at) { REAL(pread64); return troubled(fd) ? -1 : real(fd, data, bytes, at); }
ssize_t pread(int fd, void *data, size_t bytes, off_t at) { REAL(pread); return troubled(fd) ? -1 : real(fd, data, bytes, at); }
ssize_t writev(int fd, const struct iovec *parts, int count) { REAL(writev); return troubled(fd) ? -1 : real(fd, parts, count); }
`;

/** The library is made by it. */
export const hasCompiler = spawnSync('cc', ['--version'], { stdio: 'ignore' }).status === 0;

export interface TroubledFile {
  /** For the program whose writes are troubled. */
  readonly env: Readonly<Record<string, string>>;
  /** From now on its writes and reads fail with EIO, never return, or go to the disk. */
  set(state: 'fail' | 'hang' | 'well'): void;
}

/** A file whose disk has trouble, by a library that is loaded before those of the system. @param file absolute */
export async function troubledFile(scope: Scope, file: string): Promise<TroubledFile> {
  const folder = scope.temporaryFolder();
  const [source, library, trouble] = [join(folder, 'trouble.c'), join(folder, 'trouble.so'), join(folder, 'trouble')];
  writeFileSync(source, troubleSource);
  await runOk('cc', ['-shared', '-fPIC', '-o', library, source, '-ldl']);
  return {
    env: { LD_PRELOAD: library, TROUBLE: trouble, TROUBLED_FILE: file },
    set(state) {
      if (state === 'well') rmSync(trouble, { force: true });
      else {
        // Whole, or not at all: it is read in the midst of a write.
        writeFileSync(`${trouble}.new`, state);
        renameSync(`${trouble}.new`, trouble);
      }
    },
  };
}
