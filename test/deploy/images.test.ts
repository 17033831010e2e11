import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { cli, startTestAggregator } from '../cli/support.js';
import { run } from '../support/process.js';
import { testScope } from '../support/scope.js';

// What scripts/image.sh tries for real is looked at here instruction by instruction, for machines where it cannot work.

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

interface Instruction {
  readonly name: string;
  readonly text: string;
}

/** Dockerfile instructions, with their lines joined. */
function instructionsOf(path: string): Instruction[] {
  const lines = read(path)
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .join('\n')
    .replace(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line.trim() !== '');
  return lines.map((line) => {
    const [, name = '', text = ''] = /^([A-Z]+) (.*)$/.exec(line) ?? [];
    return { name, text };
  });
}

/** The last stage: what ends up in the image. */
function lastStage(path: string): Instruction[] {
  const all = instructionsOf(path);
  return all.slice(all.findLastIndex(({ name }) => name === 'FROM'));
}

function textsOf(instructions: readonly Instruction[], name: string): string[] {
  return instructions.filter((each) => each.name === name).map(({ text }) => text);
}

/** Sources of COPY from the build's context. */
function copied(path: string): string[] {
  return textsOf(instructionsOf(path), 'COPY')
    .filter((text) => !text.startsWith('--from'))
    .flatMap((text) => text.split(' ').slice(0, -1));
}

const aggregator = 'deploy/Dockerfile';
const engine = 'deploy/engine/Dockerfile';

describe('the images', () => {
  test.each([aggregator, engine])('%s: one base image for all stages, which can be replaced', (path) => {
    const all = instructionsOf(path);
    expect(all.filter(({ name }) => name === '')).toEqual([]);
    expect(all[0]).toEqual({ name: 'ARG', text: 'BASE=node:24-bookworm-slim' });
    const from = textsOf(all, 'FROM');
    expect(from.length).toBeGreaterThanOrEqual(2);
    // biome reads this as a slip; it is how a Dockerfile writes an argument.
    expect(from.every((text) => text.startsWith(['$', '{BASE}'].join('')))).toBe(true);
  });

  test('the aggregator: an ordinary user, both ports, a volume, a health check, tini', () => {
    const stage = lastStage(aggregator);
    expect(textsOf(stage, 'USER')).toEqual(['aggregator']);
    expect(textsOf(stage, 'EXPOSE')).toEqual(['1935 5000']);
    expect(textsOf(stage, 'VOLUME')).toEqual(['/var/lib/media-aggregator']);
    expect(textsOf(stage, 'ENV').join()).toContain('MEDIA_AGGREGATOR_DATA_DIR=/var/lib/media-aggregator');
    expect(textsOf(stage, 'ENTRYPOINT')).toEqual(['["tini", "--", "media-aggregator"]']);
    expect(textsOf(stage, 'CMD')).toEqual(['["serve"]']);
    const runs = textsOf(stage, 'RUN').join('\n');
    for (const name of ['ffmpeg', 'nginx', 'libnginx-mod-rtmp', 'tini', 'iproute2']) expect(runs).toContain(name);
    const [health = ''] = textsOf(stage, 'HEALTHCHECK');
    expect(health).toMatch(/CMD \["node", "\/opt\/media-aggregator\/deploy\/healthcheck.mjs"\]$/);
  });

  test('everything that is copied is there, and is let through by .dockerignore', () => {
    const sources = copied(aggregator);
    expect(sources).toContain('src');
    const [first, ...allowed] = read('.dockerignore')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    expect(first).toBe('*');
    for (const source of sources) {
      expect(existsSync(join(root, source)), source).toBe(true);
      expect(allowed).toContain(`!${source}`);
    }
    expect(allowed).toHaveLength(sources.length);
    for (const source of copied(engine)) expect(existsSync(join(root, 'deploy/engine', source)), source).toBe(true);
  });

  test('the image has what the npm package has', () => {
    const { files } = JSON.parse(read('package.json')) as { files: string[] };
    const inImage = textsOf(lastStage(aggregator), 'COPY').flatMap((text) => text.split(' '));
    for (const file of files) expect(inImage, file).toContain(file === 'dist' ? '/src/dist' : file);
    expect(files).toContain('samples');
    expect(files).toContain('examples');
  });

  test('the player of the engine has a version and a checksum', () => {
    const lock = JSON.parse(read('deploy/engine/package-lock.json')) as {
      packages: Record<string, { integrity?: string }>;
    };
    expect(Object.keys(lock.packages)).toEqual(['', 'node_modules/hls.js']);
    expect(lock.packages['node_modules/hls.js']?.integrity).toMatch(/^sha512-/);
  });

  test('the page loads nothing from elsewhere', () => {
    for (const file of ['index.html', 'player.js', 'nginx.conf']) {
      expect(read(`deploy/engine/${file}`), file).not.toMatch(/(https?:)?\/\/[a-z]+\.[a-z]/);
    }
  });
});

