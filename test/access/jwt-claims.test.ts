import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Asked, ask } from '../api/ask.js';
import { startTestApi, type TestApi } from '../api/harness.js';
import { audience, type IdentityProvider, issuer, makeProvider } from '../support/json-web-tokens.js';

let provider: IdentityProvider;
let test: TestApi;
beforeAll(async () => {
  provider = await makeProvider();
  const file = join(tmpdir(), `jwks-claims-${process.pid}.json`);
  writeFileSync(file, provider.jwks);
  test = await startTestApi({
    ...{ jwtJwksFile: file, jwtIssuer: issuer, jwtAudience: audience },
    ...{ jwtScopeClaim: 'realm.roles', apiRateLimit: 0 },
  });
  rmSync(file);
});
afterAll(() => test.close());

const head = '{"alg":"ES256","kid":"k1"}';
const nowS = () => Math.floor(Date.now() / 1000);
/** Claims that are right, as JSON texts. */
const right = (): Record<string, string> => ({
  iss: JSON.stringify(issuer),
  aud: JSON.stringify(audience),
  sub: '"somebody"',
  exp: String(nowS() + 600),
  realm: '{"roles":["operate"]}',
});
const textOf = (claims: Record<string, string>) =>
  `{${Object.entries(claims)
    .map(([name, value]) => `${JSON.stringify(name)}:${value}`)
    .join(',')}}`;

/** Each from an address of its own: wrong tokens of one are slowed down. A right one in between lets the count be. */
async function session(token: string): Promise<Asked> {
  const other = await startOver();
  return ask(other.api.port, { path: '/v1/session', headers: { authorization: `Bearer ${token}` } });
}
let asked = 0;
/** Twenty wrong tokens are looked at; then the next API is asked, with the same keys. */
async function startOver(): Promise<TestApi> {
  asked += 1;
  if (asked % 18 === 0) {
    await test.close();
    const file = join(tmpdir(), `jwks-claims-${process.pid}-${asked}.json`);
    writeFileSync(file, provider.jwks);
    const settings = { jwtJwksFile: file, jwtIssuer: issuer, jwtAudience: audience, jwtScopeClaim: 'realm.roles' };
    test = await startTestApi(settings);
    rmSync(file);
  }
  return test;
}

const odd = [
  ...['null', 'true', 'false', '0', '-1', '1.5', '1e300', '1e999', '-1e999', '253402300800', '""', '"x"', '"admin"'],
  ...['[]', '{}', '[1]', '[null]', '["x",1]', '[[]]', '{"toString":1}', '{"length":1}', '[{"a":["b"]}]'],
  ...[
    '"\\u0000"',
    '"\\ud800"',
    '{"__proto__":1}',
    `"${'x'.repeat(2000)}"`,
    '[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]',
  ],
];

describe.each([
  'iss',
  'aud',
  'sub',
  'exp',
  'nbf',
  'iat',
  'jti',
  'preferred_username',
  'realm',
  'roles',
  'azp',
  '__proto__',
])('the claim %s', (claim) => {
  it('of any type is taken or refused with a reason, and never a failure', async () => {
    for (const value of odd) {
      const claims = right();
      if (claim === 'roles') claims.realm = `{"roles":${value}}`;
      else claims[claim] = value;
      const answer = await session(provider.seal(head, textOf(claims)));
      expect([200, 401], `${claim}: ${value}: ${answer.text}`).toContain(answer.status);
      if (answer.status === 401) {
        expect(answer.json).toMatchObject({ code: 'UNAUTHENTICATED', detail: expect.stringMatching(/not valid: it/) });
        expect(answer.headers['www-authenticate']).toContain('invalid_token');
      } else {
        // Nothing that is odd gives rights, or an end that is none.
        expect(answer.json).toMatchObject({ scope: claim === 'roles' ? 'admin' : 'operate' });
        expect(Date.parse(String(answer.json?.expiresAt))).toBeGreaterThan(Date.now());
      }
    }
  });
});

it.each([
  ['sub', '5', /"sub" must be a text/],
  ['exp', '1e300', /"exp" must be a time/],
  ['exp', '"soon"', /"exp"/],
  ['iat', '"x"', /"iat"/],
  ['jti', '[]', /"jti" must be a text/],
  ['aud', '["media-aggregator",5]', /"aud" must be a text or a list of texts/],
  ['aud', '"other"', /"aud" is not as it must be/],
  ['realm', '{"roles":["admin",5]}', /"realm\.roles" names no scope/],
  ['realm', '{"roles":{"admin":true}}', /"realm\.roles" names no scope/],
  ['exp', '1', /it has expired/],
])('the reason names the claim: %s is %s', async (claim, value, reason) => {
  const { status, json } = await session(provider.seal(head, textOf({ ...right(), [claim]: value })));
  expect([status, json?.detail]).toEqual([401, expect.stringMatching(reason)]);
});

it('who has no signature of the provider learns nothing of the claims', async () => {
  const token = provider.seal(head, textOf({ ...right(), exp: '1' }));
  const { json } = await session(`${token.slice(0, -6)}AAAAAA`);
  expect(json?.detail).toBe('the token is not valid: its form or its signature is not right');
});

it.each([
  'null',
  '[]',
  '"x"',
  '5',
  '{',
  '',
  '{"exp":9999999999}',
  `${'['.repeat(2000)}`,
  '{"iss":"a","iss":"b"}',
  '\u0000',
])('claims that are no object of claims (%j) are 401', async (claims) => {
  expect((await session(provider.seal(head, claims))).status).toBe(401);
});

it('a head with odd fields is 401, or taken where it means nothing', async () => {
  const values = [
    'null',
    '5',
    '{}',
    '[]',
    '""',
    '"none"',
    '"__proto__"',
    '"constructor"',
    '"ES256"',
    '["ES256"]',
    '"HS256"',
  ];
  for (const field of ['alg', 'kid', 'crit', 'typ', 'b64', 'jwk', 'jku', 'x5c', 'cty', 'zip', 'enc']) {
    for (const value of values) {
      const others = { alg: '"ES256"', kid: '"k1"', [field]: value };
      const { status, text } = await session(provider.seal(textOf(others), textOf(right())));
      expect([200, 401], `${field}: ${value}: ${text}`).toContain(status);
      if (field === 'alg' && value !== '"ES256"') expect(status).toBe(401);
    }
  }
  for (const header of ['{"alg":"ES256","alg":"none"}', '{"alg":"none","kid":"k1","alg":"HS256"}', '[]', 'null', '{']) {
    expect((await session(provider.seal(header, textOf(right())))).status, header).toBe(401);
  }
});

it('a name has no controls, and a ticket is made for the longest', async () => {
  for (const name of [
    `"\\u001b[2J\\u202eabc\\n"`,
    `"${'\u{1f600}'.repeat(500)}"`,
    `"${'\\u0001'.repeat(500)}"`,
    `"${'\\"'.repeat(500)}"`,
  ]) {
    const token = provider.seal(head, textOf({ ...right(), sub: name }));
    const { json } = await session(token);
    expect(json?.name).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    const headers = { authorization: `Bearer ${token}` };
    const ticket = await ask(test.api.port, { method: 'POST', path: '/v1/session', headers });
    const path = `/v1/session?token=${ticket.json?.token}`;
    expect((await ask(test.api.port, { path })).json).toMatchObject({ caller: 'ticket', name: json?.name });
  }
});
