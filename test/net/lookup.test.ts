import { describe, expect, it } from 'vitest';
import { SharedLookups } from '../../src/net/lookup.js';

/** Look-ups that end when the test says so. */
function controlled() {
  const pending = new Map<string, (error: Error | null) => void>();
  const asked: string[] = [];
  const lookups = new SharedLookups((host, _options, done) => {
    asked.push(host);
    pending.set(host, (error) => done(error, error === null ? [{ address: '127.0.0.1', family: 4 }] : []));
  });
  const answer = (host: string, error: Error | null = null): void => {
    const done = pending.get(host);
    pending.delete(host);
    done?.(error);
  };
  return { lookups, asked, answer };
}

describe('look-ups of names', () => {
  it('that hang are made once for all who wait, and anew after they ended', () => {
    const { lookups, asked, answer } = controlled();
    const got: string[] = [];
    for (const who of ['a', 'b', 'c']) lookups.resolve('dead.invalid', (error) => got.push(`${who} ${error?.message}`));
    expect(asked).toEqual(['dead.invalid']);
    answer('dead.invalid', new Error('gone'));
    expect(got).toEqual(['a gone', 'b gone', 'c gone']);
    lookups.resolve('dead.invalid', () => {});
    expect(asked.length).toBe(2);
  });

  it('of names that never resolved wait for each other; one that did resolve waits for none', () => {
    const { lookups, asked, answer } = controlled();
    lookups.resolve('good.invalid', () => {});
    answer('good.invalid');
    for (let i = 0; i < 20; i++) lookups.resolve(`dead-${i}.invalid`, () => {});
    expect(asked.length).toBe(1 + 12);
    lookups.resolve('good.invalid', () => {});
    expect(asked.at(-1)).toBe('good.invalid');
    answer('dead-0.invalid', new Error('gone'));
    expect(asked.at(-1)).toBe('dead-12.invalid');
  });

  it('of a name that stopped resolving are among the doubtful again', () => {
    const { lookups, asked, answer } = controlled();
    lookups.resolve('fading.invalid', () => {});
    answer('fading.invalid');
    lookups.resolve('fading.invalid', () => {});
    answer('fading.invalid', new Error('gone'));
    for (let i = 0; i < 12; i++) lookups.resolve(`dead-${i}.invalid`, () => {});
    lookups.resolve('fading.invalid', () => {});
    expect(asked.at(-1)).toBe('dead-11.invalid');
  });
});
