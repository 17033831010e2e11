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
import { waitFor } from '../../support/wait.js';

const picture = fileURLToPath(new URL('../../../docs/screenshots/nodes-light.png', import.meta.url));

describe('the nodes of a cluster on the dashboard', () => {
  const test = testWith('chromium', 'etcd');

  test('places, links and nodes are shown, one is drained, and one that does not answer is dimmed', async (context) => {
    const scope = testScope(context);
    const [etcd, sink, browser] = await Promise.all([TestEtcd.start(scope), startRtmpSink(scope), openBrowser(scope)]);
    const flags = ['--node-lease', '20s'];
    const [a, b, c] = await Promise.all([
      startNode(scope, etcd, 'berlin-1', { flags }),
      startNode(scope, etcd, 'berlin-2', { flags }),
      startNode(scope, etcd, 'paris-1', { location: 'paris', flags }),
    ]);
    const cameras = { 'gate-1': a, 'gate-2': a, yard: b };
    for (const [name, node] of Object.entries(cameras)) {
      await node.addCamera(name);
      await node.apiOk('POST', `/v1/cameras/${name}/pushes`, { id: 'out', url: sink.url(name), via: 'paris' });
      await node.apiOk('POST', '/v1/test-pattern', { camera: name });
    }
    const links = async () => {
      const { items } = (await a.apiOk('GET', '/v1/nodes')) as { items: { links: { bitrateBps: number }[] }[] };
      return items.flatMap((item) => item.links).filter(({ bitrateBps }) => bitrateBps > 100_000);
    };
    await waitFor(async () => (await links()).length === 2, { what: 'two links', timeoutMs: 60_000 });

    const { page, misdeeds } = await openPage(browser, scope, a.apiUrl);
    const token = readFileSync(join(a.dataDir, 'admin-token'), 'utf8').trim();
    await page.evaluate((text) => sessionStorage.setItem('media-aggregator.token', text), token);
    await page.reload();
    await page.getByRole('link', { name: 'Nodes', exact: true }).click();
    const map = page.getByRole('region', { name: 'Map of the places' });
    await map
      .getByText(/bit\/s → \d/)
      .nth(1)
      .waitFor();
    for (const text of ['berlin', 'paris']) await map.getByText(text, { exact: true }).waitFor();
    const table = page.getByRole('region', { name: 'Links between nodes' });
    expect(await table.getByRole('row').count()).toBe(3);
    if (process.env.MEDIA_AGGREGATOR_SCREENSHOTS === '1') await page.screenshot({ path: picture });
    expect(await axeViolations(page)).toEqual([]);

    // By keyboard from the map to a node's own page.
    await map.getByRole('link', { name: /paris-1/ }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'paris-1' }).waitFor();
    await page.getByText('Pushes that it runs for cameras of other nodes').waitFor();
    await page.getByRole('link', { name: 'gate-2' }).first().waitFor();
    expect(await axeViolations(page)).toEqual([]);
    await page.getByRole('button', { name: 'Drain …' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('It takes no new cameras.').waitFor();
    expect(await axeViolations(page)).toEqual([]);
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
    expect(await axeViolations(page)).toEqual([]);
    c.process.signal('SIGCONT');
    await page.setViewportSize({ width: 390, height: 844 });
    for (const hash of ['#/nodes', '#/nodes/paris-1']) {
      await page.goto(`${a.apiUrl}/${hash}`);
      await page.getByText('paris-1').first().waitFor();
      const tooWide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      expect(tooWide, `${hash} on a phone`).toBeLessThanOrEqual(0);
    }
    if (process.env.MEDIA_AGGREGATOR_SCREENSHOTS === '1') await page.screenshot({ path: '/tmp/h3-phone.png' });
    expect(misdeeds).toEqual({ errors: [], strangers: [] });
  });
});
