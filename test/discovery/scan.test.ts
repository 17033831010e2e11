import { expect, onTestFailed, onTestFinished, test } from 'vitest';
import { sourcePolicy } from '../../src/address/push-policy.js';
import { parsePlace, placeText } from '../../src/discovery/device-place.js';
import { Discovery } from '../../src/discovery/discovery.js';
import { jpegSize } from '../../src/discovery/jpeg-size.js';
import { silentLogger } from '../../src/log/log.js';
import { Dialer } from '../../src/net/dialer.js';
import { makeCertificate } from '../support/certificates.js';
import { type ProbeAnswer, startOnvifDevice, startProbeAnswerer, tinyJpeg } from '../support/onvif-device.js';
import { type Scope, testScope } from '../support/scope.js';
import { waitFor } from '../support/wait.js';

const group = '239.255.255.250';
const newScope = (): Scope => testScope({ onTestFinished, onTestFailed });
const login = { username: 'op', password: 'secret-word' };

interface Made {
  readonly sourceDeny?: readonly string[];
  readonly sourceAllow?: readonly string[];
}

function make(port: number | undefined, rules: Made = {}): Discovery {
  const dialer = new Dialer({ policy: sourcePolicy(rules) });
  const network = port === undefined ? {} : { port, interfaces: () => ['127.0.0.1'] };
  return new Discovery({ dialer, ffmpeg: '/bin/false', log: silentLogger, ...network });
}

/** A network of devices at the loopback, and who looks for them there. */
async function network(
  scope: Scope,
  answers: (type: string) => readonly ProbeAnswer[],
  rules: Made = {},
): Promise<Discovery> {
  return make(await startProbeAnswerer(scope, answers, { group }), rules);
}

const serviceOf = (address: string): string => `http://${address}/onvif/device_service`;

test('a camera that answers is listed once, with what it is and its streams', async () => {
  const scope = newScope();
  const device = await startOnvifDevice(scope, { login, serial: 'SN-7' });
  // It lists addresses that are not its own, too.
  const xaddrs = `http://169.254.1.2/x http://[fe80::1]/onvif/device_service ${serviceOf(device.address)}`;
  const discovery = await network(scope, () => [{ xaddrs, reference: device.reference, times: 2 }]);
  const scan = await discovery.scan({ timeoutMs: 500, login });
  expect(scan.devices).toEqual([
    {
      ...{ address: device.address, reference: device.reference, name: 'Gate Cam' },
      ...{ maker: 'Acme', model: 'Dome 4K & more', firmware: '1.2', serial: 'SN-7' },
      clockAheadSeconds: expect.closeTo(0, -1),
      ...{ sameSerialAs: null, problem: null },
      streams: [
        expect.objectContaining({ stream: 'main', profile: 'main', codec: 'H265', width: 3840, kbps: 8192 }),
        expect.objectContaining({ stream: 'sub', profile: 'sub', codec: 'H264', height: 360, framesPerSecond: 15 }),
      ],
    },
  ]);
  expect(scan.interfaces).toEqual(['127.0.0.1']);
  expect(scan.hints).toEqual([]);
  expect(discovery.last).toBe(scan);
  expect(device.mostAtOnce).toBe(1);
});

test('without a login, and with a wrong one, it is listed with what to do', async () => {
  const scope = newScope();
  const device = await startOnvifDevice(scope, { login, clockAheadMs: 3_600_000 });
  const discovery = await network(scope, () => [{ xaddrs: serviceOf(device.address), reference: device.reference }]);
  for (const [as, words] of [
    [null, 'wants a user name and a password'],
    [{ ...login, password: 'wrong' }, 'rejects the user name or the password'],
  ] as const) {
    const { devices, hints } = await discovery.scan({ timeoutMs: 300, login: as });
    expect(devices[0]).toMatchObject({
      ...{ model: 'D4K', serial: '', streams: [], clockAheadSeconds: expect.closeTo(3600, -1) },
      problem: { code: 'SOURCE_AUTH', message: expect.stringContaining(words) },
    });
    expect(devices[0]?.problem?.message).toContain('its clock is 60 minutes ahead');
    expect(hints.join()).toContain(as === null ? 'want a user name' : 'reject this login');
  }
});