describe('healthcheck.mjs', () => {
  const health = (dataDir: string) =>
    run(process.execPath, [join(root, 'deploy/healthcheck.mjs')], { env: { MEDIA_AGGREGATOR_DATA_DIR: dataDir } });

  test('0 while the aggregator is ready, 1 before and after', async (context) => {
    const scope = testScope(context);
    const { dataDir, stop } = await startTestAggregator(scope);
    expect(await health(dataDir)).toMatchObject({ code: 0, stdout: 'ready\n' });
    // As a full disk leaves it.
    rmSync(join(dataDir, 'runtime.json'));
    expect(await health(dataDir)).toMatchObject({ code: 0, stdout: 'ready\n' });
    await stop();
    expect(await health(dataDir)).toMatchObject({ code: 1, stdout: expect.stringContaining('not ready: ') });
  });
});

interface Service {
  readonly image: string;
  readonly build?: { context: string; dockerfile?: string };
  readonly ports?: string[];
  readonly volumes?: string[];
  readonly command?: string[];
  readonly environment?: Record<string, string>;
  readonly depends_on?: Record<string, { condition: string }>;
  readonly profiles?: string[];
}

describe('compose.yaml', () => {
  const compose = parse(read('deploy/compose.yaml')) as { services: Record<string, Service>; volumes: object };
  const { services } = compose;

  test('services and volumes that are named are there', () => {
    const built = Object.values(services).flatMap(({ image, build }) => (build === undefined ? [] : [image]));
    for (const [name, service] of Object.entries(services)) {
      expect(built, name).toContain(service.image);
      for (const other of Object.keys(service.depends_on ?? {})) expect(Object.keys(services)).toContain(other);
      if (service.build !== undefined) {
        const { context, dockerfile = 'Dockerfile' } = service.build;
        expect(existsSync(join(root, 'deploy', context, dockerfile)), name).toBe(true);
      }
    }
    expect(services.aggregator?.volumes).toEqual(['state:/var/lib/media-aggregator']);
    expect(compose.volumes).toHaveProperty('state');
    expect(services.aggregator?.ports?.slice(0, 2)).toEqual(['1935:1935', '5000:5000']);
    // The SRT port is the one that the aggregator listens on, from the same variable.
    expect(services.aggregator?.ports?.[2]).toMatch(/^(\$\{SRT_PORT:-\d+\}):\1\/udp$/);
    expect(services.aggregator?.environment?.MEDIA_AGGREGATOR_SRT_PORT).toContain('SRT_PORT:-');
  });

  test('its variables are settings of the aggregator', async () => {
    const help = (await cli(['serve', '--help'])).out;
    const settings = read('docs/settings.md');
    for (const name of Object.keys(services.aggregator?.environment ?? {}))
      expect(settings, name).toContain(`\`${name}\``);
    expect(help).toContain('MEDIA_AGGREGATOR_');
  });

  test('its commands are commands of the program, and do what they say', async (context) => {
    // The other containers are other machines, which need a token.
    const { apiUrl, dataDir } = await startTestAggregator(testScope(context), { 'api-auth': 'on' });
    const env = { MEDIA_AGGREGATOR_API: apiUrl };
    const fill = (text: string): string =>
      text.replace(/\$\{(\w+):-([^}]*)\}/g, '$2').replace('/var/lib/media-aggregator', dataDir);
    const command = services['register-engine']?.command ?? [];
    expect(await cli(command.map(fill), { env })).toMatchObject({ code: 0, err: '' });
    // Started again, it must not fail.
    expect(await cli(command.map(fill), { env })).toMatchObject({ code: 0, err: '' });
    const script = services['demo-camera']?.command?.[0] ?? '';
    const [assign = '', exported, ...lines] = script.trim().split('\n');
    const tokenFile = /^MEDIA_AGGREGATOR_TOKEN="\$\$\(cat (\S+)\)"$/.exec(assign)?.[1] ?? '';
    expect(exported).toBe('export MEDIA_AGGREGATOR_TOKEN');
    const token = readFileSync(fill(tokenFile), 'utf8').trim();
    const [add, push, publish, ...rest] = lines.map((line) => line.split(' '));
    expect(rest).toEqual([]);
    for (const line of [add, push]) {
      const [program, ...args] = line ?? [];
      expect(program).toBe('media-aggregator');
      const result = await cli(args, { env: { ...env, MEDIA_AGGREGATOR_TOKEN: token } });
      expect(result).toMatchObject({ code: 0, err: '' });
    }
    expect(publish?.slice(0, 3)).toEqual(['exec', 'media-aggregator', 'publish']);
    expect(existsSync(join(root, publish?.[3] ?? ''))).toBe(true);
    const response = await fetch(`${apiUrl}/getStream?name=demo&token=${token}`);
    expect(await response.json()).toMatchObject({ url: 'http://localhost:8080/hls/demo.m3u8' });
  });
});
