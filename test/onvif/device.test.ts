import { describe, expect, onTestFailed, onTestFinished, test } from 'vitest';
import { sourcePolicy } from '../../src/address/push-policy.js';
import { Dialer } from '../../src/net/dialer.js';
import { OnvifDevice, usualPath } from '../../src/onvif/device.js';
import { answerChallenge, type Login } from '../../src/onvif/http-digest.js';
import { type DeviceOptions, startOnvifDevice, type TestDevice, tinyJpeg } from '../support/onvif-device.js';
import { type Scope, testScope } from '../support/scope.js';

const login: Login = { username: 'öp & <er>"', password: 'p@ss ü"\\' };

function ask(device: TestDevice, as: Login | null = login, timeoutMs = 20_000): OnvifDevice {
  const address = { isSecure: false, host: device.host, port: device.port };
  return new OnvifDevice(address, usualPath, {
    dialer: new Dialer({ policy: sourcePolicy({}) }),
    login: as,
    timeoutMs,
  });
}

const newScope = (): Scope => testScope({ onTestFinished, onTestFailed });

const ways: DeviceOptions[] = [
  { login, auth: 'wsse' },
  { login, auth: 'http-digest' },
  { login, auth: 'http-digest-sha256' },
  {},
];

describe.each(ways)('a device with $auth', (options) => {
  test('tells what it is, its streams and their URLs', async () => {
    const scope = newScope();
    const device = await startOnvifDevice(scope, { ...options, serial: 'SN-7' });
    const asked = ask(device);
    expect(await asked.information()).toEqual({
      maker: 'Acme',
      model: 'Dome 4K & more',
      firmware: '1.2',
      serial: 'SN-7',
    });
    // Of the second media service: H.265 is there only.
    expect(await asked.profiles()).toEqual([
      { token: 'main', name: 'main', codec: 'H265', width: 3840, height: 2160, framesPerSecond: 25, kbps: 8192 },
      { token: 'sub', name: 'sub', codec: 'H264', width: 640, height: 360, framesPerSecond: 15, kbps: 512 },
    ]);
    expect(await asked.streamUrl('main')).toBe('rtsp://127.0.0.1:554/main?a=1&b=2');
    expect(await asked.snapshot('sub', 10_000)).toEqual(tinyJpeg);
    expect(device.mostAtOnce).toBe(1);
  });
});

test.each(['first', 'oldest'] as const)('the %s media service does, too', async (media) => {
  const scope = newScope();
  const asked = ask(await startOnvifDevice(scope, { login, media }));
  const profiles = await asked.profiles();
  expect(profiles.map(({ token, codec }) => [token, codec])).toEqual([
    ['sub', 'H264'],
    ['main', 'H264'],
    ['jpeg', 'JPEG'],
  ]);
  expect(await asked.streamUrl('sub')).toBe('rtsp://127.0.0.1:554/sub?a=1&b=2');
});

test('a clock that is wrong by days is no reason to be refused', async () => {
  const scope = newScope();
  const device = await startOnvifDevice(scope, { login, clockAheadMs: -3 * 86_400_000 });
  const asked = ask(device);
  expect((await asked.information()).serial).toBe('SN-0001');
  expect(await asked.clockAheadMs()).toBeLessThan(-2.9 * 86_400_000);
});

test('one that tells its time to a login only is asked all the same', async () => {
  const scope = newScope();
  const asked = ask(await startOnvifDevice(scope, { login, isShy: true }));
  expect(await asked.clockAheadMs()).toBeNull();
  expect((await asked.information()).serial).toBe('SN-0001');
  expect(await asked.profiles()).toHaveLength(2);
});

test.each(['wsse', 'http-digest'] as const)('a wrong password by %s is told, and tried once', async (auth) => {
  const scope = newScope();
  const device = await startOnvifDevice(scope, { login, auth });
  const refusal = ask(device, { ...login, password: 'wrong-secret' }).information();
  await expect(refusal).rejects.toMatchObject({
    code: 'SOURCE_AUTH',
    message: expect.not.stringContaining('wrong-secret'),
  });
  const tries = device.calls.filter((call) => call.startsWith('GetDeviceInformation'));
  expect(tries).toHaveLength(auth === 'wsse' ? 1 : 2);
  await expect(ask(device, null).information()).rejects.toMatchObject({
    code: 'SOURCE_AUTH',
    message: `127.0.0.1:${device.port} wants a user name and a password`,
  });
});

