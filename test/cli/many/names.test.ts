import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { byName, compareNames, matcherOf, selectByName } from '../../../src/cli/many/names.js';

describe('patterns', () => {
  test.each([
    ['cam-*', ['cam-', 'cam-1', 'cam-x.y'], ['cam', 'xcam-1']],
    ['*', ['', 'a', 'a-b'], []],
    ['*-door', ['front-door', '-door'], ['door', 'front-door2']],
    ['cam-??', ['cam-01', 'cam-ab'], ['cam-1', 'cam-001']],
    ['a*b*c', ['abc', 'aXbYc', 'abbcc'], ['ab', 'acb', 'abcd']],
    ['a*a', ['aa', 'aba'], ['a', 'ab']],
    ['**x**', ['x', 'axb'], ['', 'y']],
    ['cam.1', ['cam.1'], ['camx1']],
    ['[a]', ['[a]'], ['a']],
  ])('%s', (pattern, matching, others) => {
    const matches = matcherOf(pattern);
    expect(matching.filter((name) => !matches(name))).toEqual([]);
    expect(others.filter(matches)).toEqual([]);
  });

  test('take no longer than the name is long, whatever they are', () => {
    const matches = matcherOf('*a'.repeat(30).concat('*b'));
    const beganMs = performance.now();
    for (let time = 0; time < 1000; time += 1) matches('a'.repeat(64));
    expect(performance.now() - beganMs).toBeLessThan(5000);
  });

  test('agree with regular expressions', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '1', '-'), maxLength: 8 });
    const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '1', '-', '*', '?'), maxLength: 6 });
    fc.assert(
      fc.property(pattern, text, (wanted, name) => {
        const expression = new RegExp(`^${wanted.replaceAll('*', '.*').replaceAll('?', '.')}$`);
        expect(matcherOf(wanted)(name)).toBe(expression.test(name));
      }),
    );
  });

  test('that mean nothing are told', () => {
    const things = [{ name: 'cam-2' }, { name: 'cam-10' }];
    expect(selectByName(things, ['cam-10', 'cam-*'])).toEqual([{ name: 'cam-10' }, { name: 'cam-2' }]);
    expect(() => selectByName(things, ['gate-*'])).toThrow('no camera matches "gate-*"');
    expect(() => selectByName(things, ['gate'])).toThrow('no camera "gate" is registered');
  });
});

describe('natural order', () => {
  test('counts as people do', () => {
    const names = ['cam-10', 'cam-2', 'Cam-1', 'cam-1', 'cam-01', 'cam-1a', 'cam', 'cam-2-b10', 'cam-2-b9', '7', '10'];
    expect(byName(names.map((name) => ({ name }))).map(({ name }) => name)).toEqual([
      ...['7', '10', 'Cam-1', 'cam', 'cam-01', 'cam-1', 'cam-1a', 'cam-2', 'cam-2-b9', 'cam-2-b10', 'cam-10'],
    ]);
  });

  test('is an order: of any three names, and of numbers that no number holds', () => {
    const name = fc.string({ unit: fc.constantFrom('a', '0', '1', '9', '-'), maxLength: 6 });
    fc.assert(
      fc.property(name, name, name, (one, two, three) => {
        expect(Math.sign(compareNames(one, two))).toBe(-Math.sign(compareNames(two, one)) + 0);
        expect(compareNames(one, two) === 0).toBe(one === two);
        if (compareNames(one, two) < 0 && compareNames(two, three) < 0)
          expect(compareNames(one, three)).toBeLessThan(0);
      }),
    );
    expect(compareNames(`c${'9'.repeat(60)}`, `c1${'0'.repeat(60)}`)).toBeLessThan(0);
  });
});
