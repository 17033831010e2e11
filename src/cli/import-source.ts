import { extname, resolve } from 'node:path';
import { InputError } from '../errors.js';
import { readRegular } from '../files/read.js';
import { type CameraList, describeContent, maxListBytes, readCameraList } from '../import/camera-list.js';
import { isName } from '../model/rules.js';
import { type Directive, parseNginxFile } from '../nginx-conf/parser.js';

/** What a file to import turned out to be. */
export type ImportSource =
  | { readonly kind: 'nginx'; readonly directives: readonly Directive[] }
  | { readonly kind: 'list'; readonly list: CameraList };

/**
 * Reads a configuration of nginx, or a list of cameras as CSV or JSON; by what stands in it rather than by its name.
 * @throws InputError IMPORT_UNREADABLE, IMPORT_INVALID, which says what was found
 */
export async function readImportSource(file: string, cwd: string): Promise<ImportSource> {
  const bytes = await contentOf(resolve(cwd, file));
  const text = bytes === undefined ? undefined : textOf(bytes);
  const list = text === undefined ? undefined : listIn(file, text);
  if (list !== undefined) return { kind: 'list', list };
  try {
    const directives = parseNginxFile(file, cwd);
    if (bytes !== undefined && directives.length === 0) throw notUsable(file, bytes);
    return { kind: 'nginx', directives };
  } catch (error) {
    if (bytes === undefined || !(error instanceof InputError) || error.code !== 'IMPORT_INVALID') throw error;
    // A configuration with a mistake is told by its line; what is none at all, by what it is.
    if (text !== undefined && /(^|\s)(rtmp|http|events|server)\s*\{/.test(text)) throw error;
    throw notUsable(file, bytes, error);
  }
}

function notUsable(file: string, bytes: Buffer, cause?: unknown): InputError {
  const found = describeContent(bytes);
  const known = 'an nginx.conf, a CSV file (name,type,engine,url) or JSON';
  return new InputError('IMPORT_INVALID', `${file} is ${found}, which cannot be imported: ${known}`, {
    cause,
  });
}

/** Undefined: reading it as a configuration says why it cannot be read. */
async function contentOf(path: string): Promise<Buffer | undefined> {
  try {
    return (await readRegular(path, maxListBytes))?.bytes;
  } catch {
    return undefined;
  }
}

function textOf(bytes: Buffer): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return text.includes('\u0000') ? undefined : text;
  } catch {
    return undefined;
  }
}

/** The list in a text; undefined when it is none. */
function listIn(file: string, text: string): CameraList | undefined {
  const extension = extname(file).toLowerCase();
  const start = text.trimStart();
  if (['.csv', '.tsv', '.json', '.jsonl', '.ndjson'].includes(extension) && start !== '') return readCameraList(text);
  if (/^[[{]/.test(start)) return readCameraList(text);
  // A directive ends with a semicolon or begins a block, and a name does neither.
  const list = /[{}]|;\s*$/m.test(text) ? undefined : readCameraList(text);
  const areNames = list?.cameras.every(({ name }) => isName(name)) === true && list.problems.length === 0;
  return areNames && list.cameras.length > 0 && (list.format === 'CSV' || extension === '.txt') ? list : undefined;
}
