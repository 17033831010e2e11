import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { shownTheme } from '../state/theme.js';
import { clock } from './format.js';

export interface PlotSeries {
  readonly label: string;
  /** Which colour and dash it has: the same thing has the same in every plot. */
  readonly color: number;
  readonly values: readonly (number | null)[];
}

export interface PlotProps {
  readonly title: string;
  /** Seconds since 1970, ascending; each series has a value for each. */
  readonly timesS: readonly number[];
  readonly series: readonly PlotSeries[];
  readonly format: (value: number) => string;
  /** The top of the scale is never below this: what is nothing must not look like much. */
  readonly least: number;
  /** What it shows now, in words, for those who do not see it. */
  readonly summary: string;
}

const height = 150;
/** Names of CSS variables, so that a plot changes with the theme. Lines differ in their dashes, too. */
const strokes = ['--plot-1', '--plot-2', '--plot-3', '--plot-4', '--plot-5', '--plot-6'];
const dashes = [[], [8, 3], [2, 3], [10, 3, 2, 3], [4, 4], [12, 4]];

/** Minutes, and seconds where they differ by less. */
const timeLabels: uPlot.Axis.Values = [
  [60, '{HH}:{mm}', null, null, null, null, null, null, 1],
  [1, '{HH}:{mm}:{ss}', null, null, null, null, null, null, 1],
];

/** The last value; that of the newest step may not be there yet. */
function newest(values: ArrayLike<number | null | undefined>): number | null | undefined {
  const last = values.length - 1;
  return values[last] ?? values[last - 1];
}

function timeOf(seconds: number): string {
  return clock(new Date(seconds * 1000).toISOString());
}

/** A plot over time. */
export function Plot({ title, timesS, series, format, least, summary }: PlotProps) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const data = useSignal<uPlot.AlignedData>([[]]);
  data.value = [timesS as number[], ...series.map(({ values }) => values as (number | null)[])];
  const shape = series.map(({ label, color }) => `${color} ${label}`).join('\n');
  const theme = shownTheme.value;

  useEffect(() => {
    const element = host.current;
    if (element === null) return;
    const style = getComputedStyle(element);
    const color = (name: string) => style.getPropertyValue(name).trim();
    const axis = { stroke: color('--muted'), grid: { stroke: color('--line'), width: 1 }, ticks: { show: false } };
    const made = new uPlot(
      {
        width: Math.max(200, element.clientWidth),
        height,
        // At the right there is room for half of the last time.
        padding: [10, 28, 0, 0],
        cursor: { points: { size: 7 }, drag: { x: false, y: false } },
        legend: { live: true },
        scales: { y: { range: (_, __, max) => [0, Math.max((max ?? 0) * 1.1, least)] } },
        axes: [
          { ...axis, space: 70, size: 32, gap: 9, values: timeLabels },
          { ...axis, size: 72, space: 34, values: (_, splits) => splits.map(format) },
        ],
        series: [
          { label: 'Time', value: (_: uPlot, value: number | null) => (value === null ? 'now' : timeOf(value)) },
          ...series.map(({ label, color: own }) => ({
            label,
            stroke: color(strokes[own % strokes.length] ?? '--accent'),
            width: 1.6,
            dash: dashes[own % dashes.length] ?? [],
            points: { show: false },
            spanGaps: false,
            // Without the pointer in the plot there is no index: then it is the last value.
            value: (plot: uPlot, value: number | null, seriesIndex: number, index: number | null) => {
              const shown = index === null ? newest(plot.data[seriesIndex] ?? []) : value;
              return shown == null ? '–' : format(shown);
            },
          })),
        ],
      },
      data.peek(),
      element,
    );
    plot.current = made;
    const resized = new ResizeObserver(() => made.setSize({ width: Math.max(200, element.clientWidth), height }));
    resized.observe(element);
    return () => {
      resized.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [shape, theme]);

  useEffect(() => {
    plot.current?.setData(data.peek());
  }, [data.value]);

  return (
    <figure class="plot">
      <figcaption>{title}</figcaption>
      <p class="sr-only">{summary}</p>
      <div ref={host} aria-hidden="true" />
    </figure>
  );
}
