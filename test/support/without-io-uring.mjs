/**
 * node without-io-uring.mjs [--kill] PROGRAM ARGUMENTS...
 *
 * Becomes PROGRAM, to which io_uring is refused as Docker's default seccomp profile refuses it: EPERM for io_uring_setup.
 * With --kill, whoever calls it is ended (SIGSYS).
 */
import koffi from 'koffi';

const setupCall = 425;
const setNoNewPrivileges = 38;
const setSeccomp = 22;
const filterMode = 2;

const given = process.argv.slice(2);
const kills = given[0] === '--kill';
const refusal = kills ? 0x80000000 : 0x00050001;

// Load the number of the call; is it that one? Then refuse it with error 1, or end the process; else allow it.
const program = [
  [0x20, 0, 0, 0],
  [0x15, 0, 1, setupCall],
  [0x06, 0, 0, refusal],
  [0x06, 0, 0, 0x7fff0000],
];
const filter = Buffer.alloc(8 * program.length);
for (const [i, [code, yes, no, value]] of program.entries()) {
  filter.writeUInt16LE(code, 8 * i);
  filter.writeUInt8(yes, 8 * i + 2);
  filter.writeUInt8(no, 8 * i + 3);
  filter.writeUInt32LE(value, 8 * i + 4);
}
const described = Buffer.alloc(16);
described.writeUInt16LE(program.length, 0);
described.writeBigUInt64LE(koffi.address(filter), 8);

const libc = koffi.load(null);
const prctl = libc.func('int prctl(int option, long a, void* b, long c, long d)');
const execv = libc.func('int execv(const char* path, const char** argv)');
if (prctl(setNoNewPrivileges, 1, null, 0, 0) !== 0 || prctl(setSeccomp, filterMode, described, 0, 0) !== 0) {
  console.error(`no seccomp filter: error ${koffi.errno()}`);
  process.exit(69);
}
// Node.js keeps its outputs from programs that it becomes.
const fcntl = libc.func('int fcntl(int fd, int command, long value)');
const setFlags = 2;
for (const fd of [0, 1, 2]) fcntl(fd, setFlags, 0);
const [path, ...rest] = kills ? given.slice(1) : given;
execv(path, [path, ...rest, null]);
console.error(`${path} cannot be run: error ${koffi.errno()}`);
process.exit(70);
