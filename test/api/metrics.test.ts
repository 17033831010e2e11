import { afterAll, beforeAll, expect, it } from 'vitest';
import { cameraSnapshot, pushSnapshot } from '../control/fake-backend.js';
import { startTestApi, type TestApi } from './harness.js';

let test: TestApi;
beforeAll(async () => {
  test = await startTestApi({});
});
afterAll(() => test.close());

const scrape = async (): Promise<Map<string, number>> => {
  const response = await fetch(`${test.base}/metrics`);
  expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  const lines = (await response.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  );
};

const post = (path: string, body: unknown): Promise<Response> =>
  fetch(test.base + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

it('tells Prometheus of the node, its cameras and pushes, and forgets those that are gone', async () => {
  await post('/v1/cameras', { name: 'gate' });
  await post('/v1/cameras/gate/pushes', { id: 'p', url: 'rtmp://h.example/live/x?key=secret' });
  test.backend.snapshots.set(
    'gate',
    cameraSnapshot({
      name: 'gate',
      bitrateInBps: 1234,
      pushes: [pushSnapshot({ id: 'p', state: 'stalled', bytesOut: 77, droppedBy: { bytes: 3, age: 0, total: 0 } })],
    }),
  );
  const seen = await scrape();
  expect(seen.get('media_aggregator_up')).toBe(1);
  expect(seen.get('media_aggregator_cameras')).toBe(1);
  expect(seen.get('media_aggregator_camera_live{camera="gate"}')).toBe(1);
  expect(seen.get('media_aggregator_camera_receive_bytes_per_second{camera="gate"}')).toBe(154.25);
  expect(seen.get('media_aggregator_push_state{camera="gate",push="p",state="stalled"}')).toBe(1);
  expect(seen.get('media_aggregator_push_state{camera="gate",push="p",state="active"}')).toBe(0);
  expect(seen.get('media_aggregator_push_sent_bytes_total{camera="gate",push="p"}')).toBe(77);
  expect(seen.get('media_aggregator_push_dropped_frames_total{camera="gate",push="p",reason="bytes"}')).toBe(3);
  expect(seen.get('media_aggregator_pushes{state="stalled"}')).toBe(1);
  expect([...seen.keys()].join()).not.toContain('secret');
  expect(seen.get('process_resident_memory_bytes')).toBeGreaterThan(1e6);

  test.backend.snapshots.delete('gate');
  await fetch(`${test.base}/v1/cameras/gate`, { method: 'DELETE' });
  const after = await scrape();
  expect([...after.keys()].filter((key) => key.includes('gate'))).toEqual([]);
  expect(after.get('media_aggregator_pushes{state="stalled"}')).toBe(0);
});

it('serves two readers at once with the same whole answer', async () => {
  await Promise.all(Array.from({ length: 45 }, (_, i) => post('/v1/cameras', { name: `cam-${i}` })));
  const [one, two] = await Promise.all([scrape(), scrape()]);
  expect(one.get('media_aggregator_cameras')).toBe(45);
  expect([...one.keys()].filter((key) => key.startsWith('media_aggregator_camera_live')).length).toBe(45);
  expect(two.get('media_aggregator_cameras')).toBe(45);
});
