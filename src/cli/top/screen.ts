import { cleanText } from '../../log/pino.js';
import { type TopRow, topHeadings } from './rows.js';

/** What is on the screen besides the rows. */
export interface ScreenState {
  /** One line above the table: the node and its totals, or why there is nothing. */
  readonly summary: string;
  readonly rows: readonly TopRow[];
  /** The first row that is shown. */
  readonly offset: number;
  readonly sort: string;
  readonly filter: string;
  /** True while the filter is being typed. */
  readonly isTyping: boolean;
}

type Paint = (mood: TopRow['mood'] | 'head', text: string) => string;

/** Lines above and below the rows: summary, headings, keys. */
const frameLines = 3;
const numbers = new Set(['IN/OUT', 'FPS', 'QUEUE', 'DROPPED']);
const widths: Readonly<Record<(typeof topHeadings)[number], number>> = {
  'CAMERA / PUSH': 22,
  STATE: 10,
  'IN/OUT': 12,
  FPS: 3,
  QUEUE: 8,
  DROPPED: 7,
  WHY: 12,
};

/** How many rows fit. */
export function visibleRows(height: number): number {
  return Math.max(1, height - frameLines);
}

/** The whole screen, exactly `height` lines of at most `width` characters. */
export function renderScreen(state: ScreenState, size: { width: number; height: number }, paint: Paint): string[] {
  const { width, height } = size;
  const count = visibleRows(height);
  const columns = columnWidths(width);
  const shown = state.rows
    .slice(state.offset, state.offset + count)
    .map((row) => paint(row.mood, line(row.cells, columns, width)));
  const keys = state.isTyping
    ? `filter: ${state.filter}_   Enter: done, Esc: none`
    : `q quit  s sort (${state.sort})  / filter${state.filter === '' ? '' : ` (${state.filter})`}  arrows scroll  ${place(state, count)}`;
  const lines = [
    cut(cleanText(state.summary), width),
    paint('head', line(topHeadings, columns, width)),
    ...shown,
    ...Array<string>(Math.max(0, count - shown.length)).fill(''),
    cut(cleanText(keys), width),
  ];
  return lines.slice(0, height);
}

/** The table alone, as wide as it needs to be: for what is no terminal. Each line names its camera, for who filters them. */
export function renderPlain(rows: readonly TopRow[]): string {
  const all = [topHeadings, ...rows.map(({ cells, fullName }) => [fullName, ...cells.slice(1)])];
  const columns = topHeadings.map((_, column) =>
    Math.max(...all.map((cells) => cleanText(cells[column] ?? '').length)),
  );
  return `${all.map((cells) => line(cells, columns, Number.POSITIVE_INFINITY)).join('\n')}\n`;
}

/** The first and the last column share what a wide terminal has more than 80 columns. */
function columnWidths(width: number): number[] {
  const base = topHeadings.map((heading) => widths[heading]);
  const spare = Math.max(0, width - base.reduce((sum, one) => sum + one + 1, -1));
  base[0] = (base[0] ?? 0) + Math.min(42, Math.floor(spare / 2));
  base[base.length - 1] = (base.at(-1) ?? 0) + Math.ceil(spare / 2);
  return base;
}

function line(cells: readonly string[], columns: readonly number[], width: number): string {
  const parts = cells.map((cell, column) => {
    const text = cut(cleanText(cell), columns[column] ?? 0);
    return numbers.has(topHeadings[column] ?? '')
      ? text.padStart(columns[column] ?? 0)
      : text.padEnd(columns[column] ?? 0);
  });
  return cut(parts.join(' ').trimEnd(), width);
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}

function place({ rows, offset }: ScreenState, count: number): string {
  return rows.length <= count ? '' : `${offset + 1}-${Math.min(rows.length, offset + count)} of ${rows.length}`;
}
