import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { maskTarget, maskUrl, parseRtmpUrl, type RtmpUrl } from '../../src/address/rtmp-url.js';
import { InputError } from '../../src/errors.js';

describe('parseRtmpUrl', () => {
  test.each<[string, Partial<RtmpUrl>]>([
    [
      'rtmp://1.1.1.1:1935/live/example1',
      {
        scheme: 'rtmp',
        host: '1.1.1.1',
        port: 1935,
        app: 'live',
        streamName: 'example1',
        tcUrl: 'rtmp://1.1.1.1:1935/live',
      },
    ],
    [
      'rtmp://Engine.Example/live/cam',
      { host: 'engine.example', port: 1935, tcUrl: 'rtmp://Engine.Example:1935/live' },
    ],
    ['RTMPS://engine/live/cam', { scheme: 'rtmps', port: 443, tcUrl: 'rtmps://engine:443/live' }],
    ['rtmps://engine:8443/live/cam', { port: 8443, tcUrl: 'rtmps://engine:8443/live' }],
    ['rtmp://h/live/inst/cam', { app: 'live/inst', streamName: 'cam', tcUrl: 'rtmp://h:1935/live/inst' }],
    ['rtmp://h/live/cam?key=a/b?c&d=e', { app: 'live', streamName: 'cam?key=a/b?c&d=e' }],
    [
      'rtmp://h/live?vhost=a.b/cam',
      { app: 'live?vhost=a.b', streamName: 'cam', tcUrl: 'rtmp://h:1935/live?vhost=a.b' },
    ],
    ['rtmp://h/live/a%20b', { streamName: 'a%20b' }],
    ['rtmp://h/live/a b', { streamName: 'a b' }],
    ['rtmp://h/live/a#b', { streamName: 'a#b' }],
    ['rtmp://h/live/a\\b"\'100%', { streamName: 'a\\b"\'100%' }],
    ['rtmp://h/live/ключ', { streamName: 'ключ' }],
    ['rtmp://h/name', { app: 'name', streamName: '', tcUrl: 'rtmp://h:1935/name' }],
    ['rtmp://h/name?user=u&pass=p', { app: 'name?user=u&pass=p', streamName: '' }],
    ['rtmp://h/name/', { app: 'name', streamName: '' }],
    ['rtmp://h/live//cam', { app: 'live', streamName: 'cam', tcUrl: 'rtmp://h:1935/live' }],
    ['rtmp://h/live/cam/', { app: 'live', streamName: 'cam' }],
    ['rtmp://h/live/inst/a/b?x=/y', { app: 'live/inst', streamName: 'a/b?x=/y' }],
    ['rtmp://h/vod/mp4:a/b', { app: 'vod', streamName: 'mp4:a/b' }],
    [`rtmp://h/live/cam?token=${'x'.repeat(3000)}`, { streamName: `cam?token=${'x'.repeat(3000)}` }],
    ['rtmp://h/live/caméra', { streamName: 'caméra' }],
    ['rtmp://h/live/mp4:clip', { streamName: 'mp4:clip' }],
    ['rtmp://h/live/a@b', { host: 'h', streamName: 'a@b' }],
    ['rtmp://[::1]/live/cam', { host: '::1', port: 1935, tcUrl: 'rtmp://[::1]:1935/live' }],
    [
      'rtmp://[2001:DB8:0::1]:1936/live/cam',
      { host: '2001:db8::1', port: 1936, tcUrl: 'rtmp://[2001:DB8:0::1]:1936/live' },
    ],
    [
      'rtmp://user:p%40ss:w%2f@h/live/cam',
      { username: 'user', password: 'p@ss:w/', host: 'h', tcUrl: 'rtmp://h:1935/live' },
    ],
    ['rtmp://a@b@h/live/cam', { username: 'a@b', host: 'h' }],
    ['rtmp://my_engine-1.svc.cluster.local./live/cam', { host: 'my_engine-1.svc.cluster.local.' }],
    ['rtmp://xn--bcher-kva.example/live/cam', { host: 'xn--bcher-kva.example' }],
  ])('%s', (text, expected) => {
    expect(parseRtmpUrl(text)).toMatchObject(expected);
  });

  test('without user info there is none, and without a password neither', () => {
    expect(Object.keys(parseRtmpUrl('rtmp://h/a/b')).sort()).toEqual([
      'app',
      'host',
      'port',
      'scheme',
      'streamName',
      'tcUrl',
    ]);
    expect(parseRtmpUrl('rtmp://u@h/a/b')).not.toHaveProperty('password');
    expect(parseRtmpUrl('rtmp://u:@h/a/b').password).toBe('');
  });

  test.each<[string, RegExp]>([
    ['', /has no scheme and host; right is rtmp:\/\/HOST:1935\/APPLICATION\/STREAM/],
    ['engine/live/cam', /no scheme/],
    ['rtmp:/h/live/cam', /no scheme/],
    ['http://h/live/cam', /another scheme than rtmp:\/\/ and rtmps:\/\//],
    ['rtmpe://h/live/cam', /another scheme/],
    ['rtmp:///live/cam', /names no host/],
    ['rtmp://:1935/live/cam', /names no host/],
    ['rtmp://u@/live/cam', /names no host/],
    ['rtmp://h', /names neither an application nor a stream/],
    ['rtmp://h/', /names neither/],
    ['rtmp://h?x=/a/b', /names neither/],
    ['rtmp://h//cam', /empty part/],
    ['rtmp://h/../cam', /"\." or "\.\."/],
    ['rtmp://h/live/..', /"\." or "\.\."/],
    ['rtmp://h:0/live/cam', /port that is no number from 1 to 65535/],
    ['rtmp://h:65536/live/cam', /port/],
    ['rtmp://h:/live/cam', /port/],
    ['rtmp://h:1e3/live/cam', /port/],
    ['rtmp://h:-1/live/cam', /port/],
    ['rtmp://::1/live/cam', /IPv6 address stands in square brackets/],
    ['rtmp://[::1/live/cam', /square brackets/],
    ['rtmp://[::g]/live/cam', /neither a name nor an address/],
    ['rtmp://[fe80::1%25eth0]/live/cam', /neither a name nor an address/],
    ['rtmp://256.1.1.1/live/cam', /neither a name nor an address/],
    ['rtmp://1.2.3/live/cam', /neither a name nor an address/],
    ['rtmp://01.2.3.4/live/cam', /neither a name nor an address/],
    ['rtmp://2130706433/live/cam', /neither a name nor an address/],
    ['rtmp://-h/live/cam', /neither a name nor an address/],
    ['rtmp://a..b/live/cam', /neither a name nor an address/],
    [`rtmp://${'a'.repeat(64)}/live/cam`, /neither a name nor an address/],
    [`rtmp://${'a.'.repeat(127)}b/live/cam`, /neither a name nor an address/],
    ['rtmp://bücher.example/live/cam', /neither a name nor an address/],
    ['rtmp://h/live/a\tb', /control character, or white space/],
    ['rtmp://h/live/a\u00a0b', /white space/],
    ['rtmp://h/live/a ', /begins or ends with white space/],
    ['rtmp://h a/live/b', /white space in its host/],
    ['rtmp://h#a/live/b', /neither a name nor an address/],
    ['rtmpt://h/live/cam', /another scheme/],
    [' rtmp://h/live/cam', /white space/],
    ['rtmp://h/live/cam\n', /white space/],
    ['rtmp://h/live/cam\u0000', /control character/],
    ['rtmp://h/live/cam\u007f', /control character/],
    ['rtmp://h/live/cam\u0085', /control character/],
    ['rtmp://h/live/cam\u2028', /white space/],
    ['rtmp://h\\live/a/cam', /neither a name nor an address/],
    ['rtmp://h/live/\ud800', /surrogate/],
    ['rtmp://u%zz@h/live/cam', /"%" in its user name or password/],
    ['rtmp://u%00@h/live/cam', /escaped control character/],
    [`rtmp://h/live/${'a'.repeat(4083)}`, /has 4097 characters, and 4096 are allowed/],
  ])('%j is refused', (text, message) => {
    expect(() => parseRtmpUrl(text)).toThrow(message);
    expect(() => parseRtmpUrl(text)).toThrow(InputError);
    expect(() => parseRtmpUrl(text)).toThrow(expect.objectContaining({ code: 'INVALID_ADDRESS' }));
  });

  test('1024 characters are allowed', () => {
    expect(parseRtmpUrl(`rtmp://h/live/${'a'.repeat(1010)}`).streamName).toHaveLength(1010);
  });

  test('what was refused shows no secret', () => {
    for (const text of [
      'rtmp://u:secret@h:0/live/cam?key=secret',
      'rtmp://u:secret@h',
      'http://u:secret@h/a/b?secret',
    ]) {
      expect(() => parseRtmpUrl(text)).toThrow(
        expect.not.objectContaining({ message: expect.stringContaining('secret') }),
      );
    }
  });

  test('the parts make the URL again', () => {
    const part = fc.stringMatching(/^[A-Za-z0-9_:.@=-]{1,12}$/).filter((text) => text !== '.' && text !== '..');
    const host = fc.oneof(
      fc.ipV4(),
      fc.ipV6().map((address) => `[${address}]`),
      fc.stringMatching(/^[a-z][a-z0-9]{0,9}$/),
    );
    fc.assert(
      fc.property(
        fc.constantFrom('rtmp', 'rtmps'),
        host,
        fc.option(fc.integer({ min: 1, max: 65535 }), { nil: null }),
        fc.tuple(
          part,
          fc.option(
            part.filter((text) => !text.includes(':')),
            { nil: null },
          ),
        ),
        part,
        fc.option(fc.stringMatching(/^[a-z=&/?]{0,10}$/), { nil: null }),
        (scheme, hostText, port, parts, stream, query) => {
          const app = parts.filter((text) => text !== null);
          const streamName = query === null ? stream : `${stream}?${query}`;
          const url = parseRtmpUrl(
            `${scheme}://${hostText}${port === null ? '' : `:${port}`}/${app.join('/')}/${streamName}`,
          );
          expect(url).toMatchObject({
            scheme,
            app: app.join('/'),
            streamName,
            port: port ?? (scheme === 'rtmp' ? 1935 : 443),
          });
          expect(parseRtmpUrl(`${url.tcUrl}/${url.streamName}`)).toEqual(url);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('any text is parsed or refused with the code', () => {
    const pieces = fc.constantFrom(
      'rtmp',
      '://',
      '/',
      '?',
      '@',
      ':',
      '[',
      ']',
      '%',
      '.',
      'a',
      '1',
      '#',
      '\\',
      '\u0000',
      'é',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.array(pieces, { maxLength: 20 }).map((list) => `rtmp://${list.join('')}`),
        ),
        (text) => {
          try {
            parseRtmpUrl(text);
          } catch (error) {
            expect(error).toMatchObject({ code: 'INVALID_ADDRESS' });
          }
        },
      ),
      { numRuns: 3000 },
    );
  });
});

describe('maskUrl', () => {
  test.each([
    ['rtmp://h/live/cam', 'rtmp://h/live/cam'],
    ['rtmp://user:secret@h:1935/live/cam', 'rtmp://***@h:1935/live/cam'],
    ['rtmp://user@h/live/cam', 'rtmp://***@h/live/cam'],
    ['rtmp://h/live/cam?key=secret&x=secret&secret', 'rtmp://h/live/cam?key=***&x=***&***'],
    ['rtmp://h/live/cam?secret', 'rtmp://h/live/cam?***'],
    ['rtmp://h/live/cam?c2VjcmV0cw==&a==b', 'rtmp://h/live/cam?***&a=***'],
    ['rtmp://h/live/cam?key=sec?ret=a', 'rtmp://h/live/cam?key=***'],
    ['rtmp://h/live/cam?mail=a@b', 'rtmp://h/live/cam?mail=***'],
    ['rtmp://[::1]:1935/live/a@b', 'rtmp://[::1]:1935/live/a@b'],
    ['rtmp://user:sec/ret@h/live/cam', 'rtmp://***@h/live/cam'],
    ['rtmp://user:sec?ret@h/live/cam', 'rtmp://***@h/live/cam'],
    ['rtmp://user:sec#ret@h/live/cam', 'rtmp://***@h/live/cam'],
    ['rtmp://user:se@cret@h/live/cam', 'rtmp://***@h/live/cam'],
    ['user:secret@h/live/cam', '***@h/live/cam'],
    ['rtmp://h/live/cam#secret', 'rtmp://h/live/cam#***'],
    ['rtmp://h/live/a\nb\u202e', 'rtmp://h/live/a\ufffdb\ufffd'],
    ['', ''],
    ['nonsense', 'nonsense'],
  ])('%j', (text, expected) => {
    expect(maskUrl(text)).toBe(expected);
  });

  test('a long text is cut off', () => {
    expect(maskUrl(`rtmp://h/${'a'.repeat(5000)}`)).toHaveLength(1025);
  });

  test('no password and no query value of a valid URL is ever shown', () => {
    const secret = fc.stringMatching(/^[A-Za-z0-9:@!$;,=+~-]{0,10}$/).map((text) => `SECRET${text}`);
    fc.assert(
      fc.property(secret, secret, fc.constantFrom('', ':1935'), (password, value, port) => {
        const text = `rtmp://user:${password}@h${port}/live/cam?key=${value}&${value.replaceAll('=', '')}`;
        parseRtmpUrl(text);
        expect(maskUrl(text)).not.toContain('SECRET');
        expect(maskUrl(text)).toContain(`@h${port}/live/cam`);
      }),
    );
  });
});

describe('maskUrl of what is long', () => {
  test('a password that is longer than what is shown stays hidden', () => {
    const shown = maskUrl(`rtmp://user:${'SECRET'.repeat(400)}@h/live/cam`);
    expect(shown).toBe('rtmp://***@h/live/cam');
    expect(maskTarget(`rtmp://h/live/${'SECRET'.repeat(400)}`, 'cam')).toMatch(/^rtmp:\/\/h\/live\/SE\*\*\*/);
    expect(maskTarget(`rtmp://h/live/cam?token=${'SECRET'.repeat(400)}`, 'cam')).toBe('rtmp://h/live/cam?token=***');
  });
});

describe('maskTarget', () => {
  test.each([
    // The key of a public platform is the last part of the path.
    ['rtmp://a.rtmp.invalid/live2/abcd-1234-efgh-5678', 'cam', 'rtmp://a.rtmp.invalid/live2/ab***'],
    ['rtmp://h:1935/app/inst/live_123_SECRET?key=secret', 'cam', 'rtmp://h:1935/app/inst/li***?key=***'],
    ['rtmps://user:secret@h/live/SECRET', 'cam', 'rtmps://***@h/live/SE***'],
    ['rtmp://h/live/cam', 'cam', 'rtmp://h/live/cam'],
    ['rtmp://h/live/cam?key=secret', 'cam', 'rtmp://h/live/cam?key=***'],
    ['rtmp://h/live/cam-engine', 'cam', 'rtmp://h/live/cam-engine'],
    ['rtmp://h/live/cam_1', 'cam', 'rtmp://h/live/cam_1'],
    ['rtmp://h/live/mp4:cam.mp4', 'cam', 'rtmp://h/live/mp4:cam.mp4'],
    ['rtmp://h/live/north-cam', 'cam', 'rtmp://h/live/north-cam'],
    // A name that happens to stand in a key does not show it.
    ['rtmp://h/live/cam-abcd-1234-efgh', 'cam', 'rtmp://h/live/ca***'],
    ['rtmp://h/live/a8f0c311', 'a', 'rtmp://h/live/a8***'],
    ['rtmp://h/cam/SECRET', 'cam', 'rtmp://h/cam/SE***'],
    ['rtmp://h/live/SECRET/', 'cam', 'rtmp://h/live/SE***/'],
    ['rtmp://h\\live\\SECRET', 'cam', 'rtmp://h\\live\\SE***'],
    ['rtmp://h/live/SECRET', '', 'rtmp://h/live/SE***'],
    ['rtmp://h/live/\u{1f511}\u{1f511}SECRET', 'cam', 'rtmp://h/live/\u{1f511}\u{1f511}***'],
    ['rtmp://h/live/x\nSECRET', 'cam', 'rtmp://h/live/x\ufffd***'],
    ['rtmp://h', 'cam', 'rtmp://h'],
    // What may be within a key is within what is hidden.
    ['rtmp://h/app/inst/SEC/RET', 'cam', 'rtmp://h/app/inst/SE***'],
    ['rtmp://h/live/SEC\\RET', 'cam', 'rtmp://h/live/SE***'],
    ['rtmp://h/app/inst/SEC\\RET/cam', 'cam', 'rtmp://h/app/inst/SE***'],
    ['rtmp://h/live/SEC RET', 'cam', 'rtmp://h/live/SE***'],
    ['rtmp://h/live/mp4:SEC/RET', 'cam', 'rtmp://h/live/mp***'],
    ['rtmp://h/SECRET', 'cam', 'rtmp://h/SE***'],
    ['rtmp://h/cam', 'cam', 'rtmp://h/cam'],
    ['rtmp://h/cam?pass=SECRET', 'cam', 'rtmp://h/cam?pass=***'],
    ['', 'cam', ''],
  ])('%j of camera %j', (url, camera, expected) => {
    expect(maskTarget(url, camera)).toBe(expected);
    expect(maskTarget(expected, camera)).toBe(expected);
  });

  test('a stream name that is not the camera never shows more than two characters', () => {
    const key = fc.stringMatching(/^[A-Za-z0-9=~-]{0,12}$/).map((text) => `kySECRET${text}`);
    fc.assert(
      fc.property(key, fc.constantFrom('', '?a=b', '?a=/b', '#x'), (streamName, tail) => {
        expect(maskTarget(`rtmp://h/live/${streamName}${tail}`, 'cam')).not.toContain('SEC');
      }),
    );
  });
});
