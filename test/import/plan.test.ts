import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { InputError } from '../../src/errors.js';
import { knownDirectives } from '../../src/import/nginx-directives.js';
import { type ImportPlan, type PlanOptions, planImport } from '../../src/import/plan.js';
import { type Directive, defaultParseLimits, parseNginxFile, parseNginxText } from '../../src/nginx-conf/parser.js';
import { testScope } from '../support/scope.js';

const fixtures = fileURLToPath(new URL('fixtures', import.meta.url));
const single = readdirSync(fixtures).filter((file) => file.endsWith('.conf'));

/** The plan in a form to read and compare. */
function reportOf({ cameras, lines }: ImportPlan): string {
  const texts = lines.map(({ file, line, directive, outcome, reason }) => {
    return `${file}:${line} ${outcome} ${JSON.stringify(directive).slice(1, -1)}\n    ${reason}\n`;
  });
  const made = cameras.flatMap(({ name, pushes }) => [`camera ${name}\n`, ...pushes.map(({ url }) => `    ${url}\n`)]);
  return `${texts.join('')}\n${made.join('')}`;
}

function plan(application: string, options: PlanOptions = {}): ImportPlan {
  return planImport(parseNginxText(`rtmp { server { ${application} } }`), options);
}

function taken(application: string, options: PlanOptions = {}): (string | string[])[] {
  return plan(application, options).cameras.flatMap(({ name, pushes }) => [name, pushes.map(({ url }) => url)]);
}

