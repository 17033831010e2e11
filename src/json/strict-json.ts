/** A text that is not JSON, or not JSON that this program takes. */
export class JsonError extends Error {
  /** 1-based. */
  readonly line: number;
  /** 1-based, in UTF-16 code units. */
  readonly column: number;

  constructor(text: string, offset: number, rule: string) {
    let [line, lineStart] = [1, 0];
    // Not by splitting: a text may consist of millions of line breaks.
    for (let at = text.indexOf('\n'); at >= 0 && at < offset; at = text.indexOf('\n', at + 1)) {
      line += 1;
      lineStart = at + 1;
    }
    const column = offset - lineStart + 1;
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
  const steps = parseJsonSteps(text, limits);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
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

/** Values that are read in one step. */
const valuesPerStep = 250;

/** An object or array that is not at its end yet. */
interface Open {
  readonly values: unknown[] | Record<string, unknown>;
  /** Of an object: the key whose value comes next. */
  key: string;
}

/** `parseJson` in steps of a fraction of a millisecond, for texts of megabytes. @throws JsonError */
export function* parseJsonSteps(text: string, { maxDepth }: JsonLimits = defaultLimits): Generator<undefined, unknown> {
  const open: Open[] = [];
  let at = skipSpace(text, 0);
  for (let count = 1; ; count += 1) {
    if (count % valuesPerStep === 0) yield;
    const code = text.charCodeAt(at);
    let value: unknown;
    if (code === openBrace || code === openBracket) {
      if (open.length === maxDepth) throw new JsonError(text, at, 'nested too deep');
      const container: Open = { values: code === openBrace ? {} : [], key: '' };
      at = skipSpace(text, at + 1);
      if (text.charCodeAt(at) !== closingOf(container)) {
        open.push(container);
        at = readKey(text, at, container);
        continue;
      }
      value = container.values;
      at += 1;
    } else {
      const end = scanPlain(text, at, code);
      value = JSON.parse(text.slice(at, end));
      at = end;
    }
    // It goes into what it stands in, and ends what ends behind it.
    for (;;) {
      at = skipSpace(text, at);
      const container = open.at(-1);
      if (container === undefined) {
        if (at < text.length) throw new JsonError(text, at, `${shown(text, at)} after the end of the document`);
        return value;
      }
      if (Array.isArray(container.values)) container.values.push(value);
      else container.values[container.key] = value;
      const closing = closingOf(container);
      if (text.charCodeAt(at) !== closing) {
        at = readKey(text, afterComma(text, at, closing), container);
        break;
      }
      open.pop();
      value = container.values;
      at += 1;
    }
  }
}

function closingOf({ values }: Open): number {
  return Array.isArray(values) ? closeBracket : closeBrace;
}

/** Where the string, word or number ends that begins here. */
function scanPlain(text: string, start: number, code: number): number {
  if (code === quote) return scanString(text, start);
  for (const word of ['true', 'false', 'null']) if (text.startsWith(word, start)) return start + word.length;
  numberPattern.lastIndex = start;
  if (numberPattern.test(text)) return numberPattern.lastIndex;
  throw new JsonError(text, start, `a value must stand here, not ${shown(text, start)}`);
}

/** Reads the key of the next value, where values have keys; gives back where the value begins. */
function readKey(text: string, at: number, container: Open): number {
  const { values } = container;
  if (Array.isArray(values)) return at;
  if (text.charCodeAt(at) !== quote) {
    throw new JsonError(text, at, `a key in double quotes must stand here, not ${shown(text, at)}`);
  }
  const keyEnd = scanString(text, at);
  const key = keyOf(text, at, keyEnd);
  if (key === '__proto__') throw new JsonError(text, at, 'the key "__proto__" is not allowed');
  if (Object.hasOwn(values, key)) {
    throw new JsonError(text, at, `the key ${JSON.stringify(key)} stands twice in one object`);
  }
  container.key = key;
  const colonAt = skipSpace(text, keyEnd);
  if (text.charCodeAt(colonAt) !== colon) {
    throw new JsonError(text, colonAt, `a colon must follow the key, not ${shown(text, colonAt)}`);
  }
  return skipSpace(text, colonAt + 1);
}

/** Without escapes, as nearly all are, a key is what stands between the quotes. */
function keyOf(text: string, at: number, end: number): string {
  const plain = text.slice(at + 1, end - 1);
  return plain.includes('\\') ? String(JSON.parse(text.slice(at, end))) : plain;
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
