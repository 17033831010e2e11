/** A directive of nginx: its words, and what stands in its braces. */
export interface Directive {
  /** Name and parameters, unquoted. */
  readonly words: readonly string[];
  /** null for a directive that ends with a semicolon. */
  readonly block: readonly Directive[] | null;
}

const maxDepth = 64;

/**
 * Reads what `nginx -T` printed, by the rules of ngx_conf_read_token (ngx_conf_file.c). nginx has accepted the text, so
 * that nothing in it can be wrong; where it is, the rest is left out. Blocks of scripts (Lua) are not understood.
 */
export function parseConfiguration(text: string): Directive[] {
  const root: Directive[] = [];
  const open: Directive[][] = [root];
  let words: string[] = [];
  let at = 0;
  for (;;) {
    spaceAndComments.lastIndex = at;
    at += spaceAndComments.exec(text)?.[0].length ?? 0;
    const char = text[at];
    if (char === undefined) return root;
    if (char === ';' || char === '{') {
      const block: Directive[] | null = char === '{' ? [] : null;
      open.at(-1)?.push({ words, block });
      words = [];
      if (block !== null && open.push(block) > maxDepth) return root;
      at++;
    } else if (char === '}') {
      if (open.length === 1) return root;
      open.pop();
      words = [];
      at++;
    } else {
      const [word, end] = char === '"' || char === "'" ? readQuoted(text, at) : readPlain(text, at);
      words.push(word);
      at = end;
    }
  }
}

/** A `#` begins a comment only where a word could begin. */
const spaceAndComments = /(?:\s+|#[^\n]*)+/y;

const plainWord = /(?:\\[\s\S]|\$\{|[^\s;{\\])+/y;

function readPlain(text: string, start: number): [word: string, end: number] {
  plainWord.lastIndex = start;
  const raw = plainWord.exec(text)?.[0] ?? text[start]!;
  return [unquote(raw), start + raw.length];
}

function readQuoted(text: string, start: number): [word: string, end: number] {
  const quote = text[start];
  let at = start + 1;
  while (at < text.length && text[at] !== quote) at += text[at] === '\\' ? 2 : 1;
  return [unquote(text.slice(start + 1, at)), at + 1];
}

const escapes: Readonly<Record<string, string>> = { t: '\t', r: '\r', n: '\n' };

function unquote(raw: string): string {
  return raw.replace(/\\(["'\\trn])/g, (_, char: string) => escapes[char] ?? char);
}

/** One file of what `nginx -T` prints. */
export interface DumpedFile {
  readonly path: string;
  readonly text: string;
}

/** Takes the output of `nginx -T` apart. A line in a file that looks like the heading of one only hides that file. */
export function splitDump(output: string): DumpedFile[] {
  const files: DumpedFile[] = [];
  const headings = [...output.matchAll(/^# configuration file (.+):$/gm)];
  for (const [index, heading] of headings.entries()) {
    const start = (heading.index ?? 0) + heading[0].length + 1;
    files.push({ path: heading[1] ?? '', text: output.slice(start, headings[index + 1]?.index) });
  }
  return files;
}

/** The directives of the first file, with those of included files in the places of their `include`s. */
export function expandDump(files: readonly DumpedFile[], folder: string): Directive[] {
  const main = files[0];
  if (main === undefined) return [];
  let includes = 0;
  const expand = (directives: readonly Directive[]): Directive[] =>
    directives.flatMap((directive) => {
      if (directive.words[0] !== 'include' || directive.block !== null) {
        return [directive.block === null ? directive : { ...directive, block: expand(directive.block) }];
      }
      includes++;
      if (includes > 1000) return [];
      const pattern = globPattern(directive.words[1] ?? '', folder);
      return files.filter(({ path }) => pattern.test(path)).flatMap(({ text }) => expand(parseConfiguration(text)));
    });
  return expand(parseConfiguration(main.text));
}

function globPattern(glob: string, folder: string): RegExp {
  const path = glob.startsWith('/') ? glob : `${folder}/${glob}`;
  const source = path
    .replace(/[.+^${}()|\\]/g, '\\$&')
    .replaceAll('*', '[^/]*')
    .replaceAll('?', '[^/]');
  try {
    return new RegExp(`^${source}$`);
  } catch {
    return /^$/;
  }
}
