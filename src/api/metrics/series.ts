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

const linesPerBlock = 500;

/**
 * Series of things that come and go, written anew for each reader, as text: a thousand cameras with their pushes have
 * some ten thousand series, and a library that keeps each as an object holds up everybody for a second.
 */
export class SeriesGroup<T> {
  readonly #table: readonly Series<T>[];
  /** By series: its newest lines, */
  #lines: string[][];
  /** and those before, encoded: half a million short strings would hold up everybody each time garbage is collected. */
  #blocks: Buffer[][];
  /** Series that one thing takes. */
  readonly perThing: number;

  constructor(table: readonly Series<T>[]) {
    this.#table = table;
    this.#lines = table.map(() => []);
    this.#blocks = table.map(() => []);
    this.perThing = table.reduce((sum, { perThing = 1 }) => sum + perThing, 0);
  }

  /** Forgets what a reader before left, whose answer failed. */
  clear(): void {
    for (const kept of [...this.#lines, ...this.#blocks]) kept.length = 0;
  }

  /** @param labels of the thing, which each of its series has */
  add(thing: T, labels: Readonly<Record<string, string>>): void {
    const common = labelText(labels);
    for (const [index, { name, read }] of this.#table.entries()) {
      const seen = read(thing);
      const lines = this.#lines[index]!;
      if (typeof seen === 'number') lines.push(line(name, common, seen));
      for (const { value, labels: own } of typeof seen === 'object' ? (seen ?? []) : []) {
        if (value != null) lines.push(line(name, join(common, own), value));
      }
      if (lines.length < linesPerBlock) continue;
      this.#blocks[index]!.push(Buffer.from(lines.join('')));
      lines.length = 0;
    }
  }

  /**
   * All of it in the text format of Prometheus (0.0.4), in pieces; afterwards it is empty. What is added while the pieces
   * are taken is of the next time.
   */
  *take(): Generator<string | Buffer, void> {
    const [lines, blocks] = [this.#lines, this.#blocks];
    this.#lines = this.#table.map(() => []);
    this.#blocks = this.#table.map(() => []);
    for (const [index, { name, type, help }] of this.#table.entries()) {
      yield `# HELP ${metricPrefix}${name} ${escapeHelp(help)}\n# TYPE ${metricPrefix}${name} ${type}\n`;
      yield* blocks[index] ?? [];
      yield (lines[index] ?? []).join('');
    }
  }
}

function line(name: string, labels: string, value: number): string {
  return `${metricPrefix}${name}${labels === '' ? '' : `{${labels}}`} ${value}\n`;
}

function join(common: string, own: Readonly<Record<string, string>> | undefined): string {
  const text = labelText(own ?? {});
  return common === '' || text === '' ? common + text : `${common},${text}`;
}

function labelText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${escapeValue(value)}"`)
    .join(',');
}

function escapeValue(text: string): string {
  return /[\\"\n]/.test(text) ? text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n') : text;
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}
