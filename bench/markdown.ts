/** A figure with so many digits behind the point; a dash for none. */
export function digits(value: number, count: number): string {
  return Number.isFinite(value) ? value.toFixed(count) : '-';
}

/**
 * A table in Markdown, its columns aligned.
 * @param lines the titles first
 * @param texts so many columns are text; the others are figures
 */
export function markdownTable(lines: readonly (readonly string[])[], texts: number): string {
  const [titles = [], ...rest] = lines;
  const widths = titles.map((_, i) => Math.max(...lines.map((line) => line[i]?.length ?? 0)));
  const format = (line: readonly string[]): string => {
    const cells = line.map((cell, i) => (i < texts ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)));
    return `| ${cells.join(' | ')} |`;
  };
  const rule = widths.map((width, i) => (i < texts ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`));
  return [format(titles), `|${rule.join('|')}|`, ...rest.map(format)].join('\n');
}
