import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { silentLogger } from '../../src/log/log.js';
import { openFileStore } from '../../src/store/file/file-store.js';
import { ask } from './ask.js';
import { startTestApi } from './harness.js';

/*
 * Odd names, hosts and URLs, by every door: each is taken, or refused with a code and the field, and never anything else.
 * What was taken is there after a restart, as it was given; what was refused left nothing behind, neither in the state nor as
 * a file.
 */

const oddNames = [
  ...[
    '',
    ' ',
    '.',
    '..',
    '-',
    '_x',
    '.x',
    'x.',
    'x..y',
    'x/../../y',
    '../x',
    '/etc/passwd',
    'x/y',
    'x\\y',
    'C:\\x',
    'con',
    'nul',
  ],
  ...['x\0y', 'x\ny', 'x\r\ny: z', 'x\ty', 'x y', ' x', 'x ', 'x\u00a0y', 'x\u2028y', 'x\u200by', '\u202ex', '\ufeffx'],
  ...['käse', 'ka\u0308se', 'Ñ', '日本', 'кamera', '🎥', '\ud800', 'x\udfff', 'ＦＵＬＬ', 'ſ', 'İ', '٣'],
  ...[
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    'prototype',
    'null',
    'undefined',
    'NaN',
    'true',
    '0',
    '1e9',
    '-0',
  ],
  ...[
    'x'.repeat(64),
    'x'.repeat(65),
    'x'.repeat(10_000),
    'ü'.repeat(64),
    '%2e%2e',
    '%00',
    '%',
    '%zz',
    'x?y',
    'x#y',
    'x&y=z',
    '*',
    '$x',
  ],
  ...[
    '$(x)',
    '{name}',
    '`x`',
    "x'y",
    'x"y',
    '<b>',
    ';x',
    'x;rm',
    '|',
    '~',
    '@',
    ':',
    'x:y',
    'http://x',
    'rtmp://x/y',
    '[::1]',
  ],
];

