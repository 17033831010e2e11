import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { EventClient } from '../../src/api/events/event-client.js';
import { audience, type IdentityProvider, issuer, makeProvider, serveKeys } from '../support/json-web-tokens.js';
import { waitFor } from '../support/wait.js';
import { type Asked, ask, type Question } from './ask.js';
import { startTestApi, type TestApi } from './harness.js';

/** A call that came through a proxy is not of this machine, whatever the socket says. */
const elsewhere = { 'x-forwarded-for': '192.0.2.9' };
const bearer = (token: string) => ({ ...elsewhere, authorization: `Bearer ${token}` });
const changeCall: Question = { method: 'PUT', path: '/v1/cameras/cam', body: {} };

let test: TestApi;
const call = (question: Question): Promise<Asked> => ask(test.api.port, question);
const adminToken = () => readFileSync(join(test.folder, 'admin-token'), 'utf8').trim();

async function makeToken(name: string, scope: string, expiresAt?: string): Promise<string> {
  const body = { name, scope, ...(expiresAt === undefined ? {} : { expiresAt }) };
  const made = await call({ method: 'POST', path: '/v1/tokens', body, headers: bearer(adminToken()) });
  expect(made.status, made.text).toBe(201);
  return String(made.json?.token);
}

describe('who needs a token', () => {
  beforeAll(async () => {
    test = await startTestApi({ advertiseHost: 'cameras.example.org' });
  });
  afterAll(() => test.close());

  it('the same machine needs none', async () => {
    expect((await call(changeCall)).status).toBe(201);
    expect((await call({ path: '/v1/session' })).json).toEqual({
      caller: 'local',
      name: null,
      scope: 'operate',
      expiresAt: null,
    });
  });

  it.each([
    ['x-forwarded-for', '127.0.0.1'],
    ['forwarded', 'for=127.0.0.1'],
    ['x-forwarded-host', 'localhost'],
    ['x-real-ip', '127.0.0.1'],
    ['via', '1.1 proxy'],
  ])('no token, through a proxy that says %s: 401 with a challenge', async (name, value) => {
    for (const path of ['/v1/cameras', '/metrics', '/stats', '/v1/tokens', '/v1/config']) {
      const answer = await call({ path, headers: { [name]: value } });
      expect([answer.status, answer.json?.code], path).toEqual([401, 'UNAUTHENTICATED']);
      expect(answer.headers['www-authenticate']).toBe('Bearer realm="media-aggregator"');
    }
  });

  it('what shows nothing of the node is open to all', async () => {
    for (const path of ['/healthz', '/readyz', '/openapi.json']) {
      expect((await call({ path, headers: elsewhere })).status, path).toBe(200);
    }
    expect((await call({ path: '/v1/nothing', headers: elsewhere })).status).toBe(404);
  });

  it('the admin token was made, for its owner alone, and does everything', async () => {
    expect(statSync(join(test.folder, 'admin-token')).mode & 0o777).toBe(0o600);
    expect(adminToken()).toMatch(/^mat_[0-9a-f]{12}_[A-Za-z0-9_-]{43}$/);
    expect((await call({ ...changeCall, headers: bearer(adminToken()) })).status).toBe(200);
    expect((await call({ path: '/v1/tokens', headers: bearer(adminToken()) })).status).toBe(200);
    expect((await call({ path: `/v1/session?token=${adminToken()}`, headers: elsewhere })).json).toMatchObject({
      caller: 'admin-token',
    });
  });

  it('?token= is no parameter of the call itself', async () => {
    const token = adminToken();
    expect((await call({ path: `/v1/cameras?limit=1&token=${token}`, headers: elsewhere })).status).toBe(200);
    expect((await call({ path: `/getStream?name=none&token=${token}`, headers: elsewhere })).status).toBe(404);
  });
});

