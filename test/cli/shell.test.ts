import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { describeCommands, eachCommand } from '../../src/cli/command-tree.js';
import { buildProgram } from '../../src/cli/program.js';
import { testScope } from '../support/scope.js';
import { cli } from './support.js';

const nowhere = { write() {}, isTTY: false };
const root = describeCommands(buildProgram({ out: nowhere, err: nowhere, env: {}, cwd: '/' }, () => {}));

/** What bash would offer, by the script itself. */
function completed(script: string, words: readonly string[]): string[] {
  const run = `source ${script}; COMP_WORDS=(media-aggregator ${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length}; _media_aggregator; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync('bash', ['--norc', '-c', run], { encoding: 'utf8' }).split('\n').filter(Boolean);
}

describe('completion', () => {
  test('in bash offers commands, options, choices and files', async (context) => {
    const folder = testScope(context).temporaryFolder();
    const script = join(folder, 'completion.bash');
    const { code, out } = await cli(['completion', 'bash']);
    expect(code).toBe(0);
    writeFileSync(script, out);
    expect(completed(script, ['ca'])).toEqual(['camera']);
    expect(completed(script, ['camera', ''])).toEqual(expect.arrayContaining(['add', 'list', 'remove']));
    expect(completed(script, ['push', 'a'])).toEqual(['add']);
    expect(completed(script, ['serve', '--rtmp-p'])).toEqual(['--rtmp-port']);
    expect(completed(script, ['camera', 'add', '--da'])).toEqual(['--data-dir']);
    expect(completed(script, ['camera', 'l'])).toEqual(['list', 'ls']);
    expect(completed(script, ['push', 'ls', '--stat'])).toEqual(['--state']);
    expect(completed(script, ['push', 'disable', '--state', 'wait'])).toEqual(['waiting', 'waiting-for-publish']);
    expect(completed(script, ['completion', 'z'])).toEqual(['zsh']);
    expect(completed(script, ['serve', '--rtmp-port', ''])).toEqual([]);
    expect(completed(script, ['backup', script.slice(0, -3)])).toEqual([script]);
  });

  test.each(['bash', 'zsh', 'fish'])('in %s knows every command and every long option', async (shell) => {
    const { out } = await cli(['completion', shell]);
    for (const { path, options } of eachCommand(root)) {
      if (path.length > 0) expect(out).toContain(path.at(-1));
      for (const flag of options.flatMap(({ flags }) => flags)) expect(out).toContain(flag.replace(/^--?/, ''));
    }
  });

  test('of another shell is a mistake', async () => {
    expect(await cli(['completion', 'csh'])).toMatchObject({ code: 2, err: expect.stringContaining('csh') });
  });
});

test('the man page has every command, its options and its examples, and no bare hyphen', async () => {
  const { code, out } = await cli(['man']);
  expect(code).toBe(0);
  const plain = out.replaceAll('\\-', '-');
  for (const { path, usage, options, after } of eachCommand(root)) {
    if (path.length > 0) expect(plain).toContain(`.SS ${usage}`);
    for (const { description } of options) expect(plain).toContain(description);
    expect(after).toContain('Examples:');
    for (const line of after.trim().split('\n')) expect(plain).toContain(line.trim());
  }
  for (const line of out.split('\n'))
    if (!/^\.(\\"|TH|SH|SS|TP|P|B|I|br|nf|fi)/.test(line)) expect(line).not.toMatch(/^[.']/);
  expect(out.split('\n').filter((line) => !line.startsWith('.\\"') && /(?<!\\)-/.test(line))).toEqual([]);
});
