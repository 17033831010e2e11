import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { NativeBackend } from '../../../src/backend/native/native-backend.js';
import { defaultSettings } from '../../../src/config/index.js';
import { silentLogger } from '../../../src/log/log.js';
import { decodeState } from '../../../src/model/document/decode.js';
import { emptyState } from '../../../src/model/model.js';
import { checkChange } from '../../../src/model/state-rules.js';

const cameras = 4000;
const pushesEach = 5;
const now = '2026-01-01T00:00:00.000Z';

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

function heapBytes(): number {
  for (let round = 0; round < 3; round++) collect();
  return process.memoryUsage().heapUsed;
}

/** @returns bytes of the heap for each camera, and what takes them */
function measured<T>(make: () => T): { readonly bytes: number; readonly made: T } {
  const before = heapBytes();
  const made = make();
  return { bytes: (heapBytes() - before) / cameras, made };
}

const names = Array.from({ length: cameras }, (_, index) => `camera-${index}`);

test('a camera that nobody connected for takes little memory', (context) => {
  const backend = new NativeBackend({
    settings: { host: '127.0.0.1', rtmpPort: 0, media: defaultSettings().media },
    log: silentLogger,
  });
  context.onTestFinished(() => backend.stop(1000));
  const { bytes } = measured(() => {
    for (const name of names) backend.setCamera({ name, pushes: [] });
  });
  // Some 110 to 135; a camera that is made takes 1,500 more.
  expect(bytes).toBeLessThan(400);
});

test('of pushes that nobody asked for, a state that was checked keeps what was declared', () => {
  const entries = names.map((name) => {
    const pushes = Array.from({ length: pushesEach }, (_, push) => [
      `push-${push}`,
      push % 2 === 0 ? { url: `rtmp://127.0.1.${push + 1}/live/${name}` } : { engine: `engine-${push}` },
    ]);
    return [name, { pushes: Object.fromEntries(pushes) }];
  });
  const engines = Object.fromEntries([1, 3].map((index) => [`engine-${index}`, { host: `127.0.2.${index}` }]));
  const text = JSON.stringify({ version: 1, cameras: Object.fromEntries(entries), engines });
  const { bytes, made } = measured(() => {
    const state = decodeState(text, emptyState, now);
    checkChange(emptyState, state, { maxPushesPerCamera: pushesEach, maxCameras: cameras, maxEngines: 2 });
    return state;
  });
  expect(made.cameras.size).toBe(cameras);
  expect(bytes).toBeLessThan(1400);
});
