import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Access } from '../../src/access/access.js';
import { isNodeToken, NodeTokens } from '../../src/cluster/node-token.js';
import { ClusterSecret } from '../../src/cluster/secret.js';
import { silentLogger } from '../../src/log/log.js';

const secretOf = (digit: string) => ClusterSecret.fromText(digit.padEnd(64, '01234'));

test('calls of other nodes are not counted, and calls that only look like theirs are', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'node-calls-'));
  const own = new NodeTokens(secretOf('5'), '/x/', 'b');
  const tokens = { all: new Map<string, string>(), onChange: () => undefined };
  const shared = {
    peers: { isOne: isNodeToken, verify: (token: string) => own.verify(token) },
    tokens: { ...tokens, create: async () => true, remove: async () => true },
  };
  const access = await Access.open(
    { dataDir: folder, apiAuth: 'auto', jwtScopeClaim: 'scope' },
    silentLogger,
    undefined,
    shared,
  );
  try {
    const isCounted = (token: string | undefined) => access.isCounted({ way: 'network', isProxied: false, token });
    const other = (digit: string) => new NodeTokens(secretOf(digit), '/x/', 'a');
    expect(isCounted(other('5').issue('b', 'read'))).toBe(false);
    expect(isCounted(other('6').issue('b', 'admin'))).toBe(true);
    expect(isCounted(other('5').issue('c', 'read'))).toBe(true);
    expect(isCounted('man.nonsense')).toBe(true);
    expect(isCounted(undefined)).toBe(true);
  } finally {
    access.close();
    rmSync(folder, { recursive: true });
  }
});