test('a password is never sent as it is', async () => {
  const scope = newScope();
  const seen: string[] = [];
  const device = await startOnvifDevice(scope, {
    login,
    auth: 'basic',
    answer: ({ headers }) => {
      seen.push(JSON.stringify(headers));
      return false;
    },
  });
  // The first question bears a digest in its body, which this device does not look at.
  await expect(ask(device).snapshot('main', 1000)).rejects.toMatchObject({ code: 'SOURCE_AUTH' });
  await expect(ask(device).information())
    .resolves.toBeDefined()
    .catch(() => {});
  expect(seen.join()).not.toContain('authorization');
  expect(seen.length).toBeGreaterThan(2);
});

test('what it names at another host is looked for at itself', async () => {
  const scope = newScope();
  const device = await startOnvifDevice(scope, { namesHost: '169.254.169.254', login });
  const asked = ask(device);
  expect(await asked.profiles()).toHaveLength(2);
  expect(await asked.streamUrl('main')).toMatch(/^rtsp:\/\/127\.0\.0\.1:554\//);
  expect(await asked.snapshot('main', 1000)).toEqual(tinyJpeg);
});

const bombs = Array.from({ length: 9 }, (_, at) => `<!ENTITY l${at + 1} "${`&l${at};`.repeat(10)}">`).join('');
const oddAnswers: [what: string, head: Record<string, string>, body: string, code: string][] = [
  ['entities', {}, `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "lol">${bombs}]><x>&l9;</x>`, 'SOURCE_PROTOCOL'],
  ['an external entity', {}, '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>', 'SOURCE_PROTOCOL'],
  ['a long document type', {}, `<!DOCTYPE x [${'y'.repeat(300_000)}`, 'SOURCE_PROTOCOL'],
  ['depth', {}, '<a>'.repeat(100_000), 'SOURCE_PROTOCOL'],
  ['elements', {}, `<a>${'<b/>'.repeat(100_000)}</a>`, 'SOURCE_PROTOCOL'],
  ['no XML', {}, 'Hello!', 'SOURCE_PROTOCOL'],
  ['nothing', {}, '', 'SOURCE_PROTOCOL'],
  ['half of it', {}, '<s:Envelope xmlns:s="x"><s:Body>', 'SOURCE_PROTOCOL'],
  ['a megabyte', {}, 'x'.repeat(1 << 20), 'SOURCE_PROTOCOL'],
];

test.each(oddAnswers)('%s in an answer is refused', async (_, head, body, code) => {
  const scope = newScope();
  const device = await startOnvifDevice(scope, {
    answer: (_request, response) => {
      response.writeHead(200, head).end(body);
      return true;
    },
  });
  await expect(ask(device).information()).rejects.toMatchObject({ code });
});

test('a redirect is not followed', async () => {
  const scope = newScope();
  const other = await startOnvifDevice(scope);
  const device = await startOnvifDevice(scope, {
    answer: (_, response) => {
      response.writeHead(307, { location: `http://${other.address}/` }).end();
      return true;
    },
  });
  await expect(ask(device).information()).rejects.toMatchObject({
    code: 'SOURCE_PROTOCOL',
    message: expect.stringContaining('redirects elsewhere'),
  });
  expect(other.calls).toEqual([]);
});

test('an answer without end is cut off after half a megabyte', async () => {
  const scope = newScope();
  let sent = 0;
  const device = await startOnvifDevice(scope, {
    answer: (_, response) => {
      response.on('error', () => {});
      const more = (): void => {
        while (!response.destroyed && sent < 100 << 20 && response.write('y'.repeat(65_536))) sent += 65_536;
        sent += 65_536;
      };
      response.on('drain', more);
      more();
      return true;
    },
  });
  await expect(ask(device).information()).rejects.toMatchObject({ code: 'SOURCE_PROTOCOL' });
  expect(sent).toBeLessThan(20 << 20);
});

test.each([
  ['no HTTP', '\u0000\u0001\u0002'],
  ['a length beyond all bounds', `HTTP/1.1 200 OK\r\ncontent-length: ${'9'.repeat(30)}\r\n\r\nx`],
  ['a header without end', `HTTP/1.1 200 OK\r\na: ${'b'.repeat(100_000)}`],
  ['another protocol', 'HTTP/1.1 101 OK\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nabc'],
])('%s as an answer is told as that', async (_, text) => {
  const scope = newScope();
  const device = await startOnvifDevice(scope, {
    answer: (request) => {
      request.socket.on('error', () => {});
      request.socket.write(text);
      return true;
    },
  });
  await expect(ask(device).information()).rejects.toMatchObject({
    code: 'SOURCE_PROTOCOL',
    message: expect.stringMatching(/^127\.0\.0\.1:\d+ does not speak HTTP as it should: /),
  });
});

test('a challenge of thousands of spaces is read in a moment', () => {
  const header = ' '.repeat(4000);
  const beganMs = performance.now();
  for (let count = 0; count < 200; count++) answerChallenge([header], { method: 'GET', path: '/' }, login);
  // By squares it took 3 seconds.
  expect(performance.now() - beganMs).toBeLessThan(1500);
});

test.each(['/ü x/<&>"', '/%zz', '//x', '?a b', `/${'y'.repeat(900)}`])(
  'a service at the path %j harms nobody',
  async (path) => {
    const scope = newScope();
    const device = await startOnvifDevice(scope, {
      answer: (_, response, call) => {
        if (call !== 'GetServices') return false;
        const at = `http://127.0.0.1:${device.port}${path.replace(/[&<>]/g, (sign) => `&#${sign.charCodeAt(0)};`)}`;
        const service = `<Service><Namespace>http://www.onvif.org/ver10/media/wsdl</Namespace><XAddr>${at}</XAddr></Service>`;
        response.end(
          `<E:Envelope xmlns:E="x"><E:Body><GetServicesResponse>${service}</GetServicesResponse></E:Body></E:Envelope>`,
        );
        return true;
      },
    });
    expect(await ask(device).profiles()).toHaveLength(3);
  },
);

test('one that closes in the middle of an answer is told as that', async () => {
  const scope = newScope();
  const device = await startOnvifDevice(scope, {
    answer: (request, response) => {
      response.writeHead(200, { 'content-length': '1000' }).write('<x');
      setTimeout(() => request.socket.destroy(), 20);
      return true;
    },
  });
  await expect(ask(device).information()).rejects.toThrow(/closed the connection|aborted|hang up/);
});

test('one that drips is given up at the deadline of all calls', async () => {
  const scope = newScope();
  const device = await startOnvifDevice(scope, {
    answer: (_, response) => {
      response.writeHead(200);
      const timer = setInterval(() => response.write(' '), 20);
      response.on('close', () => clearInterval(timer));
      return true;
    },
  });
  const beganMs = performance.now();
  await expect(ask(device, login, 300).information()).rejects.toMatchObject({ code: 'SOURCE_TIMEOUT' });
  expect(performance.now() - beganMs).toBeGreaterThan(290);
});

test('the examples of RFC 7616, 3.9.1', () => {
  const request = { method: 'GET', path: '/dir/index.html' };
  const as = { username: 'Mufasa', password: 'Circle of Life' };
  const challenge = (algorithm: string) =>
    `Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=${algorithm}, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`;
  const cnonce = 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ';
  const both = answerChallenge([challenge('MD5'), challenge('SHA-256')], request, as, cnonce);
  expect(both).toContain('response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"');
  expect(both).toContain('algorithm=SHA-256');
  expect(answerChallenge([challenge('MD5')], request, as, cnonce)).toContain(
    'response="8ca523f5e9506fed4657c9700eebdbec"',
  );
  expect(
    answerChallenge(['Basic realm="x"', 'Digest realm="x", algorithm=SHA-512-256, nonce="1"'], request, as),
  ).toBeUndefined();
});
