/**
 * npm test [-- [--skip-missing-peers] [VITEST ARGUMENTS]]
 *
 * All that a fresh Debian or Ubuntu machine needs to run the tests: installs the npm packages when they are missing,
 * installs the real peers of the end-to-end tests when they are missing (as root or with sudo), builds, runs Vitest.
 * With --skip-missing-peers nothing is installed through apt-get, and the tests that need a missing peer are skipped.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { missingPeers, searchPath } from './peers.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
process.env.PATH = searchPath;

const vitestArguments = process.argv.slice(2).filter((argument) => argument !== '--skip-missing-peers');
const skipMissingPeers = vitestArguments.length < process.argv.length - 2;

// npm writes node_modules/.package-lock.json last: what is older than the lock file is another version's. The same rule
// as in start.cjs, which a test runs, and which must find nothing to install in the middle of the others.
if (modifiedMs('node_modules/.package-lock.json') < modifiedMs('package-lock.json')) {
  say('npm packages are missing or of another version: npm ci');
  run('npm', ['ci', '--include=dev', '--no-audit']);
}

const missing = missingPeers();
if (missing.length > 0 && skipMissingPeers) {
  say(`missing peers: ${namesOf(missing)}. The tests that need them are skipped:`);
  process.env.MEDIA_AGGREGATOR_SKIP_MISSING_PEERS = '1';
  // This reporter names each of them.
  if (!vitestArguments.some((argument) => argument.startsWith('--reporter'))) {
    vitestArguments.push('--reporter=verbose');
  }
} else if (missing.length > 0) {
  installPeers(missing);
}

run('npm', ['run', 'build', '--silent']);
process.exit(status(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', ...vitestArguments]));

function installPeers(absent) {
  const packages = absent.flatMap((peer) => peer.packages);
  const elevate = elevation();
  if (elevate === undefined || !succeeds('apt-get', ['--version'])) {
    say(`missing peers of the end-to-end tests: ${namesOf(absent)}.`);
    say(`Install them, on Debian or Ubuntu by: sudo apt-get install --no-install-recommends ${packages.join(' ')}`);
    say('or leave out the tests that need them by: npm test -- --skip-missing-peers');
    process.exit(1);
  }
  say(`missing peers: ${namesOf(absent)}. Installing through apt-get: ${packages.join(' ')}`);

  // The tests run these on free ports of their own; the packages must not leave services behind that take ports 80 and
  // 9090, nor fail to install because they are taken. With systemd their units are masked meanwhile; without, run level 1
  // keeps the packages' scripts from starting them.
  const hushed = ['nginx', 'prometheus', 'prometheus-node-exporter'].filter(
    (name) => packages.some((each) => name.startsWith(each)) && existsSync('/run/systemd/system') && !isService(name),
  );
  const environment = ['env', 'DEBIAN_FRONTEND=noninteractive', 'RUNLEVEL=1', 'PREVLEVEL=N'];
  run(...elevate([...environment, 'apt-get', '-q', 'update']));
  for (const name of hushed) status(...elevate(['systemctl', 'mask', `${name}.service`]));
  try {
    run(...elevate([...environment, 'apt-get', '-q', '-y', '--no-install-recommends', 'install', ...packages]));
  } finally {
    for (const name of hushed) {
      status(...elevate(['systemctl', 'unmask', `${name}.service`]));
      if (!isService(name)) continue;
      status(...elevate(['systemctl', 'disable', `${name}.service`]));
      say(`the system service ${name} that came with the package is left stopped and disabled`);
    }
  }

  const broken = missingPeers();
  if (broken.length > 0) {
    say(`the packages are installed, but these do not work: ${namesOf(broken)}`);
    process.exit(1);
  }
}

/** Whether systemd knows a unit of this name. */
function isService(name) {
  return succeeds('systemctl', ['cat', `${name}.service`]);
}

/** How to run a command as root: as it is, through sudo, or undefined when neither is possible. */
function elevation() {
  if (process.getuid?.() === 0) return ([command, ...args]) => [command, args];
  // Without a terminal nobody can type a password.
  const passwordless = succeeds('sudo', ['-n', 'true']);
  if (passwordless || (process.stdin.isTTY && succeeds('sudo', ['--version']))) return (args) => ['sudo', args];
  return undefined;
}

/** 0 when the file is not there. */
function modifiedMs(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function namesOf(list) {
  return list.map((peer) => peer.name).join(', ');
}

function say(text) {
  console.log(`test: ${text}`);
}

function succeeds(command, args) {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

function status(command, args) {
  const { status: code, error } = spawnSync(command, args, { stdio: 'inherit' });
  if (error !== undefined) say(`${command}: ${error.message}`);
  return code ?? 1;
}

/** Runs a step that the rest depends on. */
function run(command, args) {
  const code = status(command, args);
  if (code !== 0) {
    say(`failed (exit code ${code}): ${command} ${args.join(' ')}`);
    process.exit(code);
  }
}
