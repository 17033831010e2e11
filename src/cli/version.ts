import { readFileSync } from 'node:fs';

/** The package's version. */
export const version = readVersion();

function readVersion(): string {
  // From src/cli and from dist/cli alike.
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  const content: unknown = JSON.parse(text);
  const found = typeof content === 'object' && content !== null && 'version' in content ? content.version : undefined;
  return typeof found === 'string' ? found : '0.0.0';
}
