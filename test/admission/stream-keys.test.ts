import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { GuessLimiter } from '../../src/admission/guess-limiter.js';
import { StreamKeys } from '../../src/admission/stream-keys.js';

const keys = new StreamKeys(randomBytes(32));
const nowMs = Date.parse('2026-01-01T00:00:00Z');

describe('publish keys', () => {
  const key = keys.generated('gate', 'a1');
  const rule = { tag: keys.tag('gate', key) };
  const isKey = (camera: string, text: string, rules = [rule]) => keys.isPublishKey(camera, text, rules, nowMs);

  test('are the same each time, and other ones for another camera, id or secret', () => {
    expect(key).toMatch(/^[A-Za-z0-9_-]{32}$/);
    expect(keys.generated('gate', 'a1')).toBe(key);
    const others = [
      keys.generated('gate2', 'a1'),
      keys.generated('gate', 'a2'),
      keys.generated('gat', 'ea1'),
      new StreamKeys(randomBytes(32)).generated('gate', 'a1'),
    ];
    expect(new Set([key, ...others]).size).toBe(5);
  });

  test('are right for their camera only, and until they end', () => {
    expect(isKey('gate', key)).toBe(true);
    expect(isKey('gate2', key)).toBe(false);
    for (const wrong of ['', key.slice(1), `${key}x`, key.toUpperCase(), rule.tag, 'x'.repeat(10_000)]) {
      expect(isKey('gate', wrong)).toBe(false);
    }
    expect(isKey('gate', key, [])).toBe(false);
    expect(keys.isPublishKey('gate', key, [{ ...rule, untilMs: nowMs + 1 }], nowMs)).toBe(true);
    expect(keys.isPublishKey('gate', key, [{ ...rule, untilMs: nowMs }], nowMs)).toBe(false);
  });
});

describe('play tokens', () => {
  const token = keys.playToken('gate', nowMs + 60_000);

  test('hold until they end, for their camera', () => {
    expect(keys.judgePlayToken('gate', token, nowMs)).toBe('good');
    expect(keys.judgePlayToken('gate', token, nowMs + 59_999)).toBe('good');
    expect(keys.judgePlayToken('gate', token, nowMs + 60_000)).toBe('expired');
    expect(keys.judgePlayToken('gate2', token, nowMs)).toBe('wrong');
    expect(new StreamKeys(randomBytes(32)).judgePlayToken('gate', token, nowMs)).toBe('wrong');
  });

  test('cannot be made longer, or of publish keys', () => {
    const [seconds = '', signature = ''] = token.split('-', 2);
    const rest = token.slice(seconds.length + 1);
    const longer = `${Number(seconds) + 86_400}-${rest}`;
    for (const wrong of [
      longer,
      `0${token}`,
      `+${token}`,
      rest,
      `${seconds}-`,
      `${seconds}-${'A'.repeat(32)}`,
      '',
      signature,
    ]) {
      expect(keys.judgePlayToken('gate', wrong, nowMs), wrong).toBe('wrong');
    }
    expect(keys.judgePlayToken('gate', `${seconds}-${keys.generated('gate', seconds)}`, nowMs)).toBe('wrong');
  });
});

describe('guesses', () => {
  test('cost nothing at first, then ever longer waits up to a minute, for their address only', () => {
    let now = 0;
    const limiter = new GuessLimiter(() => now);
    const waits: number[] = [];
    for (let i = 0; i < 14; i++) {
      limiter.failed('192.0.2.1');
      waits.push(limiter.waitMs('192.0.2.1', 'x'));
    }
    expect(waits).toEqual([0, 0, 0, 0, 0, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000]);
    expect(limiter.waitMs('192.0.2.2', 'x')).toBe(0);
    now += 59_999;
    expect(limiter.waitMs('192.0.2.1', 'x')).toBe(1);
    now += 1;
    expect(limiter.waitMs('192.0.2.1', 'x')).toBe(0);
    now += 600_001;
    limiter.failed('192.0.2.1');
    expect(limiter.waitMs('192.0.2.1', 'x')).toBe(0);
  });

  test('of a neighbour do not hold up who showed the right key before', () => {
    const limiter = new GuessLimiter(() => 0);
    limiter.succeeded('192.0.2.1', 'right');
    for (let i = 0; i < 20; i++) limiter.failed('192.0.2.1');
    expect(limiter.waitMs('192.0.2.1', 'right')).toBe(0);
    expect(limiter.waitMs('192.0.2.1', 'another')).toBeGreaterThan(0);
  });

  test('of very many addresses take bounded memory', () => {
    const limiter = new GuessLimiter(() => 0);
    for (let i = 0; i < 20_000; i++) limiter.failed(`address ${i}`);
    expect(limiter.size).toBe(10_000);
  });
});
