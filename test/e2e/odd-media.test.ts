import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { startAggregator } from '../support/aggregator.js';
import { settled } from '../support/flv-file.js';
import { startNginxRtmp } from '../support/nginx-rtmp.js';
import { testWith } from '../support/peers.js';
import { RtmpClient } from '../support/rtmp-client.js';
import { testScope } from '../support/scope.js';
import { strictFlv, strictMedia } from '../support/strict-reader.js';
import { sleep, waitFor } from '../support/wait.js';

const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex');
/** AMF0 strings. */
const text = (value: string): Buffer => {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(value.length);
  return Buffer.concat([Buffer.from([2]), length, Buffer.from(value)]);
};
const metadata = Buffer.concat([text('@setDataFrame'), text('onMetaData')]);
const width = bytes('0005 7769647468 00 4084000000000000');

/** What senders of the field put between their frames. Each of these, or what was added to it, had a push fail for ever. */
const odd: readonly [number, Buffer][] = [
  [18, bytes('00015233')], // a timecode track of ffmpeg
  [18, Buffer.alloc(0)],
  [18, Buffer.concat([metadata, bytes('03'), width, bytes('000009'), bytes('05')])], // a value behind the object
  [18, Buffer.concat([metadata, bytes('08 00000001'), width])], // no end marker
  [18, Buffer.concat([metadata, bytes('05')])],
  [18, Buffer.concat([bytes('00 0000000000000000'), metadata, bytes('03'), width, bytes('000009')])],
  [18, bytes('0c 00000001 61')],
  [18, bytes('11 06 0361')],
  [15, Buffer.concat([bytes('00'), metadata, bytes('03'), width, bytes('000009')])],
  [15, bytes('ff0102')],
  [8, Buffer.alloc(0)],
  [9, Buffer.alloc(0)],
  [9, bytes('17')],
  [9, bytes('27010000')],
  [8, bytes('af')],
  [8, bytes('af01')],
  [9, bytes('5200')],
  [16, bytes('000461')],
  [19, bytes('000461')],
  [99, bytes('01020304')],
];

testWith('nginx-rtmp')(
  'a publisher that sends odd messages: the push stays up, and all frames arrive',
  async (context) => {
    const scope = testScope(context);
    const [nginx, aggregator] = await Promise.all([startNginxRtmp(scope), startAggregator(scope)]);
    await aggregator.addCamera('cam');
    await aggregator.addPush('cam', nginx.url('cam'), 'engine');
    const camera = new RtmpClient(scope, aggregator.rtmpPort);
    await camera.publish('cam', 'cam');
    camera.media(9, 0, bytes('17 00 000000 01640020ffe1000467640020ac01000468ee3cb0'));
    camera.media(8, 0, bytes('af00 1210'));
    camera.media(9, 0, bytes('17 01 000000 00000004 65880101'));
    let frames = 1;
    // A push that connects later begins with a later key frame.
    await waitFor(async () => (await aggregator.push('cam', 'engine')).state === 'active', { what: 'the push' });
    for (let second = 0; second < 3; second++) {
      for (const [index, [type, payload]] of odd.entries()) {
        const timeMs = (second + 1) * 1000 + index * 50;
        const picture = Buffer.concat([
          bytes(index === 0 ? '17 01 000000' : '27 01 000000'),
          bytes('00000004 65880101'),
        ]);
        camera.media(9, timeMs, picture);
        frames++;
        camera.media(type, timeMs, payload);
        await sleep(25);
      }
    }
    const push = await aggregator.push('cam', 'engine');
    expect(push).toMatchObject({ connects: 1, attempt: 0, lastError: null, state: 'active' });
    expect(camera.closedByPeer).toBe(false);
    camera.socket.end();
    const recording = await nginx.recording('cam');
    await settled(recording);
    expect(nginx.recordings('cam')).toHaveLength(1);
    const tags = strictFlv(readFileSync(recording));
    for (const tag of tags) strictMedia(tag);
    const pictures = tags.filter(({ type, payload }) => type === 9 && payload[1] === 1);
    expect(pictures).toHaveLength(frames);
  },
);
