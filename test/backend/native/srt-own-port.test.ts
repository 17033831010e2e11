import { expect, onTestFinished, test } from 'vitest';
import { NativeBackend } from '../../../src/backend/native/native-backend.js';
import { defaultSettings } from '../../../src/config/index.js';
import { silentLogger } from '../../../src/log/log.js';

test('a source at the own SRT port, which would publish to itself, is refused, and a target by TCP is not', async () => {
  const { media } = defaultSettings();
  const settings = { host: '127.0.0.1', rtmpPort: 0, srt: { port: 0 }, media };
  const backend = new NativeBackend({ settings, log: silentLogger });
  onTestFinished(() => backend.stop(2000));
  const { srtPort = 0 } = await backend.start();
  expect(backend.refusesSource(`srt://127.0.0.1:${srtPort}?streamid=gate`)?.code).toBe('SOURCE_FORBIDDEN');
  expect(backend.refusesSource(`srt://127.0.0.1:${srtPort === 1 ? 2 : srtPort - 1}`)).toBeUndefined();
  expect(backend.refuses(`rtmp://127.0.0.1:${srtPort}/live/x`)).toBeUndefined();
});