const oddTargets = [
  ...[
    '',
    ' ',
    'x',
    '/',
    '//',
    'rtmp:',
    'rtmp://',
    'rtmp:///x',
    'rtmp://host',
    'rtmp://host/',
    'rtmp://host/app',
    'rtmp://host//',
  ],
  ...[
    'RTMP://HOST/App/Name',
    'rtmp://host/app/name/',
    'rtmp://host/a/b/c/d/e',
    'http://host/x',
    'file:///etc/passwd',
    'rtmpe://h/a/b',
  ],
  ...[
    'rtmp://user@host/a/b',
    'rtmp://user:pass@host/a/b',
    'rtmp://:@host/a/b',
    'rtmp://u:p:q@host/a/b',
    'rtmp://a@b@host/a/b',
  ],
  ...[
    'rtmp://us%40er:p%2Fw@host/a/b',
    'rtmp://%00@host/a/b',
    'rtmp://u\u202e:p@host/a/b',
    'rtmp://@/a/b',
    'rtmp://u:p@/a/b',
  ],
  ...[
    'rtmp://host:0/a/b',
    'rtmp://host:65535/a/b',
    'rtmp://host:65536/a/b',
    'rtmp://host:-1/a/b',
    'rtmp://host:1e3/a/b',
    'rtmp://host:/a/b',
  ],
  ...[
    'rtmp://host:01935/a/b',
    'rtmp://host:19 35/a/b',
    'rtmp://host:١٩٣٥/a/b',
    'rtmp://host:1935:1936/a/b',
    'rtmp://host:99999999999/a/b',
  ],
  ...[
    'rtmp://[::1]/a/b',
    'rtmp://[::1]:1935/a/b',
    'rtmp://[fe80::1%eth0]/a/b',
    'rtmp://[fe80::1%25eth0]:1/a/b',
    'rtmp://[fe80::1%]/a/b',
  ],
  ...[
    'rtmp://[::ffff:1.2.3.4]/a/b',
    'rtmp://[1.2.3.4]/a/b',
    'rtmp://[::1/a/b',
    'rtmp://::1/a/b',
    'rtmp://[::g]/a/b',
    'rtmp://[]/a/b',
  ],
  ...[
    'rtmp://1/a/b',
    'rtmp://127.1/a/b',
    'rtmp://0x7f.1/a/b',
    'rtmp://0177.0.0.1/a/b',
    'rtmp://1.2.3.4./a/b',
    'rtmp://256.1.1.1/a/b',
  ],
  ...[
    'rtmp://2130706433/a/b',
    'rtmp://1.2.3/a/b',
    'rtmp://localhost./a/b',
    'rtmp://.host/a/b',
    'rtmp://ho..st/a/b',
    'rtmp://-host/a/b',
  ],
  ...[
    'rtmp://bücher.example/a/b',
    'rtmp://xn--bcher-kva.example/a/b',
    'rtmp://xn--a/a/b',
    'rtmp://日本.jp/a/b',
    'rtmp://еxample.com/a/b',
  ],
  ...[
    'rtmp://ex\u00adample.com/a/b',
    'rtmp://ex\u200bample.com/a/b',
    'rtmp://ＥＸ.com/a/b',
    'rtmp://ho_st/a/b',
    'rtmp://host%2ecom/a/b',
  ],
  ...[
    `rtmp://${'a'.repeat(63)}.com/a/b`,
    `rtmp://${'a'.repeat(64)}.com/a/b`,
    `rtmp://${'a.'.repeat(140)}com/a/b`,
    `rtmp://host/a/${'k'.repeat(5000)}`,
  ],
  ...[
    'rtmp://host/a/b?x=y&z',
    'rtmp://host/a?x=y/b',
    'rtmp://host/a/b#f',
    'rtmp://host/a/b\n',
    'rtmp://host/a/\0',
    'rtmp://ho\tst/a/b',
  ],
  ...[
    'rtmp://host/a/../b',
    'rtmp://host/%2e%2e/b',
    'rtmp://host/a/%',
    'rtmp://host/a/%zz',
    'rtmp://host/a/käse',
    'rtmp://host/a/🎥',
    'rtmp://host/\ud800/b',
  ],
  ...[
    'rtmp://host\\a\\b',
    'rtmp:\\\\host/a/b',
    'rtmp:/host/a/b',
    ' rtmp://host/a/b',
    'rtmp://host/a/b ',
    'rtmp://host a/b/c',
    'rtmp://{host}/a/b',
  ],
];

/** Accepted, or refused with a code; never an error of ours, nor silence. */
function expectCoded({ status, text }: { status: number; text: string }, what: string): void {
  if (status >= 200 && status < 300) return;
  expect(status, `${what}: ${text}`).toBeGreaterThanOrEqual(400);
  expect(status, `${what}: ${text}`).toBeLessThan(500);
  const { code } = JSON.parse(text) as { code?: unknown };
  expect(code, what).toMatch(/^[A-Z_]+$/);
  expect(code, what).not.toBe('INTERNAL');
  // What was given is quoted, and moves nothing on a terminal.
  expect(text, what).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
}

const show = (value: string): string => JSON.stringify(value).slice(0, 80);

