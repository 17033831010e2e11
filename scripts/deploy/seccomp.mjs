/**
 * Compares deploy/seccomp/media-aggregator.json with Docker's default profile, which is in
 * https://github.com/moby/profiles: `node scripts/deploy/seccomp.mjs seccomp/default.json`. Exit code 1: they differ.
 */
import { readFileSync } from 'node:fs';

/** What ours has more. */
const rings = ['io_uring_setup', 'io_uring_enter', 'io_uring_register'];
/** In Docker's words, those that ours is for. */
const architectures = ['amd64', 'x32', 'x86', 'arm64', 'arm'];

/**
 * Of a profile, what holds for a container without capabilities on our architectures, with a kernel that has io_uring.
 * @returns each system call with its action and its conditions, as a text
 */
function meaning({ defaultAction, defaultErrnoRet, syscalls }) {
  const found = new Set([`what is not named: ${defaultAction} ${defaultErrnoRet}`]);
  for (const { names, action, errnoRet, args = [], includes = {}, excludes = {} } of syscalls) {
    if ((includes.caps ?? []).length > 0) continue;
    if (includes.arches !== undefined && !includes.arches.some((each) => architectures.includes(each))) continue;
    if (excludes.minKernel !== undefined) continue;
    const conditions = args.map(({ index, op, value, valueTwo }) => ` ${index} ${op} ${value} ${valueTwo ?? 0}`).sort();
    for (const name of names)
      found.add(`${name}: ${action}${errnoRet === undefined ? '' : ` ${errnoRet}`}${conditions.join()}`);
  }
  return found;
}

/** What differs between our profile and Docker's, but for the rings; none where they are the same. */
function differences(ours, dockers) {
  const expected = meaning(dockers);
  for (const name of rings) expected.add(`${name}: SCMP_ACT_ALLOW`);
  const found = meaning(ours);
  return [
    ...[...expected].filter((each) => !found.has(each)).map((each) => `missing in ours: ${each}`),
    ...[...found].filter((each) => !expected.has(each)).map((each) => `only in ours: ${each}`),
  ].sort();
}

const read = (path) => JSON.parse(readFileSync(path, 'utf8'));
const [, , path] = process.argv;
if (path === undefined) {
  console.error('usage: node scripts/deploy/seccomp.mjs DEFAULT.JSON');
  process.exit(2);
}
const ours = read(new URL('../../deploy/seccomp/media-aggregator.json', import.meta.url));
const differing = differences(ours, read(path));
for (const line of differing) console.log(line);
if (differing.length === 0) console.log("Docker's default and io_uring, nothing else");
process.exit(differing.length === 0 ? 0 : 1);
