import { describe, expect, it } from 'vitest';
import { addCamera, removeCamera } from '../../../src/model/cameras.js';
import { changesBetween, differingIn } from '../../../src/model/changes.js';
import { encodeState } from '../../../src/model/document/encode.js';
import { declareEngine, removeEngine } from '../../../src/model/engines.js';
import { type DesiredState, emptyState } from '../../../src/model/model.js';
import { addPush, changePush, removePush } from '../../../src/model/pushes.js';
import { allOf } from '../../../src/model/steps.js';
import { grownBytes } from '../../../src/store/file/batch.js';

const now = '2026-01-01T00:00:00.000Z';

const withPush = (state: DesiredState, id: string, url: string): DesiredState =>
  addPush(state, 'eins', { id, url }, now, 100).state;
const camera = (state: DesiredState, name: string): DesiredState => addCamera(state, { name, type: '360' }, now, 100);

describe('the growth of state.json that is foretold for a change', () => {
  const bare = camera(camera(emptyState, 'eins'), 'zwei');
  const one = withPush(bare, 'first', 'rtmp://h/live/ä');
  const two = withPush(one, 'second', 'rtmp://h/live/2?key="1"');

  const engine = declareEngine(bare, { name: 'e', host: 'h' }, now, 10);

  it.each<[string, DesiredState, DesiredState]>([
    ['a push beside another', one, two],
    ['a push that goes, beside another', two, removePush(two, 'eins', 'first')],
    ['a push that changes', two, changePush(two, 'eins', 'first', { enabled: false, queueMaxBytes: 1e6 })],
    ['the first push of a camera', bare, one],
    ['the last push of a camera', one, removePush(one, 'eins', 'first')],
    ['a camera', bare, camera(bare, 'drei')],
    ['the first camera', emptyState, camera(emptyState, 'drei')],
    ['a camera with its pushes', camera(emptyState, 'zwei'), two],
    ['a camera that goes with its pushes', two, removeCamera(two, 'eins')],
    ['a camera that goes, and had none', bare, removeCamera(bare, 'eins')],
    ['the first engine', bare, engine],
    ['an engine that changes', engine, declareEngine(engine, { name: 'e', host: 'h', location: 'ö' }, now, 10)],
    ['the last engine', engine, removeEngine(engine, 'e')],
    ['all of it', two, emptyState],
    ['nothing', two, two],
  ])('is right for %s', (_, before, after) => {
    const differing = differingIn(before, after);
    const changes = changesBetween(before, after, differing);
    const foretold = allOf(grownBytes(before, after, differing, changes));
    expect(foretold).toBe(Buffer.byteLength(encodeState(after)) - Buffer.byteLength(encodeState(before)));
  });
});
