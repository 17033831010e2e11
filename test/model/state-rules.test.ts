import { describe, expect, it } from 'vitest';
import { getCamera, removeCamera, withCamera } from '../../src/model/cameras.js';
import { decodeState } from '../../src/model/document/decode.js';
import { type DesiredState, emptyState } from '../../src/model/model.js';
import { checkChange, LimitWatch, overLimits } from '../../src/model/state-rules.js';

const limits = { maxCameras: 2, maxPushesPerCamera: 2, maxEngines: 1 };
const state = (cameras: object, engines: object = {}): DesiredState =>
  decodeState(JSON.stringify({ version: 1, cameras, engines }), emptyState, '2026-01-01T00:00:00.000Z');
const to = (...urls: string[]) => ({ pushes: Object.fromEntries(urls.map((url, index) => [`p${index}`, { url }])) });
const url = (host: string) => `rtmp://${host}/live/a`;
const engine = { host: 'h', pushUrl: 'rtmp://{host}/live/{name}' };
const other = { ...engine, pushUrl: 'rtmp://{host}/live2/{name}' };

describe('a whole state, whoever writes it', () => {
  it.each<[string, DesiredState, DesiredState, { code: string; field: string }]>([
    ['too many cameras', emptyState, state({ a: {}, b: {}, c: {} }), { code: 'LIMIT_REACHED', field: 'cameras' }],
    [
      'more cameras than too many',
      state({ a: {}, b: {}, c: {} }),
      state({ a: {}, b: {}, c: {}, d: {} }),
      { code: 'LIMIT_REACHED', field: 'cameras' },
    ],
    ['too many engines', emptyState, state({}, { e: engine, f: other }), { code: 'LIMIT_REACHED', field: 'engines' }],
    [
      'too many pushes of a new camera',
      emptyState,
      state({ a: to(url('h1'), url('h2'), url('h3')) }),
      { code: 'LIMIT_REACHED', field: 'cameras.a.pushes' },
    ],
    [
      'too many pushes of a camera that was there',
      state({ a: to(url('h1'), url('h2')) }),
      state({ a: to(url('h1'), url('h2'), url('h3')) }),
      { code: 'LIMIT_REACHED', field: 'cameras.a.pushes' },
    ],
    [
      'two pushes to one target, written in two ways',
      emptyState,
      state({ a: to('rtmp://host/live/a', 'rtmp://HOST:1935/live/a') }),
      { code: 'STATE_INVALID', field: 'cameras.a.pushes.p1' },
    ],
    [
      'an engine whose template comes to mean the target of another push',
      state({ a: { pushes: { p: { engine: 'e' }, q: { url: 'rtmp://h/live2/a' } } } }, { e: engine }),
      state({ a: { pushes: { p: { engine: 'e' }, q: { url: 'rtmp://h/live2/a' } } } }, { e: other }),
      { code: 'STATE_INVALID', field: 'cameras.a.pushes.q' },
    ],
    [
      'a URL as an answer masks it',
      state({ a: to('rtmp://h/live/secret') }),
      state({ a: to('rtmp://h/live/se***') }),
      { code: 'STATE_INVALID', field: 'cameras.a.pushes.p0.url' },
    ],
    [
      'a template as an answer masks it',
      emptyState,
      state({}, { e: { host: 'h', pushUrl: 'rtmp://u:***@{host}/live/{name}' } }),
      { code: 'STATE_INVALID', field: 'engines.e.pushUrl' },
    ],
  ])('is refused with %s', (_, before, after, error) => {
    expect(() => checkChange(before, after, limits)).toThrow(expect.objectContaining(error));
  });

  it.each<[string, DesiredState, DesiredState]>([
    ['that is within all limits', emptyState, state({ a: to(url('h1'), url('h2')), b: {} }, { e: engine })],
    ['that is over a limit as it was', state({ a: {}, b: {}, c: {} }), state({ a: { type: '360' }, b: {}, c: {} })],
    ['that exchanges one over the limit', state({ a: {}, b: {}, c: {} }), state({ a: {}, b: {}, d: {} })],
    [
      'that is less over a limit',
      state({ a: to(url('1.1.1.1'), url('1.1.1.2'), url('1.1.1.3'), url('1.1.1.4')) }),
      state({ a: to(url('1.1.1.1'), url('1.1.1.2'), url('1.1.1.3')) }),
    ],
    [
      'in which two pushes shared a target before',
      state({ a: to('rtmp://h/live/a', 'rtmp://h:1935/live/a') }),
      state({ a: { ...to('rtmp://h/live/a', 'rtmp://h:1935/live/a'), type: '360' } }),
    ],
  ])('is taken %s', (_, before, after) => {
    expect(() => checkChange(before, after, limits)).not.toThrow();
  });

  it('says what is over a limit', () => {
    expect(overLimits(state({ a: {}, b: {} }, { e: engine }), limits)).toEqual([]);
    const over = overLimits(
      state({ a: to(url('h1'), url('h2'), url('h3')), b: {}, c: {} }, { e: engine, f: other }),
      limits,
    );
    expect(over).toEqual([
      '3 cameras (max-cameras: 2)',
      '2 engines (max-engines: 1)',
      '1 camera with too many pushes (max-pushes-per-camera: 2)',
    ]);
  });

  it('says it of one version of a state after the other', () => {
    const watch = new LimitWatch(limits);
    const crowded = state({ a: to(url('h1'), url('h2'), url('h3')), b: {} });
    const told = '1 camera with too many pushes (max-pushes-per-camera: 2)';
    expect(watch.over(crowded)).toEqual([told]);
    expect(watch.over(withCamera(crowded, { ...getCamera(crowded, 'b'), type: '360' }))).toEqual([told]);
    expect(watch.over(removeCamera(crowded, 'a'))).toEqual([]);
    expect(watch.over(state({ a: to(url('h1'), url('h2'), url('h3')), b: {}, c: {} }))).toHaveLength(2);
  });
});
