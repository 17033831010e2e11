import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { buildProgram } from '../../src/cli/program.js';
import { version } from '../../src/cli/version.js';
import { settingRows } from '../../src/config/index.js';
import { cli } from './support.js';

const nowhere = { write() {}, isTTY: false };
const program = buildProgram({ out: nowhere, err: nowhere, env: {}, cwd: '/' }, () => {});

function commandLines(command: Command, path: string[] = []): string[][] {
  return [path, ...command.commands.flatMap((child) => commandLines(child, [...path, child.name()]))];
}

describe('help', () => {
  const all = commandLines(program);

  test('the commands are those that are promised', () => {
    expect(all.map((path) => path.join(' '))).toEqual([
      ...['', 'serve', 'camera', 'camera add', 'camera show', 'camera set', 'camera switch'],
      ...['camera rotate-key', 'camera play-token'],
      ...['camera debug'],
      ...['camera list', 'camera refused', 'camera remove'],
      ...['discover', 'discover test', 'discover add'],
      ...[
        'push',
        'push add',
        'push list',
        'push remove',
        'push enable',
        'push disable',
        'push set',
        'push retry',
        'push test',
        'push events',
        'engine',
        'engine add',
        'engine set',
        'engine list',
        'engine remove',
        'node',
        'node list',
        'node show',
        'node drain',
        'cluster',
        'cluster rotate-secret',
        'cluster accept',
      ],
      ...['token', 'token create', 'token list', 'token revoke'],
      ...[
        'status',
        'config',
        'top',
        'events',
        'logs',
        'log-level',
        'publish',
        'import',
        'apply',
        'doctor',
        'backup',
        'restore',
        'rotate-seal-key',
        'completion',
        'man',
      ],
    ]);
  });

  test.each(all.map((path) => [path.join(' '), path] as const))(
    '"%s" has examples that call it',
    async (name, path) => {
      const { code, out, err } = await cli([...path, '--help']);
      expect({ code, err }).toEqual({ code: 0, err: '' });
      const examples = out.slice(out.indexOf('Examples:'));
      expect(examples).toContain(`$ media-aggregator ${name}`);
      expect(out).toMatch(/Usage: media-aggregator/);
    },
  );

  test.each(all.map((path) => [path.join(' '), path] as const))(
    '"%s" shows no value as a program writes it',
    async (_, path) => {
      expect((await cli([...path, '--help'])).out).not.toMatch(/\[\]\)|\(preset/);
    },
  );

  test('the exit codes are in the help', async () => {
    expect((await cli(['--help'])).out).toMatch(/Exit codes: 0 done, 1 failed, 2 .*, 3 /);
  });

  test('serve has a flag with its default for each setting', async () => {
    const { out } = await cli(['serve', '--help']);
    for (const row of settingRows) {
      expect(out).toContain(`  ${row.flag} ${row.placeholder}`);
    }
    expect(out).toMatch(/--queue-max-bytes <size> .*\(default 8MB\)/);
  });
});

test('--version', async () => {
  expect(version).toMatch(/^\d+\.\d+\.\d+/);
  expect(await cli(['--version'])).toEqual({ code: 0, out: `${version}\n`, err: '' });
});

describe('usage errors: exit code 2, one line that says what is right', () => {
  test.each([
    [['camra'], 'unknown command .camra.'],
    [['camera', 'lisst'], 'Did you mean list'],
    [['camera', 'add'], "missing required argument 'names'"],
    [['serve', '--rtmp-prot', '1'], 'Did you mean --rtmp-port'],
    [['serve', '--rtmp-port', 'x'], '--rtmp-port is "x"'],
    [['serve', '--push-retry-min', '250'], '250ms'],
    [['serve', '--config', '/nonexistent.yaml'], 'nonexistent.yaml'],
    [['push', 'add', 'c1'], '--engine NAME'],
    [['push', 'add', 'c1', 'rtmp://h/a/b', '--engine', 'e'], 'either a URL'],
    [['engine', 'add', 'e'], '--host'],
    [['status', '--api', 'http://'], '--api is "http://"'],
    [['publish', 'f.flv', 'rtmp://h/a/b', '--count', '3'], '\\{i\\}'],
    [['publish', 'f.flv', 'rtmp://h/a/b', '--count', '0'], 'from 1 to'],
    [['publish', 'f.flv', 'rtmp://h/a/b', '--duration', '-1'], 'seconds'],
  ])('%j', async (args, hint) => {
    const { code, out, err } = await cli(args);
    expect(out).toBe('');
    expect(err).toMatch(/^error: (USAGE|CONFIG_[A-Z_]+): [^\n]+\n$/);
    expect(err).toMatch(new RegExp(hint));
    expect(code).toBe(2);
  });
});

describe('no aggregator: exit code 3', () => {
  test('none runs on the folder', async () => {
    const { code, err } = await cli(['camera', 'list'], { cwd: '/nonexistent' });
    expect(err).toMatch(/^error: NOT_RUNNING: .*--api URL/);
    expect(code).toBe(3);
  });

  test('the API does not answer', async () => {
    // Port 9 (discard): nothing that is here by chance.
    const { code, err } = await cli(['status', '--api', '127.0.0.1:9']);
    expect(err).toMatch(/^error: API_UNREACHABLE: http:\/\/127\.0\.0\.1:9 does not answer/);
    expect(code).toBe(3);
  });
});

test('colours only on a terminal, and not with NO_COLOR', async () => {
  const args = ['status', '--api', '127.0.0.1:9'];
  expect((await cli(args, { isTTY: true })).err).toContain('\u001b[31merror');
  expect((await cli(args, { isTTY: true, env: { NO_COLOR: '1' } })).err).not.toContain('\u001b');
  expect((await cli(args)).err).not.toContain('\u001b');
});
