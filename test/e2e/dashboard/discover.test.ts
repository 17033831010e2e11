import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { programPath, startAggregator } from '../../support/aggregator.js';
import { axeViolations } from '../../support/axe.js';
import { openBrowser, openPage } from '../../support/browser.js';
import { startOnvifDevice } from '../../support/onvif-device.js';
import { testWith } from '../../support/peers.js';
import { runOk } from '../../support/process.js';
import { startRtspServer } from '../../support/rtsp-server.js';
import { testScope } from '../../support/scope.js';
import { waitFor } from '../../support/wait.js';

const login = { username: 'admin', password: 'p@ss/word' };

testWith(
  'chromium',
  'ffmpeg',
  'rtsp-server',
)(
  'a camera of the network is found in the page, seen and added; another one by the command line, with a picture of its stream',
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

    const folder = scope.temporaryFolder();
    const passwordFile = join(folder, 'password');
    const picture = join(folder, 'yard.jpg');
    writeFileSync(passwordFile, login.password);
    const as = ['--user', 'admin', '--password-file', passwordFile];
    const cli = (...args: string[]) =>
      runOk(process.execPath, [programPath, 'discover', ...args, '--data-dir', aggregator.dataDir]);
    const taken = await cli('test', yard.address, ...as, '--out', picture);
    expect(taken.stdout).toMatch(/yard\.jpg: 320 x 240, .* decoded out of its stream\./);
    expect(readFileSync(picture).subarray(0, 2)).toEqual(Buffer.from('ffd8', 'hex'));
    const added = await cli('add', yard.address, '--name', 'yard', ...as);
    expect(added.stdout).toContain('Camera yard is registered. It is pulled from rtsp://***@127.0.0.1:');
    for (const name of ['gate', 'yard']) {
      await waitFor(async () => (await aggregator.camera(name)).live, { what: `${name} to be live` });
    }
  },
);
