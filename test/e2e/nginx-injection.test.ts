import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { findNginx } from '../../src/backend/nginx/binary.js';
import { pushTarget } from '../../src/backend/nginx/push-target.js';
import { defaultTemplate, Template } from '../../src/backend/nginx/template.js';
import { parseDump } from '../../src/nginx-conf/dump.js';
import { type Directive, parseNginxText } from '../../src/nginx-conf/parser.js';
import { testWith } from '../support/peers.js';
import { run } from '../support/process.js';
import { testScope } from '../support/scope.js';
import { startNginxAggregator } from './nginx-support.js';

/** What means something to nginx, and attempts made of it. */
const grammar = fc.constantFrom(
  ...[
    '"',
    "'",
    ';',
    '{',
    '}',
    '#',
    '$',
    '\\',
    '\\"',
    '\n',
    '\r',
    '\t',
    ' ',
    '\0',
    '/',
    '..',
    '${',
    '%',
    '?',
    '&',
    '=',
    '@',
    ':',
    '[',
    ']',
    '*',
  ],
  ...[
    'é',
    '\u2028',
    '😀',
    'a',
    '0',
    '-',
    '_',
    '.',
    '; } exec_publish /bin/true; {',
    'include /etc/passwd;',
    ' push rtmp://evil/live/x',
  ],
  ...['# camera x', '# end of cameras', '" } application y { exec_publish id; "', "' ; '", '\\; }'],
);
/** The same without what no URL may have: these pass the first gate. */
const passable = fc.constantFrom(
  ...[
    '"',
    "'",
    ';',
    '{',
    '}',
    '$',
    '${',
    '%',
    '&',
    '=',
    '@',
    ':',
    '[',
    ']',
    '*',
    '~',
    '+',
    ',',
    'é',
    '😀',
    'a',
    '0',
    '?',
  ],
  ...['};exec_publish', '";}', "';}", '{}', '/b', '$app', '"";'],
);
const hostile = fc.array(grammar, { minLength: 1, maxLength: 12 }).map((parts) => parts.join(''));
const urlPart = fc.oneof(
  { weight: 1, arbitrary: hostile },
  { weight: 6, arbitrary: fc.array(passable, { minLength: 1, maxLength: 12 }).map((parts) => parts.join('')) },
);

/** The name of a directive and what follows it. */
function wordsOf({ name, args }: Directive): string[] {
  return [name, ...args];
}

/** Directives as they are, wherever they stand. */
function withoutPlace(directives: readonly Directive[]): unknown[] {
  return directives.map((each) => [wordsOf(each), each.block === undefined ? null : withoutPlace(each.block)]);
}

describe('injection into nginx.conf', () => {
  const test = testWith('nginx-rtmp');

  test('values of any characters are one word of nginx -T, or refused', async (context) => {
    const scope = testScope(context);
    const folder = scope.temporaryFolder();
    const binary = await findNginx(undefined);
    const template = new Template(defaultTemplate);
    let checked = 0;
    let refused = 0;
    const property = fc.asyncProperty(
      fc.array(fc.tuple(urlPart, urlPart), { minLength: 1, maxLength: 6 }),
      fc.nat(),
      async (paths, number) => {
        const pushes = paths.flatMap(([app, stream]) => {
          const target = pushTarget(`rtmp://127.0.0.1:1935/a${app}/s${stream}`);
          if ('code' in target) refused++;
          return 'code' in target ? [] : [{ parameters: target.parameters }];
        });
        if (pushes.length === 0) return;
        checked += pushes.length;
        // A folder of the operator's may be called anything too; control characters are refused above.
        const odd = join(folder, `${number} "quoted"; {x} $y #z \\`);
        mkdirSync(odd, { recursive: true });
        const text = template.render({
          module: binary.module,
          pidFile: `${odd}/nginx.pid`,
          errorLog: `${odd}/error.log`,
          temporaryFolder: `${odd}/`,
          temporaryPaths: binary.temporaryPaths,
          listen: ['127.0.0.1:19999'],
          statListen: '127.0.0.1:19998',
          statPath: '/stat',
          controlPath: '/control',
          cameras: [{ name: 'cam', pushes }],
        });
        const file = join(folder, `${number}.conf`);
        writeFileSync(file, text);
        const { code, stdout, stderr } = await run('nginx', ['-T', '-p', folder, '-c', file, '-e', 'stderr']);
        expect({ code, stderr }).toMatchObject({ code: 0 });
        const tree = parseDump(stdout);
        const rtmp = tree.find(({ name }) => name === 'rtmp')?.block ?? [];
        const server = rtmp.find(({ name }) => name === 'server')?.block ?? [];
        expect(rtmp.map(wordsOf)).toEqual([['access_log', 'off'], ['server']]);
        expect(server.map((each) => wordsOf(each).slice(0, 2))).toEqual([
          ['listen', '127.0.0.1:19999'],
          ['chunk_size', '4096'],
          ['application', 'cam'],
        ]);
        const application = server[2]?.block ?? [];
        expect(application.map(wordsOf)).toEqual([
          ['live', 'on'],
          ['record', 'off'],
          ...pushes.map(({ parameters }) => ['push', ...parameters]),
        ]);
        expect(tree.find(({ name }) => name === 'pid')?.args).toEqual([`${odd}/nginx.pid`]);
        // What was read is the file itself, once more by the same rules.
        expect(withoutPlace(parseNginxText(text))).toEqual(withoutPlace(tree));
      },
    );
    await fc.assert(property, { numRuns: 100 });
    // The property says nothing when all is refused.
    expect(checked).toBeGreaterThan(30);
    expect(refused).toBeGreaterThan(30);
  });

  test('names and URLs over the API: refused, or harmless; nothing keeps the next camera out', async (context) => {
    const aggregator = await startNginxAggregator(testScope(context));
    await aggregator.addCamera('cam');
    const samples = fc.sample(hostile, { numRuns: 100, seed: 7 });
    await Promise.all(
      samples.map(async (text) => {
        const named = await aggregator.api('POST', '/registerCamera', { name: text });
        if (named.status === 200) expect(text).toMatch(/^[A-Za-z0-9][A-Za-z0-9._-]*$/);
        else expect(named.status).toBe(400);
        const asked = await aggregator.api('POST', '/getStream', { name: 'cam', se_ip: text });
        if (asked.status !== 200) expect(asked.status).toBe(400);
        const pushed = await aggregator.api('POST', '/v1/cameras/cam/pushes', { url: `rtmp://127.0.0.1/live/${text}` });
        if (pushed.status !== 201 && pushed.status !== 200) expect([400, 409]).toContain(pushed.status);
      }),
    );
    await aggregator.apiOk('POST', '/v1/cameras', { name: 'last' });
    await expect.poll(() => aggregator.conf, { timeout: 30_000 }).toContain('application last {');
    expect(await aggregator.problems()).toEqual([]);
    expect(aggregator.conf).not.toMatch(/^\s*(exec|include)/m);
  });
});
