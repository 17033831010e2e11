import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect } from 'vitest';
import { axeViolations } from '../../support/axe.js';
import { openBrowser, openPage } from '../../support/browser.js';
import { startNode } from '../../support/cluster.js';
import { TestEtcd } from '../../support/etcd.js';
import { testWith } from '../../support/peers.js';
import { startRtmpSink } from '../../support/rtmp-sink.js';
import { testScope } from '../../support/scope.js';

const picture = fileURLToPath(new URL('../../../docs/screenshots/nodes-light.png', import.meta.url));

describe('the nodes of a cluster on the dashboard', () => {
  const test = testWith('chromium', 'etcd');

  test('places, links and nodes are shown, one is drained, and one that does not answer is dimmed', async (context) => {
    const scope = testScope(context);
    const [etcd, sink, browser] = await Promise.all([TestEtcd.start(scope), startRtmpSink(scope), openBrowser(scope)]);
    const flags = ['--node-lease', '20s'];
    const [a, c] = await Promise.all([
      startNode(scope, etcd, 'berlin-1', { flags: [...flags, '--capacity-cameras', '1'] }),
      startNode(scope, etcd, 'paris-1', { location: 'paris', flags: [...flags, '--capacity-out-mbps', '500'] }),
    ]);
    await a.addCamera('gate');
    await a.apiOk('POST', '/v1/cameras/gate/pushes', { id: 'out', url: sink.url('gate'), via: 'paris' });
    await a.apiOk('POST', '/v1/test-pattern', { camera: 'gate' });

    const { page, misdeeds } = await openPage(browser, scope, a.apiUrl, {
      // On a slow machine a node may answer late: the page says so, and goes on.
      expected: /the server responded with a status of 503/,
    });
    const token = readFileSync(join(a.dataDir, 'admin-token'), 'utf8').trim();
    await page.evaluate((text) => sessionStorage.setItem('media-aggregator.token', text), token);
    await page.reload();
    await page.getByRole('link', { name: 'Nodes', exact: true }).click();
    const map = page.getByRole('region', { name: 'Map of the places' });
    await map.getByText(/[1-9].* [kM]bit\/s → \d/).waitFor({ timeout: 30_000 });
    for (const text of ['berlin', 'paris']) await map.getByText(text, { exact: true }).waitFor();
    const table = page.getByRole('region', { name: 'Links between nodes' });
    expect(await table.getByRole('row').count()).toBe(2);
    if (process.env.MEDIA_AGGREGATOR_SCREENSHOTS === '1') await page.screenshot({ path: picture });
    // What they may carry; one of them does already.
    await page.getByRole('row', { name: /berlin-1.* full 1 of 1 / }).waitFor();
    await page.getByRole('row', { name: /paris-1.* up .* of 500 Mbit\/s/ }).waitFor();
    expect(await axeViolations(page)).toEqual([]);

    // By keyboard from the map to a node's own page.
    await map.getByRole('link', { name: /paris-1/ }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'paris-1' }).waitFor();
    await page.getByText('Pushes that it runs for cameras of other nodes').waitFor();
    await page.getByRole('link', { name: 'gate' }).first().waitFor();
    expect(await axeViolations(page)).toEqual([]);
    await page.getByRole('button', { name: 'Drain …' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('It takes no new cameras.').waitFor();
    await dialog.getByRole('button', { name: 'Drain it' }).click();
    await page.getByText('draining', { exact: true }).first().waitFor();
    await page.getByRole('button', { name: 'End the drain …' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Take cameras' }).click();
    await page.getByRole('button', { name: 'Drain …' }).waitFor();

    c.process.signal('SIGSTOP');
    await page.goto(`${a.apiUrl}/#/nodes`);
    await page.getByText('paris-1 does not answer').waitFor();
    await page
      .getByRole('row', { name: /paris-1.*unknown.* for \d/ })
      .first()
      .waitFor();
    c.process.signal('SIGCONT');
    await page.setViewportSize({ width: 390, height: 844 });
    for (const hash of ['#/nodes', '#/nodes/paris-1']) {
      await page.goto(`${a.apiUrl}/${hash}`);
      await page.getByText('paris-1').first().waitFor();
      const tooWide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      expect(tooWide, `${hash} on a phone`).toBeLessThanOrEqual(0);
    }
    expect(misdeeds).toEqual({ errors: [], strangers: [] });
  });
});
