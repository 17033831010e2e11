import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { NodeTokens, nodeTokenMs } from '../../src/cluster/node-token.js';
import { ClusterSecret, readClusterSecret, signatureWindowMs } from '../../src/cluster/secret.js';
import { testScope } from '../support/scope.js';

const [one, two] = ['5ec2e7'.padEnd(64, '0'), '0123456789abcdef'.repeat(4)];
const secretOf = (text: string) => ClusterSecret.fromText(text);
const nowMs = 1_700_000_000_000;

describe('the secret of a cluster', () => {
  it('gives each purpose a key of its own, the same at every node', () => {
    const [a, b] = [secretOf(one), secretOf(`${one.toUpperCase()}\n`)];
    const purposes = ['rtmp', 'api', 'seal', 'etag', 'stream-secret'] as const;
    const keys = purposes.map((purpose) => a.keyFor(purpose).toString('hex'));
    expect(new Set(keys).size).toBe(purposes.length);
    expect(purposes.map((purpose) => b.keyFor(purpose).toString('hex'))).toEqual(keys);
    expect(secretOf(two).keyFor('rtmp')).not.toEqual(a.keyFor('rtmp'));
  });

  it('takes a signature once, of these fields, for this purpose, in its time', () => {
    const [a, b] = [secretOf(one), secretOf(one)];
    const fields = ['gate', '17', 'node-a'];
    const signature = a.sign('rtmp', fields, nowMs);
    expect(signature).toMatch(/^[A-Za-z0-9._-]{74}$/);
    expect(b.verify('rtmp', ['gate', '1', '7node-a'], signature, nowMs)).toBe('wrong');
    expect(b.verify('api', fields, signature, nowMs)).toBe('wrong');
    expect(secretOf(two).verify('rtmp', fields, signature, nowMs)).toBe('other-secret');
    expect(b.verify('rtmp', fields, `${signature}x`, nowMs)).toBe('malformed');
    expect(b.verify('rtmp', fields, signature, nowMs + signatureWindowMs + 1)).toBe('too-old');
    expect(b.verify('rtmp', fields, signature, nowMs - signatureWindowMs - 1)).toBe('too-new');
    expect(b.verify('rtmp', fields, signature, nowMs + signatureWindowMs)).toBeUndefined();
    expect(b.verify('rtmp', fields, signature, nowMs + signatureWindowMs)).toBe('replayed');
    // It can still be replayed as long as its window lasts, by clocks that are apart, too.
    for (let index = 0; index < 1000; index += 1) b.verify('rtmp', ['x'], b.sign('rtmp', ['x'], nowMs), nowMs);
    expect(b.verify('rtmp', fields, signature, nowMs - signatureWindowMs)).toBe('replayed');
  });

  it('takes what a former secret signed, and signs by the first', () => {
    const changing = secretOf(`${two}\n${one}\n`);
    expect(changing.verify('rtmp', ['x'], secretOf(one).sign('rtmp', ['x']))).toBeUndefined();
    expect(secretOf(two).verify('rtmp', ['x'], changing.sign('rtmp', ['x']))).toBeUndefined();
    expect(changing.ids).toHaveLength(2);
  });

  it('says what is wrong with a file, without its text', async (context) => {
    const path = join(testScope(context).temporaryFolder(), 'secret');
    await expect(readClusterSecret(path)).rejects.toThrow(/is not there/);
    const cases: [text: string, words: RegExp][] = [
      ['', /is empty/],
      ['abcd', /has 4 hexadecimal digits, and must have 64/],
      [`${one}a`, /65 hexadecimal digits/],
      ['hello world', /no hexadecimal digits/],
      ['00'.repeat(32), /over and over/],
      [`${one}\n`.repeat(5), /5 secrets, and 4 are allowed/],
    ];
    for (const [text, words] of cases) {
      writeFileSync(path, text, { mode: 0o600 });
      const error: unknown = await readClusterSecret(path).catch((failed: unknown) => failed);
      expect(error).toMatchObject({ code: 'CONFIG_INVALID_VALUE', message: expect.stringMatching(words) });
      if (text.length > 8) expect(String(error)).not.toContain(text.trim());
    }
    writeFileSync(path, `${one}\n`);
    chmodSync(path, 0o644);
    await expect(readClusterSecret(path)).rejects.toThrow(/mode 0644.*chmod 600/);
    chmodSync(path, 0o440);
    expect((await readClusterSecret(path)).id).toBe(secretOf(one).id);
  });
});

describe('the tokens by which nodes ask each other', () => {
  const [a, b] = [new NodeTokens(secretOf(one), '/p/', 'a'), new NodeTokens(secretOf(one), '/p/', 'b')];

  it('are for one node, for a scope, and for a minute', () => {
    const token = a.issue('b', 'read', nowMs);
    expect(b.verify(token, nowMs)).toEqual({ from: 'a', to: 'b', scope: 'read', expiresMs: nowMs + nodeTokenMs });
    const refusal = (tokens: NodeTokens, text: string, atMs: number) => {
      const found = tokens.verify(text, atMs);
      return 'refusal' in found ? found.refusal : undefined;
    };
    expect(refusal(a, token, nowMs)).toMatch(/for another node, b/);
    expect(refusal(b, token, nowMs + 2 * nodeTokenMs)).toMatch(/expired/);
    expect(refusal(b, token, nowMs - 2 * nodeTokenMs)).toMatch(/later than now/);
    expect(refusal(new NodeTokens(secretOf(two), '/p/', 'b'), token, nowMs)).toMatch(/another cluster secret/);
    expect(refusal(new NodeTokens(secretOf(one), '/q/', 'b'), token, nowMs)).toMatch(/not signed by a node/);
    const [head = '', id = '', payload = '', mac = ''] = token.split('.');
    const admin = Buffer.from(Buffer.from(payload, 'base64url').toString().replace('read', 'admin')).toString(
      'base64url',
    );
    expect(refusal(b, [head, id, admin, mac].join('.'), nowMs)).toMatch(/not signed/);
    expect(refusal(b, 'man.x', nowMs)).toMatch(/no token/);
  });
});
