import { expect, test } from 'vitest';
import { CameraSnapshotSchema } from '../../src/backend/observed.js';
import { FlushScheduler } from '../../src/relay/flush-scheduler.js';
import { FedStream } from '../support/fed-stream.js';

/** What the camera knows, and its source does not. */
const others = [
  'name',
  'notice',
  'conditions',
  'ingests',
  'switches',
  'lastSwitch',
  'relayedFrom',
  'hops',
  'live',
  'graceUntil',
  'viewers',
  'source',
  // Of one that comes by SRT alone.
  'srt',
  'pushes',
];

test('a source measures each figure of the schema, under the name that it has there', () => {
  const format = { chunkBytes: 4096, streamId: 1, publishing: true };
  const { ingest } = new FedStream({ format, gopMaxBytes: 1_000_000, scheduler: new FlushScheduler() }, 0);
  const names = Object.keys(CameraSnapshotSchema.properties).filter((name) => !others.includes(name));
  expect(Object.keys(ingest.figures(performance.now())).sort()).toEqual(names.sort());
});
