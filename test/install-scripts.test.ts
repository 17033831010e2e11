import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const read = <T>(file: string): T => JSON.parse(readFileSync(new URL(`../${file}`, import.meta.url), 'utf8')) as T;

test('no package runs a script of its own when it is installed, and npm has nothing to warn of', () => {
  const { allowScripts } = read<{ allowScripts: Record<string, boolean> }>('package.json');
  const { packages } = read<{ packages: Record<string, { hasInstallScript?: true }> }>('package-lock.json');
  const withScripts = Object.entries(packages).flatMap(([path, { hasInstallScript }]) =>
    hasInstallScript === true ? [path.replace(/^.*node_modules\//, '')] : [],
  );
  expect(allowScripts).toEqual(Object.fromEntries([...new Set(withScripts)].map((name) => [name, false])));
});
