import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { RelayWatch } from '../../src/control/relay-watch.js';

const origin = (from: string) => ({ from, owner: from, epoch: 1 });
const relays = new Map([
  ['gate', origin('a')],
  ['yard', origin('a')],
  ['door', origin('b')],
  ['roof', origin('c')],
]);

test('ends the silent streams of a node that does not answer, and no others', async () => {
  const [ended, asked]: string[][] = [[], []];
  const watch = new RelayWatch(
    {
      relayWith: () => undefined,
      probeNode: async (url) => {
        asked!.push(url);
        return url === 'rtmp://b';
      },
      silentRelayMs: (camera) => ({ gate: 5000, door: 5000 })[camera] ?? 100,
      endRelay: (camera, { code, message }) => void ended!.push(`${camera}: ${code} ${message}`),
    },
    (node) => `rtmp://${node}`,
  );
  watch.look(relays);
  watch.look(relays);
  await sleep(10);
  expect(ended).toEqual(['gate: NODE_UNAVAILABLE node a, which sends the stream, is silent and does not answer']);
  // Each once at a time; and one that answers has a silent camera.
  expect(asked).toEqual(['rtmp://a', 'rtmp://b']);
});
