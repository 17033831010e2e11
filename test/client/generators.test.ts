import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { startTestAggregator } from '../cli/support.js';
import { Scope, testScope } from '../support/scope.js';

/*
 * Clients that others generate of /openapi.json, by the generators that they use. These are installed into a folder of
 * node_modules, once, where pip and the registries can be reached; else they are left out, which is said.
 */

const folder = fileURLToPath(new URL('../../node_modules/.cache/generators', import.meta.url));
const python = join(folder, 'python');
const pythonPackages = [
  'datamodel-code-generator==0.89.0',
  'openapi-python-client==0.29.1',
  'schemathesis==4.32.5',
  'pydantic',
];
const typescriptPackages = ['openapi-typescript@7.13.0', 'typescript@5.9.3'];
const minute = 60_000;
/** `npm run test:generators` takes its time: more examples, and one more generator. */
const isThorough = process.env.MEDIA_AGGREGATOR_GENERATORS === 'all';

/** Runs a program to its end. @throws Error with what it said */
function run(program: string, args: readonly string[], options: { cwd?: string; env?: object } = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, PYTHONPATH: python, PYTHONDONTWRITEBYTECODE: '1', ...options.env };
    execFile(program, args, { ...options, env, timeout: 4 * minute, maxBuffer: 64 << 20 }, (error, stdout, stderr) =>
      error === null ? resolve(stdout) : reject(new Error(`${program} ${args.join(' ')}: ${stdout}\n${stderr}`)),
    );
  });
}

/** Why something cannot be installed here; undefined: it is there. */
async function install(mark: string, program: string, args: readonly string[]): Promise<string | undefined> {
  const done = join(folder, `${mark}.installed`);
  if (existsSync(done)) return undefined;
  try {
    mkdirSync(folder, { recursive: true });
    await run(program, args, { cwd: folder, env: { PYTHONPATH: '' } });
    writeFileSync(done, args.join('\n'));
    return undefined;
  } catch (error) {
    return String(error).slice(0, 300);
  }
}

