import { dirname, isAbsolute, join, resolve } from 'node:path';
import { InputError, messageOf } from '../errors.js';
import { type ConfigurationFiles, filesOnDisk } from './files.js';
import { hasWildcard } from './glob.js';
import { invalidConfiguration, NginxLexer, type Statement } from './lexer.js';

/** One directive, and where it stands. */
export interface Directive {
  readonly name: string;
  /** Without quotes and escapes. */
  readonly args: readonly string[];
  /** As the user would name it: relative where the configuration's own path is. */
  readonly file: string;
  /** The line of its name, from 1. */
  readonly line: number;
  /** What stands between its braces; undefined when it ends with a semicolon. Included files stand where they belong. */
  readonly block?: readonly Directive[];
}

export interface ParseLimits {
  readonly maxFileBytes: number;
  /** Of all files together, a file that is included twice counting twice. */
  readonly maxTotalBytes: number;
  readonly maxFiles: number;
  readonly maxDirectives: number;
  /** Blocks in blocks. */
  readonly maxDepth: number;
  /** Files that include files. */
  readonly maxIncludeDepth: number;
}

/** Ten times what an aggregator of 10,000 cameras with pushes needs. */
export const defaultParseLimits: ParseLimits = {
  maxFileBytes: 32 << 20,
  maxTotalBytes: 64 << 20,
  maxFiles: 20_000,
  maxDirectives: 1_000_000,
  maxDepth: 32,
  maxIncludeDepth: 16,
};

/** Blocks whose files are of no interest: they are not read, so they need not be there. */
const foreignBlocks: ReadonlySet<string> = new Set(['http', 'stream', 'mail', 'events']);

/**
 * Reads a configuration with the files that it includes. Relative includes start at the folder of the main file, also
 * those of included files: so does nginx.
 *
 * @param path absolute, or relative to `cwd`
 * @throws InputError IMPORT_UNREADABLE, IMPORT_INVALID; with file and line
 */
export function parseNginxFile(path: string, cwd: string, limits: ParseLimits = defaultParseLimits): Directive[] {
  const main = resolve(cwd, path);
  const shown = (file: string): string => (isAbsolute(path) ? file : relativeTo(cwd, file));
  const parser = new Parser({ files: filesOnDisk, folder: dirname(main), shown, limits, skipped: foreignBlocks });
  return parser.file(main, { context: [], files: [], from: undefined });
}

/**
 * The same for a text, whose includes are refused.
 * @throws InputError IMPORT_INVALID
 */
export function parseNginxText(text: string, limits: ParseLimits = defaultParseLimits): Directive[] {
  const parser = new Parser({ limits });
  return parser.text(text, 'nginx.conf', { context: [], files: [], from: undefined });
}

/**
 * Reads a configuration that nginx has accepted, from these files. Nothing in it can be wrong but what is not understood
 * here, such as the script of a Lua block: what comes behind that is left out. Never throws.
 *
 * @param main the path of the main file
 */
export function parseAccepted(
  main: string,
  files: ConfigurationFiles,
  limits: ParseLimits = defaultParseLimits,
): Directive[] {
  const parser = new Parser({ files, folder: dirname(main), limits, isLenient: true });
  return parser.file(main, { context: [], files: [], from: undefined });
}

interface Place {
  /** The names of the blocks around. */
  readonly context: readonly string[];
  /** The files around, by their real paths. */
  readonly files: readonly string[];
  /** The `include` that led here. */
  readonly from: Directive | undefined;
}

class Parser {
  readonly #files: ConfigurationFiles | undefined;
  readonly #folder: string;
  readonly #shown: (file: string) => string;
  readonly #limits: ParseLimits;
  /** Blocks whose includes are not read. */
  readonly #skipped: ReadonlySet<string>;
  readonly #isLenient: boolean;
  #fileCount = 0;
  #bytes = 0;
  #directives = 0;

  constructor(options: {
    /** Undefined: includes are refused. */
    files?: ConfigurationFiles;
    folder?: string;
    shown?: (file: string) => string;
    limits: ParseLimits;
    skipped?: ReadonlySet<string>;
    /** What cannot be read ends the reading, and is no error. */
    isLenient?: boolean;
  }) {
    this.#files = options.files;
    this.#folder = options.folder ?? '/';
    this.#shown = options.shown ?? ((file) => file);
    this.#limits = options.limits;
    this.#skipped = options.skipped ?? new Set();
    this.#isLenient = options.isLenient ?? false;
  }

