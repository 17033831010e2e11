import { describe, expect, it } from 'vitest';
import { decodeState } from '../../src/model/document/decode.js';
import { emptyState } from '../../src/model/model.js';

const now = '2026-01-01T00:00:00.000Z';
const push = (time: string) => ({ p: { url: 'rtmp://h/live/a', createdAt: time } });
const places: [string, (time: string) => object][] = [
  ['cameras.a.createdAt', (time) => ({ cameras: { a: { createdAt: time } } })],
  ['cameras.a.pushes.p.createdAt', (time) => ({ cameras: { a: { pushes: push(time) } } })],
  ['cameras.a.keys.0.until', (time) => ({ cameras: { a: { keys: [{ id: '0123456789abcdef', until: time }] } } })],
  [
    'engines.e.createdAt',
    (time) => ({ engines: { e: { host: 'h', pushUrl: 'rtmp://{host}/live/{name}', createdAt: time } } }),
  ],
];
const decode = (content: object) => decodeState(JSON.stringify({ version: 1, ...content }), emptyState, now);

describe.each(places)('a time in state.json: %s', (field, withTime) => {
  it.each(['2026-02-28T10:00:00.000Z', '2028-02-29T10:00:00.000Z', '2026-12-31T23:59:59.999Z'])('may be %s', (time) => {
    expect(() => decode(withTime(time))).not.toThrow();
  });

  it.each([
    '2026-02-31T10:00:00.000Z',
    '2026-02-29T10:00:00.000Z',
    '2026-04-31T10:00:00.000Z',
    '2026-13-01T10:00:00.000Z',
  ])('is refused as %s, a day that there is not', (time) => {
    expect(() => decode(withTime(time))).toThrow(
      expect.objectContaining({ field, message: expect.stringContaining(`"${time}" is no date and time`) }),
    );
  });
});
