import { expect } from 'vitest';
import { startAggregator } from '../../support/aggregator.js';
import { axeViolations } from '../../support/axe.js';
import { openBrowser, openPage } from '../../support/browser.js';
import { startOnvifDevice } from '../../support/onvif-device.js';
import { testWith } from '../../support/peers.js';
import { startRtspServer } from '../../support/rtsp-server.js';
import { testScope } from '../../support/scope.js';
import { waitFor } from '../../support/wait.js';

const login = { username: 'admin', password: 'p@ss/word' };

testWith(
  'chromium',
  'ffmpeg',
  'rtsp-server',
)(
  'a camera of the network is found in the page, seen and added; another one by the API, with a picture of its stream',
  async (context) => {
    const scope = testScope(context);
    const [server, aggregator, browser] = await Promise.all([
      startRtspServer(scope, { scheme: 'digest', user: login.username, password: login.password }),
      startAggregator(scope),
      openBrowser(scope),
    ]);
    const rtsp = server.url('cam', '').replace('admin:@', '');
    const [gate, yard] = await Promise.all([
      startOnvifDevice(scope, { login, serial: 'SN-1', rtsp }),
      startOnvifDevice(scope, { login, serial: 'SN-2', rtsp, auth: 'http-digest', snapshot: false }),
    ]);

    const { page, misdeeds } = await openPage(browser, scope, aggregator.apiUrl, { width: 390, height: 844 });
    await page.goto(`${aggregator.apiUrl}/#/discover`);
    await page.getByLabel('User at the cameras').fill(login.username);
    await page.getByLabel('Password').fill(login.password);
    await page.getByLabel('Addresses, if not the whole network').fill(`${gate.address}, 127.0.0.1:9`);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Acme Dome 4K & more' }).waitFor();
    await page.getByText('SOURCE_REFUSED').waitFor();
    await page.getByRole('button', { name: `Show a picture of ${gate.address}` }).click();
    await page.getByRole('img', { name: `What ${gate.address} sees` }).waitFor();
    expect(await axeViolations(page)).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
    await page.getByRole('radio', { name: /^sub/ }).check({ force: true });
    await page.getByLabel('Name (required)').fill('gate');
    await page.getByRole('button', { name: `Add this camera, ${gate.address}` }).click();
    await page.getByRole('link', { name: 'gate', exact: true }).waitFor();
    expect(misdeeds).toEqual({ errors: [], strangers: [] });

    // The command line asks the same; its own tests have no camera that sends a picture.
    const ask = async (call: string, facts: object) => {
      const body = JSON.stringify({ address: yard.address, ...login, ...facts });
      const headers = { 'content-type': 'application/json' };
      const answer = await fetch(`${aggregator.apiUrl}/v1/discovery/${call}`, { method: 'POST', headers, body });
      return (await answer.json()) as Record<string, unknown>;
    };
    const { data, ...taken } = await ask('picture', {});
    expect(taken).toMatchObject({ width: 320, height: 240, from: 'stream' });
    expect(Buffer.from(String(data), 'base64').subarray(0, 2)).toEqual(Buffer.from('ffd8', 'hex'));
    const added = await ask('add', { name: 'yard' });
    expect(added).toMatchObject({ source: { url: expect.stringMatching(/^rtsp:\/\/\*\*\*@127\.0\.0\.1:/) } });
    for (const name of ['gate', 'yard']) {
      await waitFor(async () => (await aggregator.camera(name)).live, { what: `${name} to be live` });
    }
  },
);
