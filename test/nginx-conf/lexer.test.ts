import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { InputError } from '../../src/errors.js';
import { planImport } from '../../src/import/plan.js';
import { NginxLexer, type Statement } from '../../src/nginx-conf/lexer.js';
import { defaultParseLimits, parseNginxText } from '../../src/nginx-conf/parser.js';

/** Apart, so that what nginx calls a variable is not taken for a slip in a template. */
const dollar = '$';

function statements(text: string): Statement[] {
  const lexer = new NginxLexer(text, 'f');
  const all: Statement[] = [];
  for (;;) {
    const statement = lexer.next();
    if (statement.end === 'file') return all;
    all.push(statement);
  }
}

function words(text: string): (readonly string[])[] {
  return statements(text).map((each) => each.words);
}

function refusal(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    if (error instanceof InputError) {
      expect(error.code).toBe('IMPORT_INVALID');
      return error.message;
    }
  }
  throw new Error('it was accepted');
}

describe('words', () => {
  test.each<[text: string, words: string[]]>([
    ['a b\tc\r\nd;', ['a', 'b', 'c', 'd']],
    ['a "b c" \'d;e\' "f{g}";', ['a', 'b c', 'd;e', 'f{g}']],
    // A quote inside of a word is a character like any other.
    [`push rtmp://h/a"b'c;`, ['push', `rtmp://h/a"b'c`]],
    // So is a hash inside of a word, and a closing brace.
    ['push rtmp://h/a#b/c} d;', ['push', 'rtmp://h/a#b/c}', 'd']],
    ['a # b; c\n d;', ['a', 'd']],
    [`a "b\\"c" 'd\\'e' f\\"g;`, ['a', 'b"c', "d'e", 'f"g']],
    // A backslash protects a space from ending the word, and stays.
    ['a b\\ c\\;d;', ['a', 'b\\ c\\;d']],
    ['a "\\t\\r\\n\\\\\\x\\$";', ['a', '\t\r\n\\\\x\\$']],
    [`a ${dollar}{b}c d$e${dollar}{f};`, ['a', `${dollar}{b}c`, `d$e${dollar}{f}`]],
    ['a "";', ['a', '']],
    ['a "b" ;', ['a', 'b']],
    ['if ("a") ;', ['if', '("a")']],
    ['a ( "b") ;', ['a', '(', 'b', ')']],
    ['a "b\nc";', ['a', 'b\nc']],
  ])('%j', (text, expected) => {
    expect(words(text)).toEqual([expected]);
  });

  test('lines are those of the first word', () => {
    const text = '# one\n\na\n  b\n;\n"c\n" d { # e\n}\n\\\n f;';
    expect(statements(text).map(({ end, line }) => [end, line])).toEqual([
      [';', 3],
      ['{', 6],
      ['}', 8],
      [';', 9],
    ]);
  });

  test.each<[text: string, message: RegExp]>([
    ['a', /^f:1 has a directive without/],
    ['\na b', /^f:2 has a directive without/],
    ['a;\n"b', /^f:2 has a " that is never closed/],
    ["a 'b\\'", /^f:1 has a ' that is never closed/],
    [';', /^f:1 has a ";" without/],
    ['a;;', /^f:1 has a ";" without/],
    ['{', /^f:1 has a "{" without/],
    ['a }', /^f:1 has a "}" where/],
    ['a "b"c;', /^f:1 has neither/],
    ['a \\', /^f:1 has a directive without/],
    [`a ${'b'.repeat(4097)};`, /more than 4096 characters/],
    [`a ${'b '.repeat(1024)};`, /more than 1024 words/],
  ])('refused: %.20j', (text, message) => {
    expect(refusal(() => statements(text))).toMatch(message);
  });
});

describe('properties', () => {
  /** Characters that mean something to nginx, and few that do not, so that odd texts come often. */
  const hostileText = fc
    .array(
      fc.oneof(
        fc.constantFrom(...' \t\r\n;{}#"\'\\$()abrnt*?[]\0é😀'),
        fc.constantFrom('include ', 'push ', `${dollar}{a}`),
      ),
    )
    .map((parts) => parts.join(''));

  test('any text gives directives or the coded error, and a plan', () => {
    fc.assert(
      fc.property(fc.oneof(hostileText, fc.string({ unit: 'binary' })), (text) => {
        try {
          planImport([...parseNginxText(text), ...parseNginxText(`rtmp{server{application x{live on;${text}}}}`)]);
        } catch (error) {
          expect(error).toBeInstanceOf(InputError);
          expect(error).toHaveProperty('code', 'IMPORT_INVALID');
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('what is quoted as nginx wants it comes back', () => {
    fc.assert(
      fc.property(fc.array(hostileText, { minLength: 1, maxLength: 5 }), fc.constantFrom('"', "'"), (values, quote) => {
        const escaped = values.map((value) => quote + value.replace(/[\\"']/g, '\\$&') + quote);
        expect(words(`${escaped.join(' ')};`)).toEqual([values]);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('limits', () => {
  const limits = { ...defaultParseLimits, maxDepth: 3, maxDirectives: 10, maxTotalBytes: 1000 };

  test('blocks in blocks', () => {
    expect(parseNginxText('a{a{a{}}}', limits)).toHaveLength(1);
    expect(refusal(() => parseNginxText('a{a{a{a{}}}}', limits))).toContain('more than 3 blocks');
    expect(refusal(() => parseNginxText('a{'.repeat(1_000_000)))).toContain('more than 32 blocks');
  });

  test('directives and bytes', () => {
    expect(parseNginxText('a;'.repeat(10), limits)).toHaveLength(10);
    expect(refusal(() => parseNginxText('a;'.repeat(11), limits))).toContain('the limit of 10');
    expect(refusal(() => parseNginxText(`#${'a'.repeat(1000)}`, limits))).toContain('more than 1000 bytes');
  });

  test('braces that do not match', () => {
    expect(refusal(() => parseNginxText('a {\n b { }\n'))).toBe(
      'nginx.conf:1 opens a block of "a" that is never closed.',
    );
    expect(refusal(() => parseNginxText('a { }\n}'))).toBe('nginx.conf:2 closes a block that was never opened.');
  });

  test('a text of a megabyte takes a moment, whatever it is', () => {
    for (const unit of ['a;', 'a{}', '"a" ', '\\', '${', "'", '#', '*']) {
      try {
        parseNginxText(unit.repeat(1_000_000 / unit.length));
      } catch (error) {
        expect(error).toBeInstanceOf(InputError);
      }
    }
  });
});
