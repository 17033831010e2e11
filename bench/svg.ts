export interface BarChart {
  readonly title: string;
  readonly unit: string;
  /** Along the axis. */
  readonly groups: readonly string[];
  /** Bars within a group, in one colour each. */
  readonly series: readonly string[];
  /** `values[series][group]`; NaN: no bar. */
  readonly values: readonly (readonly number[])[];
}

const colours = ['#2f6fab', '#d97a2b', '#5b9a4b', '#a24d8d', '#8a8a8a'];
const [width, height, left, right, top, bottom] = [720, 320, 56, 16, 64, 36];
const plotHeight = height - top - bottom;

/** A round number that is no less than the value: the top of an axis. */
export function niceCeiling(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return power * (([1, 2, 2.5, 5].find((step) => value <= step * power) ?? 10) as number);
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

function short(value: number): string {
  return String(Number(value.toPrecision(3)));
}

/** Grouped bars as a standalone SVG that reads on light and dark pages. */
export function barChart(chart: BarChart): string {
  const all = chart.values.flat().filter(Number.isFinite);
  const ceiling = niceCeiling(Math.max(0, ...all));
  const y = (value: number): number => top + plotHeight * (1 - value / ceiling);
  const groupWidth = (width - left - right) / Math.max(1, chart.groups.length);
  const barWidth = (groupWidth * 0.8) / Math.max(1, chart.series.length);
  const parts: string[] = [];
  const text = (x: number, at: number, content: string, extra = ''): void => {
    parts.push(`<text x="${short(x)}" y="${short(at)}" ${extra}>${escapeXml(content)}</text>`);
  };
  text(left, 22, `${chart.title} (${chart.unit})`, 'font-size="15" font-weight="bold"');
  let legend = left;
  for (const [i, name] of chart.series.entries()) {
    parts.push(`<rect x="${legend}" y="34" width="12" height="12" fill="${colours[i % colours.length]}"/>`);
    text(legend + 18, 44, name);
    legend += 34 + name.length * 7;
  }
  for (let line = 0; line <= 4; line++) {
    const value = (ceiling * line) / 4;
    parts.push(
      `<line x1="${left}" x2="${width - right}" y1="${short(y(value))}" y2="${short(y(value))}" stroke="#bbb"/>`,
    );
    text(left - 8, y(value) + 4, short(value), 'text-anchor="end"');
  }
  for (const [g, group] of chart.groups.entries()) {
    const begin = left + g * groupWidth + groupWidth * 0.1;
    text(left + (g + 0.5) * groupWidth, height - 14, group, 'text-anchor="middle"');
    for (const [s] of chart.series.entries()) {
      const value = chart.values[s]?.[g] ?? Number.NaN;
      if (!Number.isFinite(value)) continue;
      const [x, at] = [begin + s * barWidth, y(value)];
      const size = `width="${short(barWidth * 0.92)}" height="${short(top + plotHeight - at)}"`;
      parts.push(`<rect x="${short(x)}" y="${short(at)}" ${size} fill="${colours[s % colours.length]}"/>`);
      text(x + barWidth * 0.46, at - 4, short(value), 'text-anchor="middle" font-size="11"');
    }
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12" fill="#555">
<title>${escapeXml(chart.title)}</title>
<rect width="${width}" height="${height}" fill="#fff"/>
${parts.join('\n')}
</svg>
`;
}
