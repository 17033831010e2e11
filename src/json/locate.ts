/** Characters that are read in one step. */
const charsPerStep = 100_000;

/** A text that is being read, and how far. */
interface Reading {
  readonly text: string;
  at: number;
  /** Where the next step begins. */
  stepEnd: number;
}

/**
 * The line of a value in a text that is valid JSON, 1-based: that of its key, or of the value itself in a list. Where the
 * path leads to nothing, the line of the last thing on it that is there; undefined when that is the document itself.
 * In steps, each a fraction of a millisecond.
 */
export function* lineOfSteps(text: string, keys: readonly string[]): Generator<undefined, number | undefined> {
  const reading: Reading = { text, at: 0, stepEnd: charsPerStep };
  let found: number | undefined;
  for (const key of keys) {
    skipSpace(reading);
    const offset = yield* enter(reading, key);
    if (offset === undefined) break;
    found = offset;
  }
  if (found === undefined) return undefined;
  let line = 1;
  for (let end = text.indexOf('\n'); end !== -1 && end < found; end = text.indexOf('\n', end + 1)) {
    line += 1;
    if (line % 10_000 === 0) yield;
  }
  return line;
}

/** Goes to the value of a key in the object or list that begins here; gives back where it is, undefined: there is none. */
function* enter(reading: Reading, wanted: string): Generator<undefined, number | undefined> {
  const { text } = reading;
  const opening = text[reading.at];
  if (opening !== '{' && opening !== '[') return undefined;
  reading.at += 1;
  for (let index = 0; ; index += 1) {
    skipSpace(reading);
    const start = reading.at;
    if (start >= text.length || text[start] === '}' || text[start] === ']') return undefined;
    let key = String(index);
    if (opening === '{') {
      skipString(reading);
      key = String(JSON.parse(text.slice(start, reading.at)));
      skipSpace(reading);
      reading.at += 1; // the colon
    }
    if (key === wanted) return start;
    yield* skipValue(reading);
    skipSpace(reading);
    if (text[reading.at] === ',') reading.at += 1;
  }
}

function* skipValue(reading: Reading): Generator<undefined, void> {
  const { text } = reading;
  let depth = 0;
  skipSpace(reading);
  while (reading.at < text.length) {
    const sign = text[reading.at];
    if (sign === '"') skipString(reading);
    else {
      if ((sign === ',' || sign === '}' || sign === ']') && depth === 0) return;
      if (sign === '{' || sign === '[') depth += 1;
      if (sign === '}' || sign === ']') depth -= 1;
      reading.at += 1;
    }
    if (reading.at > reading.stepEnd) {
      reading.stepEnd = reading.at + charsPerStep;
      yield;
    }
  }
}

function skipString(reading: Reading): void {
  const { text } = reading;
  reading.at += 1;
  while (reading.at < text.length && text[reading.at] !== '"') reading.at += text[reading.at] === '\\' ? 2 : 1;
  reading.at += 1;
}

function skipSpace(reading: Reading): void {
  while (' \n\r\t'.includes(reading.text[reading.at] ?? '.')) reading.at += 1;
}
