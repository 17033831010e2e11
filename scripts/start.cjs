// `npm start -- FLAGS`: runs "media-aggregator serve FLAGS" from a checkout, after installing and building it where that
// has not been done. No dependencies, and CommonJS: see src/cli/bin.cts for why the thread pool is set up this early.
'use strict';

// Checked before anything that an old Node.js does not know; so is the syntax of this file kept old.
const oldestNode = 20;
if (Number(process.versions.node.split('.')[0]) < oldestNode) {
  stop(`Node.js ${process.versions.node} is too old: install Node.js ${oldestNode} or later from https://nodejs.org`);
}

const { spawnSync } = require('node:child_process');
const { existsSync, readdirSync, statSync } = require('node:fs');
const { join } = require('node:path');
const { pathToFileURL } = require('node:url');

const root = join(__dirname, '..');

if (process.env.UV_THREADPOOL_SIZE === undefined) {
  process.env.UV_THREADPOOL_SIZE = '32';
}
install();
build();
void serve();

/** npm writes node_modules/.package-lock.json last: what is older than the lock file is another version's. */
function install() {
  if (modifiedMs('node_modules/.package-lock.json') >= modifiedMs('package-lock.json')) return;
  console.error('Installing the npm packages (npm ci) ...');
  // Developers' packages too, whatever NODE_ENV is: the compiler is one of them.
  npm('ci', '--include=dev');
}

function build() {
  const inputs = ['tsconfig.json', 'tsconfig.build.json', ...filesOf('src'), ...filesOf('web')];
  // The dashboard is built last.
  if (modifiedMs('dist/web/index.html.gz') >= Math.max(...inputs.map(modifiedMs))) return;
  console.error('Building (npm run build) ...');
  npm('run', 'build', '--silent');
}

async function serve() {
  // As in src/cli/bin.cts.
  for (const signal of ['SIGHUP', 'SIGUSR1', 'SIGUSR2']) process.on(signal, () => {});
  const { run } = await import(pathToFileURL(join(root, 'dist/cli/run.js')).href);
  process.exitCode = await run(['serve', ...process.argv.slice(2)]);
}

/** Exits when npm fails; what it prints goes to standard error, because it is not what was asked for. */
function npm(...args) {
  const [command, ...first] = npmCommand();
  const result = spawnSync(command, [...first, ...args], { cwd: root, stdio: ['ignore', 2, 2] });
  if (result.error !== undefined) {
    stop(`npm could not be run: ${result.error.message}`);
  }
  if (result.status !== 0) {
    stop(`"npm ${args.join(' ')}" failed; what it said stands above`);
  }
}

/** The npm that runs this script, else the one in the PATH. */
function npmCommand() {
  const running = process.env.npm_execpath || '';
  return running.endsWith('.js') && existsSync(running) ? [process.execPath, running] : ['npm'];
}

function filesOf(folder) {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    return entry.isDirectory() ? filesOf(path) : [path];
  });
}

/** 0 when the file is not there. */
function modifiedMs(path) {
  const found = statSync(join(root, path), { throwIfNoEntry: false });
  return found === undefined ? 0 : found.mtimeMs;
}

function stop(message) {
  console.error(`error: ${message}`);
  process.exit(1);
}
