/** A row of a CSV file. */
export interface CsvRow {
  /** The line that it begins on; 1 for the first. */
  readonly line: number;
  readonly cells: readonly string[];
}

/** A CSV file that cannot be read. */
export class CsvError extends Error {
  readonly line: number;

  constructor(line: number, rule: string) {
    super(rule);
    this.name = 'CsvError';
    this.line = line;
  }
}

/**
 * The rows of a CSV text (RFC 4180). Cells are trimmed unless they are quoted; empty lines, and lines that begin with `#`,
 * are left out. What parts the cells (a comma, a semicolon, a tab) is what the first row has most of.
 * @throws CsvError for a quote without an end
 */
export function readCsv(text: string): CsvRow[] {
  const separator = separatorOf(text);
  const rows: CsvRow[] = [];
  let line = 1;
  let at = text.startsWith('\ufeff') ? 1 : 0;
  while (at < text.length) {
    if (text[at] === '#') {
      at = endOfLine(text, at) + 1;
      line += 1;
      continue;
    }
    const row = readRow(text, at, line, separator);
    if (row.cells.some((cell) => cell !== '')) rows.push({ line, cells: row.cells });
    at = row.end;
    line = row.line;
  }
  return rows;
}

function readRow(
  text: string,
  start: number,
  firstLine: number,
  separator: string,
): { cells: string[]; end: number; line: number } {
  const cells: string[] = [];
  let at = start;
  let line = firstLine;
  for (;;) {
    while (text[at] === ' ') at += 1;
    let cell: string;
    if (text[at] === '"') {
      const end = endOfQuote(text, at, line);
      cell = text.slice(at + 1, end).replaceAll('""', '"');
      line += cell.split('\n').length - 1;
      at = end + 1;
      while (text[at] === ' ') at += 1;
    } else {
      const from = at;
      while (at < text.length && text[at] !== separator && text[at] !== '\n' && text[at] !== '\r') at += 1;
      cell = text.slice(from, at).trim();
    }
    cells.push(cell);
    if (text[at] === separator) {
      at += 1;
      continue;
    }
    if (at < text.length && text[at] !== '\n' && text[at] !== '\r') {
      throw new CsvError(line, `a quoted cell must be followed by "${separator}" or the end of the line`);
    }
    if (text[at] === '\r') at += 1;
    if (text[at] === '\n') at += 1;
    return { cells, end: at, line: line + 1 };
  }
}

function endOfQuote(text: string, start: number, line: number): number {
  for (let at = start + 1; at < text.length; at += 1) {
    if (text[at] !== '"') continue;
    if (text[at + 1] !== '"') return at;
    at += 1;
  }
  throw new CsvError(line, 'the quote that begins here has no end');
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end < 0 ? text.length : end;
}

/** A URL has none of them unescaped, in its usual forms; a tie goes to the comma. */
function separatorOf(text: string): string {
  const first = text.split(/\r?\n/, 200).find((line) => line.trim() !== '' && !line.startsWith('#')) ?? '';
  const count = (sign: string): number => first.split(sign).length - 1;
  const [comma, semicolon, tab] = [count(','), count(';'), count('\t')];
  if (tab > comma && tab >= semicolon) return '\t';
  return semicolon > comma ? ';' : ',';
}
