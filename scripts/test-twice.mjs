/**
 * node scripts/test-twice.mjs [VITEST ARGUMENTS]
 *
 * `npm test`, and once more, alone, each file in which a test failed. A test that fails beside the others and passes alone
 * is told as unsteady: it is a bug, most often a wait that is too short for a busy machine, but not one of the change that
 * is looked at. More than a few of them fail the run, as does one that fails twice. Nothing is run again where a file did
 * not load, or Vitest itself failed. Its last line is "N passed, N failed".
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { searchPath } from './peers.mjs';

/** So many unsteady tests are told and let through. */
const unsteadyAllowed = 3;

const folder = mkdtempSync(join(tmpdir(), 'media-aggregator-tests-'));
let code = 1;
try {
  code = main(process.argv.slice(2));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exit(code);

function main(given) {
  const first = run('first', ['scripts/test.mjs'], given);
  let failed = first.failed;
  let passed = first.passed;
  const files = [...new Set(failed.map(({ file }) => file))];
  const mayRepeat = failed.length > 0 && failed.length <= unsteadyAllowed && !first.unloaded;
  if (mayRepeat) {
    console.log(`\n== once more, alone: ${files.join(', ')}`);
    const again = run('again', ['node_modules/vitest/vitest.mjs', 'run'], ['--no-file-parallelism', ...files]);
    const twice = again.failed;
    const unsteady = failed.filter(({ name }) => again.passedNames.has(name));
    // What did not run the second time has not been seen to pass.
    failed = [
      ...failed.filter(({ name }) => !again.passedNames.has(name)),
      ...twice.filter(({ name }) => !has(failed, name)),
    ];
    passed += unsteady.length;
    for (const { name } of unsteady) console.log(`unsteady: ${name}: failed beside the others and passed alone`);
    if (failed.length === 0 && again.code === 0) first.code = 0;
  }
  if (failed.length === 0 && !first.unloaded && first.code !== 0)
    console.log('\nno test failed, but Vitest did: see its errors above');
  console.log(`\n${passed} passed, ${failed.length + (first.unloaded ? 1 : 0)} failed`);
  return failed.length > 0 ? 1 : first.code;
}

function has(tests, name) {
  return tests.some((test) => test.name === name);
}

/** Runs Vitest by `command` and returns what its report says. */
function run(label, command, given) {
  const report = join(folder, `${label}.json`);
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const { status } = spawnSync(process.execPath, [...command, ...reporters, ...given], {
    stdio: 'inherit',
    env: { ...process.env, PATH: searchPath },
  });
  const { testResults } = JSON.parse(readFileSync(report, 'utf8'));
  const tests = testResults.flatMap(({ name: path, assertionResults }) =>
    assertionResults.map(({ fullName, status: state }) => {
      const file = relative(process.cwd(), path);
      return { file, name: `${file} ${fullName}`, state };
    }),
  );
  const withState = (state) => tests.filter((test) => test.state === state);
  return {
    code: status ?? 1,
    passed: withState('passed').length,
    passedNames: new Set(withState('passed').map(({ name }) => name)),
    failed: withState('failed'),
    // A file that cannot be loaded has no tests to count, and is a failure all the same.
    unloaded: testResults.some(
      (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
    ),
  };
}
