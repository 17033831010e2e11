/** Where a command writes: standard output or standard error, or what a test puts in their place. */
export interface Output {
  write(text: string): void;
  readonly isTTY: boolean;
  /** The descriptor, where it is one of the process's own. */
  readonly fd?: number;
  /** Resolves when everything was handed over; to why not, where something was lost. Undefined: nothing can be lost. */
  readonly written?: () => Promise<Error | undefined>;
}

/** A terminal that a command may take for itself. */
export interface Terminal {
  columns(): number;
  rows(): number;
  write(text: string): void;
  /** Hands on each key as its bytes, and tells of another size. Returns the way to end it. */
  start(onKey: (key: string) => void, onResize: () => void): () => void;
}

/** What a command has of the outside, so that tests can run it inside of their own process. */
export interface CliIo {
  readonly out: Output;
  readonly err: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Standard input, for commands that read it; undefined: there is none. */
  readonly input?: AsyncIterable<Uint8Array | string> | undefined;
  /** Undefined where input or output is no terminal. */
  readonly terminal?: Terminal | undefined;
}

const esc = String.fromCharCode(27);
/** What a command itself sends to a terminal: colours, and the line that shows how far it is. */
const terminalSigns = `${esc}\\[(?:0|1|2|22|31|32|33|39)m|\\r${esc}\\[K`;
const lineSigns = '\\r?\\n|\\t';
/** Controls, and what turns the direction of text or hides it. */
const unprintable = '[\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}\\p{Cs}]';
const inTerminal = new RegExp(`(${terminalSigns}|${lineSigns})|${unprintable}`, 'gu');
const elsewhere = new RegExp(`(${lineSigns})|${unprintable}`, 'gu');

/**
 * The same, with everything escaped that could move the cursor, hide text or turn its direction: whatever others chose,
 * and wherever it got into what a command says. As JSON has it (`\u202e`; two of them for a sign beyond U+FFFF), so that
 * JSON stays the same JSON. Line breaks pass here: what stands in a line of its own is cleaned where the line is made.
 */
export function cleanIo(io: CliIo): CliIo {
  return { ...io, out: cleanOutput(io.out), err: cleanOutput(io.err) };
}

function cleanOutput(output: Output): Output {
  const signs = output.isTTY ? inTerminal : elsewhere;
  const write = (text: string): void =>
    output.write(text.replace(signs, (found, own?: string) => (own === undefined ? escaped(found) : found)));
  const { isTTY, fd, written } = output;
  return { write, isTTY, ...(fd === undefined ? {} : { fd }), ...(written === undefined ? {} : { written }) };
}

function escaped(sign: string): string {
  let text = '';
  for (let i = 0; i < sign.length; i += 1) text += `\\u${sign.charCodeAt(i).toString(16).padStart(4, '0')}`;
  return text;
}

/**
 * The working folder, also where it was removed since the shell went there: what is named by a whole path is found then, and
 * what is relative is looked for where the folder was.
 */
export function workingFolder(of: Pick<NodeJS.Process, 'cwd' | 'chdir' | 'env'> = process): string {
  try {
    return of.cwd();
  } catch {
    // Whatever asks again gets an answer.
    of.chdir('/');
    const { PWD } = of.env;
    return PWD?.startsWith('/') === true ? PWD : '/';
  }
}

/** The process's own. */
export function processIo(): CliIo {
  const terminal = process.stdin.isTTY === true && process.stdout.isTTY === true ? processTerminal() : undefined;
  return {
    out: outputOf(process.stdout, 1),
    err: outputOf(process.stderr, 2),
    env: process.env,
    cwd: workingFolder(),
    // Opened when it is read: a command that does not must not wait for it.
    get input() {
      return process.stdin;
    },
    terminal,
  };
}

const endSignals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;

function processTerminal(): Terminal {
  const { stdin, stdout } = process;
  return {
    columns: () => stdout.columns || 80,
    rows: () => stdout.rows || 24,
    write: (text) => void stdout.write(text),
    start: (onKey, onResize) => {
      const onData = (data: Buffer): void => onKey(data.toString('latin1'));
      stdin.setRawMode(true);
      stdin.on('data', onData);
      // As Ctrl-C does: whoever ends it gets the terminal back as it was. A terminal that is gone ends it.
      const onSignal = (): void => onKey('\u0003');
      for (const signal of endSignals) process.on(signal, onSignal);
      stdin.on('end', onSignal);
      stdin.on('error', onSignal);
      stdin.resume();
      stdout.on('resize', onResize);
      return () => {
        stdin.off('data', onData);
        stdin.off('end', onSignal);
        for (const signal of endSignals) process.off(signal, onSignal);
        stdout.off('resize', onResize);
        stdin.setRawMode(false);
        stdin.pause();
      };
    },
  };
}

function outputOf(stream: NodeJS.WriteStream, fd: number): Output {
  let failure: Error | undefined;
  stream.on('error', (error) => {
    failure ??= error;
  });
  const write = (text: string): void =>
    void stream.write(text, (error) => {
      failure ??= error ?? undefined;
    });
  const written = (): Promise<Error | undefined> =>
    new Promise((resolve) => {
      if (stream.writableLength === 0) setImmediate(() => resolve(failure));
      else stream.write('', () => resolve(failure));
    });
  return { write, isTTY: stream.isTTY === true, fd, written };
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
