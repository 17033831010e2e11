import { Counter, Gauge, type Registry } from 'prom-client';

/** What every name begins with. */
export const metricPrefix = 'media_aggregator_';

/** One value with its labels beside those of the thing it is of. */
export interface Sample {
  readonly value: number | null | undefined;
  readonly labels?: Readonly<Record<string, string>>;
}

/** A metric, and how it is read from what is seen of a thing. docs/metrics.md has a row for each (a test compares). */
export interface Series<T> {
  /** Without the prefix. Counters end with `_total`. */
  readonly name: string;
  readonly type: 'gauge' | 'counter';
  /** Labels beside those of the thing. */
  readonly labels?: readonly string[];
  readonly help: string;
  /** How many series one thing has at most; 1. */
  readonly perThing?: number;
  read(thing: T): number | null | undefined | readonly Sample[];
}

/** Series of things that come and go: written anew for each reader. */
export class SeriesGroup<T> {
  readonly #metrics: readonly { readonly series: Series<T>; readonly metric: Gauge | Counter }[];
  /** Series that one thing takes. */
  readonly perThing: number;

  /** @param labels of the thing, which each series has */
  constructor(registry: Registry, labels: readonly string[], table: readonly Series<T>[]) {
    this.perThing = table.reduce((sum, { perThing = 1 }) => sum + perThing, 0);
    this.#metrics = table.map((series) => {
      const { name, type, help, labels: own = [] } = series;
      const options = {
        name: metricPrefix + name,
        help,
        labelNames: [...labels, ...own],
        registers: [registry],
      };
      return { series, metric: type === 'counter' ? new Counter(options) : new Gauge(options) };
    });
  }

  reset(): void {
    for (const { metric } of this.#metrics) metric.reset();
  }

  add(thing: T, labels: Readonly<Record<string, string>>): void {
    for (const { series, metric } of this.#metrics) {
      const read = series.read(thing);
      if (typeof read === 'number') metric.inc(labels, read);
      else
        for (const sample of read ?? [])
          if (sample.value != null) metric.inc({ ...labels, ...sample.labels }, sample.value);
    }
  }
}
