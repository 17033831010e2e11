import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { settingsNamed } from '../../src/cli/commands/config.js';
import { readFleet } from '../../src/cli/fleet.js';
import { settingRows } from '../../src/config/index.js';
import { testScope } from '../support/scope.js';
import { cli, startTestAggregator } from './support.js';

const fleet = `
engines:
  paris: { host: 127.0.0.2 }
  rome: { host: 127.0.0.3, location: rome }
cameras:
  gate-1:
    type: 360
    pushes: [paris, "rtmp://127.0.0.9/live/{name}?key=SECRET"]
  gate-2:
    pushes:
      main: { engine: rome, enabled: false }
  gate-10:
`;

test('apply: the whole desired state, shown first, in one commit, pruned only when asked', async (context) => {
  const scope = testScope(context);
  const { apiUrl } = await startTestAggregator(scope, { 'push-allow': '127.0.0.0/8' });
  const env = { MEDIA_AGGREGATOR_API: apiUrl };
  const cwd = scope.temporaryFolder();
  const put = (text: string) => writeFileSync(join(cwd, 'fleet.yaml'), text);
  const apply = (...args: string[]) => cli(['apply', '-f', 'fleet.yaml', ...args], { env, cwd });
  const ask = async (...args: string[]) => JSON.parse((await cli([...args, '--json'], { env })).out);
  put(fleet);
  const dry = await apply('--dry-run');
  expect(dry).toMatchObject({ code: 0, err: '' });
  expect(dry.out).toMatch(
    /^\+ engine paris\n\+ engine rome\n\+ camera gate-1\n\+ push p-\w+ of gate-1 to engine paris\n/,
  );
  expect(dry.out).toMatch(/8 to add, 0 to change, 0 to remove\. Nothing was changed\.\n$/);
  expect(dry.out).not.toContain('SECRET');
  expect(await ask('camera', 'list')).toEqual([]);
  expect((await apply()).out).toMatch(/Applied: 8 added, 0 changed, 0 removed\.\n$/);
  expect((await ask('camera', 'list')).map(({ name }: { name: string }) => name)).toEqual([
    'gate-1',
    'gate-2',
    'gate-10',
  ]);
  expect(await apply()).toEqual({ code: 0, out: 'Nothing to change.\n', err: '' });

  // What others added stays, unless it is to be pruned.
  await cli(['camera', 'add', 'other', '--engine', 'paris'], { env });
  await cli(['push', 'add', 'gate-1', 'rtmp://127.0.0.8/live/extra'], { env });
  const changed = fleet
    .replace('type: 360', 'type: plane')
    .replace('{ engine: rome, enabled: false }', '{ engine: rome, queueMaxAgeMs: 500 }')
    .replace('  paris: { host: 127.0.0.2 }\n', '')
    .replace('paris, ', '');
  put(changed);
  const kept = await apply();
  expect(kept.out).toMatch(
    /^~ camera gate-1 \(type: "360" -> "plane"\)\n~ push main of gate-2 to engine rome \(.*enabled: false -> none.*\)\nApplied: 0 added, 2 changed/,
  );
  expect(await ask('push', 'list', 'gate-1')).toHaveLength(3);
  const pruned = await apply('--prune');
  expect(pruned.code).toBe(0);
  expect(pruned.out).toMatch(/- push p-\w+ of gate-1\n/);
  expect(pruned.out).toMatch(/- camera other\n- engine paris\nApplied: 0 added, 0 changed, 4 removed\.\n$/);
  expect(await ask('push', 'list', 'gate-1')).toHaveLength(1);
  expect(await ask('engine', 'list')).toHaveLength(1);

  // One that cannot be made keeps all of it from being made, and is told with its place.
  put('cameras: { a: {}, b: { pushes: [nobody] }, c: { colour: red } }');
  expect(await apply()).toMatchObject({ code: 1, out: '', err: expect.stringContaining('ENGINE_NOT_FOUND') });
  expect(await ask('camera', 'list')).toHaveLength(3);
  // From standard input, as JSON.
  const piped = await cli(['apply', '-f', '-'], { env, input: '{"cameras": ["a"]}' });
  expect(piped.out).toBe('+ camera a\nApplied: 1 added, 0 changed, 0 removed.\n');
}, 60_000);

test.each([
  ['- a', 'it must have "cameras" and "engines"'],
  ['camera: {}', 'did you mean "cameras"?'],
  ['cameras: 7', 'must be entries by name'],
  ['cameras: [a, a]', 'has "a" twice'],
  ['cameras: [{ type: x }]', 'without a name'],
  ['cameras: { a: b }', 'cameras.a must have keys'],
  ['cameras: { a: { pushes: 7 } }', 'cameras.a.pushes'],
  ['cameras: { a: { pushes: [7] } }', 'no push'],
  ['cameras: { a: {}, a: {} }', 'Map keys must be unique'],
  ['cameras: { a: [', 'fleet.yaml: '],
  [
    `a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\ncameras: [*c,*c,*c]`,
    'fleet.yaml: ',
  ],
])('a fleet file like %j is refused', (text, hint) => {
  expect(() => readFleet('fleet.yaml', text)).toThrow(hint);
});

test('config: every setting is found by each of its names', async (context) => {
  for (const { key, flag, environment } of settingRows) {
    for (const name of [key, flag, ...environment, key.replace(/-(\w)/g, (_, sign) => sign.toUpperCase())]) {
      expect([name, settingsNamed(name).map(({ row }) => row.key)]).toEqual([name, [key]]);
    }
  }
  expect(settingsNamed('media.queueMaxBytes').map(({ row }) => row.key)).toEqual(['queue-max-bytes']);
  expect(settingsNamed('queue').length).toBeGreaterThan(1);
  expect(settingsNamed('queue-*').length).toBeGreaterThan(1);
  const { apiUrl } = await startTestAggregator(testScope(context));
  const run = (...args: string[]) => cli(['config', ...args, '--api', apiUrl]);
  expect((await run('MEDIA_AGGREGATOR_HOST')).out).toMatch(/^SETTING .*\nhost +127\.0\.0\.1 +flag --host /);
  expect(JSON.parse((await run('--json')).out)).toHaveLength(settingRows.length);
  expect(await run('rtmp-prot')).toMatchObject({ code: 2, err: expect.stringContaining('did you mean rtmp-port') });
});
