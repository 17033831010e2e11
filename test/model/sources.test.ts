import { expect, test } from 'vitest';
import { changeCamera, declareCamera, getCamera } from '../../src/model/cameras.js';
import { decodeState } from '../../src/model/document/decode.js';
import { encodeState } from '../../src/model/document/encode.js';
import { emptyState } from '../../src/model/model.js';

const now = '2026-01-01T00:00:00.000Z';
const url = 'rtsp://u:p@h/x';

test('sources come back from the state file as they were, and go without saying what does', () => {
  const one = { name: 'a', source: { url, mode: 'always', transport: 'tcp' } } as const;
  const two = {
    name: 'b',
    ingests: ['main', { name: 'spare', source: { url, mode: 'on-demand', transport: 'udp' } }],
  } as const;
  let state = emptyState;
  for (const input of [one, two]) state = declareCamera(state, input, now, 10);
  expect(getCamera(state, 'a').source).toEqual({ url });
  const read = decodeState(encodeState(state), emptyState, now);
  expect(new Map(read.cameras)).toEqual(new Map(state.cameras));
  expect(declareCamera(read, one, now, 10)).toBe(read);
});

test('a change of something else keeps a source; null takes it away', () => {
  let state = declareCamera(emptyState, { name: 'a', source: url }, now, 10);
  state = changeCamera(state, 'a', { type: '360' });
  expect(getCamera(state, 'a').source).toEqual({ url });
  expect(getCamera(changeCamera(state, 'a', { source: null }), 'a')).not.toHaveProperty('source');
});

test('a list of ingests has its sources in itself', () => {
  const input = { name: 'a', source: url, ingests: ['main', 'spare'] };
  expect(() => declareCamera(emptyState, input, now, 10)).toThrow(/source: each of "ingests" has a source of its own/);
});
