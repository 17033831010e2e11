import { type Document, type DocumentOptions, Lexer, type ParseOptions, Parser, parseDocument } from 'yaml';

/** Levels of the parser: one for the document, and one for each collection, key and value that is open. */
const maxOpen = 64;

/**
 * `parseDocument` of the `yaml` package for texts that anybody may have written. That package recurses over what is nested,
 * and a stack that overflows within a regular expression ends Node.js itself, which nothing can catch. So nesting is counted
 * first, by the part of the package that does not recurse.
 * @throws Error for a text that is nested deeper than anything this program reads; other errors stand in the document
 */
export function parseYaml(text: string, options: ParseOptions & DocumentOptions = {}): Document.Parsed {
  const parser = new Parser();
  let line = 1;
  for (const lexeme of new Lexer().lex(text)) {
    for (const _ of parser.next(lexeme)) {
      // Whole documents, which are not looked at here.
    }
    if (lexeme.startsWith('\n') || lexeme.startsWith('\r\n')) line += 1;
    if (parser.stack.length > maxOpen) throw new Error(`it is nested too deep, about line ${line}`);
  }
  return parseDocument(text, options);
}
