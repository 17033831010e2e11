/** Where a command writes: standard output or standard error, or what a test puts in their place. */
export interface Output {
  write(text: string): void;
  readonly isTTY: boolean;
}

/** What a command has of the outside, so that tests can run it inside of their own process. */
export interface CliIo {
  readonly out: Output;
  readonly err: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

/** The process's own. */
export function processIo(): CliIo {
  return { out: outputOf(process.stdout), err: outputOf(process.stderr), env: process.env, cwd: process.cwd() };
}

function outputOf(stream: NodeJS.WriteStream): Output {
  // `media-aggregator camera list | head`: whoever read is gone, and nobody is left to complain to.
  stream.on('error', () => {});
  return { write: (text) => void stream.write(text), isTTY: stream.isTTY === true };
}

type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow';
const styleCodes: Readonly<Record<Style, readonly [on: number, off: number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
};

/** Colours text when it goes to a terminal and nobody asked for none (NO_COLOR, https://no-color.org). */
export function painter(output: Output, env: CliIo['env']): (style: Style, text: string) => string {
  if (!wantsColors(output, env)) {
    return (_, text) => text;
  }
  // node:util has styleText only from 20.12 on.
  return (style, text) => `\u001b[${styleCodes[style][0]}m${text}\u001b[${styleCodes[style][1]}m`;
}

export function wantsColors(output: Output, env: CliIo['env']): boolean {
  return output.isTTY && !env.NO_COLOR && env.TERM !== 'dumb';
}