function refusal(act: () => unknown): InputError {
  try {
    act();
  } catch (error) {
    if (error instanceof InputError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('configurations as they are in the world', () => {
  test.each(single)('%s', async (file) => {
    const report = reportOf(planImport(parseNginxFile(file, fixtures)));
    await expect(report).toMatchFileSnapshot(join(fixtures, file.replace('.conf', '.report')));
  });

  test('every line that begins a directive of the RTMP module is in the report, and nothing twice', () => {
    for (const file of single) {
      const { lines } = planImport(parseNginxFile(file, fixtures));
      const walk = (block: readonly Directive[]): number[] =>
        block.flatMap(({ line, block: inner = [] }) => [line, ...walk(inner)]);
      const rtmp = parseNginxFile(file, fixtures).find(({ name }) => name === 'rtmp');
      const expected = walk(rtmp?.block ?? []);
      const first = lines.findIndex(({ directive }) => directive === 'rtmp {');
      expect(lines.slice(first + 1).map(({ line }) => line)).toEqual(expected);
    }
  });

  test('they have every directive that the import knows', () => {
    const seen = new Set<string>();
    const walk = (block: readonly Directive[]): void => {
      for (const directive of block) {
        seen.add(directive.name);
        walk(directive.block ?? []);
      }
    };
    for (const file of single) walk(parseNginxFile(file, fixtures));
    // Later versions of the module and forks have these.
    const others = ['meta', 'proxy_protocol', 'worker_socket', 'exec_kill_timeout'];
    expect(knownDirectives.filter((name) => !seen.has(name) && !others.includes(name))).toEqual([]);
  });

  test('no secret of a URL is in a report', () => {
    for (const file of single) {
      const { lines } = planImport(parseNginxFile(file, fixtures));
      expect(JSON.stringify(lines)).not.toMatch(/SECRET|TOKEN/);
    }
  });
});

describe('what is taken', () => {
  test('the example of the original documentation', () => {
    const { cameras, lines } = planImport(parseNginxFile('seed.conf', fixtures));
    expect(cameras.map(({ name, pushes }) => [name, pushes.map(({ url }) => url)])).toEqual([
      ['example1', ['rtmp://1.1.1.1:1935/live/example1', 'rtmp://2.2.2.2:1935/live/example1']],
      ['example2', ['rtmp://3.3.3.3:1935/live/example2']],
    ]);
    expect(lines.filter(({ outcome }) => outcome === 'left-out')).toEqual([]);
  });

  test('an application that looks like one for many streams, when it is said to be a camera', () => {
    const application = 'application live { live on; push rtmp://h/a/b; }';
    expect(taken(application)).toEqual([]);
    expect(taken(application, { take: ['other'] })).toEqual([]);
    expect(taken(application, { take: ['live'] })).toEqual(['live', ['rtmp://h/a/b']]);
    expect(taken('application x { live on; hls on; }')).toEqual([]);
    expect(taken('application x { live on; hls on; }', { take: ['x'] })).toEqual(['x', []]);
  });

  test('a push by rtmps is left out, since the aggregator would refuse it', () => {
    const { cameras, lines } = plan('application cam { live on; push rtmps://127.0.0.1/live/cam; push 127.0.0.1; }');
    expect(cameras.map(({ pushes }) => pushes.length)).toEqual([1]);
    const reasons = lines.filter(({ outcome }) => outcome === 'left-out').map(({ reason }) => reason);
    expect(reasons).toEqual([expect.stringContaining('rtmps')]);
  });

  test('rules of access, only when they are said to go', () => {
    for (const rule of ['deny publish all', 'deny play 1.2.3.4', 'on_publish http://h/', 'on_connect http://h/']) {
      for (const text of [`application x { live on; ${rule}; }`, `${rule}; application x { live on; }`]) {
        expect(taken(text), text).toEqual([]);
        expect(taken(text, { take: ['x'] }), text).toEqual([]);
        expect(taken(text, { dropAccessRules: true }), text).toEqual(['x', []]);
      }
    }
    expect(taken('application x { live on; allow publish all; }')).toEqual(['x', []]);
    const outside = parseNginxText('rtmp { deny publish all; server { application x { live on; } } }');
    expect(planImport(outside).cameras).toEqual([]);
  });

  test('names of the prototype are names like others', () => {
    expect(taken('application constructor { live on; } application toString { live on; }')).toEqual([
      ...['constructor', []],
      ...['toString', []],
    ]);
  });

  test('the last "live" counts', () => {
    expect(taken('application x { live off; live on; }')).toEqual(['x', []]);
    expect(taken('application x { live on; live off; }')).toEqual([]);
  });
});

describe('includes', () => {
  test('globs relative to the main file, files of other blocks unread, dot files unseen', () => {
    const { cameras } = planImport(parseNginxFile('includes/nginx.conf', fixtures));
    const places = cameras.map(({ name, line, pushes }) => [
      name,
      `${line.file}:${line.line}`,
      ...pushes.map((push) => `${push.line.file}:${push.line.line}`),
    ]);
    expect(places).toEqual([
      ['a1', 'includes/cameras/a.conf:1'],
      ['a2', 'includes/cameras/a.conf:2', 'includes/cameras/targets.inc:1'],
      ['b', 'includes/cameras/b.conf:1', 'includes/cameras/targets.inc:1'],
    ]);
  });

  test('a ring of files, by whatever name', (context) => {
    const folder = testScope(context).temporaryFolder();
    writeFileSync(join(folder, 'a.conf'), 'events {}\ninclude b*.conf;\n');
    writeFileSync(join(folder, 'b.conf'), 'include link;\n');
    symlinkSync('a.conf', join(folder, 'link'));
    const error = refusal(() => parseNginxFile('a.conf', folder));
    expect(error.code).toBe('IMPORT_INVALID');
    expect(error.message).toBe('b.conf:1 includes link, which includes this file: it would never end.');
  });

  test('the same file twice is no ring, but the number of files has a limit', (context) => {
    const folder = testScope(context).temporaryFolder();
    for (let level = 0; level < 12; level += 1) {
      writeFileSync(join(folder, `${level}.conf`), `include ${level + 1}.conf; include ${level + 1}.conf;`);
    }
    writeFileSync(join(folder, '12.conf'), '');
    expect(parseNginxFile('2.conf', folder)).toEqual([]);
    const limits = { ...defaultParseLimits, maxFiles: 100 };
    expect(refusal(() => parseNginxFile('0.conf', folder, limits)).message).toContain('more than 100 files');
    const shallow = { ...defaultParseLimits, maxIncludeDepth: 3 };
    expect(refusal(() => parseNginxFile('0.conf', folder, shallow)).message).toContain('in more than 3 files');
  });

  test('what cannot be read: coded, with the place of the include', (context) => {
    const folder = testScope(context).temporaryFolder();
    mkdirSync(join(folder, 'folder'));
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    writeFileSync(join(folder, 'large'), 'a;'.repeat(1000));
    for (const [target, reason] of [
      ['missing.conf', 'there is no such file'],
      ['folder', 'it is not a file'],
      ['pipe', 'it is not a file'],
      ['/dev/zero', 'it is not a file'],
      ['large', 'larger than 100 bytes'],
    ]) {
      writeFileSync(join(folder, 'main.conf'), `\ninclude ${target};`);
      const limits = { ...defaultParseLimits, maxFileBytes: 100 };
      const error = refusal(() => parseNginxFile('main.conf', folder, limits));
      expect(error.code).toBe('IMPORT_UNREADABLE');
      expect(error.message).toContain(reason);
      expect(error.message).toContain('(included at main.conf:2)');
    }
    expect(refusal(() => parseNginxFile('nowhere.conf', folder)).message).toBe(
      'nowhere.conf cannot be read: there is no such file.',
    );
  });

  test('an include that names nothing, or too much', () => {
    for (const include of ['include;', 'include "";', 'include a b;', 'include x;']) {
      expect(refusal(() => parseNginxText(include)).code).toBe('IMPORT_INVALID');
    }
    expect(readFileSync(join(fixtures, 'includes/nginx.conf'), 'utf8')).toContain('mime.types');
  });
});
