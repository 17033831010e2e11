import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Logger, silentLogger } from '../../src/log/log.js';
import { Scope, testScope } from '../support/scope.js';
import { waitFor } from '../support/wait.js';
import { cli, startTestAggregator, type TestAggregator } from './support.js';

/*
 * One rule, many doors: what the API refuses is refused when it is written into state.json by hand, restored from a
 * backup or imported, by the same code, with the line and what would be right; and nothing changes.
 */

interface PushEntry {
  url?: string;
  engine?: string;
  enabled?: unknown;
  queueMaxBytes?: unknown;
  queueMaxAgeMs?: unknown;
  further?: unknown;
}

interface Document {
  version: 1;
  cameras: Record<string, { type?: string; keys?: unknown; pushes: Record<string, PushEntry> }>;
  engines: Record<string, { host: string; pushUrl?: string; playbackUrl?: string; location?: string }>;
}

const base = (): Document => ({
  version: 1,
  cameras: {
    a: { pushes: { p: { url: 'rtmp://e.example:1935/other/a' }, q: { engine: 'e' } } },
    b: { pushes: { r: { url: 'rtmp://h.example/live/key' } } },
    c: { type: 'one', pushes: { t: { engine: 'f' }, u: { url: 'rtmp://f.example/two/c' } } },
  },
  engines: {
    e: { host: 'e.example', pushUrl: 'rtmp://{host}/live/{name}' },
    f: { host: 'f.example', pushUrl: 'rtmp://{host}/{type}/{name}' },
  },
});

const limits = { 'max-cameras': '3', 'max-engines': '2', 'max-pushes-per-camera': '2', 'push-deny': 'denied.example' };

interface Row {
  readonly rule: string;
  readonly code: string;
  readonly reason: RegExp;
  /** Undefined: the API has no way to say it. */
  readonly api?: readonly [method: string, path: string, body?: object];
  readonly edit: (document: Document) => void;
  /** What stands in the line that is named. */
  readonly line: string;
  /** The same as a configuration of nginx-rtmp. */
  readonly nginx?: string;
}

const push = (entry: PushEntry) => (document: Document) => {
  document.cameras.b!.pushes.s = entry;
};
const onB = (entry: PushEntry): [string, string, object] => ['POST', '/v1/cameras/b/pushes', { id: 's', ...entry }];
const pushRow = (rule: string, code: string, reason: RegExp, entry: PushEntry, line: string, nginx?: string): Row => ({
  ...{ rule, code, reason, line },
  api: onB(entry),
  edit: push(entry),
  ...(nginx === undefined ? {} : { nginx }),
});
const engineRow = (
  rule: string,
  code: string,
  reason: RegExp,
  change: Partial<Document['engines'][string]>,
  line: string,
): Row => ({
  ...{ rule, code, reason, line },
  api: ['PATCH', '/v1/engines/e', change],
  edit: (document) => Object.assign(document.engines.e!, change),
});
const application = (name: string, ...pushes: string[]): string =>
  `rtmp { server { application ${name} { live on; ${pushes.map((url) => `push ${url};`).join(' ')} } } }`;

