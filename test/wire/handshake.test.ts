import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ClientHandshake, ServerHandshake } from '../../src/wire/handshake.js';
import { answersDigest, type DigestScheme, findDigest, signFirst } from '../../src/wire/handshake-digest.js';
import { cutAt, wireErrorCode } from './support.js';

const packetBytes = 1536;
type Receiver = { receive(data: Buffer): { reply: Buffer | null; done: boolean; rest: Buffer } };

/** Feeds the pieces; returns all replies, and the rest if it is done. */
function feedAll(receiver: Receiver, pieces: readonly Buffer[]): { replies: Buffer; rest: Buffer | null } {
  const replies: Buffer[] = [];
  const rest: Buffer[] = [];
  let isDone = false;
  for (const piece of pieces) {
    if (isDone) {
      rest.push(piece);
      continue;
    }
    const result = receiver.receive(piece);
    if (result.reply !== null) {
      replies.push(result.reply);
    }
    isDone = result.done;
    expect(isDone || result.rest.length === 0).toBe(true);
    rest.push(result.rest);
  }
  return { replies: Buffer.concat(replies), rest: isDone ? Buffer.concat(rest) : null };
}

const schemes = [null, 0, 1] as const;

describe.each(schemes)('client with scheme %s and our server', (scheme) => {
  test('both are done, in any split, and lose no byte behind the handshake', () => {
    const positions = fc.array(fc.nat(4000), { maxLength: 12 });
    fc.assert(
      fc.property(positions, positions, positions, (first, second, third) => {
        const client = new ClientHandshake({ scheme });
        const server = new ServerHandshake();
        const c0c1 = client.start();
        expect(c0c1.length).toBe(1 + packetBytes);
        const answer = feedAll(server, cutAt(c0c1, first));
        expect(answer.replies.length).toBe(1 + 2 * packetBytes);
        expect(answer.rest).toBeNull();
        const behindServer = Buffer.from('the server goes on');
        const end = feedAll(client, cutAt(Buffer.concat([answer.replies, behindServer]), second));
        expect(end.replies.length).toBe(packetBytes);
        expect(end.rest).toEqual(behindServer);
        const behindClient = Buffer.from('the client goes on');
        const served = feedAll(server, cutAt(Buffer.concat([end.replies, behindClient]), third));
        expect(served.replies.length).toBe(0);
        expect(served.rest).toEqual(behindClient);

        const c1 = c0c1.subarray(1);
        const s1 = answer.replies.subarray(1, 1 + packetBytes);
        const s2 = answer.replies.subarray(1 + packetBytes);
        const c1Digest = findDigest(c1, 'client');
        const s1Digest = findDigest(s1, 'server');
        expect(c1Digest?.scheme ?? null).toBe(scheme);
        expect(s1Digest?.scheme ?? null).toBe(scheme);
        if (c1Digest === null || s1Digest === null) {
          expect(s2).toEqual(c1);
          expect(end.replies).toEqual(s1);
          expect(s1.readUInt32BE(4)).toBe(0);
        } else {
          expect(answersDigest(s2, c1Digest.digest, 'server')).toBe(true);
          expect(answersDigest(end.replies, s1Digest.digest, 'client')).toBe(true);
        }
      }),
      { numRuns: 30 },
    );
  });
});

describe('client and other servers', () => {
  test('a plain server that echoes: C2 is the echo of S1', () => {
    const client = new ClientHandshake();
    const c0c1 = client.start();
    const s1 = Buffer.alloc(packetBytes, 7);
    const { reply, done } = client.receive(Buffer.concat([Buffer.from([3]), s1, c0c1.subarray(1)]));
    expect(done).toBe(true);
    expect(reply).toEqual(s1);
  });

  test('C2 leaves as soon as S1 is there, since a server may wait for it', () => {
    const client = new ClientHandshake();
    client.start();
    const result = client.receive(Buffer.concat([Buffer.from([3]), Buffer.alloc(packetBytes)]));
    expect(result.reply?.length).toBe(packetBytes);
    expect(result.done).toBe(false);
  });

  test.each([0, 1] as const)('a server that answers in scheme %s of its own choice', (scheme: DigestScheme) => {
    const client = new ClientHandshake({ scheme: scheme === 0 ? 1 : 0 });
    client.start();
    const s1 = Buffer.alloc(packetBytes, 9);
    signFirst(s1, scheme, 'server');
    const { reply } = client.receive(Buffer.concat([Buffer.from([3]), s1]));
    expect(answersDigest(reply!, findDigest(s1, 'server')!.digest, 'client')).toBe(true);
  });

  test('a client that was told to be plain stays plain', () => {
    const client = new ClientHandshake({ scheme: null });
    expect(client.start().readUInt32BE(5)).toBe(0);
    const s1 = Buffer.alloc(packetBytes, 9);
    signFirst(s1, 0, 'server');
    expect(client.receive(Buffer.concat([Buffer.from([3]), s1])).reply).toEqual(s1);
  });
});

describe('server and other clients', () => {
  test('a version in C1 without a digest is answered plainly', () => {
    const c1 = Buffer.alloc(packetBytes, 5);
    const { reply } = new ServerHandshake().receive(Buffer.concat([Buffer.from([3]), c1]));
    expect(reply![0]).toBe(3);
    expect(reply!.subarray(1 + packetBytes)).toEqual(c1);
  });

  test('two handshakes share no random bytes', () => {
    const first = new ClientHandshake().start();
    const second = new ClientHandshake().start();
    expect(first.subarray(9)).not.toEqual(second.subarray(9));
  });

  test('the reply comes with the last byte of C1 and not before; an empty read does nothing', () => {
    const server = new ServerHandshake();
    const c0c1 = new ClientHandshake().start();
    expect(server.receive(Buffer.alloc(0)).reply).toBeNull();
    expect(server.receive(c0c1.subarray(0, packetBytes)).reply).toBeNull();
    expect(server.receive(c0c1.subarray(packetBytes)).reply?.length).toBe(1 + 2 * packetBytes);
  });
});

test.each([0, 1] as const)(
  'the digest of scheme %s lies where its four bytes say, at both ends of the block',
  (scheme) => {
    const block = scheme === 0 ? 8 : 772;
    for (const sum of [0, 727, 728, 1020]) {
      const packet = Buffer.alloc(packetBytes, 0x55);
      for (let index = 0; index < 4; index += 1) {
        packet[block + index] = Math.min(255, Math.max(0, sum - 255 * index));
      }
      signFirst(packet, scheme, 'client');
      const at = block + 4 + (sum % 728);
      const expected = createHmac('sha256', 'Genuine Adobe Flash Player 001')
        .update(packet.subarray(0, at))
        .update(packet.subarray(at + 32))
        .digest();
      expect(packet.subarray(at, at + 32)).toEqual(expected);
      expect(findDigest(packet, 'client')).toEqual({ scheme, digest: expected });
      expect(findDigest(packet, 'server')).toBeNull();
    }
  },
);

describe('version', () => {
  test.each([
    [0, /version 0, which is not spoken here; RTMP has 3/],
    [6, /version 6, which asks for encryption \(RTMPE\)/],
    [8, /RTMPE/],
    [0x47, /version 71, which is no RTMP at all/],
    [0x16, /version 22, which is not spoken here/],
  ])('%s is refused at the first byte, by both sides', (version, message) => {
    for (const create of [() => new ServerHandshake(), () => new ClientHandshake()]) {
      expect(() => create().receive(Buffer.from([version]))).toThrow(message);
      expect(wireErrorCode(() => create().receive(Buffer.from([version])))).toBe('RTMP_HANDSHAKE');
    }
  });
});
