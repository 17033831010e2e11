import { expect, it } from 'vitest';
import { pageOf } from '../../src/control/paging.js';

const values = new Map(Array.from({ length: 10_000 }, (_, index) => [`n${String(index).padStart(5, '0')}`, index]));

it('a filter that keeps hardly anything looks at a bounded number for each page, and finds all in the end', () => {
  let looks = 0;
  const keep = (value: number): boolean => {
    looks += 1;
    return value % 4999 === 0;
  };
  const found: number[] = [];
  let after: string | undefined;
  for (let pages = 1; ; pages += 1) {
    looks = 0;
    const page = pageOf(values, { limit: 10, after }, (value) => value, keep);
    expect(looks).toBeLessThanOrEqual(2000);
    found.push(...page.items);
    if (page.next === null) {
      expect(pages).toBe(5);
      break;
    }
    after = page.next;
  }
  expect(found).toEqual([0, 4999, 9998]);
});

it('the last page says so, also when it is full, or its last name is the last with the prefix', () => {
  const names = new Map(['a1', 'a2', 'b1'].map((name) => [name, name]));
  const page = (request: Parameters<typeof pageOf>[1]) => pageOf(names, request, (name) => name);
  expect(page({ limit: 3 })).toEqual({ items: ['a1', 'a2', 'b1'], next: null });
  expect(page({ limit: 2, prefix: 'a' })).toEqual({ items: ['a1', 'a2'], next: null });
  expect(page({ limit: 1, prefix: 'a' })).toEqual({ items: ['a1'], next: 'a1' });
  expect(page({ after: 'a1', prefix: 'a' })).toEqual({ items: ['a2'], next: null });
  expect(page({ after: 'b9', prefix: 'a' })).toEqual({ items: [], next: null });
});