describe('attacks on tokens', () => {
  let readToken: string;
  beforeEach(async () => {
    test = await startTestApi();
    readToken = await makeToken('reader', 'read');
  });
  afterEach(() => test.close());

  const secretOf = (token: string) => token.split('_').slice(2).join('_');
  const swapped = (text: string) =>
    text.replace(/[a-zA-Z]/g, (letter) =>
      letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase(),
    );
  it.each<[string, (token: string) => string]>([
    ['wrong token: another secret', (token) => token.replace(/[A-Za-z0-9_-]{43}$/, 'A'.repeat(43))],
    ['wrong token: another id', (token) => token.replace(/^mat_.{12}/, `mat_${'0'.repeat(12)}`)],
    ['wrong token: cut short', (token) => token.slice(0, -1)],
    ['wrong token: one more character', (token) => `${token}A`],
    ['wrong token: empty', () => ''],
    ['wrong token: its hash', (token) => secretOf(token)],
    ['token in another case', (token) => `mat_${token.slice(4, 17)}${swapped(token.slice(17))}`],
    ['token in upper case', (token) => token.toUpperCase()],
    ['two tokens', (token) => `${token} ${token}`],
    ['a token with a comma', (token) => `${token},${token}`],
    ['__proto__', () => '__proto__'],
    ['a long token', () => 'a'.repeat(8000)],
  ])('%s: 401', async (_, change) => {
    const answer = await call({ path: '/v1/cameras', headers: bearer(change(readToken)) });
    expect([answer.status, answer.json?.code]).toEqual([401, 'UNAUTHENTICATED']);
    expect(answer.headers['www-authenticate']).toBe('Bearer realm="media-aggregator", error="invalid_token"');
    // A wrong token is wrong on this machine too: whoever sends one means it.
    expect(
      (await call({ path: '/v1/cameras', headers: { authorization: `Bearer ${change(readToken)}` } })).status,
    ).toBe(401);
  });

  it('the name of the scheme has no case, as RFC 9110 says; the right token is right', async () => {
    for (const scheme of ['Bearer', 'bearer', 'BEARER']) {
      const headers = { ...elsewhere, authorization: `${scheme} ${readToken}` };
      expect((await call({ path: '/v1/cameras', headers })).status).toBe(200);
    }
  });

  it.each([
    ['read', 'PUT', '/v1/cameras/cam', 403],
    ['read', 'POST', '/registerCamera', 403],
    ['read', 'GET', '/getStream?name=cam', 403],
    ['read', 'GET', '/v1/tokens', 403],
    ['operate', 'PUT', '/v1/cameras/cam', 201],
    ['operate', 'POST', '/v1/tokens', 403],
    ['operate', 'DELETE', '/v1/tokens/reader', 403],
    ['admin', 'DELETE', '/v1/tokens/reader', 204],
  ] as const)('wrong scope: %s for %s %s: %i', async (scope, method, path, status) => {
    const token = await makeToken('scoped', scope);
    const bodies: Record<string, unknown> = { PUT: {}, POST: { name: 'x', scope: 'admin' } };
    const body = bodies[method];
    const answer = await call({ method, path, headers: bearer(token), ...(body === undefined ? {} : { body }) });
    expect([answer.status, answer.json?.code]).toEqual([status, status === 403 ? 'FORBIDDEN' : answer.json?.code]);
    if (status === 403) expect((await call({ path: '/v1/cameras/cam' })).status).toBe(404);
  });

  it('a token that was revoked, or has expired, is refused at once', async () => {
    const expiresAt = new Date(Date.now() + 1500).toISOString();
    const short = await makeToken('short', 'read', expiresAt);
    expect((await call({ path: '/v1/session', headers: bearer(short) })).json).toMatchObject({ expiresAt });
    await call({ method: 'DELETE', path: '/v1/tokens/reader', headers: bearer(adminToken()) });
    expect((await call({ path: '/v1/cameras', headers: bearer(readToken) })).status).toBe(401);
    await waitFor(async () => (await call({ path: '/v1/cameras', headers: bearer(short) })).status === 401, {
      what: 'the token to expire',
    });
  });

  it('the secret stands in one answer only, and in no file', async () => {
    const list = await call({ path: '/v1/tokens', headers: bearer(adminToken()) });
    const one = await call({ path: '/v1/tokens/reader', headers: bearer(adminToken()) });
    expect(list.json).toMatchObject({ items: [{ name: 'reader', scope: 'read', expiresAt: null }], next: null });
    const stored = readFileSync(join(test.folder, 'tokens.json'), 'utf8');
    expect(statSync(join(test.folder, 'tokens.json')).mode & 0o777).toBe(0o600);
    for (const text of [list.text, one.text, stored]) expect(text).not.toContain(secretOf(readToken));
    const again = await call({
      method: 'POST',
      path: '/v1/tokens',
      body: { name: 'reader', scope: 'read' },
      headers: bearer(adminToken()),
    });
    expect([again.status, again.json?.code]).toEqual([409, 'TOKEN_CONFLICT']);
  });

  it.each([
    [{ name: 'a b', scope: 'read' }, 'name'],
    [{ name: 'a', scope: 'root' }, 'scope'],
    [{ name: 'a', scope: 'READ' }, 'scope'],
    [{ name: 'a', scope: 'read', expiresAt: '2001-01-01T00:00:00Z' }, 'expiresAt'],
    [{ name: 'a', scope: 'read', expiresAt: 'tomorrow' }, 'expiresAt'],
    [{ name: 'a', scope: 'read', hash: 'x' }, 'hash'],
  ])('refuses to make %j', async (body, field) => {
    const headers = bearer(adminToken());
    const answer = await call({ method: 'POST', path: '/v1/tokens', body, headers });
    expect(answer).toMatchObject({ status: 400, json: { field } });
  });

  it('brute force: wrong tokens of one address are slowed, and a token that was right goes on', async () => {
    expect((await call({ path: '/v1/cameras', headers: bearer(readToken) })).status).toBe(200);
    const unused = await makeToken('unused', 'read');
    const statuses: number[] = [];
    for (let index = 0; index < 25; index += 1) {
      const guess = readToken.slice(0, -4) + String(1000 + index);
      statuses.push((await call({ path: '/v1/cameras', headers: bearer(guess) })).status);
    }
    expect(statuses.filter((status) => status === 401).length).toBeGreaterThanOrEqual(20);
    expect(statuses.at(-1)).toBe(429);
    // Even a right guess is not looked at now; who was right before is.
    const guessed = await call({ path: '/v1/cameras', headers: bearer(unused) });
    expect([guessed.status, guessed.json?.code]).toEqual([429, 'RATE_LIMITED']);
    expect(Number(guessed.headers['retry-after'])).toBeGreaterThan(0);
    expect((await call({ path: '/v1/cameras', headers: bearer(readToken) })).status).toBe(200);
  });

  it('an edit of tokens.json applies; a broken one changes nothing', async () => {
    const file = join(test.folder, 'tokens.json');
    const before = readFileSync(file, 'utf8');
    writeFileSync(file, before.replace('"read"', '"root"'));
    await new Promise((resolve) => setTimeout(resolve, 2500));
    const made = await call({
      method: 'POST',
      path: '/v1/tokens',
      body: { name: 'more', scope: 'read' },
      headers: bearer(adminToken()),
    });
    expect([made.status, made.json?.code]).toEqual([503, 'ACCESS_UNREADABLE']);
    expect(readFileSync(file, 'utf8')).toContain('"root"');
    expect((await call({ path: '/v1/session', headers: bearer(readToken) })).json).toMatchObject({ scope: 'read' });
    writeFileSync(file, before.replace('"read"', '"operate"'));
    const isOperator = async () =>
      (await call({ path: '/v1/session', headers: bearer(readToken) })).json?.scope === 'operate';
    await waitFor(isOperator, { what: 'the edit to apply' });
  });

  it('an admin token in a folder that cannot be written is taken as it is, as orchestrators mount secrets', async () => {
    const folder = join(test.folder, 'secrets');
    mkdirSync(folder);
    const adminTokenFile = join(folder, 'token');
    writeFileSync(adminTokenFile, `${'s'.repeat(40)}\n`, { mode: 0o400 });
    chmodSync(folder, 0o500);
    // Root may write everywhere; the time of the folder tells whether it did.
    const look = () => [readdirSync(folder), statSync(folder).mtimeMs];
    const before = look();
    const other = await startTestApi({ adminTokenFile });
    try {
      const headers = bearer('s'.repeat(40));
      expect((await ask(other.api.port, { path: '/v1/tokens', headers })).status).toBe(200);
      expect(look()).toEqual(before);
    } finally {
      await other.close();
      chmodSync(folder, 0o700);
    }
  });

  it.each(['', 'short', 'two words that are long enough to be a token', 'x'.repeat(600)])(
    'an admin token that is none (%j) stops the start',
    async (text) => {
      const adminTokenFile = join(test.folder, 'bad');
      writeFileSync(adminTokenFile, text);
      await expect(startTestApi({ adminTokenFile })).rejects.toMatchObject({ code: 'ACCESS_UNREADABLE' });
    },
  );

  it('a new admin token in the file takes the place of the old one; none is none', async () => {
    const old = adminToken();
    const file = join(test.folder, 'admin-token');
    writeFileSync(file, 'a-token-of-the-operators-own-choice-0123456789\n');
    const status = async (token: string) => (await call({ path: '/v1/cameras', headers: bearer(token) })).status;
    await waitFor(async () => (await status(adminToken())) === 200, { what: 'the new admin token' });
    expect(await status(old)).toBe(401);
    rmSync(file);
    await waitFor(async () => (await status('a-token-of-the-operators-own-choice-0123456789')) === 401, {
      what: 'the admin token to be void',
    });
  });
});

