import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFailed, onTestFinished, test } from 'vitest';
import { cameraNameOf } from '../../src/cli/commands/discover.js';
import { eventLine } from '../../src/cli/follow/event-text.js';
import { painter } from '../../src/cli/io.js';
import { startOnvifDevice, tinyJpeg } from '../support/onvif-device.js';
import { testScope } from '../support/scope.js';
import { cli, startTestAggregator } from './support.js';

const login = { username: 'admin', password: 'secret-word' };

async function site() {
  const scope = testScope({ onTestFinished, onTestFailed });
  const aggregator = await startTestAggregator(scope);
  const folder = scope.temporaryFolder();
  const passwordFile = join(folder, 'password');
  writeFileSync(passwordFile, 'secret-word\n');
  const as = ['--user', 'admin', '--password-file', passwordFile];
  const run = (...args: string[]) => cli(['discover', ...args, '--api', aggregator.apiUrl], { cwd: folder });
  return { scope, aggregator, folder, as, run };
}

// Each command is waited for in turn, and scans wait for answers.
describe('discover', { timeout: 120_000 }, () => {
  test('lists, takes a picture and adds; the same again changes nothing', async () => {
    const { scope, aggregator, folder, as, run } = await site();
    const device = await startOnvifDevice(scope, { login, serial: 'SN/7 x', rtsp: 'rtsp://127.0.0.1:9/%s' });
    const list = await run('--address', device.address, '--timeout', '1', ...as);
    expect(list.out).toMatch(/^ADDRESS +NAME +MAKER +MODEL +SERIAL +STREAMS +CAMERA\n/);
    expect(list.out).toContain('Acme');
    expect(list.out).toContain('main 3840x2160 H265 25/s, sub 640x360 H264 15/s');
    const told = await run('test', device.address, ...as, '--out', 'gate.jpg');
    expect(told.out).toBe(`${join(folder, 'gate.jpg')}: 1 x 1, ${tinyJpeg.length} bytes, the camera gave it.\n`);
    expect(readFileSync(join(folder, 'gate.jpg'))).toEqual(tinyJpeg);
    const added = await run('add', device.address, '--stream', 'sub', '--on-demand', '--timeout', '1', ...as);
    expect(added).toMatchObject({ code: 0, err: '' });
    expect(added.out).toBe('Camera SN-7-x is registered. It is pulled from rtsp://***@127.0.0.1:9/sub\n');
    expect((await run('add', device.address, '--name', 'SN-7-x', '--stream', 'sub', '--on-demand', ...as)).out).toMatch(
      /^Camera SN-7-x was registered already/,
    );
    const camera = await (await fetch(`${aggregator.apiUrl}/v1/cameras/SN-7-x`)).json();
    expect(camera).toMatchObject({ source: { mode: 'on-demand', transport: 'tcp', device: { serial: 'SN/7 x' } } });
    const shown = await cli(['camera', 'show', 'SN-7-x', '--api', aggregator.apiUrl]);
    expect(shown.out).toBe('pulled from rtsp://***@127.0.0.1:9/sub (serial number SN/7 x, on demand, off)\n');
    expect((await run('--address', device.address, '-o', 'json', '--timeout', '1', ...as)).out).toContain(
      '"camera": "SN-7-x"',
    );
    // It is the source of a camera by now.
    const state = readFileSync(join(aggregator.dataDir, 'state.json'), 'utf8');
    expect(state).toContain('rtsp://admin:secret-word@127.0.0.1:9/sub');
    expect(JSON.stringify([list, told, added, camera])).not.toContain('secret-word');
  });

  test('adds all that are found, and says why others are not', async () => {
    const { scope, as, run } = await site();
    const rtsp = 'rtsp://127.0.0.1:9/%s';
    const [one, two, twin, other] = await Promise.all([
      startOnvifDevice(scope, { login, serial: 'A1', rtsp }),
      startOnvifDevice(scope, { login, serial: 'A2', rtsp }),
      startOnvifDevice(scope, { login, serial: 'A2', rtsp }),
      startOnvifDevice(scope, { login: { ...login, password: 'another' }, serial: 'A3', rtsp }),
    ]);
    const addresses = [one, two, twin, other].flatMap(({ address }) => ['--address', address]);
    const all = ['add', '--all', ...addresses, '--timeout', '1', '--on-demand', ...as];
    expect((await run(...all, '--dry-run')).out).toContain('2 would be added, 0 there already, 2 failed.');
    const done = await run(...all);
    expect(done.code).toBe(1);
    expect(done.out).toContain('Camera A1 is registered.');
    expect(done.out).toContain('2 added, 0 there already, 2 failed.');
    expect(done.err).toContain('has the same serial number, A2');
    expect(done.err).toContain('SOURCE_AUTH: ');
    expect((await run(...all)).out).toContain('0 added, 3 there already, 1 failed.');
  });

  test('what is wrong with a command line or an address is told', async () => {
    const { run } = await site();
    expect(await run('add')).toMatchObject({ code: 2, err: expect.stringContaining('an ADDRESS, or --all') });
    expect(await run('test', 'rtsp://127.0.0.1/')).toMatchObject({
      code: 1,
      err: expect.stringContaining('INVALID_ADDRESS'),
    });
    expect(await run('test', '127.0.0.1:9')).toMatchObject({ code: 1, err: expect.stringContaining('SOURCE_REFUSED') });
    expect(await run('--user', 'x', '--address', '127.0.0.1:9')).toMatchObject({
      code: 2,
      err: expect.stringContaining('--password-file FILE'),
    });
    expect(await run('--timeout', '99')).toMatchObject({ code: 2 });
    const none = await run('--address', '127.0.0.1:9', '--timeout', '1');
    expect(none).toMatchObject({ code: 0, out: expect.stringContaining('SOURCE_REFUSED') });
  });
});

test('the event of a source that moved says from where to where, and which device it is', () => {
  const paint = painter({ isTTY: false, write: () => {} }, {});
  const event = { type: 'source.moved', camera: 'gate', from: '192.0.2.7', to: '192.0.2.9', serial: 'SN\u001b[31m7' };
  const line = (ingest: string) => eventLine({ ...event, ingest }, paint);
  expect(line('main')).toMatch(/source\.moved {7}gate {2}192\.0\.2\.7 -> 192\.0\.2\.9 {2}serial number SN\S*\[31m7\n$/);
  expect(line('main')).not.toContain('\u001b');
  expect(line('backup')).toContain('gate  backup: 192.0.2.7 -> 192.0.2.9');
});

test.each([
  ['DS-2CD2042WD-I20170101AAWR', 'DS-2CD2042WD-I20170101AAWR'],
  [' ..Tor  Nord / 1 ', 'Tor-Nord-1'],
  ['../../etc', 'etc'],
  ['***', undefined],
  ['x'.repeat(100), 'x'.repeat(64)],
])('the serial number %j names the camera %j', (serial, name) => {
  expect(cameraNameOf({ serial, name: '' }, 'serial')).toBe(name);
});