const rows: Row[] = [
  {
    rule: 'a name of a camera',
    code: 'INVALID_NAME',
    reason: /a name begins with a letter or digit|must match \^\[A-Za-z0-9\]/,
    api: ['POST', '/v1/cameras', { name: 'a b' }],
    edit: (document) => {
      document.cameras = { 'a b': { pushes: {} } };
    },
    line: '"a b"',
  },
  {
    rule: 'the type of a camera',
    code: 'INVALID_REQUEST',
    reason: /type: "a b" must match/,
    api: ['PATCH', '/v1/cameras/b', { type: 'a b' }],
    edit: (document) => {
      document.cameras.b!.type = 'a b';
    },
    line: '"type": "a b"',
  },
  {
    rule: 'the id of a push',
    code: 'INVALID_NAME',
    reason: /a name begins|must match/,
    api: ['POST', '/v1/cameras/b/pushes', { id: 's t', url: 'rtmp://h2.example/live/x' }],
    edit: (document) => {
      document.cameras.b!.pushes['s t'] = { url: 'rtmp://h2.example/live/x' };
    },
    line: '"s t"',
  },
  pushRow('a push without target', 'INVALID_REQUEST', /exactly one of "url" and "engine"; neither/, {}, '"s"'),
  pushRow(
    'a push with two targets',
    'INVALID_REQUEST',
    /exactly one of "url" and "engine"; both/,
    { url: 'rtmp://h2.example/live/x', engine: 'e' },
    'rtmp://h2.example/live/x',
  ),
  pushRow('a URL of a push', 'INVALID_ADDRESS', /another scheme/, { url: 'http://h2.example/live/x' }, 'http://h2'),
  pushRow('a URL with a bad port', 'INVALID_ADDRESS', /1 to 65535/, { url: 'rtmp://h2.example:0/live/x' }, 'h2'),
  pushRow(
    'the length of a URL',
    'INVALID_ADDRESS',
    /at most 4096 characters/,
    { url: `rtmp://h2.example/live/${'x'.repeat(5000)}` },
    'h2.example',
  ),
  pushRow(
    'a URL as answers mask it',
    'INVALID_ADDRESS',
    /give the whole of it/,
    { url: 'rtmp://h2.example/live/se***' },
    'se***',
  ),
  pushRow('an engine that is none', 'ENGINE_NOT_FOUND', /no (streaming )?engine "g"/, { engine: 'g' }, '"engine": "g"'),
  pushRow('the name of an engine', 'INVALID_NAME', /must match/, { engine: 'g h' }, '"engine": "g h"'),
  pushRow(
    'one push for each target',
    'PUSH_CONFLICT',
    /same target|goes to this target/,
    { url: 'rtmp://H.EXAMPLE:1935/live/key' },
    '"s"',
  ),
  pushRow(
    'where pushes may not go',
    'TARGET_FORBIDDEN',
    /push-deny has denied\.example/,
    { url: 'rtmp://denied.example/live/x' },
    'denied.example',
    application('b', 'rtmp://denied.example/live/x'),
  ),
  pushRow('where no machine is', 'TARGET_FORBIDDEN', /multicast/, { url: 'rtmp://224.0.0.1/live/x' }, '224.0.0.1'),
  pushRow(
    'a budget',
    'INVALID_REQUEST',
    />= 65536/,
    { url: 'rtmp://h2.example/l/x', queueMaxBytes: 1 },
    'queueMaxBytes',
  ),
  pushRow(
    'the type of a value',
    'INVALID_REQUEST',
    /must be an? (integer|number)/,
    { url: 'rtmp://h2.example/l/x', queueMaxAgeMs: '5s' },
    'queueMaxAgeMs',
  ),
  pushRow('a flag', 'INVALID_REQUEST', /must be a boolean/, { url: 'rtmp://h2.example/l/x', enabled: 1 }, 'enabled'),
  pushRow('an unknown key', 'INVALID_REQUEST', /unknown key/, { url: 'rtmp://h2.example/l/x', further: 1 }, 'further'),
  {
    rule: 'max-pushes-per-camera',
    code: 'LIMIT_REACHED',
    reason: /there would be 3 pushes of camera "a", and 2 is the limit; .* max-pushes-per-camera/,
    api: ['POST', '/v1/cameras/a/pushes', { id: 's', url: 'rtmp://h2.example/live/x' }],
    edit: (document) => {
      document.cameras.a!.pushes.s = { url: 'rtmp://h2.example/live/x' };
    },
    line: '"pushes"',
    nginx: application('a', 'rtmp://h2.example/live/x'),
  },
  {
    rule: 'max-cameras',
    code: 'LIMIT_REACHED',
    reason: /there would be 4 cameras, and 3 is the limit; .* max-cameras/,
    api: ['POST', '/v1/cameras', { name: 'd' }],
    edit: (document) => {
      document.cameras.d = { pushes: {} };
    },
    line: '"cameras"',
    nginx: application('d'),
  },
  {
    rule: 'max-engines',
    code: 'LIMIT_REACHED',
    reason: /there would be 3 engines, and 2 is the limit; .* max-engines/,
    api: ['POST', '/v1/engines', { name: 'g', host: 'g.example' }],
    edit: (document) => {
      document.engines.g = { host: 'g.example' };
    },
    line: '"engines"',
  },
  engineRow('the host of an engine', 'INVALID_ADDRESS', /not a host name or an IP/, { host: 'a b' }, '"host": "a b"'),
  engineRow(
    'a placeholder of a template',
    'INVALID_ADDRESS',
    /unknown placeholder \{hots\}/,
    { pushUrl: 'rtmp://{hots}/live/{name}' },
    '{hots}',
  ),
  engineRow(
    'a template of no RTMP URL',
    'INVALID_ADDRESS',
    /no RTMP URL/,
    { pushUrl: 'http://{host}/{name}' },
    'http:',
  ),
  engineRow(
    'a template as answers mask it',
    'INVALID_ADDRESS',
    /give the whole of it/,
    { pushUrl: 'rtmp://u:***@{host}/live/{name}' },
    'u:***',
  ),
  engineRow('a playback template', 'INVALID_ADDRESS', /no http, https/, { playbackUrl: 'ftp://{host}/' }, 'ftp:'),
  engineRow('a location', 'INVALID_REQUEST', /must match/, { location: 'a\u0000b' }, '"location"'),
  engineRow(
    'an engine where pushes may not go',
    'TARGET_FORBIDDEN',
    /push-deny has denied\.example/,
    { host: 'denied.example' },
    '"pushUrl"',
  ),
  engineRow(
    'a template that leads to the target of another push',
    'ENGINE_CONFLICT',
    /would go to the same target/,
    { pushUrl: 'rtmp://{host}/other/{name}' },
    '"q"',
  ),
  {
    rule: 'a type that leads to the target of another push',
    code: 'CAMERA_CONFLICT',
    reason: /would go to the same target/,
    api: ['PATCH', '/v1/cameras/c', { type: 'two' }],
    edit: (document) => {
      document.cameras.c!.type = 'two';
    },
    line: '"u"',
  },
  {
    rule: 'a type that a template needs',
    code: 'INVALID_ADDRESS',
    reason: /needs \{type\}/,
    api: ['PATCH', '/v1/cameras/c', { type: null }],
    edit: (document) => {
      delete document.cameras.c!.type;
    },
    line: '"engine": "f"',
  },
  {
    rule: 'two keys that are the same',
    code: 'INVALID_REQUEST',
    reason: /same key as keys\.0/,
    edit: (document) => {
      document.cameras.b!.keys = [{ id: 'k1' }, { id: 'k1', until: '2030-01-01T00:00:00Z' }];
    },
    line: '{',
  },
  {
    rule: 'a tag of a key that is made',
    code: 'INVALID_REQUEST',
    reason: /"tag" stands with the id "given"/,
    edit: (document) => {
      document.cameras.b!.keys = [{ id: 'k1', tag: 'a'.repeat(64) }];
    },
    line: '{',
  },
  {
    rule: 'how many keys there are',
    code: 'INVALID_REQUEST',
    reason: /8 items/,
    edit: (document) => {
      document.cameras.b!.keys = Array.from({ length: 9 }, (_, index) => ({ id: `k${index}` }));
    },
    line: '"keys"',
  },
];

