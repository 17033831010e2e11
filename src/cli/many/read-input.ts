import { CodedError } from '../../errors.js';
import type { CliIo } from '../io.js';

/** All of standard input, as UTF-8. @throws CodedError USAGE when there is none, IMPORT_INVALID when it is too large */
export async function readInput(io: CliIo, maxBytes: number): Promise<string> {
  if (io.input === undefined) throw new CodedError('USAGE', 'there is no standard input to read');
  const blocks: Buffer[] = [];
  let bytes = 0;
  for await (const block of io.input) {
    const buffer = typeof block === 'string' ? Buffer.from(block) : Buffer.from(block);
    bytes += buffer.length;
    if (bytes > maxBytes) throw new CodedError('IMPORT_INVALID', `standard input has more than ${maxBytes} bytes`);
    blocks.push(buffer);
  }
  return decodeText(Buffer.concat(blocks), 'standard input');
}

/** @throws CodedError IMPORT_INVALID for what is no UTF-8 */
export function decodeText(bytes: Buffer, what: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new CodedError('IMPORT_INVALID', `${what} is not text in UTF-8`, { cause: error });
  }
}