  file(path: string, place: Place): Directive[] {
    const { maxFiles, maxIncludeDepth } = this.#limits;
    this.#fileCount += 1;
    if (this.#fileCount > maxFiles) throw this.#refuse(place, `leads to more than ${maxFiles} files`);
    if (place.files.length > maxIncludeDepth) {
      throw this.#refuse(place, `is an include in more than ${maxIncludeDepth} files one in another`);
    }
    const { text, realPath } = this.#load(path, place);
    if (place.files.includes(realPath)) {
      throw this.#refuse(place, `includes ${this.#shown(path)}, which includes this file: it would never end`);
    }
    return this.text(text, this.#shown(path), { ...place, files: [...place.files, realPath] });
  }

  text(text: string, file: string, place: Place): Directive[] {
    this.#bytes += Buffer.byteLength(text);
    if (this.#bytes > this.#limits.maxTotalBytes) {
      throw this.#refuse(place, `leads to more than ${this.#limits.maxTotalBytes} bytes of configuration`, file);
    }
    const lexer = new NginxLexer(text, file);
    const directives: Directive[] = [];
    try {
      this.#read(lexer, file, place, undefined, directives);
    } catch (error) {
      if (!this.#isLenient) throw error;
    }
    return directives;
  }

  /**
   * Reads directives into `directives`, up to the end of their block.
   * @param opened the directive whose block it is; undefined: the file itself
   */
  #read(lexer: NginxLexer, file: string, place: Place, opened: Directive | undefined, directives: Directive[]): void {
    for (;;) {
      const { end, words, line }: Statement = lexer.next();
      if (end === 'file') {
        if (opened === undefined) return;
        throw invalidConfiguration(file, opened.line, `opens a block of "${opened.name}" that is never closed`);
      }
      if (end === '}') {
        if (opened !== undefined) return;
        throw invalidConfiguration(file, line, 'closes a block that was never opened');
      }
      this.#directives += 1;
      const { maxDirectives, maxDepth } = this.#limits;
      if (this.#directives > maxDirectives) {
        throw invalidConfiguration(file, line, `is the directive that exceeds the limit of ${maxDirectives}`);
      }
      const [name = '', ...args] = words;
      const directive: Directive = { name, args, file, line };
      if (end === '{') {
        if (place.context.length === maxDepth) {
          throw invalidConfiguration(file, line, `has more than ${maxDepth} blocks one in another`);
        }
        const inside: Place = { ...place, context: [...place.context, name] };
        // In its place before its block is read: what cannot be read later leaves what was read.
        const block: Directive[] = [];
        directives.push({ ...directive, block });
        this.#read(lexer, file, inside, directive, block);
      } else if (name === 'include' && !this.#skipped.has(place.context[0] ?? '')) {
        for (const each of this.#include(directive, place)) directives.push(each);
      } else {
        directives.push(directive);
      }
    }
  }

  #include(directive: Directive, place: Place): Directive[] {
    const [target] = directive.args;
    const { file, line } = directive;
    const files = this.#files;
    if (files === undefined) throw invalidConfiguration(file, line, 'includes a file, which a text cannot');
    if (target === undefined || target === '' || directive.args.length > 1) {
      throw invalidConfiguration(file, line, 'has an include that does not name one file or pattern');
    }
    if (target.includes('\0'))
      throw invalidConfiguration(file, line, 'has an include with a NUL character in its name');
    const path = isAbsolute(target) ? target : join(this.#folder, target);
    const next: Place = { ...place, from: directive };
    if (!hasWildcard(target)) return this.file(path, next);
    const { maxFiles } = this.#limits;
    const found: Directive[] = [];
    for (const each of files.expand(path, maxFiles)) {
      for (const inner of this.file(each, next)) found.push(inner);
    }
    return found;
  }

  #load(path: string, place: Place): { readonly text: string; readonly realPath: string } {
    try {
      if (this.#files === undefined) throw new Error('there are no files');
      return this.#files.read(path, this.#limits.maxFileBytes);
    } catch (error) {
      const { from } = place;
      const where = from === undefined ? '' : ` (included at ${from.file}:${from.line})`;
      const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
      const reason = missing ? 'there is no such file' : messageOf(error);
      throw new InputError('IMPORT_UNREADABLE', `${this.#shown(path)} cannot be read: ${reason}${where}.`, {
        cause: error,
      });
    }
  }

  /** An error at the include that led too far, or at the file itself. */
  #refuse(place: Place, problem: string, file = 'nginx.conf'): InputError {
    return invalidConfiguration(place.from?.file ?? file, place.from?.line ?? 1, problem);
  }
}

function relativeTo(cwd: string, file: string): string {
  const prefix = cwd.endsWith('/') ? cwd : `${cwd}/`;
  return file.startsWith(prefix) ? file.slice(prefix.length) : file;
}