const textOf = (edit: (document: Document) => void): string => {
  const document = base();
  edit(document);
  return JSON.stringify(document, null, 2);
};

/** The numbers of all lines that hold a text. */
const linesWith = (text: string, part: string): number[] =>
  text.split('\n').flatMap((line, index) => (line.includes(part) ? [index + 1] : []));

describe('one rule at every door', () => {
  const scope = new Scope();
  let node: TestAggregator;
  let file = '';
  /** What is in force, as the API tells it. */
  const running = async (): Promise<string> => {
    const lists = ['cameras', 'engines'].map(async (part) => (await fetch(`${node.apiUrl}/v1/${part}`)).json());
    const declared = ['items', 'name', 'type', 'pushes', 'id', 'url', 'engine', 'enabled', 'host', 'pushUrl'];
    return JSON.stringify(await Promise.all(lists), declared, 1);
  };
  const problems = async (): Promise<{ code: string; message: string }[]> => {
    const { problems: found } = (await (await fetch(`${node.apiUrl}/v1/config`)).json()) as {
      problems: { code: string; message: string }[];
    };
    return found.filter(({ code }) => code.startsWith('STATE') || code === 'LIMIT_REACHED');
  };
  const good = JSON.stringify(base(), null, 2);
  const putGood = async (): Promise<void> => {
    writeFileSync(file, good);
    await waitFor(async () => (await problems()).length === 0, { what: 'the good file to count' });
  };

  beforeAll(async () => {
    node = await startTestAggregator(scope, limits);
    file = join(node.dataDir, 'state.json');
    writeFileSync(file, good);
    await waitFor(async () => (await running()).includes('"c"'), { what: 'the state of the test' });
  });
  afterAll(() => scope.close());

  test.each(rows)('$rule: $code', async ({ code, reason, api, edit, line, nginx }) => {
    await putGood();
    const before = await running();
    if (api !== undefined) {
      const [method, path, body] = api;
      const answer = await fetch(node.apiUrl + path, {
        method,
        ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      });
      expect(await answer.json()).toMatchObject({ code, detail: expect.stringMatching(reason) });
    }

    // By hand.
    const text = textOf(edit);
    writeFileSync(file, text);
    const problem = await waitFor(async () => (await problems())[0], { what: 'the refusal' });
    const stateCode = code === 'LIMIT_REACHED' ? code : 'STATE_INVALID';
    const said = code === 'INVALID_REQUEST' ? '' : `(${code})`;
    expect(problem).toMatchObject({ code: stateCode, message: expect.stringMatching(reason) });
    expect(problem.message).toContain(said);
    const number = Number(/stays: line (\d+): /.exec(problem.message ?? '')?.[1]);
    expect(linesWith(text, line), problem.message).toContain(number);
    expect(await running()).toBe(before);
    await putGood();

    // From a backup, into a folder that has what this one has.
    const folder = scope.temporaryFolder();
    const backup = join(folder, 'backup.json');
    writeFileSync(join(folder, 'state.json'), good);
    writeFileSync(backup, text);
    const env = Object.fromEntries(
      Object.entries(limits).map(([key, value]) => [
        `MEDIA_AGGREGATOR_${key.toUpperCase().replaceAll('-', '_')}`,
        value,
      ]),
    );
    const restored = await cli(['restore', backup, '--data-dir', folder], { env });
    expect(restored).toMatchObject({ code: 1, err: expect.stringMatching(reason) });
    expect(restored.err).toContain(`${stateCode}: ${backup}: line ${number}: `);
    expect(restored.err).toContain(said);
    expect(readFileSync(join(folder, 'state.json'), 'utf8')).toBe(good);

    // From the configuration of nginx-rtmp.
    if (nginx === undefined) return;
    const conf = join(folder, 'nginx.conf');
    writeFileSync(conf, nginx);
    const imported = await cli(['import', conf, '--api', node.apiUrl]);
    expect(imported.code).toBe(1);
    expect(imported.out + imported.err).toMatch(reason);
    expect(imported.out + imported.err).toContain(code);
    expect(await running()).toBe(before);
  });
});

