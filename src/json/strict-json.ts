/** A text that is not JSON, or not JSON that this program takes. */
export class JsonError extends Error {
  /** 1-based. */
  readonly line: number;
  /** 1-based, in UTF-16 code units. */
  readonly column: number;

  constructor(text: string, offset: number, rule: string) {
    const before = text.slice(0, offset);
    const line = before.split('\n').length;
    const column = offset - before.lastIndexOf('\n');
    super(`line ${line}, column ${column}: ${rule}`);
    this.name = 'JsonError';
    this.line = line;
    this.column = column;
  }
}

export interface JsonLimits {
  /** How deep objects and arrays may nest. */
  readonly maxDepth: number;
}

const defaultLimits: JsonLimits = { maxDepth: 32 };

/**
 * Parses JSON (RFC 8259) and refuses what people do not mean: a key twice in one object, and `__proto__`, through which
 * prototypes are polluted. Errors say where, which `JSON.parse` of Node 20 does not always do.
 * @throws JsonError
 */
export function parseJson(text: string, limits: JsonLimits = defaultLimits): unknown {
  const end = scanValue(text, skipSpace(text, 0), limits.maxDepth);
  const rest = skipSpace(text, end);
  if (rest < text.length) throw new JsonError(text, rest, `${shown(text, rest)} after the end of the document`);
  return JSON.parse(text);
}

const quote = 0x22;
const comma = 0x2c;
const colon = 0x3a;
const openBracket = 0x5b;
const backslash = 0x5c;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

const numberPattern = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;

function scanValue(text: string, start: number, depthLeft: number): number {
  const code = text.charCodeAt(start);
  if (code === openBrace || code === openBracket) {
    if (depthLeft === 0) throw new JsonError(text, start, 'nested too deep');
    return code === openBrace ? scanObject(text, start, depthLeft - 1) : scanArray(text, start, depthLeft - 1);
  }
  if (code === quote) return scanString(text, start);
  for (const word of ['true', 'false', 'null']) if (text.startsWith(word, start)) return start + word.length;
  numberPattern.lastIndex = start;
  if (numberPattern.test(text)) return numberPattern.lastIndex;
  throw new JsonError(text, start, `a value must stand here, not ${shown(text, start)}`);
}

function scanObject(text: string, start: number, depthLeft: number): number {
  const keys = new Set<string>();
  let at = skipSpace(text, start + 1);
  if (text.charCodeAt(at) === closeBrace) return at + 1;
  for (;;) {
    if (text.charCodeAt(at) !== quote) {
      throw new JsonError(text, at, `a key in double quotes must stand here, not ${shown(text, at)}`);
    }
    const keyEnd = scanString(text, at);
    const key = keyOf(text, at, keyEnd);
    if (key === '__proto__') throw new JsonError(text, at, 'the key "__proto__" is not allowed');
    if (keys.has(key)) throw new JsonError(text, at, `the key ${JSON.stringify(key)} stands twice in one object`);
    keys.add(key);
    at = skipSpace(text, keyEnd);
    if (text.charCodeAt(at) !== colon) {
      throw new JsonError(text, at, `a colon must follow the key, not ${shown(text, at)}`);
    }
    at = skipSpace(text, scanValue(text, skipSpace(text, at + 1), depthLeft));
    const code = text.charCodeAt(at);
    if (code === closeBrace) return at + 1;
    at = afterComma(text, at, closeBrace);
  }
}

/** Without escapes, as nearly all are, a key is what stands between the quotes. */
function keyOf(text: string, at: number, end: number): string {
  const plain = text.slice(at + 1, end - 1);
  return plain.includes('\\') ? String(JSON.parse(text.slice(at, end))) : plain;
}

function scanArray(text: string, start: number, depthLeft: number): number {
  let at = skipSpace(text, start + 1);
  if (text.charCodeAt(at) === closeBracket) return at + 1;
  for (;;) {
    at = skipSpace(text, scanValue(text, at, depthLeft));
    if (text.charCodeAt(at) === closeBracket) return at + 1;
    at = afterComma(text, at, closeBracket);
  }
}

function afterComma(text: string, at: number, closing: number): number {
  const end = String.fromCharCode(closing);
  if (text.charCodeAt(at) !== comma) {
    throw new JsonError(text, at, `a comma or "${end}" must stand here, not ${shown(text, at)}`);
  }
  const next = skipSpace(text, at + 1);
  if (text.charCodeAt(next) === closing) {
    throw new JsonError(text, at, `JSON allows no comma before "${end}"; remove it`);
  }
  return next;
}

function scanString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === quote) return at + 1;
    if (code < 0x20) throw new JsonError(text, at, 'a control character in a string must be written as \\uXXXX');
    if (code === backslash) {
      at += 1;
      const letter = text.charAt(at);
      if (letter === 'u' && /^[0-9a-fA-F]{4}$/.test(text.slice(at + 1, at + 5))) at += 4;
      else if (letter === '' || !'"\\/bfnrt'.includes(letter)) {
        throw new JsonError(text, at - 1, 'a backslash must begin one of \\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX');
      }
    }
  }
  throw new JsonError(text, start, 'the string has no end');
}

function skipSpace(text: string, from: number): number {
  let at = from;
  for (;;) {
    const code = text.charCodeAt(at);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return at;
    at += 1;
  }
}

function shown(text: string, at: number): string {
  return at >= text.length ? 'the end of the text' : JSON.stringify(text.charAt(at));
}
