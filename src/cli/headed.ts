import { type CliIo, painter } from './io.js';

/** The first line bold, on a terminal. */
export function headed(text: string, io: CliIo): string {
  const paint = painter(io.out, io.env);
  return text.replace(/^.*/, (heading) => paint('bold', heading));
}
