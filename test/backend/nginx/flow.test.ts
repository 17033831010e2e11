import { expect, it } from 'vitest';
import { Flow } from '../../../src/backend/nginx/flow.js';
import type { LiveCamera } from '../../../src/backend/nginx/workers.js';
import { CameraHealth } from '../../../src/health/camera-health.js';
import { defaultHealthLimits } from '../../../src/health/evidence.js';

/** A camera as the statistics of nginx show it, second by second. */
class Seen {
  readonly flow = new Flow();
  readonly health = new CameraHealth(() => {});
  nowMs = 1e9;
  bytes = 0;
  readonly #sinceMs = Date.now() - 600_000;

  camera(audioBps: number | null, videoBps: number | null): LiveCamera {
    const counts = { bytesIn: this.bytes, bytesOut: 0, audioBps, videoBps, width: 0, height: 0, frameRate: 25 };
    const stream = { application: 'gate', name: 'gate', ...counts, videoCodec: 'H264', audioCodec: 'AAC', clients: [] };
    const publisher = { id: '7', host: '192.0.2.1', sinceMs: this.#sinceMs, encoder: 'OBS' };
    return { name: 'gate', publisher, stream, socket: null };
  }

  run(seconds: number, bytesPerSecond: number, audioBps: number | null, videoBps: number | null): void {
    for (let i = 0; i < seconds; i++) {
      this.nowMs += 1000;
      this.bytes += bytesPerSecond;
      const camera = this.camera(audioBps, videoBps);
      this.flow.look([camera], this.nowMs);
      const evidence = this.flow.evidenceOf(camera, bytesPerSecond * 8, this.nowMs);
      this.health.look(evidence, defaultHealthLimits, this.nowMs);
    }
  }

  get codes(): string[] {
    return this.health.list.map(({ code }) => code);
  }
}

it('a camera behind nginx that freezes, or loses its picture or its sound, is in trouble; a healthy one is not', () => {
  const seen = new Seen();
  seen.run(120, 250_000, 128_000, 1_800_000);
  expect(seen.codes).toEqual([]);
  seen.run(8, 0, 128_000, 1_800_000);
  expect(seen.codes).toEqual(['CAMERA_SILENT']);
  seen.run(10, 250_000, 128_000, 1_800_000);
  expect(seen.codes).toEqual([]);
  seen.run(8, 16_000, 128_000, 0);
  expect(seen.codes).toEqual(['CAMERA_NO_VIDEO']);
  seen.run(10, 250_000, 128_000, 1_800_000);
  seen.run(13, 225_000, 0, 1_800_000);
  expect(seen.codes).toEqual(['CAMERA_NO_AUDIO']);
  seen.run(10, 250_000, 128_000, 1_800_000);
  expect(seen.codes).toEqual([]);
});

it('a module that does not tell of each kind leaves frozen cameras to be seen', () => {
  const seen = new Seen();
  seen.run(60, 250_000, null, null);
  expect(seen.codes).toEqual([]);
  seen.run(8, 0, null, null);
  expect(seen.codes).toEqual(['CAMERA_SILENT']);
});
