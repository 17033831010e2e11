import { expect, it } from 'vitest';
import { foldOutages, isOutage, type RecorderLine } from '../../web/src/state/outages.js';

let second = 0;
const line = (kind: string, text: string): RecorderLine => {
  second += 1;
  return { at: `2030-01-01T00:00:${String(second).padStart(2, '0')}.000Z`, kind, text, push: 'p' };
};

it('the retries of one outage are one entry, with the first error and the last', () => {
  const lines = [
    line('state', 'connecting -> active'),
    line('error', 'TARGET_CLOSED: gone'),
    line('state', 'active -> waiting'),
    line('state', 'waiting -> connecting'),
    line('error', 'PUSH_REFUSED: already publishing'),
    line('state', 'connecting -> waiting'),
    line('state', 'waiting -> connecting'),
    line('state', 'connecting -> active'),
    line('error', 'TARGET_CLOSED: once'),
    line('state', 'active -> waiting'),
  ];
  const entries = foldOutages('p', lines);
  expect(entries).toHaveLength(5);
  expect(entries[1]).toMatchObject({
    failures: 2,
    first: 'TARGET_CLOSED: gone',
    last: 'PUSH_REFUSED: already publishing',
    from: lines[1]?.at,
    at: lines[6]?.at,
  });
  expect(entries.filter(isOutage)).toHaveLength(1);
  // A failure that was not tried again stays as it is.
  expect(entries.slice(3)).toEqual(lines.slice(8));
});

it('the retries of a source are one entry, and what else happens to the camera stays', () => {
  const camera = (kind: string, text: string) => ({ ...line(kind, text), push: undefined });
  const lines = [
    camera('source', 'off -> queued'),
    camera('source', 'connecting -> waiting'),
    camera('error', 'SOURCE_REFUSED: nothing listens there'),
    camera('condition', 'SOURCE_DOWN raised'),
    camera('source', 'waiting -> queued'),
    camera('source', 'connecting -> waiting'),
    camera('error', 'SOURCE_TIMEOUT: no answer'),
    camera('source', 'connecting -> live'),
    camera('publish', 'rtsp://h/x'),
  ];
  const entries = foldOutages(undefined, lines);
  expect(entries.map((entry) => (isOutage(entry) ? 'outage' : entry.text))).toEqual([
    'off -> queued',
    'SOURCE_DOWN raised',
    'outage',
    'connecting -> live',
    'rtsp://h/x',
  ]);
  const [outage] = entries.filter(isOutage);
  expect(outage?.failures).toBe(2);
  expect(outage?.lines).toHaveLength(5);
});
