import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { startAggregator } from '../../support/aggregator.js';
import { axeViolations } from '../../support/axe.js';
import { openBrowser, openPage } from '../../support/browser.js';
import { testWith } from '../../support/peers.js';
import { testScope } from '../../support/scope.js';

describe('who may use the dashboard', () => {
  const test = testWith('chromium');

  test.concurrent('a wrong token is refused, a right one signs in for this tab, and one that reads finds nothing to press', async (context) => {
    const scope = testScope(context);
    const [aggregator, browser] = await Promise.all([
      startAggregator(scope, { flags: ['--api-auth', 'on'] }),
      openBrowser(scope),
    ]);
    const admin = readFileSync(join(aggregator.dataDir, 'admin-token'), 'utf8').trim();
    const { page, misdeeds } = await openPage(browser, scope, aggregator.apiUrl, { expected: /401/ });

    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await page.getByLabel('Token').fill('not-the-token');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('alert').getByText('UNAUTHENTICATED').waitFor();
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      expect(await axeViolations(page), colorScheme).toEqual([]);
    }
    await page.getByLabel('Token').fill(admin);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('heading', { name: 'First steps' }).waitFor();

    // Everything works with it, the live events among it.
    await page.getByLabel('Name').fill('gate');
    await page.getByRole('button', { name: 'Register' }).click();
    await page.getByText('Waiting for gate to publish').waitFor();
    await page.goto(`${aggregator.apiUrl}/#/settings/access`);
    await page.getByRole('button', { name: 'Create a token' }).click();
    await page.getByLabel('Name').fill('reader');
    await page.getByRole('button', { name: 'Create token' }).click();
    const reader = await page.getByRole('textbox', { name: 'the new token' }).inputValue();
    await page.getByRole('button', { name: 'Done' }).click();
    await page.getByRole('article', { name: 'Token reader' }).waitFor();

    // It is this tab's alone, and survives a reload of it.
    expect(await page.evaluate(() => [localStorage.length, document.cookie])).toEqual([0, '']);
    await page.reload();
    await page.getByRole('article', { name: 'Token reader' }).waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();

    await page.getByLabel('Token').fill(reader);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('read only').waitFor();
    await page.getByText('(scope “read”)').waitFor();
    await page.getByRole('link', { name: 'Cameras' }).click();
    await page.getByRole('link', { name: /gate/ }).click();
    await page.getByRole('heading', { name: 'gate' }).waitFor();
    for (const name of ['Remove', 'Add a push', 'Publish a test pattern']) {
      expect(await page.getByRole('button', { name }).count(), name).toBe(0);
    }

    // Revoked, it is refused: the page asks for another one.
    const revoked = await fetch(`${aggregator.apiUrl}/v1/tokens/reader`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${admin}` },
    });
    expect(revoked.status).toBe(204);
    await page.reload();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    expect(misdeeds).toEqual({ errors: [], strangers: [] });
  });

  test.concurrent('its files need no token and forbid scripts of others; nothing else lies beside them', async (context) => {
    const scope = testScope(context);
    const aggregator = await startAggregator(scope, { flags: ['--api-auth', 'on'] });
    const page = await fetch(`${aggregator.apiUrl}/`);
    expect(page.status).toBe(200);
    const policy = page.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self';");
    expect(policy).toContain("style-src 'self';");
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
    const html = await page.text();
    expect(html).not.toMatch(/<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=|https?:/);
    const script = /src="\.(\/assets\/[^"]+\.js)"/.exec(html)?.[1];
    const answer = await fetch(aggregator.apiUrl + script, { headers: { 'accept-encoding': 'br' } });
    expect(answer.headers.get('content-encoding')).toBe('br');
    expect(answer.headers.get('cache-control')).toContain('immutable');
    for (const path of ['/assets/', '/%2e%2e/cli/main.js', '/assets/..%2f..%2fcli%2fmain.js', '/cli/main.js']) {
      expect((await fetch(aggregator.apiUrl + path)).status, path).toBeGreaterThanOrEqual(400);
    }
  });
});
