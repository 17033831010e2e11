import { expect, it } from 'vitest';
import { JsonError, parseJson, parseJsonSteps } from '../../src/json/strict-json.js';

const samples = [
  '{"version":1,"cameras":{"constructor":{"pushes":{}},"b":{"keys":[1,-0,2.5e3,true,false,null,"\\u00e9\\n\\"x"]}},"engines":{}}',
  ' [ ] ',
  '[[[1],[]],{"1":2,"0":[{}]},""]',
  '"a\\\\b"',
  '-1.5E-7',
  '{\n  "a" : [ 1 , 2 ] ,\r\n\t"b" : { }\n}',
];

const outcome = (parse: () => unknown): { value: unknown } | 'refused' => {
  try {
    return { value: parse() };
  } catch {
    return 'refused';
  }
};

it.each(samples)('%s is what JSON.parse makes of it, its keys in their order', (text) => {
  expect(JSON.stringify(parseJson(text))).toBe(JSON.stringify(JSON.parse(text)));
});

it('cut, doubled or changed anywhere, a text is refused exactly where JSON.parse refuses it', () => {
  for (const text of samples) {
    for (let at = 0; at < text.length; at += 1) {
      const variants = [text.slice(0, at), text.slice(at)];
      for (const sign of '{}[],:"\\ 0x')
        variants.push(text.slice(0, at) + sign + text.slice(at + 1), text.slice(0, at) + sign + text.slice(at));
      for (const variant of variants) {
        const expected = outcome(() => JSON.parse(variant));
        const seen = outcome(() => parseJson(variant));
        // A key twice is no mistake to JSON.parse.
        const isTwice = outcome(() => parseJson(variant)) === 'refused' && expected !== 'refused';
        if (isTwice) expect(() => parseJson(variant)).toThrow(/stands twice/);
        else expect([variant, seen]).toEqual([variant, expected]);
      }
    }
  }
});

it('nesting is bounded exactly, whatever it is made of', () => {
  const nested = (depth: number, [begin, end]: readonly [string, string]) =>
    begin.repeat(depth) + (begin === '[' ? '' : '0') + end.repeat(depth);
  for (const kind of [
    ['[', ']'],
    ['{"a":', '}'],
  ] as const) {
    expect(() => parseJson(nested(5, kind), { maxDepth: 5 })).not.toThrow();
    expect(() => parseJson(nested(6, kind), { maxDepth: 5 })).toThrow('nested too deep');
    expect(() => parseJson(nested(100_000, kind))).toThrow('nested too deep');
  }
  expect(() => parseJson('[1]', { maxDepth: 0 })).toThrow(JsonError);
});

it('prototypes are not polluted, however the key is written', () => {
  for (const key of ['__proto__', '\\u005f_proto__', '__proto\\u005f\\u005F']) {
    expect(() => parseJson(`{"a":{"${key}":{"x":1}}}`)).toThrow('"__proto__" is not allowed');
  }
  expect(Reflect.get({}, 'x')).toBeUndefined();
});

it('a long text is read in many steps', () => {
  const text = JSON.stringify(Array.from({ length: 5000 }, (_, index) => ({ index, text: 'x'.repeat(20) })));
  let steps = 0;
  for (const _ of parseJsonSteps(text)) steps += 1;
  expect(steps).toBeGreaterThan(40);
});
