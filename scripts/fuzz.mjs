/**
 * npm run fuzz [-- OPTIONS]: see --help.
 *
 * Compiles the fuzzer with the source that it imports, and runs it on plain Node.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const out = 'node_modules/.cache/media-aggregator/fuzz';

mkdirSync(out, { recursive: true });
// Below node_modules the package.json of the repository does not count.
writeFileSync(`${out}/package.json`, '{ "type": "module" }\n');
const compiled = run('node_modules/.bin/tsc', ['-p', 'test/fuzz/tsconfig.json']);
if (compiled !== 0) process.exit(compiled);
const program = `${out}/test/fuzz/main.js`;
process.exit(run(process.execPath, ['--enable-source-maps', '--expose-gc', program, ...process.argv.slice(2)]));

function run(command, args) {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit' });
  if (error !== undefined) console.error(`fuzz: ${command}: ${error.message}`);
  return status ?? 1;
}
