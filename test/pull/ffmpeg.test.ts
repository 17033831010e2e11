import { describe, expect, test } from 'vitest';
import { parseSourceUrl, secretsOfSource } from '../../src/address/source-url.js';
import { ffmpegArguments, ffmpegInput } from '../../src/pull/ffmpeg-input.js';
import { endOfFfmpeg } from '../../src/pull/ffmpeg-messages.js';

const secretUrl = "rtsp://admin:p%40ss'word@cam.example:8554/a/b?token=0011aabb";

describe('what ffmpeg is given', () => {
  test('has the judged address, and the password on its standard input alone', () => {
    const input = ffmpegInput(parseSourceUrl(secretUrl), { address: '192.0.2.7', transport: 'udp', timeoutMs: 5000 });
    expect(input.split('\n')).toEqual([
      'ffconcat version 1.0',
      "file 'rtsp://admin:p%40ss'\\''word@192.0.2.7:8554/a/b?token=0011aabb'",
      'option analyzeduration 2000000',
      'option rtsp_transport udp',
      'option timeout 5000000',
      '',
    ]);
    expect(ffmpegArguments('rtsp', true).join(' ')).not.toMatch(/cam|pass|token|192/);
  });

  test.each([
    ['rtsp://u:p@host/x\ny', 'control character'],
    ['file:///etc/passwd', 'does not begin with one of'],
    ['srt://host', 'needs a port'],
    ['srt://host:9000?mode=listener', 'another mode'],
    ['srt://host:9000?localaddr=10.0.0.1', 'none of latency, mode'],
    ['srt://host:9000?passphrase=one&two', '"&" in a value is %26'],
    ['rtsp://u:%zz@host/', 'escapes nothing'],
    ['http://0x7f.1/', 'neither a name nor an address'],
  ])('%j is refused', (url, why) => {
    expect(() => parseSourceUrl(url)).toThrow(why);
    // What stands behind a "&" may be the rest of a password.
    expect(() => parseSourceUrl(url)).not.toThrow(/"?two"?/);
  });
});

describe('what ffmpeg says', () => {
  const about = { endpoint: 'cam.example:8554', secrets: secretsOfSource(secretUrl), file: 'ffmpeg' };
  const ended = (...lines: string[]) => endOfFfmpeg({ code: 1, signal: null, failure: null, lines }, about);

  test.each([
    ['[http @ 0x55] [warning] HTTP error 561 No Way There', 'SOURCE_REFUSED'],
    ['[rtsp @ 0x55] [error] method DESCRIBE failed: 401 Unauthorized', 'SOURCE_AUTH'],
    ['[rtsp @ 0x55] [error] method DESCRIBE failed: 404 Not Found', 'SOURCE_NOT_FOUND'],
    ['[tcp @ 0x55] [error] Connection to tcp://127.0.0.1:9 failed: Connection refused', 'SOURCE_REFUSED'],
    ['[tcp @ 0x55] [error] Connection to tcp://10.9.9.9:9 failed: No route to host', 'SOURCE_UNREACHABLE'],
    [
      '[srt @ 0x55] [error] Connection to srt://127.0.0.1:9711?mode=caller failed: Input/output error',
      'SOURCE_UNREACHABLE',
    ],
    [
      'SRT:RcvQ:w1!W:SRT.cn: REJECT reported from HS processing: Incorrect passphrase - not processing further',
      'SOURCE_AUTH',
    ],
    ['[flv @ 0x55] [error] Video codec vp8 not compatible with flv', 'SOURCE_CODEC'],
    ['[error] pipe:0: Invalid data found when processing input', 'SOURCE_PROTOCOL'],
  ])('%s', (line, code) => {
    expect(ended('[info] Input #0', line)).toMatchObject({ code });
  });

  test('a missing program is named, with what to do', () => {
    const failure = Object.assign(new Error('spawn'), { code: 'ENOENT' });
    const end = { code: null, signal: null, failure, lines: [] };
    expect(endOfFfmpeg(end, about)).toMatchObject({
      code: 'SOURCE_PROGRAM',
      message: expect.stringContaining('--ffmpeg'),
    });
  });

  test('passwords and tokens are not repeated', () => {
    const { message } = ended(`[concat] [error] Impossible to open '${secretUrl}', p@ss'word, p%40ss'word, 0011aabb`);
    expect(message).not.toMatch(/p@ss|p%40ss|0011aabb|admin/);
  });
});
