import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nginxRtmpModule } from '../../scripts/peers.mjs';
import { NginxLexer } from '../../src/nginx-conf/lexer.js';
import { type Aggregator, programPath, startAggregator } from '../support/aggregator.js';
import { decodeCleanly, makeClip, publish } from '../support/ffmpeg.js';
import { settled } from '../support/flv-file.js';
import { startNginxRtmp } from '../support/nginx-rtmp.js';
import { testWith } from '../support/peers.js';
import { freePort } from '../support/ports.js';
import { run } from '../support/process.js';
import { testScope } from '../support/scope.js';

const fixtures = fileURLToPath(new URL('../import/fixtures', import.meta.url));

/** Apart, so that what nginx calls a variable is not taken for a slip in a template. */
const dollar = '$';

/** The example of the original documentation, with targets that are addresses of this machine. */
const seed = readFileSync(join(fixtures, 'seed.conf'), 'utf8').replace(/(\d)\.\d\.\d\.\d:1935/g, '127.$1.$1.$1:1');

function importFile(file: string, ...args: string[]) {
  return run(process.execPath, [programPath, 'import', file, ...args]);
}

async function cameras(aggregator: Aggregator): Promise<unknown> {
  return aggregator.apiOk('GET', '/v1/cameras');
}

describe('import into a running aggregator', () => {
  test('the example of the original documentation, twice: the second time changes nothing', async (context) => {
    const scope = testScope(context);
    const aggregator = await startAggregator(scope);
    const file = join(scope.temporaryFolder(), 'nginx.conf');
    writeFileSync(file, seed);

    const dry = await importFile(file, '--dry-run', '--api', 'http://127.0.0.1:1');
    expect(dry.code, dry.stderr).toBe(0);
    expect(dry.stdout).toContain('2 cameras and 3 pushes would be taken; nothing was changed. 0 lines left out');
    expect(await cameras(aggregator)).toMatchObject({ items: [] });

    const first = await importFile(file, '--api', aggregator.apiUrl);
    expect(first.code, first.stderr).toBe(0);
    expect(first.stdout).toMatch(
      /nginx\.conf:10 +taken +push rtmp:\/\/127\.1\.1\.1:1\/live\/example1: .* -> made \(p-[0-9a-f]{8}\)/,
    );
    expect(first.stdout).toContain('2 cameras and 3 pushes taken: 5 made, 0 there already, 0 failed.');
    const after = await cameras(aggregator);
    expect(after).toMatchObject({
      items: [
        { name: 'example1', pushes: [{ state: 'idle' }, { state: 'idle' }] },
        { name: 'example2', pushes: [{ url: 'rtmp://127.3.3.3:1/live/example2', enabled: true }] },
      ],
    });

    const second = await importFile(file, '--json', '--api', aggregator.apiUrl);
    expect(second.code, second.stderr).toBe(0);
    const report = JSON.parse(second.stdout);
    expect(report.summary).toEqual({ cameras: 2, pushes: 3, covered: 8, leftOut: 0, made: 0, there: 5, failed: 0 });
    expect(report.lines.filter((line: { outcome: string }) => line.outcome === 'taken')).toMatchObject([
      { line: 6, result: { kind: 'there' } },
      { line: 10, result: { kind: 'there', id: expect.stringMatching(/^p-/) } },
      { line: 11, result: { kind: 'there' } },
      { line: 14, result: { kind: 'there' } },
      { line: 18, result: { kind: 'there' } },
    ]);
    expect(await cameras(aggregator)).toEqual(after);
  });

  test('cameras that are there with a type and other pushes keep them', async (context) => {
    const scope = testScope(context);
    const aggregator = await startAggregator(scope);
    await aggregator.apiOk('POST', '/v1/cameras', { name: 'example1', type: '360' });
    await aggregator.addPush('example1', 'rtmp://127.0.0.1:1/mine/example1', 'mine');
    const file = join(scope.temporaryFolder(), 'nginx.conf');
    writeFileSync(file, seed);
    const { code, stdout } = await importFile(file, '--api', aggregator.apiUrl);
    expect(code, stdout).toBe(0);
    expect(stdout).toContain('4 made, 1 there already, 0 failed');
    const camera = (await aggregator.apiOk('GET', '/v1/cameras/example1')) as {
      type: string;
      pushes: { id: string }[];
    };
    expect(camera.type).toBe('360');
    expect(camera.pushes.map(({ id }) => id)).toContain('mine');
    expect(camera.pushes).toHaveLength(3);
  });

  test('what the aggregator refuses is named with its line, the rest is done, exit code 1', async (context) => {
    const scope = testScope(context);
    const aggregator = await startAggregator(scope, { flags: ['--max-pushes-per-camera', '1', '--max-cameras', '1'] });
    const file = join(scope.temporaryFolder(), 'nginx.conf');
    writeFileSync(file, seed);
    const { code, stdout } = await importFile(file, '--api', aggregator.apiUrl);
    expect(code).toBe(1);
    expect(stdout).toMatch(/nginx\.conf:10 .* -> made/);
    expect(stdout).toMatch(/nginx\.conf:11 .* -> failed: LIMIT_REACHED: /);
    expect(stdout).toMatch(/nginx\.conf:14 .* -> failed: LIMIT_REACHED: /);
    expect(stdout).toMatch(/nginx\.conf:18 .* -> failed: LIMIT_REACHED: camera example2 could not be registered/);
    expect(stdout).toContain('2 made, 0 there already, 3 failed');
  });

  test('a broken file changes nothing; nobody there; a wrong command line', async (context) => {
    const scope = testScope(context);
    const aggregator = await startAggregator(scope);
    const file = join(scope.temporaryFolder(), 'nginx.conf');
    writeFileSync(file, seed.slice(0, -2));
    const broken = await importFile(file, '--api', aggregator.apiUrl);
    expect(broken.code).toBe(1);
    expect(broken.stderr).toMatch(
      /^error: IMPORT_INVALID: .*nginx\.conf:1 opens a block of "rtmp" that is never closed/,
    );
    expect(await cameras(aggregator)).toMatchObject({ items: [] });
    expect((await importFile(`${file}.not`, '--api', aggregator.apiUrl)).stderr).toContain('IMPORT_UNREADABLE');
    writeFileSync(file, seed);
    expect((await importFile(file, '--api', 'http://127.0.0.1:1')).code).toBe(3);
    expect((await importFile(file, '--dry-ran')).code).toBe(2);
    expect((await run(process.execPath, [programPath, 'import'])).code).toBe(2);
  });
});

