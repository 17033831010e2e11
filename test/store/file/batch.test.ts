import { describe, expect, it } from 'vitest';
import { addCamera, removeCamera } from '../../../src/model/cameras.js';
import { changesBetween } from '../../../src/model/changes.js';
import { encodeState } from '../../../src/model/document/encode.js';
import { type DesiredState, emptyState } from '../../../src/model/model.js';
import { addPush, changePush, removePush } from '../../../src/model/pushes.js';
import { allOf } from '../../../src/model/steps.js';
import { grownBytes } from '../../../src/store/file/batch.js';

const now = '2026-01-01T00:00:00.000Z';
/** What is counted too much where a camera has no push. */
const emptyPushesSlack = 6;

const withPush = (state: DesiredState, id: string, url: string): DesiredState =>
  addPush(state, 'eins', { id, url }, now, 100).state;
const camera = (state: DesiredState, name: string): DesiredState => addCamera(state, { name, type: '360' }, now, 100);

describe('the growth of state.json that is foretold for a change', () => {
  const bare = camera(camera(emptyState, 'eins'), 'zwei');
  const one = withPush(bare, 'first', 'rtmp://h/live/ä');
  const two = withPush(one, 'second', 'rtmp://h/live/2?key="1"');

  it.each<[string, DesiredState, DesiredState, number]>([
    ['a push beside another', one, two, 0],
    ['a push that goes, beside another', two, removePush(two, 'eins', 'first'), 0],
    ['a push that changes', two, changePush(two, 'eins', 'first', { enabled: false, queueMaxBytes: 1e6 }), 0],
    ['the first push of a camera', bare, one, emptyPushesSlack],
    ['a camera', bare, camera(bare, 'drei'), emptyPushesSlack],
    ['a camera that goes with its pushes', two, removeCamera(two, 'eins'), 0],
    ['nothing', two, two, 0],
  ])('is right for %s', (_, before, after, slack) => {
    const grown = encodeState(after).length - encodeState(before).length + wide(after) - wide(before);
    const foretold = allOf(grownBytes(changesBetween(before, after)));
    expect(Math.abs(foretold - grown)).toBeLessThanOrEqual(slack);
  });
});

/** Bytes beyond one for each character. */
function wide(state: DesiredState): number {
  const text = encodeState(state);
  return Buffer.byteLength(text) - text.length;
}
