import { describe, expect, test } from 'vitest';
import type { LogFields } from '../../src/log/log.js';
import { createLogger } from '../../src/log/pino.js';
import { LogSummary } from '../../src/log/summary.js';
import { waitFor } from '../support/wait.js';

interface Line extends LogFields {
  readonly message: string;
}

function logger() {
  const lines: Line[] = [];
  const target = { write: (line: string) => void lines.push(JSON.parse(line)) };
  return { lines, log: createLogger({ level: 'debug', format: 'json', isTerminal: false, target }) };
}

const sums = (lines: readonly Line[]): Line[] => lines.filter(({ message }) => message.includes('more lines'));

describe('what others cause', () => {
  test('3,000 strangers of one address are three lines, and one with the sum', async () => {
    const { lines, log } = logger();
    for (let port = 1; port <= 3000; port++) {
      const child = log.child({ part: 'media', remote: `203.0.113.9:${port}` });
      child.warn('connection closed', { reason: `RTMP_HANDSHAKE: version ${port % 200}` });
    }
    expect(lines).toHaveLength(3);
    expect(lines[0]).toMatchObject({ remote: '203.0.113.9:1', reason: 'RTMP_HANDSHAKE: version 1' });
    await log.flush(0);
    expect(lines).toHaveLength(4);
    expect(lines[3]).toMatchObject({
      level: 'warn',
      message: '2997 more lines "connection closed" within 60 s',
      lines: 2997,
      peers: 1,
      most: [{ peer: '203.0.113.9', lines: 2997, reason: 'RTMP_HANDSHAKE: version 0' }],
    });
  });

  test.each([
    ['IPv4', (n: number) => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}:1935`, 30],
    ['networks of IPv6', (n: number) => `[2001:db8:0:${n.toString(16)}::1]:1935`, 30],
    ['one network of IPv6', (n: number) => `[2001:db8::${n.toString(16)}]:1935`, 3],
  ])('as many addresses (%s) cost no more lines, nor memory', async (_, remote, expected) => {
    const { lines, log } = logger();
    for (let n = 0; n < 20_000; n++) log.warn('connection closed', { remote: remote(n), reason: `x${n} RTMP_LIMIT` });
    expect(lines).toHaveLength(expected);
    await log.flush(0);
    const [sum, ...others] = sums(lines);
    expect(others).toEqual([]);
    expect(sum).toMatchObject({ lines: 20_000 - expected });
    expect(Number(sum?.peers)).toBeLessThanOrEqual(1000);
    expect(sum).toHaveProperty(
      'most.length',
      expect.toSatisfy((length: number) => length <= 5),
    );
  });

  test('another reason, another address and another message are written in full', () => {
    const { lines, log } = logger();
    for (let n = 0; n < 50; n++) log.warn('connection closed', { remote: '10.0.0.1:1', reason: 'RTMP_LIMIT: a' });
    log.warn('connection closed', { remote: '10.0.0.1:1', reason: 'publish refused: PUBLISH_NOT_REGISTERED: b' });
    log.warn('connection closed', { remote: '10.0.0.2:1', reason: 'RTMP_LIMIT: a' });
    log.warn('RTMP_LIMIT: connections refused', { address: '10.0.0.1' });
    expect(lines.slice(3).map(({ remote, address }) => remote ?? address)).toEqual([
      '10.0.0.1:1',
      '10.0.0.2:1',
      '10.0.0.1',
    ]);
  });

  test.each([
    { part: 'media', camera: 'cam' },
    { part: 'media', camera: 'cam', target: 'rtmp://engine/live/cam' },
    { part: 'webhooks', receiver: 'https://example.org/' },
    { part: 'api', address: '10.0.0.1' },
  ])('a flapping %o is bounded too', async (fields) => {
    const { lines, log } = logger();
    const child = log.child(fields);
    for (let n = 0; n < 100; n++) {
      child.info('camera is live');
      child.info('camera is no longer live');
    }
    await log.flush(0);
    expect(lines).toHaveLength(3 + 3 + 2);
  });
});

test('what callers with a right change is never left out, nor is what is debugged', () => {
  const { lines, log } = logger();
  const control = log.child({ part: 'control' });
  for (let n = 0; n < 1000; n++) {
    control.info('added a push', { camera: 'cam', push: `p${n}` });
    log.child({ part: 'media', remote: '10.0.0.1:1' }).debug('< publish', { camera: 'cam' });
  }
  expect(lines).toHaveLength(2000);
});

test('a thousand cameras that come at once are told of one by one', () => {
  const { lines, log } = logger();
  for (let n = 0; n < 1000; n++) {
    log.child({ part: 'media', camera: `cam${n}` }).info('camera is live', { remote: `10.0.${n >> 8}.${n & 255}:1` });
  }
  expect(lines).toHaveLength(1000);
});

test('a peer that goes on is not written in full again before it was quiet for a window', async () => {
  const told: number[] = [];
  const summary = new LogSummary((_level, _message, { lines }) => void told.push(Number(lines)), 100);
  const admit = (): boolean => summary.admit('warn', 'closed', { remote: '10.0.0.1:1' });
  const full = (): number => Array.from({ length: 10 }, admit).filter(Boolean).length;
  expect(full()).toBe(3);
  await waitFor(() => told.length === 1, { what: 'the sum' });
  expect(full()).toBe(0);
  await waitFor(() => told.length === 2, { what: 'the second sum' });
  expect(told).toEqual([7, 10]);
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(full()).toBe(3);
});
