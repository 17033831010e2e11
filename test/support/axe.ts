import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Everything of WCAG 2.2 A and AA that a program can find wrong on a page as it is now. */
export async function axeViolations(page: Page): Promise<string[]> {
  // By the debugger's own way, which no content security policy forbids.
  await page.evaluate(axeSource);
  const found = (await page.evaluate(
    `axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })
      .then(({ violations }) => violations.map(({ id, nodes }) => ({ id, nodes: nodes.map(({ html, any }) =>
        html.slice(0, 200) + ' ' + any.map(({ message }) => message).join(' ')) })))`,
  )) as { id: string; nodes: string[] }[];
  return found.map(({ id, nodes }) => `${id}: ${nodes.join(' | ')}`);
}