describe('with real peers', () => {
  const testStream = testWith('ffmpeg', 'nginx-rtmp');
  const testNginx = testWith('nginx-rtmp');

  testStream('an imported camera that publishes arrives at its imported target', async (context) => {
    const scope = testScope(context);
    const [clip, target, aggregator] = await Promise.all([
      makeClip({ seconds: 3 }),
      startNginxRtmp(scope),
      startAggregator(scope),
    ]);
    const file = join(scope.temporaryFolder(), 'nginx.conf');
    writeFileSync(
      file,
      `rtmp { server { listen 1935; application gate { live on; push "rtmp://127.0.0.1:${target.port}/live"; } } }`,
    );
    expect((await importFile(file, '--api', aggregator.apiUrl)).code).toBe(0);
    const publisher = publish(scope, clip, aggregator.url('gate'));
    const recording = await target.recording('gate');
    expect((await publisher.exited).code).toBe(0);
    await settled(recording);
    await decodeCleanly(recording);
  });

  testNginx('the fixtures are configurations that nginx takes', async (context) => {
    const scope = testScope(context);
    const files = readdirSync(fixtures).filter((file) => file.endsWith('.conf') && !file.startsWith('broken-'));
    expect(files.length).toBeGreaterThanOrEqual(12);
    for (const file of files) {
      const folder = scope.temporaryFolder();
      let text = readFileSync(join(fixtures, file), 'utf8').replaceAll('/var/lib/streams', folder);
      // `nginx -t` opens the ports and the logs.
      for (const listen of text.match(/(?<=listen )(\[::\]:|127\.0\.0\.1:)?\d+/g) ?? []) {
        text = text.replace(`listen ${listen}`, `listen 127.0.0.1:${await freePort()}`);
      }
      text = text.replaceAll(' ipv6only=on', '').replaceAll('/var/log/nginx', folder);
      const events = text.includes('events') ? '' : 'events {}\n';
      const main = `load_module ${nginxRtmpModule()};\n${text.includes('\npid ') ? '' : `pid ${folder}/pid;\n`}${events}`;
      writeFileSync(join(folder, 'nginx.conf'), main + text);
      const { code, stderr } = await run('nginx', [
        '-t',
        '-p',
        folder,
        '-e',
        'stderr',
        '-c',
        join(folder, 'nginx.conf'),
      ]);
      expect(code, `${file}: ${stderr}`).toBe(0);
    }
  });

  testNginx('words are read as nginx reads them, hostile ones too', async (context) => {
    const folder = testScope(context).temporaryFolder();
    const file = join(folder, 'nginx.conf');
    // NUL would end the word in nginx's message, and a line feed splits it.
    const parts = fc.constantFrom(
      ...' \t;{}#"\'\\$()abrt*?[]é',
      '\\"',
      "\\'",
      '\\\\',
      '\\t',
      `${dollar}{`,
      '";',
      "';",
      '" ',
    );
    const texts = fc.sample(
      fc.array(parts, { minLength: 1, maxLength: 8 }).map((all) => all.join('')),
      { numRuns: 150, seed: 20 },
    );
    const hostile = [
      '"a\\"b" x;',
      "'a\\'b';",
      'a"b;',
      "a'b;",
      'a#b;',
      '#a\nb;',
      'a\\;b;',
      'a\\ b;',
      `${dollar}{a}{`,
      '"a"b;',
      '"a")b;',
    ];
    let compared = 0;
    for (const text of [...hostile, ...texts]) {
      writeFileSync(file, `${text}\n;events{}`);
      const { stderr } = await run('nginx', ['-t', '-q', '-p', folder, '-e', 'stderr', '-c', file]);
      const unknown = /unknown directive "([\s\S]*)" in [^\n]*\n/.exec(stderr)?.[1];
      expect(readFirst(readFileSync(file, 'utf8')), `${JSON.stringify(text)}: ${stderr}`).toBe(unknown);
      if (unknown !== undefined) compared += 1;
    }
    expect(compared).toBeGreaterThan(50);
  });
});

/** The first directive's name; undefined when the text breaks the grammar before its end. */
function readFirst(text: string): string | undefined {
  try {
    const { end, words } = new NginxLexer(text, 'nginx.conf').next();
    return end === ';' || end === '{' ? words[0] : undefined;
  } catch {
    return undefined;
  }
}