const hasPip = (() => {
  try {
    execFileSync('python3', ['-m', 'pip', '--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

let document: string;
let pythonTrouble: string | undefined = hasPip ? undefined : 'there is no pip';
let typescriptTrouble: string | undefined;

beforeAll(async () => {
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--target', python];
  const npm = ['install', '--no-save', '--no-audit', '--no-fund', '--prefix', folder];
  const scope = new Scope();
  [pythonTrouble, typescriptTrouble] = await Promise.all([
    hasPip ? install('python', 'python3', [...pip, ...pythonPackages]) : pythonTrouble,
    install('typescript', 'npm', [...npm, ...typescriptPackages]),
  ]);
  const { apiUrl } = await startTestAggregator(scope);
  document = await (await fetch(`${apiUrl}/openapi.json`)).text();
  await scope.close();
}, 6 * minute);

function put(scope: Scope): string {
  const cwd = scope.temporaryFolder();
  writeFileSync(join(cwd, 'openapi.json'), document);
  return cwd;
}

function* patternsIn(value: unknown): Generator<string> {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, entry] of Object.entries(value)) {
    if (key === 'pattern' && typeof entry === 'string') yield entry;
    else yield* patternsIn(entry);
  }
}

it('patterns are those that all languages read alike: no surrogates, no look-around, no classes of Unicode', () => {
  const patterns = [...new Set(patternsIn(JSON.parse(document)))];
  expect(patterns.length).toBeGreaterThan(3);
  for (const pattern of patterns) expect(pattern).not.toMatch(/\\u|\\p|\(\?[=!<]|\\[bB1-9]/);
});

describe('clients that are generated of the document', () => {
  it(
    'openapi-typescript: its types compile, and know the calls',
    async (context) => {
      if (typescriptTrouble !== undefined)
        return context.skip(`openapi-typescript cannot be installed: ${typescriptTrouble}`);
      const cwd = put(testScope(context));
      const bin = (name: string) => join(folder, 'node_modules', '.bin', name);
      await run(bin('openapi-typescript'), ['openapi.json', '-o', 'api.d.ts'], { cwd });
      const use = `
      import type { components, paths } from './api.js';
      type Batch = NonNullable<paths['/v1/cameras:batch']['post']['requestBody']>['content']['application/json'];
      export const batch: Batch = { mode: 'each', changes: [{ operation: 'removeCamera', camera: 'gate-1' }] };
      export const name: components['schemas']['Camera']['name'] = 'gate-1';
      // @ts-expect-error a camera has no such field
      export const wrong: components['schemas']['NewCamera'] = { name: 'a', colour: 'red' };
    `;
      writeFileSync(join(cwd, 'use.ts'), use);
      const flags = ['--noEmit', '--strict', '--skipLibCheck', 'false', '--module', 'nodenext', '--target', 'es2022'];
      await run(bin('tsc'), [...flags, 'use.ts', 'api.d.ts'], { cwd });
    },
    5 * minute,
  );

  it(
    'datamodel-code-generator: its models are imported, and check what they are given',
    async (context) => {
      if (pythonTrouble !== undefined)
        return context.skip(`the generators of Python cannot be installed: ${pythonTrouble}`);
      const cwd = put(testScope(context));
      const kind = ['--output-model-type', 'pydantic_v2.BaseModel', '--input-file-type', 'openapi'];
      await run(
        'python3',
        ['-m', 'datamodel_code_generator', '--input', 'openapi.json', '--output', 'models.py', ...kind],
        { cwd },
      );
      const use = `
import models
engine = models.NewEngine(name='paris', host='10.0.0.7', location='Île de France')
assert engine.location is not None
for wrong in ('', 'a\\nb', 'x' * 129):
    try:
        models.NewEngine(name='paris', host='h', location=wrong)
    except ValueError:
        continue
    raise SystemExit('took ' + repr(wrong))
models.Batch(changes=[{'operation': 'addCamera', 'camera': 'a', 'body': {'pushes': [{'engine': 'paris'}]}}])
print('ok')
`;
      expect((await run('python3', ['-c', use], { cwd, env: { PYTHONPATH: `${python}:${cwd}` } })).trim()).toBe('ok');
    },
    5 * minute,
  );

  it.skipIf(!isThorough)(
    'openapi-python-client: its package is imported, and calls the running program',
    async (context) => {
      if (pythonTrouble !== undefined)
        return context.skip(`the generators of Python cannot be installed: ${pythonTrouble}`);
      const scope = testScope(context);
      const cwd = put(scope);
      const { apiUrl } = await startTestAggregator(scope);
      const output = ['--path', 'openapi.json', '--output-path', 'client', '--meta', 'none'];
      await run('python3', ['-m', 'openapi_python_client', 'generate', ...output], { cwd });
      const use = `
from client import Client
from client.api.cameras import add_camera, list_cameras
from client.models import NewCamera
client = Client(base_url='${apiUrl}')
add_camera.sync(client=client, body=NewCamera(name='gate-1', type_='360'))
print([camera.name for camera in list_cameras.sync(client=client).items])
`;
      expect((await run('python3', ['-c', use], { cwd, env: { PYTHONPATH: `${python}:${cwd}` } })).trim()).toBe(
        "['gate-1']",
      );
    },
    5 * minute,
  );

  it(
    'schemathesis finds no answer that the document does not have',
    async (context) => {
      if (pythonTrouble !== undefined) return context.skip(`schemathesis cannot be installed: ${pythonTrouble}`);
      const scope = testScope(context);
      const cwd = put(scope);
      const { apiUrl } = await startTestAggregator(scope, { 'max-cameras': '20' });
      const checks = 'not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance';
      const args = ['-m', 'schemathesis.cli', 'run', 'openapi.json', '--url', apiUrl, '--checks', checks];
      const bounds = [
        '--max-examples',
        isThorough ? '50' : '1',
        '--phases',
        'fuzzing',
        '--request-timeout',
        '20',
        '--seed',
        '1',
      ];
      // What has no end, needs the scope admin, or asks other machines (502 is then no failure of the API) is left out.
      const exclude = ['--exclude-path-regex', '^/(live|v1/events|v1/tokens|v1/targets|v1/discovery)'];
      const output = await run('python3', [...args, ...bounds, ...exclude], { cwd });
      expect(output).toMatch(/passed/i);
    },
    5 * minute,
  );
});
