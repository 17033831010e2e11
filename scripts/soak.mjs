/**
 * npm run soak [-- OPTIONS]: see --help.
 *
 * Builds the program, compiles the soak with the source that it imports, and runs it on plain Node.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const out = 'node_modules/.cache/media-aggregator/soak';

mkdirSync(out, { recursive: true });
// Below node_modules the package.json of the repository does not count.
writeFileSync(`${out}/package.json`, '{ "type": "module" }\n');
step('npm', ['run', 'build', '--silent']);
step('node_modules/.bin/tsc', ['-p', 'test/soak/tsconfig.json']);
// What is soaked: targets and memory, the health of cameras, the switches between their ingests, sources, encoders by SRT,
// connections that come and go, data folders after power cuts, nodes that are one cluster, very many of them, or audio at targets.
const part = ['health', 'standby', 'churn', 'torn', 'sources', 'srt', 'cluster-size', 'cluster', 'audio'].find((each) =>
  process.argv.includes(`--${each}`),
);
const program = `${out}/test/soak/${part === undefined ? '' : `${part}/`}main.js`;
process.exit(run(process.execPath, ['--enable-source-maps', '--expose-gc', program, ...process.argv.slice(2)]));

function step(command, args) {
  const status = run(command, args);
  if (status !== 0) process.exit(status);
}

function run(command, args) {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit' });
  if (error !== undefined) console.error(`soak: ${command}: ${error.message}`);
  return status ?? 1;
}
