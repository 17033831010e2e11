#!/usr/bin/env node
/**
 * Runs the built program on each line of Node.js that it promises to run on: test/e2e/node-version.test.ts, with the
 * program's Node.js from the npm package node-linux-ARCH, which brings the binary in itself and needs no further download.
 *
 *   npm run test:node-versions            every line
 *   npm run test:node-versions -- 24 26   some of them
 *
 * The binaries stay in node_modules/.cache. Exit code 1 when one cannot be had, or fails.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const lines = [20, 22, 24, 26];

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const wanted = process.argv.length > 2 ? process.argv.slice(2) : lines.map(String);
const failed = [];

for (const line of wanted) {
  const binary = /^\d+$/.test(line) ? install(line) : undefined;
  if (binary === undefined) {
    console.error(`node-versions: Node.js ${line} cannot be had`);
    failed.push(line);
    continue;
  }
  const version = spawnSync(binary, ['--version'], { encoding: 'utf8' }).stdout.trim();
  console.log(`\nnode-versions: ${version}`);
  const args = ['run', '--project', 'e2e', 'test/e2e/node-version.test.ts'];
  const { status } = spawnSync(process.execPath, [join(root, 'node_modules/vitest/vitest.mjs'), ...args], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, MEDIA_AGGREGATOR_NODE: binary, MEDIA_AGGREGATOR_SKIP_MISSING_PEERS: '1' },
  });
  if (status !== 0) failed.push(version);
}
if (failed.length > 0) console.error(`node-versions: failed: ${failed.join(', ')}`);
process.exit(failed.length > 0 ? 1 : 0);

/** The path of the newest binary of a line; undefined where there is none for this machine. */
function install(line) {
  if (process.versions.node.split('.')[0] === line) return process.execPath;
  const name = `node-linux-${process.arch}`;
  const folder = join(root, 'node_modules/.cache/node-versions', line);
  const binary = join(folder, 'node_modules', name, 'bin/node');
  if (existsSync(binary)) return binary;
  mkdirSync(folder, { recursive: true });
  const options = ['--no-save', '--no-package-lock', '--ignore-scripts', '--no-audit', '--loglevel=error'];
  const { status } = spawnSync('npm', ['install', '--prefix', folder, ...options, `${name}@${line}`], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return status === 0 && existsSync(binary) ? binary : undefined;
}
