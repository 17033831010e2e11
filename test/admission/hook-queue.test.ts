import { randomBytes } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { Admission, type AdmissionSettings } from '../../src/admission/admission.js';
import { StreamKeys } from '../../src/admission/stream-keys.js';
import { codeOf } from '../../src/errors.js';
import { silentLogger } from '../../src/log/log.js';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  while (cleanups.length > 0) await cleanups.pop()?.();
});

/** An auth hook that answers after a delay, or never; it counts concurrent calls. */
async function backEnd(answerMs: number) {
  const seen = { asked: 0, atOnce: 0, most: 0 };
  const held: ServerResponse[] = [];
  const server = createServer((request, response) => {
    request.resume();
    seen.asked++;
    seen.most = Math.max(seen.most, ++seen.atOnce);
    response.once('close', () => seen.atOnce--);
    if (answerMs === Number.POSITIVE_INFINITY) held.push(response);
    else setTimeout(() => response.end(), answerMs);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, seen };
}

function admission(settings: Partial<AdmissionSettings>) {
  const made = new Admission({
    settings: {
      ...{ publishAuth: 'name', playAuth: 'off', hookFailure: 'closed' },
      ...({ onPublishFormat: 'form', onPlayFormat: 'form' } as const),
      ...{ hookTimeoutMs: 2000, hookQueueTimeoutMs: 30_000, ...settings },
    },
    keys: new StreamKeys(randomBytes(32)),
    log: silentLogger,
  });
  cleanups.push(async () => made.close());
  const connect = { app: 'gate', tcUrl: '', flashVer: '', swfUrl: '', pageUrl: '', via: '' };
  const camera = { name: 'gate', publishKeys: [] };
  const come = async (what: 'publish' | 'play', address: string): Promise<string> => {
    try {
      await made[what](camera, { streamId: 1, app: 'gate', streamName: 'gate' }, { address, connectionId: 1, connect });
      return 'let in';
    } catch (error) {
      return codeOf(error);
    }
  };
  return { made, come };
}

/** So many, each from the address that the test gives it. */
const crowd = (count: number, come: (address: string) => Promise<string>, addressOf: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => come(addressOf(index)));

describe('while hundreds wait for a slow auth hook', () => {
  it.each([
    ['one address', 'publish', () => '198.51.100.7'],
    [
      'one address that comes mapped and plain by turns',
      'publish',
      (i: number) => `${i % 2 ? '::ffff:' : ''}198.51.100.7`,
    ],
    ['one network of IPv6', 'publish', (i: number) => `2001:db8:1:2::${(i + 1).toString(16)}`],
    ['one address, playing', 'play', () => '198.51.100.7'],
  ] as const)(
    'of %s, each camera of another one is let in, every time',
    async (_, what, addressOf) => {
      const { url, seen } = await backEnd(60);
      const { come } = admission({ onPublish: url, onPlay: url });
      const others = crowd(600, (address) => come(what, address), addressOf);
      for (let time = 0; time < 4; time += 1) {
        const sinceAsked = seen.asked;
        expect(await come(what, `192.0.2.${time}`)).toBe('let in');
        // It waited for its turn at most, not for theirs: a round or two of questions.
        expect(seen.asked - sinceAsked).toBeLessThan(150);
      }
      expect(seen.most).toBeLessThanOrEqual(33);
      const ends = new Set(await Promise.all(others));
      expect([...ends].sort()).toEqual(['HOOK_BUSY', 'let in']);
    },
    60_000,
  );
});

it('waiting for the turn takes nothing from the time to answer', async () => {
  const { url } = await backEnd(300);
  const { come } = admission({ onPublish: url, hookTimeoutMs: 1500 });
  // Ten rounds of questions: the last ones wait for three seconds before they are asked about.
  const ends = await Promise.all(
    crowd(
      320,
      (address) => come('publish', address),
      () => '198.51.100.7',
    ),
  );
  expect(new Set(ends)).toEqual(new Set(['let in']));
}, 60_000);

it.each(['open', 'closed'] as const)(
  'who is not asked about in time is not let in, with hook-failure %s',
  async (hookFailure) => {
    const { url } = await backEnd(Number.POSITIVE_INFINITY);
    const { come } = admission({ onPublish: url, hookFailure, hookTimeoutMs: 2000, hookQueueTimeoutMs: 300 });
    const asked = crowd(
      32,
      (address) => come('publish', address),
      () => '198.51.100.7',
    );
    expect(
      await Promise.all(
        crowd(
          5,
          (address) => come('publish', address),
          () => '198.51.100.7',
        ),
      ),
    ).toEqual(Array(5).fill('HOOK_BUSY'));
    expect(
      await Promise.race([come('publish', '192.0.2.1'), new Promise((resolve) => setTimeout(resolve, 600, 'asked'))]),
    ).toBe('asked');
    // What fails by itself goes as it was set.
    expect(new Set(await Promise.all(asked))).toEqual(
      new Set([hookFailure === 'open' ? 'let in' : 'PUBLISH_FORBIDDEN']),
    );
  },
  30_000,
);

it('a crowd from everywhere has its end at a deadline of its own, and leaves nothing behind', async () => {
  const { url, seen } = await backEnd(50);
  const { come, made } = admission({ onPublish: url });
  const ends = await Promise.all(
    crowd(
      3000,
      (address) => come('publish', address),
      (i) => `10.1.${i >> 8}.${i & 255}`,
    ),
  );
  const count = (end: string) => ends.filter((one) => one === end).length;
  expect(count('let in') + count('HOOK_BUSY')).toBe(3000);
  expect(count('let in')).toBeGreaterThanOrEqual(2048);
  expect(seen.most).toBeLessThanOrEqual(64);
  expect(await come('publish', '10.1.0.1')).toBe('let in');
  made.close();
}, 60_000);
