import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { ask, askRaw } from '../api/ask.js';
import { type Aggregator, startAggregator } from '../support/aggregator.js';
import { testWith } from '../support/peers.js';
import { accepts, freePort } from '../support/ports.js';
import { startProcess } from '../support/process.js';
import { type Scope, testScope } from '../support/scope.js';
import { waitFor } from '../support/wait.js';

/** Another user may be taken on by root alone; without that nginx runs as who runs the test. */
const isRoot = process.geteuid?.() === 0;

const newToken = { method: 'POST', path: '/v1/tokens', body: { name: 'stranger', scope: 'admin' } };
const getStream = { path: '/getStream?name=cam&se_ip=127.0.0.7' };
const statusOf = (answer: string): number => Number(/^HTTP\/1\.[01] (\d+)/.exec(answer)?.[1]);

/** nginx as Debian has it: its workers are another user's, and `proxy_pass` alone says nothing of who called. */
async function startNginx(scope: Scope, target: number, directives = ''): Promise<number> {
  const port = await freePort();
  const folder = scope.temporaryFolder('nginx-proxy-');
  chmodSync(folder, 0o755);
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  );
  const file = join(folder, 'nginx.conf');
  writeFileSync(
    file,
    `daemon off; worker_processes 1; ${isRoot ? 'user www-data;' : ''} pid ${folder}/nginx.pid; error_log stderr;
     events { worker_connections 64; }
     http {
       access_log off; ${paths.join(' ')} large_client_header_buffers 8 16k;
       server { listen 127.0.0.1:${port}; location / { ${directives} proxy_pass http://127.0.0.1:${target}; } }
     }`,
  );
  startProcess(scope, 'nginx', ['-p', folder, '-e', 'stderr', '-c', file], { name: 'nginx' });
  await waitFor(() => accepts(port), { what: 'nginx to listen' });
  return port;
}

/** Caddy, of the same user as the aggregator. */
async function startCaddy(scope: Scope, target: number, directives = ''): Promise<number> {
  const port = await freePort();
  const folder = scope.temporaryFolder('caddy-');
  const file = join(folder, 'Caddyfile');
  writeFileSync(
    file,
    `{\n admin off\n auto_https off\n}\nhttp://:${port} {\n bind 127.0.0.1\n reverse_proxy 127.0.0.1:${target} {\n${directives}\n }\n}\n`,
  );
  const env = { HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
  startProcess(scope, 'caddy', ['run', '--config', file, '--adapter', 'caddyfile'], { name: 'caddy', env });
  await waitFor(() => accepts(port), { what: 'caddy to listen' });
  return port;
}

async function withCamera(scope: Scope): Promise<Aggregator> {
  const aggregator = await startAggregator(scope);
  await aggregator.addCamera('cam');
  return aggregator;
}

/** What one call gets by the proxy, with so many short headers in front of those that the proxy adds. */
const withHeaders = async (port: number, count: number, further: readonly string[] = []): Promise<number> => {
  const body = JSON.stringify(newToken.body);
  const lines = ['POST /v1/tokens HTTP/1.1', `Host: 127.0.0.1:${port}`, 'Connection: close', ...further];
  lines.push('Content-Type: application/json', `Content-Length: ${body.length}`);
  // Caddy sends them sorted: these stand before what it adds.
  for (let index = 0; index < count; index += 1) lines.push(`A${index.toString(36)}:`);
  return statusOf(await askRaw(port, `${lines.join('\r\n')}\r\n\r\n${body}`));
};

describe('callers behind a proxy on the same machine', () => {
  const test = testWith('nginx-rtmp', 'caddy');

  test('nginx without a word of it: nobody is let in without a token, in any way', async (context) => {
    const scope = testScope(context);
    const aggregator = await withCamera(scope);
    const port = await startNginx(scope, aggregator.apiPort);
    const token = await aggregator.makeToken('operator', 'operate');
    expect((await ask(port, newToken)).status).toBe(401);
    for (const question of [{ path: '/v1/cameras' }, { path: '/stats' }, getStream, { path: '/metrics' }]) {
      const { status } = await ask(port, question);
      // Run by an ordinary user, nginx is of the same user, and cannot be told from it.
      if (isRoot) expect(status, question.path).toBe(401);
    }
    expect((await ask(port, { path: '/healthz' })).status).toBe(200);
    const headers = { authorization: `Bearer ${token}` };
    expect((await ask(port, { ...getStream, headers })).status).toBe(200);
    // What is local stays so beside it.
    expect((await ask(aggregator.apiPort, getStream)).status).toBe(200);
  });

  test('Caddy: neither a thousand headers in front nor a header that names others to drop hides it', async (context) => {
    const scope = testScope(context);
    const aggregator = await withCamera(scope);
    const [plain, silent] = await Promise.all([
      startCaddy(scope, aggregator.apiPort),
      startCaddy(
        scope,
        aggregator.apiPort,
        '  header_up -X-Forwarded-*\n  header_up Host localhost\n  header_up -Via\n  header_up -X-Real-Ip',
      ),
    ]);
    expect((await ask(plain, newToken)).status).toBe(401);
    expect((await ask(plain, getStream)).status).toBe(401);
    for (const count of [0, 100, 990, 998, 1000, 1010, 2000]) {
      expect([401, 431], `${count} headers`).toContain(await withHeaders(plain, count));
    }
    expect(
      await withHeaders(plain, 0, ['Connection: close, X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Proto']),
    ).toBe(401);
    // One of the same user that says nothing is taken for its user, but never for one who decides who may do what.
    expect((await ask(silent, newToken)).status).toBe(401);
    expect((await ask(silent, { path: '/v1/tokens' })).status).toBe(401);
    for (const count of [0, 1000, 2000]) expect([401, 431]).toContain(await withHeaders(silent, count));
    expect(aggregator.process.stderr).not.toContain('stranger');
  });
});
