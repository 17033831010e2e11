import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const root = new URL('../../', import.meta.url);
const read = (file: string): string => readFileSync(new URL(file, root), 'utf8');

interface Profile {
  readonly defaultAction: string;
  readonly syscalls: readonly {
    readonly names: readonly string[];
    readonly action: string;
    readonly args?: readonly unknown[];
  }[];
}

it('the seccomp profile allows io_uring and what Node.js needs, and not what Docker refuses', () => {
  const profile = JSON.parse(read('deploy/seccomp/media-aggregator.json')) as Profile;
  expect(profile.defaultAction).toBe('SCMP_ACT_ERRNO');
  const allowed = new Set(
    profile.syscalls.flatMap(({ names, action, args }) =>
      action === 'SCMP_ACT_ALLOW' && args === undefined ? names : [],
    ),
  );
  const rings = ['io_uring_setup', 'io_uring_enter', 'io_uring_register'];
  for (const name of [...rings, 'epoll_wait', 'eventfd2', 'mmap', 'futex', 'sendmsg', 'execve']) {
    expect(allowed).toContain(name);
  }
  // Of a container without capabilities, Docker's default allows none of these.
  for (const name of ['mount', 'bpf', 'setns', 'unshare', 'reboot', 'init_module', 'kexec_load', 'keyctl', 'clone3']) {
    expect(allowed).not.toContain(name);
  }
  // The plain form: conditions of Docker's own would be ignored by others, and what they guard allowed.
  for (const entry of profile.syscalls) expect(Object.keys(entry)).not.toEqual(expect.arrayContaining(['includes']));
});

it('the texts of deployment name the profile and the calls', () => {
  expect(read('deploy/systemd/media-aggregator.service')).toContain(
    'SystemCallFilter=io_uring_setup io_uring_enter io_uring_register',
  );
  expect(read('deploy/README.md')).toContain('localhostProfile: media-aggregator.json');
  expect(read('deploy/compose.yaml')).toContain('seccomp=seccomp/media-aggregator.json');
});