describe('odd values', { timeout: 120_000 }, () => {
  let filesOfFolder: readonly string[];
  beforeAll(async () => {
    const api = await startTestApi();
    filesOfFolder = readdirSync(api.folder);
    await api.close();
  });

  it('by the API are taken and kept, or refused with a code', async () => {
    const limits = { maxCameras: 500, maxEngines: 500, maxPushesPerCamera: 500 };
    const api = await startTestApi(limits);
    onTestFinished(() => api.close());
    const { port } = api.api;
    const post = (path: string, body: unknown, method = 'POST') => ask(port, { method, path, body });
    await post('/v1/cameras', { name: 'gate' });
    let [taken, refused] = [0, 0];
    const note = (answer: Awaited<ReturnType<typeof post>>, what: string): boolean => {
      expectCoded(answer, what);
      if (answer.status < 300) taken++;
      else refused++;
      return answer.status < 300;
    };
    const names = new Set(['gate']);
    for (const name of oddNames) {
      if (note(await post('/v1/cameras', { name }), `camera ${show(name)}`)) names.add(name);
      if (note(await post('/registerCamera', { name, type: '360' }), `registerCamera ${show(name)}`)) names.add(name);
      note(await post('/v1/engines', { name, host: '192.0.2.1' }), `engine ${show(name)}`);
      note(await post('/v1/tokens', { name, scope: 'read' }), `token ${show(name)}`);
      note(await post('/v1/cameras/gate/pushes', { id: name, url: 'rtmp://192.0.2.1/a/b' }), `push ${show(name)}`);
      note(await post('/v1/cameras', { name: 'typed', type: name, location: name, owner: name }), `type ${show(name)}`);
      const inPath = encodeURIComponent(Buffer.from(name).toString());
      for (const method of ['GET', 'PUT', 'DELETE']) {
        if (names.has(name)) continue;
        const answer = await ask(port, {
          method,
          path: `/v1/cameras/${inPath}`,
          ...(method === 'PUT' ? { body: {} } : {}),
        });
        expectCoded(answer, `${method} camera ${show(name)}`);
        if (method === 'PUT' && answer.status < 300) names.add(name);
      }
    }
    for (const url of oddTargets) {
      note(await post('/v1/cameras/gate/pushes', { url, enabled: false }), `target ${show(url)}`);
      note(await post('/v1/engines', { name: 'odd', host: url }), `engine at ${show(url)}`);
      note(await post('/v1/engines', { name: 'template', host: '192.0.2.1', push: url }), `template ${show(url)}`);
      const host = /^rtmp:\/\/([^/]*)/.exec(url)?.[1] ?? url;
      note(await post('/getStream', { name: 'gate', se_ip: host }), `se_ip ${show(host)}`);
    }
    expect(taken).toBeGreaterThan(20);
    expect(refused).toBeGreaterThan(200);
    // No name became a place on the disk.
    expect(
      readdirSync(api.folder).filter(
        (name) => !/^(?:state\.|tokens\.json)/.test(name) && !filesOfFolder.includes(name),
      ),
    ).toEqual([]);
    // And all that was taken is there after a restart.
    const before = [...api.store.state.cameras.keys()].sort();
    const pushes = api.store.state.cameras.get('gate')?.pushes;
    const copy = await startTestApi(limits, silentLogger, undefined, async (folder) => {
      await api.store.close();
      for (const name of ['state.json', 'state.journal'])
        writeFileSync(join(folder, name), readFileSync(join(api.folder, name)));
    });
    onTestFinished(() => copy.close());
    expect([...copy.store.state.cameras.keys()].sort()).toEqual(before);
    expect(copy.store.state.cameras.get('gate')?.pushes).toEqual(pushes);
  });

  it('by hand are applied, or refused with the rule, and the running state stays', async () => {
    const api = await startTestApi();
    onTestFinished(() => api.close());
    await ask(api.api.port, { method: 'POST', path: '/v1/cameras', body: { name: 'gate' } });
    await api.store.close();
    const path = join(api.folder, 'state.json');
    const good = readFileSync(path, 'utf8');
    for (const name of oddNames) {
      const document = JSON.parse(good) as { cameras: Record<string, unknown> };
      const cameras = Object.entries({ ...document.cameras });
      // As text, since some names mean something else as a key of an object.
      const entries = [...cameras, [name, {}] as const].map(
        ([key, value]) => `${JSON.stringify(key)}: ${JSON.stringify(value)}`,
      );
      writeFileSync(
        path,
        JSON.stringify({ ...document, cameras: 0 }).replace('"cameras":0', `"cameras":{${entries.join(',')}}`),
      );
      const outcome = await openFileStore({ dataDir: api.folder, log: silentLogger }).then(
        async (store) => {
          const seen = [...store.state.cameras.keys()].sort();
          await store.close();
          return seen;
        },
        (error: Error & { code?: string }) => error,
      );
      if (Array.isArray(outcome)) expect(outcome, show(name)).toEqual(['gate', name].sort());
      else expect(outcome.code, show(name)).toBe('STATE_INVALID');
      writeFileSync(path, good);
    }
  });
});
