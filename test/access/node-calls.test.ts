import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Access } from '../../src/access/access.js';
import { isNodeToken, NodeTokens } from '../../src/cluster/node-token.js';
import { ClusterSecret } from '../../src/cluster/secret.js';
import { silentLogger } from '../../src/log/log.js';

const secretOf = (digit: string) => ClusterSecret.fromText(digit.padEnd(64, '01234'));

const other = (digit: string) => new NodeTokens(secretOf(digit), '/x/', 'a');
const folder = mkdtempSync(join(tmpdir(), 'node-calls-'));
let access: Access;

beforeAll(async () => {
  const own = new NodeTokens(secretOf('5'), '/x/', 'b');
  const tokens = { all: new Map<string, string>(), onChange: () => undefined };
  const shared = {
    peers: { isOne: isNodeToken, verify: (token: string) => own.verify(token) },
    tokens: { ...tokens, create: async () => true, remove: async () => true },
  };
  const settings = { dataDir: folder, apiAuth: 'auto', jwtScopeClaim: 'scope' } as const;
  access = await Access.open(settings, silentLogger, undefined, shared);
});
afterAll(() => {
  access.close();
  rmSync(folder, { recursive: true });
});

test('calls of other nodes are not counted, and calls that only look like theirs are', () => {
  const isCounted = (token: string | undefined) => access.isCounted({ way: 'network', isProxied: false, token });
  expect(isCounted(other('5').issue('b', 'read'))).toBe(false);
  expect(isCounted(other('6').issue('b', 'admin'))).toBe(true);
  expect(isCounted(other('5').issue('c', 'read'))).toBe(true);
  expect(isCounted('man.nonsense')).toBe(true);
  expect(isCounted(undefined)).toBe(true);
});

test('a node is let in beside wrong tokens from its address, and does not have right ones of others forgotten', async () => {
  const call = (token: string) =>
    access.identify({
      ...{ token, address: '192.0.2.7', way: 'network', isProxied: false, takesAllowed: false, changes: false },
      ...{ host: undefined, origin: undefined, fetchSite: undefined, isBrowser: false, isNavigation: false },
    });
  const admin = readFileSync(join(folder, 'admin-token'), 'utf8').trim();
  expect(await call(admin)).toMatchObject({ kind: 'admin-token' });
  // Nodes have a new token for each call: of tokens that were right, a thousand are remembered.
  const issued = Array.from({ length: 1100 }, (_, ms) => other('5').issue('b', 'read', Date.now() - ms));
  for (const token of issued) expect(await call(token)).toMatchObject({ kind: 'node', name: 'a' });
  const refusals = [];
  for (let number = 0; number < 25; number++) {
    refusals.push(await call(other('6').issue('b', 'admin')).catch((error: unknown) => String(error)));
  }
  expect(refusals[0]).toContain('another cluster secret');
  expect(refusals.at(-1)).not.toContain('another cluster secret');
  expect(await call(other('5').issue('b', 'read'))).toMatchObject({ kind: 'node' });
  expect(await call(admin)).toMatchObject({ kind: 'admin-token' });
});