test('answers to another question, odd ones and too many of them are left out', async () => {
  const scope = newScope();
  const device = await startOnvifDevice(scope);
  const xaddrs = serviceOf(device.address);
  const discovery = await network(scope, () => [
    {
      xaddrs: 'http://127.0.0.1:1/',
      reference: 'urn:uuid:other',
      relatesTo: 'uuid:11111111-2222-3333-4444-555555555555',
    },
    { xaddrs: '', reference: '', raw: Buffer.alloc(20_000, 'x') },
    { xaddrs: '', reference: '', raw: Buffer.from('<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>') },
    { xaddrs, reference: device.reference },
    { xaddrs: 'http://127.0.0.1:2/', reference: 'urn:uuid:flood', times: 10_000 },
  ]);
  const { devices, hints } = await discovery.scan({ timeoutMs: 1000 });
  // Four questions came to one host, each of which answered with all of that; eight answers of it were looked at.
  expect(devices.length).toBeLessThanOrEqual(2);
  expect(devices.find(({ reference }) => reference === device.reference)).toMatchObject({ serial: 'SN-0001' });
  expect(devices.find(({ reference }) => reference === 'urn:uuid:other')).toBeUndefined();
  expect(Number(/(\d+) answers were left out/.exec(hints.join())?.[1])).toBeGreaterThan(1000);
});

test('where nothing answers, it is said why that may be', async () => {
  const scope = newScope();
  const { devices, hints } = await (await network(scope, () => [])).scan({ timeoutMs: 100 });
  expect(devices).toEqual([]);
  expect(hints.join(' ')).toMatch(
    /Nothing answered to a multicast from 127\.0\.0\.1.*VLAN.*Give their addresses.*ONVIF switched off/,
  );
});

test('two devices with one serial number are told apart', async () => {
  const scope = newScope();
  const first = await startOnvifDevice(scope, { serial: 'X' });
  const second = await startOnvifDevice(scope, { serial: 'X' });
  const { devices, hints } = await make(undefined).scan({ addresses: [first.address, second.address], timeoutMs: 100 });
  expect(devices.map(({ sameSerialAs }) => sameSerialAs)).toEqual([null, devices[0]?.address]);
  expect(hints.join()).toContain('Serial numbers stand twice');
});

test('an address is asked where no multicast comes; one where nobody is has its reason', async () => {
  const scope = newScope();
  const device = await startOnvifDevice(scope);
  const { devices } = await make(undefined).scan({ addresses: [device.address, '127.0.0.1:9'], timeoutMs: 100 });
  expect(devices.map(({ serial, problem }) => [serial, problem?.code])).toEqual([
    ['', 'SOURCE_REFUSED'],
    ['SN-0001', undefined],
  ]);
});

test.each([
  [{ sourceDeny: ['127.0.0.0/8'] }, 'source-deny has 127.0.0.0/8'],
  [{ sourceAllow: ['192.0.2.0/24'] }, 'source-allow does not have it'],
])('devices are where sources may be: %j', async (rules, words) => {
  const scope = newScope();
  const device = await startOnvifDevice(scope);
  const discovery = await network(scope, () => [{ xaddrs: serviceOf(device.address), reference: 'r' }], rules);
  const { devices } = await discovery.scan({ timeoutMs: 300 });
  expect(devices[0]?.problem).toEqual({ code: 'SOURCE_FORBIDDEN', message: expect.stringContaining(words) });
  await expect(discovery.stream(device.address, 'main', null)).rejects.toMatchObject({ code: 'SOURCE_FORBIDDEN' });
  expect(device.calls).toEqual([]);
});

test('metadata services of clouds are not asked, whoever names them', async () => {
  const scope = newScope();
  const discovery = await network(scope, () => [{ xaddrs: 'http://169.254.169.254/latest/meta-data', reference: 'r' }]);
  const { devices } = await discovery.scan({ timeoutMs: 300 });
  // It is looked for where the answer came from.
  expect(devices[0]?.address).toBe('http://127.0.0.1/latest/meta-data');
  const { devices: named } = await discovery.scan({ addresses: ['169.254.169.254'], timeoutMs: 50 });
  expect(named[0]?.problem?.code).toBe('SOURCE_FORBIDDEN');
});

