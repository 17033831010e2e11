import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { type HookFacts, hookQuestion } from '../../src/admission/hook-question.js';

const facts = (query: string, call: 'publish' | 'play' = 'publish'): HookFacts => ({
  ...{ call, camera: 'gate', address: '192.0.2.1', connectionId: 7, query },
  ...{ flashVer: 'FMLE/3.0', swfUrl: '', tcUrl: 'rtmp://h/gate', pageUrl: '' },
});
const url = new URL('http://backend.example/hook?site=7&shop[id]=1&a.b=c');
const ours = {
  ...{ app: 'gate', flashver: 'FMLE/3.0', swfurl: '', tcurl: 'rtmp://h/gate', pageurl: '' },
  ...{ addr: '192.0.2.1', clientid: '7', call: 'publish', name: 'gate', type: 'live' },
};

/** How PHP reads a form into `$_POST`, and over the query into `$_REQUEST` (main/php_variables.c). */
function phpReads(body: string): Map<string, string> {
  const read = new Map<string, string>();
  for (const pair of body.split('&')) {
    const [rawName = '', rawValue = ''] = pair.split(/=(.*)/s);
    const decode = (text: string) => {
      try {
        return decodeURIComponent(text.replaceAll('+', ' '));
      } catch {
        return text;
      }
    };
    let name = (decode(rawName).split('\0', 1)[0] ?? '').replace(/^ +/, '');
    const open = name.indexOf('[', 1);
    if (open > 0 && name.indexOf(']', open) > 0) name = name.slice(0, open);
    name = name.replace(/[ .[]/g, '_');
    if (name !== '') read.set(name, decode(rawValue));
  }
  return read;
}

/** Readers that know no case, and take the first or the last of several. */
const lower = (body: string, isFirst: boolean): Map<string, string> => {
  const read = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(body)) {
    if (!isFirst || !read.has(name.toLowerCase())) read.set(name.toLowerCase(), value);
  }
  return read;
};

function expectOurs(query: string): void {
  for (const call of ['publish', 'play'] as const) {
    const { body } = hookQuestion(facts(query, call), 'form', url);
    for (const read of [phpReads(body), lower(body, true), lower(body, false), phpReads(body.replaceAll(';', '&'))]) {
      for (const [name, value] of Object.entries({ ...ours, call })) {
        if (name === 'type' && call === 'play') expect(read.has('type'), query).toBe(false);
        else expect(read.get(name), `${name} of ?${query}`).toBe(value);
      }
      for (const name of ['site', 'shop', 'a_b']) expect(read.has(name), query).toBe(false);
    }
  }
}

describe('the form', () => {
  const names = [...Object.keys(ours), 'site', 'shop', 'a.b'];
  const spellings: ((name: string) => string)[] = [
    (name) => name,
    (name) => name.toUpperCase(),
    (name) => `${name.slice(0, 1).toUpperCase()}${name.slice(1)}`,
    ...[
      '%20',
      '+',
      '%20%20',
      '%09',
      '%00',
      '%0a',
      '%0d%0a',
      '%c2%a0',
      '%ef%bb%bf',
      '%e2%80%8b',
      '.',
      '[',
      ']',
      '=',
    ].flatMap((sign) => [
      (name: string) => `${sign}${name}`,
      (name: string) => `${name}${sign}`,
      (name: string) => `${name}${sign}x`,
    ]),
    (name) => `${name}[]`,
    (name) => `${name}%5B%5D`,
    (name) => `${name}[x]`,
    (name) => `${name}[`,
    (name) => `${name}%00x`,
    (name) => `x;${name}`,
    (name) => `x%26${name}`,
    (name) => `x%3D1%26${name}`,
    (name) => [...name].map((letter) => `%${letter.charCodeAt(0).toString(16)}`).join(''),
    (name) => [...name].map((letter) => `%25${letter.charCodeAt(0).toString(16)}`).join(''),
    (name) => name.replace('a', '\u{ff41}').replace('n', '\u{ff4e}'),
    (name) => name.replace('i', '\u0131').replace('s', '\u017f').replace('k', '\u212a'),
    (name) => `__proto__[${name}]`,
    (name) => `constructor[prototype][${name}]`,
  ];

  it.each(names)('%s stands there once, as it is ours, however an argument is spelt', (name) => {
    for (const spell of spellings) {
      expectOurs(`${spell(name)}=forged`);
      expectOurs(`x=1&${spell(name)}=forged&${spell(name)}=forged`);
      expectOurs(`&&=&${spell(name)}`);
    }
  });

  it('whatever the arguments are', () => {
    const sign = fc.constantFrom(...names, ...'%20 + [ ] . = & ; %00 %26 %3d _ - \0 é ＝ %'.split(' '), ' ');
    fc.assert(
      fc.property(fc.array(sign, { maxLength: 12 }), (parts) => expectOurs(parts.join(''))),
      { numRuns: 2000 },
    );
  });

  it('has the other arguments behind the fields, the first of each name, and no more than some', () => {
    const ask = (query: string) => hookQuestion(facts(query), 'form', url);
    const { body, dropped } = ask('user=7&USER=8&user=9&x-1=a%26b&_y=%00&__proto__=1&name=z&t[]=1');
    expect(dropped).toBe(5);
    expect([...new URLSearchParams(body)].slice(10)).toEqual([
      ['user', '7'],
      ['x-1', 'a&b'],
      ['_y', '\0'],
    ]);
    const many = ask(Array.from({ length: 1000 }, (_, index) => `a${index}=1`).join('&'));
    expect([many.dropped, [...new URLSearchParams(many.body)].length]).toEqual([936, 74]);
    expect(ask(`${'n'.repeat(65)}=1&v=${'x'.repeat(4097)}&w=${'x'.repeat(4096)}`).dropped).toBe(2);
    expect(ask('').dropped).toBe(0);
  });
});

test('JSON has what the peer says apart from what is known, under any name', () => {
  const query = 'name=forged&address=1&camera=x&%20name=y&a[]=1&__proto__=2&constructor=3&a%22%0a=%e2%80%ae&name=again';
  const { body, contentType, dropped } = hookQuestion(facts(query, 'play'), 'json', url);
  expect(contentType).toBe('application/json');
  expect(dropped).toBe(3);
  expect(JSON.parse(body)).toEqual({
    ...{ call: 'play', camera: 'gate', address: '192.0.2.1', connectionId: 7, dropped: 3 },
    connect: { flashVer: 'FMLE/3.0', swfUrl: '', tcUrl: 'rtmp://h/gate', pageUrl: '' },
    query: { name: 'forged', address: '1', camera: 'x', ' name': 'y', 'a[]': '1', 'a"\n': '\u202e' },
  });
});
