import { expect, onTestFinished, test } from 'vitest';
import { startControl } from './harness.js';

const url = 'rtsp://op:p%40ss@192.0.2.7:554/a/b?c=1';
const device = { serial: 'SN-7', reference: 'urn:uuid:7' };

async function start() {
  const started = await startControl();
  onTestFinished(() => started.close());
  // It moves nothing, and takes sources.
  Object.defineProperty(started.backend, 'switching', { value: { switchIngest: async () => {} } });
  return started.control;
}

test('a source follows its device, and all else of it stays', async () => {
  const control = await start();
  await control.cameras.add({ name: 'gate', source: { url, mode: 'on-demand', device } }, undefined);
  await control.cameras.add({ name: 'plain', source: 'rtsp://192.0.2.8/x' }, undefined);
  const events: string[] = [];
  control.feed.subscribe(({ type, json }) => {
    if (type === 'source.moved') events.push(json);
  });
  const [source, ...others] = [...control.devices.list()];
  expect(others).toEqual([]);
  expect(source).toMatchObject({ camera: 'gate', ingest: 'main', url, device });
  expect(await control.devices.move(source!, '192.0.2.99')).toBe(true);
  const [moved] = [...control.devices.list()];
  expect(moved).toMatchObject({ url: 'rtsp://op:p%40ss@192.0.2.99:554/a/b?c=1', device });
  expect(control.cameras.get('gate', undefined).source).toMatchObject({ mode: 'on-demand', device });
  expect(JSON.parse(events[0] ?? '')).toMatchObject({
    camera: 'gate',
    from: '192.0.2.7',
    to: '192.0.2.99',
    serial: 'SN-7',
  });
  // Somebody changed it meanwhile.
  expect(await control.devices.move(source!, '192.0.2.98')).toBe(false);
  expect(control.devices.known('gate', 'SN-7')).toEqual(device);
  expect(control.devices.known('gate', 'SN-8')).toBeUndefined();
  expect(control.devices.known('plain', '')).toBeUndefined();
  expect(control.devices.known('nobody', 'SN-7')).toBeUndefined();
  const find = control.devices.finder();
  expect(find({ serial: 'SN-7', host: '192.0.2.200' })).toBe('gate');
  expect(find({ serial: '', host: '192.0.2.8' })).toBe('plain');
  // Not asked with a login, it does not say its serial number.
  expect(find({ serial: '', reference: 'urn:uuid:7', host: '192.0.2.200' })).toBe('gate');
  expect(find({ serial: '', reference: '', host: '192.0.2.99' })).toBeUndefined();
  // Two devices may call themselves the same.
  expect(find({ serial: 'SN-8', reference: 'urn:uuid:7', host: '192.0.2.99' })).toBeUndefined();
  expect(find({ serial: 'SN-9', host: '192.0.2.9' })).toBeUndefined();
});

test('so does the source of one of several ingests', async () => {
  const control = await start();
  const ingests = [{ name: 'main', source: { url, device } }, 'backup'];
  await control.cameras.add({ name: 'gate', ingests }, undefined);
  const [source] = [...control.devices.list()];
  expect(await control.devices.move(source!, '2001:db8::1')).toBe(true);
  expect([...control.devices.list()][0]?.url).toBe('rtsp://op:p%40ss@[2001:db8::1]:554/a/b?c=1');
});

test('of several cameras of one device, the first by name is meant', async () => {
  const control = await start();
  for (const name of ['d', 'b', 'f', 'a', 'e', 'c']) {
    await control.cameras.add({ name, source: { url, device } }, undefined);
    await control.cameras.add({ name: `plain-${name}`, source: 'rtsp://192.0.2.8/x' }, undefined);
  }
  const find = control.devices.finder();
  expect(find({ serial: 'SN-7', host: '192.0.2.7' })).toBe('a');
  expect(find({ serial: '', reference: 'urn:uuid:7', host: '192.0.2.7' })).toBe('a');
  expect(find({ serial: '', host: '192.0.2.8' })).toBe('plain-a');
});
