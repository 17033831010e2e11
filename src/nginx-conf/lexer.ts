import { InputError } from '../errors.js';

/** One step through a configuration: a directive up to its `;` or `{`, the `}` of a block, or the end of the file. */
export interface Statement {
  readonly end: ';' | '{' | '}' | 'file';
  /** The directive's name and arguments, without quotes and escapes; empty for `}` and the end of the file. */
  readonly words: readonly string[];
  /** Where it begins, from 1. */
  readonly line: number;
}

/** As nginx, whose buffer for one word has this size (NGX_CONF_BUFFER). */
const maxWordChars = 4096;
/** nginx knows no limit; no directive needs so many. */
const maxWords = 1024;

/** An error that names file and line. */
export function invalidConfiguration(file: string, line: number, problem: string): InputError {
  return new InputError('IMPORT_INVALID', `${file}:${line} ${problem}.`, { field: `${file}:${line}` });
}

/**
 * Takes a configuration apart into statements, by the same states as nginx's own reader (ngx_conf_read_token of
 * src/core/ngx_conf_file.c, nginx 1.22), because its rules are not those of a shell: a quote ends a word only where one
 * began it, `#` begins a comment only where a word could begin, `${` belongs to a word, a backslash protects any
 * character from ending a word but vanishes only before a quote and another backslash.
 *
 * Every call reads one statement; the time is linear in the text.
 */
export class NginxLexer {
  readonly #text: string;
  readonly #file: string;
  #position = 0;
  #line = 1;

  /** @param file how the text is called in errors */
  constructor(text: string, file: string) {
    this.#text = text;
    this.#file = file;
  }

  /** @throws InputError IMPORT_INVALID with file and line */
  next(): Statement {
    const words: string[] = [];
    let line = this.#line;
    for (;;) {
      const start = this.#skipToWord();
      const char = this.#text[start];
      if (words.length === 0) line = this.#line;
      switch (char) {
        case undefined:
          if (words.length > 0) throw this.#error(line, 'has a directive without the ";" or "{" that ends it');
          return { end: 'file', words, line };
        case ';':
        case '{':
          if (words.length === 0) throw this.#error(line, `has a "${char}" without a directive before it`);
          this.#position = start + 1;
          return { end: char, words, line };
        case '}':
          if (words.length > 0) throw this.#error(this.#line, 'has a "}" where a ";" must end the directive');
          this.#position = start + 1;
          return { end: '}', words, line };
      }
      if (words.length === maxWords) throw this.#error(line, `has a directive with more than ${maxWords} words`);
      words.push(char === '"' || char === "'" ? this.#readQuoted(start, char) : this.#readPlain(start));
    }
  }

  /** Leaves space and comments behind; the position of what comes then. */
  #skipToWord(): number {
    let inComment = false;
    for (; this.#position < this.#text.length; this.#position += 1) {
      const char = this.#text[this.#position];
      if (char === '\n') {
        this.#line += 1;
        inComment = false;
      } else if (!inComment && char === '#') {
        inComment = true;
      } else if (!inComment && !isSpace(char)) {
        break;
      }
    }
    return this.#position;
  }

  /** A word that ends at a space, `;` or `{`; quotes and `}` inside of it mean nothing. */
  #readPlain(start: number): string {
    const startLine = this.#line;
    let afterDollar = false;
    for (let at = start; at < this.#text.length; at += 1) {
      const char = this.#text[at];
      this.#checkLength(at - start, startLine);
      if (char === '{' && afterDollar) {
        // `${name}`: nginx goes on as if the dollar had been the last character.
        continue;
      }
      afterDollar = char === '$';
      if (char === '\\') {
        at += 1;
        if (this.#text[at] === '\n') this.#line += 1;
      } else if (at > start && (isSpace(char) || char === ';' || char === '{')) {
        this.#position = at;
        return unquote(this.#text.slice(start, at));
      }
    }
    throw this.#error(startLine, 'has a directive without the ";" or "{" that ends it');
  }

  #readQuoted(start: number, quote: string): string {
    const startLine = this.#line;
    for (let at = start + 1; at < this.#text.length; at += 1) {
      const char = this.#text[at];
      this.#checkLength(at - start - 1, startLine);
      if (char === '\n') this.#line += 1;
      if (char === '\\') {
        at += 1;
        if (this.#text[at] === '\n') this.#line += 1;
      } else if (char === quote) {
        this.#position = at + 1;
        this.#checkAfterQuote();
        return unquote(this.#text.slice(start + 1, at));
      }
    }
    throw this.#error(startLine, `has a ${quote} that is never closed`);
  }

  /** nginx lets a closing parenthesis follow at once, for the conditions of its `if`. */
  #checkAfterQuote(): void {
    const char = this.#text[this.#position];
    if (char !== undefined && !isSpace(char) && !';{)'.includes(char)) {
      throw this.#error(this.#line, 'has neither a space nor ";" nor "{" after a closing quote');
    }
  }

  #checkLength(length: number, line: number): void {
    if (length > maxWordChars) throw this.#error(line, `has a word of more than ${maxWordChars} characters`);
  }

  #error(line: number, problem: string): InputError {
    return invalidConfiguration(this.#file, line, problem);
  }
}

function isSpace(char: string | undefined): boolean {
  return char === ' ' || char === '\t' || char === '\r' || char === '\n';
}

const escapes: Readonly<Record<string, string>> = {
  '"': '"',
  "'": "'",
  '\\': '\\',
  t: '\t',
  r: '\r',
  n: '\n',
};

function unquote(raw: string): string {
  return raw.includes('\\') ? raw.replace(/\\(["'\\trn])/g, (_, char: string) => escapes[char] ?? char) : raw;
}