describe('tickets', () => {
  beforeAll(async () => {
    test = await startTestApi();
  });
  afterAll(() => test.close());

  it('read in addresses, do no more, and end with the token that asked for them', async () => {
    const token = await makeToken('operator', 'operate');
    const ticket = (await call({ method: 'POST', path: '/v1/session', headers: bearer(token) })).json ?? {};
    expect(ticket.scope).toBe('read');
    expect(Date.parse(String(ticket.expiresAt)) - Date.now()).toBeLessThanOrEqual(3_600_000);
    const path = `/v1/session?token=${ticket.token}`;
    expect((await call({ path, headers: elsewhere })).json).toMatchObject({ caller: 'ticket', name: 'operator' });
    const change = { ...changeCall, path: `/v1/cameras/cam?token=${ticket.token}`, headers: elsewhere };
    expect((await call(change)).json).toMatchObject({ code: 'FORBIDDEN' });
    const forged = String(ticket.token).replace(/^mas\.[^.]+/, (head) => `${head.slice(0, -2)}AA`);
    expect((await call({ path: `/v1/session?token=${forged}`, headers: elsewhere })).status).toBe(401);
    await call({ method: 'DELETE', path: '/v1/tokens/operator', headers: bearer(adminToken()) });
    expect((await call({ path, headers: elsewhere })).status).toBe(401);
  });

  it('a reader of events is cut off at the next beat when its token was revoked', async () => {
    const token = await makeToken('follower', 'read');
    const { access } = test;
    const browser = {
      host: 'localhost',
      origin: undefined,
      fetchSite: undefined,
      isBrowser: false,
      isNavigation: false,
    };
    const way = { way: 'network', isProxied: false, takesAllowed: false, changes: false } as const;
    const facts = { ...browser, ...way, address: '192.0.2.9' };
    const caller = await access.identify({ ...facts, token });
    const server = createServer();
    const ended = once(server, 'request').then(async ([, response]: ServerResponse[]) => {
      if (response === undefined) throw new Error('no response');
      response.writeHead(200);
      const client = new EventClient(response, { cameras: undefined, types: undefined }, () =>
        access.isStillValid(caller),
      );
      client.beat();
      const before = response.writableEnded;
      await call({ method: 'DELETE', path: '/v1/tokens/follower', headers: bearer(adminToken()) });
      client.beat();
      return [before, response.writableEnded];
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    expect((await ask(port, { path: '/' })).text).toBe(': still here\n\n');
    expect(await ended).toEqual([false, true]);
    server.close();
  });
});

describe('attacks on JWT', () => {
  let provider: IdentityProvider;
  beforeAll(async () => {
    provider = await makeProvider();
    const file = join(tmpdir(), `jwks-${process.pid}.json`);
    writeFileSync(file, provider.jwks);
    test = await startTestApi({ jwtJwksFile: file, jwtIssuer: issuer, jwtAudience: audience });
    rmSync(file);
  });
  afterAll(() => test.close());

  it('one that is right is taken, with the strongest of its scopes', async () => {
    const session = async (change: Parameters<IdentityProvider['sign']>[0]) =>
      (await call({ path: '/v1/session', headers: bearer(await provider.sign(change)) })).json;
    expect(await session({})).toMatchObject({ caller: 'jwt', name: 'somebody', scope: 'operate' });
    expect(await session({ scope: 'openid media-aggregator:admin read' })).toMatchObject({ scope: 'admin' });
    expect(await session({ scope: ['profile', 'read'] })).toMatchObject({ scope: 'read' });
    expect((await call({ ...changeCall, headers: bearer(await provider.sign({ scope: 'read' })) })).status).toBe(403);
  });

  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  it.each<[string, () => Promise<string> | string]>([
    ['expired JWT', () => provider.sign({ expiresIn: -60 })],
    ['JWT without an end', () => provider.sign({ expiresIn: null })],
    ['JWT that is not valid yet', () => provider.sign({ notBefore: 600 })],
    ['alg: none', () => provider.forge({ alg: 'none' }, () => '')],
    ['alg: None, with a kid', () => provider.forge({ alg: 'None', kid: 'k1' }, () => '')],
    ['alg: none, signed by nobody', () => provider.forge({ alg: 'none', kid: 'k1' }, () => 'AAAA')],
    [
      'HS256 with the public key',
      () => provider.forge({ alg: 'HS256', kid: 'k1' }, (signed) => provider.hmacWithPublicKey(signed)),
    ],
    ['wrong audience', () => provider.sign({ aud: 'another-service' })],
    ['wrong issuer', () => provider.sign({ iss: 'https://evil.example/' })],
    ['the key of somebody else', () => provider.sign({ key: other })],
    ['a key of its own in the head', () => provider.forge({ alg: 'ES256', jwk: {}, kid: 'k1' }, () => 'AAAA')],
    ['keys from elsewhere', () => provider.forge({ alg: 'ES256', jku: 'http://127.0.0.1:9/k', kid: 'x' }, () => 'AA')],
    ['a critical extension', () => provider.forge({ alg: 'ES256', kid: 'k1', crit: ['x'], x: 1 }, () => 'AAAA')],
    ['no scope', () => provider.sign({ scope: 'openid profile' })],
    ['a scope of the prototype', () => provider.sign({ scope: 'constructor' })],
    ['changed claims', async () => (await provider.sign()).replace(/\.[^.]+\./, `.${forgedClaims}.`)],
    ['three dots and nothing', () => '..'],
  ])('%s: 401', async (_, make) => {
    const answer = await call({ path: '/v1/cameras', headers: bearer(await make()) });
    expect([answer.status, answer.json?.code]).toEqual([401, 'UNAUTHENTICATED']);
  });
  const forgedClaims = Buffer.from(JSON.stringify({ scope: 'admin', exp: 9e9, iss: issuer, aud: audience })).toString(
    'base64url',
  );
});

describe('keys that an identity provider serves', () => {
  it('are fetched when the first JWT comes, and once; a provider that fails makes 503 and is left alone', async () => {
    const provider = await makeProvider();
    let failing = true;
    const keys = await serveKeys(() => (failing ? { status: 500, body: '' } : { status: 200, body: provider.jwks }));
    test = await startTestApi({ jwtJwksUrl: keys.url, jwtIssuer: issuer, jwtAudience: audience });
    try {
      expect((await call({ path: '/v1/cameras', headers: bearer(adminToken()) })).status).toBe(200);
      expect(keys.asked()).toBe(0);
      const token = await provider.sign();
      const session = () => call({ path: '/v1/session', headers: bearer(token) });
      expect(await session()).toMatchObject({ status: 503, json: { code: 'IDENTITY_PROVIDER' } });
      for (let index = 0; index < 5; index += 1) expect((await session()).status).toBe(503);
      expect(keys.asked()).toBe(1);
      failing = false;
      await waitFor(async () => (await session()).status === 200, { what: 'the keys' });
      for (let index = 0; index < 5; index += 1) expect((await session()).status).toBe(200);
      expect(keys.asked()).toBe(2);
    } finally {
      await test.close();
      await keys.close();
    }
  });
});
