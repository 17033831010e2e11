import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
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

it('is compared with the default profile of Docker', (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'media-aggregator-seccomp-'));
  context.onTestFinished(() => rmSync(folder, { recursive: true }));
  const compared = (profile: object) => {
    const file = join(folder, 'default.json');
    writeFileSync(file, JSON.stringify(profile));
    const script = fileURLToPath(new URL('scripts/deploy/seccomp.mjs', root));
    return spawnSync(process.execPath, [script, file], { encoding: 'utf8' });
  };
  const ours = JSON.parse(read('deploy/seccomp/media-aggregator.json')) as Profile;
  const syscalls = ours.syscalls.map((rule) => ({
    ...rule,
    names: rule.names.filter((name) => !name.startsWith('io_uring')),
  }));
  const ofOthers = [
    { names: ['mount'], action: 'SCMP_ACT_ALLOW', includes: { caps: ['CAP_SYS_ADMIN'] } },
    { names: ['s390_pci_mmio_read'], action: 'SCMP_ACT_ALLOW', includes: { arches: ['s390x'] } },
  ];
  expect(compared({ ...ours, syscalls: [...syscalls, ...ofOthers] })).toMatchObject({ status: 0 });
  const moved = syscalls.map((rule) => ({ ...rule, names: rule.names.filter((name) => name !== 'bind') }));
  const more = { names: ['new_call'], action: 'SCMP_ACT_ALLOW', includes: { arches: ['amd64'] } };
  expect(compared({ ...ours, syscalls: [...moved, more] })).toMatchObject({
    status: 1,
    stdout: 'missing in ours: new_call: SCMP_ACT_ALLOW\nonly in ours: bind: SCMP_ACT_ALLOW\n',
  });
});

it('the texts of deployment name the profile and the calls', () => {
  expect(read('deploy/systemd/media-aggregator.service')).toContain(
    'SystemCallFilter=io_uring_setup io_uring_enter io_uring_register',
  );
  expect(read('deploy/README.md')).toContain('localhostProfile: media-aggregator.json');
  expect(read('deploy/compose.yaml')).toContain('seccomp=seccomp/media-aggregator.json');
});