describe('a state that breaks rules which a start does not ask for', () => {
  test('is in force, is said in the log, may be left as it is, and gets no worse', async (context) => {
    const scope = testScope(context);
    const old = {
      version: 1,
      cameras: {
        a: { pushes: { p: { url: 'rtmp://h.example/live/key' }, q: { url: 'rtmp://H.example:1935/live/key' } } },
        b: { keys: [{ id: 'k1' }, { id: 'k1' }], pushes: { r: { url: 'rtmp://h.example/live/se***' } } },
        c: { pushes: { s: { url: 'rtmp://denied.example/live/x' } } },
        d: {},
      },
      engines: { e: { host: 'h.example', pushUrl: 'rtmp://u:***@{host}/live/{name}' } },
    };
    const lines: string[] = [];
    const note = (message: string, fields: object = {}): void =>
      void lines.push(`${message} ${JSON.stringify(fields)}`);
    const log: Logger = { ...silentLogger, warn: note, error: note, child: () => log };
    const node = await startTestAggregator(scope, limits, {
      prepare: (folder) => writeFileSync(join(folder, 'state.json'), JSON.stringify(old)),
      log,
    });
    const logged = lines.join('\n');
    for (const said of ['go to the same target', 'keys.1', 'b.pushes.r.url', 'engines.e.pushUrl', 'max-cameras: 3']) {
      expect(logged).toContain(said);
    }
    expect(logged).not.toContain('live/key');
    const names = async () =>
      JSON.stringify(await (await fetch(`${node.apiUrl}/v1/cameras`)).json(), ['items', 'name']);
    expect(await names()).toBe(JSON.stringify({ items: ['a', 'b', 'c', 'd'].map((name) => ({ name })) }));

    // What is wrong already keeps nobody from changing something else, by hand and through the API.
    const file = join(node.dataDir, 'state.json');
    const edited = { ...old, cameras: { ...old.cameras, d: { type: 'new' } } };
    writeFileSync(file, JSON.stringify(edited));
    const typeOfD = async () => ((await (await fetch(`${node.apiUrl}/v1/cameras/d`)).json()) as { type: string }).type;
    await waitFor(async () => (await typeOfD()) === 'new', { what: 'the edit' });
    const changed = await fetch(`${node.apiUrl}/v1/cameras/a/pushes/p`, {
      method: 'PATCH',
      body: '{"enabled":false}',
      headers: { 'content-type': 'application/json' },
    });
    expect(changed.status).toBe(200);
    const worse = { ...edited, cameras: { ...edited.cameras, e: {} } };
    writeFileSync(file, JSON.stringify(worse));
    const said = async () => JSON.stringify(await (await fetch(`${node.apiUrl}/v1/config`)).json());
    await waitFor(async () => (await said()).includes('there would be 5 cameras, and 3 is the limit'), { what: 'no' });
    expect(await names()).not.toContain('"e"');
  });
});
