import { expect, it } from 'vitest';
import { sendPaced } from '../../src/ingest/pacer.js';
import { videoHeader } from '../relay/fixtures.js';

it('a clip of headers alone is over after a pass, however often it is to be played', async () => {
  const header = { type: 9, timestampMs: 0, payload: videoHeader() };
  const source = {
    async *pass() {
      yield [header];
    },
  };
  const { signal } = new AbortController();
  const sent: number[] = [];
  const options = { loop: true, durationMs: 60_000, signal, send: (type: number) => void sent.push(type) };
  expect(await sendPaced(source as unknown as Parameters<typeof sendPaced>[0], options)).toMatchObject({ frames: 0 });
  expect(sent).toEqual([9]);
});