test('a stream is the URL of a source, with the login; a picture comes with its size', async () => {
  const scope = newScope();
  const as = { username: 'op', password: "p@ss/'()*" };
  const device = await startOnvifDevice(scope, { login: as });
  const discovery = make(undefined);
  expect(await discovery.stream(device.address, 'sub', as)).toMatchObject({
    url: 'rtsp://op:p%40ss%2F%27%28%29%2A@127.0.0.1:554/sub?a=1&b=2',
    serial: 'SN-0001',
  });
  expect(await discovery.picture(device.address, 'main', as)).toEqual({
    jpeg: tinyJpeg,
    width: 1,
    height: 1,
    from: 'snapshot',
  });
  await expect(discovery.picture(device.address, 'main', { ...as, password: 'no' })).rejects.toMatchObject({
    code: 'SOURCE_AUTH',
  });
});

test('one that speaks HTTPS with a certificate of its own making is asked, too', async () => {
  const scope = newScope();
  const certificate = makeCertificate(scope.temporaryFolder(), 'cam', { names: ['cam.local'] });
  const device = await startOnvifDevice(scope, { login, certificate, auth: 'http-digest' });
  const address = `https://${device.address}`;
  const { devices } = await make(undefined).scan({ addresses: [address], timeoutMs: 50, login });
  expect(devices[0]).toMatchObject({ address, serial: 'SN-0001', problem: null });
  expect((await make(undefined).picture(address, 'sub', login)).jpeg).toEqual(tinyJpeg);
});

test('a second scan waits for the end of the first', async () => {
  const discovery = await network(newScope(), () => []);
  const first = discovery.scan({ timeoutMs: 200 });
  await expect(discovery.scan({})).rejects.toMatchObject({ code: 'DISCOVERY_BUSY' });
  await first;
  await discovery.scan({ timeoutMs: 10 });
});

test.each([
  ['192.0.2.7', '192.0.2.7'],
  ['cam.example:8080', 'cam.example:8080'],
  ['http://192.0.2.7/', '192.0.2.7'],
  ['https://192.0.2.7:443/onvif/x', 'https://192.0.2.7/onvif/x'],
  ['[2001:db8::1]:8080', '[2001:db8::1]:8080'],
])('the address %s is the place %s', (text, place) => {
  expect(placeText(parsePlace(text, 'address'))).toBe(place);
});

test.each(['', 'a b', 'rtsp://192.0.2.7/', 'http://u:p@192.0.2.7/', '192.0.2.7:99999', 'http://'])(
  '%j is no address of a device',
  (text) => {
    expect(() => parsePlace(text, 'address')).toThrow(expect.objectContaining({ code: 'INVALID_ADDRESS' }));
  },
);

test('what is no JPEG has no size', () => {
  expect(jpegSize(tinyJpeg)).toEqual({ width: 1, height: 1 });
  for (const odd of ['', 'ffd8', 'ffd8ffe00000ffff', `ffd8${'ff'.repeat(5000)}`, 'ffd8ffda0004000000000000']) {
    expect(jpegSize(Buffer.from(odd, 'hex'))).toBeNull();
  }
});

test('what is under way ends with the program, and nothing is left open', async () => {
  const scope = newScope();
  let asked = 0;
  const silent = await startOnvifDevice(scope, {
    answer: () => {
      asked++;
      return true;
    },
  });
  const discovery = await network(scope, () => []);
  const picture = discovery.picture(silent.address, 'main', null);
  const added = discovery.stream(silent.address, 'main', null);
  const outcomes = Promise.allSettled([picture, added]);
  const scan = discovery.scan({ timeoutMs: 15_000 });
  await waitFor(() => asked === 2, { what: 'two questions' });
  const beganMs = performance.now();
  discovery.close();
  for (const outcome of await outcomes) {
    expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'SOURCE_CLOSED' } });
  }
  expect((await scan).devices).toEqual([]);
  await expect(discovery.picture(silent.address, 'main', null)).rejects.toMatchObject({ code: 'SOURCE_CLOSED' });
  expect((await discovery.scan({ timeoutMs: 15_000 })).devices).toEqual([]);
  // The deadlines are 5 and 15 seconds.
  expect(performance.now() - beganMs).toBeLessThan(4000);
  expect(asked).toBe(2);
});
