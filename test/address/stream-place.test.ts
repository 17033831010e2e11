import { describe, expect, it } from 'vitest';
import { cameraIn, cameraInApplication, queriesIn } from '../../src/address/stream-place.js';

const place = (app: string, streamName: string, tcUrl = '') => ({ app, streamName, tcUrl });

describe('the camera that a client means', () => {
  it.each<[string, string, string?]>([
    ['cam', 'cam'],
    ['cam', ''],
    ['', 'cam'],
    ['cam/cam', ''],
    ['', 'cam/cam'],
    ['cam/', '/cam'],
    ['/cam', 'cam/'],
    ['cam//cam', ''],
    ['cam/', ''],
    [' cam ', '\tcam\n'],
    ['cam', ' '],
    ['cam/_definst_', 'cam'],
    ['cam/_definst_', ''],
    ['cam', 'flv:cam'],
    ['cam', 'FLV:cam'],
    ['cam', 'mp4:cam.mp4'],
    ['cam', 'cam.flv'],
    ['cam', 'cam.FLV'],
    ['cam', 'flv:cam.flv'],
    ['cam/flv:cam', ''],
    ['', 'flv:cam'],
    ['cam', 'cam?key=K'],
    ['cam', 'cam&key=K'],
    ['cam', 'cam?&key=K'],
    ['cam', '?key=K'],
    ['cam?key=K', 'cam'],
    ['cam?key=K/', 'cam'],
    ['cam/cam?key=K', ''],
    ['cam?key=K/cam', ''],
    ['', 'cam/cam?key=K'],
    ['cam', 'cam%3Fkey=K'],
    ['c%61m', 'cam'],
    ['cam%2Fcam', ''],
    ['', 'cam%2fcam%3fkey=K'],
    ['%20cam', 'cam%20'],
    ['cam', 'rtmp://host:1935/cam/cam?key=K'],
    ['cam', 'RTMP://HOST/cam'],
    ['', 'rtmps://[::1]:443/cam/cam'],
    ['rtmp://host/cam', 'cam'],
    ['', '', 'rtmp://host:1935/cam/cam'],
    ['', '', 'RTMP://host/cam'],
    ['\ufeffcam', 'cam\u200b'],
    ['cam', '\u00a0cam\u00a0'],
    ['rtmp://host/cam/cam', ''],
    ['cam', 'rtmp://host/cam/cam'],
  ])('app %j, name %j', (app, streamName, tcUrl) => {
    expect(cameraIn(place(app, streamName, tcUrl))).toBe('cam');
    // With media workers it is decided twice, and where connect names one, it is the same.
    expect(['', 'cam']).toContain(cameraInApplication(app));
  });

  it.each<[string, string, string?]>([
    ['', ''],
    ['cam', 'other'],
    ['other', 'cam'],
    ['live', 'cam'],
    ['cam', 'cam/cam'],
    ['cam/cam', 'cam'],
    ['cam/other', ''],
    ['cam', 'cam2'],
    ['cam', 'cam.txt'],
    ['cam', 'rtp:cam'],
    ['cam.flv', 'cam'],
    ['cam', 'flv:other'],
    ['cam', '../cam'],
    ['cam', '.'],
    ['cam', 'Cam'],
    ['cam', 'cam%25'],
    ['cam', 'cam%'],
    ['cam', 'ca\\m'],
    ['cam', 'rtmp://host/other/other'],
    ['cam', 'rtmp://host/'],
    ['cam', 'http://host/cam'],
    // What is decoded once is not decoded again.
    ['cam', '%2563am'],
  ])('is none with app %j, name %j', (app, streamName, tcUrl) => {
    expect(cameraIn(place(app, streamName, tcUrl))).toBeNull();
  });

  it('does not depend on the cameras that there are: a name that ends like a file is a name', () => {
    expect(cameraIn(place('cam.flv', 'cam.flv'))).toBe('cam.flv');
    expect(cameraIn(place('cam.flv', 'flv:cam.flv'))).toBe('cam.flv');
    expect(cameraIn(place('cam.flv', ''))).toBe('cam.flv');
    expect(cameraIn(place('', 'cam.flv'))).toBe('cam.flv');
    // The application names it as it is.
    expect(cameraIn(place('cam', 'cam.flv'))).toBe('cam');
  });

  it('takes no longer for a text that means harm', () => {
    for (const text of [
      '/'.repeat(60_000),
      '%'.repeat(60_000),
      ' '.repeat(60_000),
      'flv:'.repeat(15_000),
      '?&'.repeat(30_000),
    ]) {
      const startMs = performance.now();
      cameraIn(place(text, text, text));
      cameraInApplication(text);
      expect(performance.now() - startMs).toBeLessThan(500);
    }
  });
});

describe('queries', () => {
  it.each<[string, string, string, string[]]>([
    ['cam', 'cam?key=K', '', ['key=K', '', '']],
    ['cam', 'cam&key=K', '', ['key=K', '', '']],
    ['cam', 'cam?&key=K&x=1', '', ['key=K&x=1', '', '']],
    ['cam?key=K', 'cam', 'rtmp://h/cam?key=L', ['', 'key=K', 'key=L']],
    ['cam/cam?key=K', '', '', ['', 'key=K', '']],
    ['cam', 'cam%3Fkey=K', '', ['key=K&', '', '']],
    ['cam', '?key=K', '', ['key=K', '', '']],
    ['cam', 'RTMP://h/cam?key=K', '', ['key=K', '', '']],
  ])('of app %j, name %j', (app, streamName, tcUrl, queries) => {
    expect(queriesIn(place(app, streamName, tcUrl))).toEqual(queries);
  });
});
