import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { LogLevels } from '../../../src/log/levels.js';
import { silentLogger } from '../../../src/log/log.js';
import { startTestApi, type TestApi } from '../../api/harness.js';
import { cameraNames, largeState, rawGet } from '../../api/large-node.js';
import { longestHoldMs } from '../../support/loop-holds.js';
import { waitFor } from '../../support/wait.js';

const count = 10_000;
const maxHoldMs = 40;
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  while (cleanups.length > 0) await cleanups.pop()?.();
});

async function start(): Promise<TestApi & { file: string }> {
  const api = await startTestApi({ maxCameras: 20_000 }, silentLogger, new LogLevels('info'), (folder) =>
    writeFile(join(folder, 'state.json'), largeState(count)),
  );
  cleanups.push(() => api.close());
  return { ...api, file: join(api.folder, 'state.json') };
}

describe('an edit by hand of 10,000 cameras of three pushes each holds up nobody', () => {
  it('when every push goes elsewhere: all of it comes into force', async () => {
    const { store, backend, control, file } = await start();
    const names = ['one.example.org', 'two.example.org', 'three.example.org'];
    // The work of this test is not to be measured.
    const texts = names.map((name) => Buffer.from(largeState(count, name)));
    let edits = 0;
    const ms = await longestHoldMs(async () => {
      const name = names[edits] ?? '';
      const text = texts[edits++] ?? '';
      const told = control.feed.newestId;
      await writeFile(file, text);
      const last = cameraNames(count).at(-1) ?? '';
      await waitFor(() => backend.cameras.get(last)?.pushes[2]?.url.includes(name), {
        ...{ what: 'the last camera', timeoutMs: 60_000, intervalMs: 50 },
      });
      await waitFor(() => control.feed.newestId >= told + 3 * count, {
        what: 'events',
        timeoutMs: 60_000,
        intervalMs: 50,
      });
    }, 3);
    expect(ms).toBeLessThan(maxHoldMs);
    const name = names[edits - 1] ?? '';
    for (const camera of cameraNames(count)) {
      expect(store.state.cameras.get(camera)?.pushes['p-1']?.url).toContain(name);
      expect(backend.cameras.get(camera)?.pushes[0]?.url).toContain(name);
    }
    expect(control.feed.newestId).toBeGreaterThan(0);
  }, 180_000);

  it('when it is refused, for its last entry: nothing changes', async () => {
    const { store, control, file } = await start();
    const before = store.state;
    const text = largeState(count);
    const at = text.lastIndexOf('rtmp:');
    const broken = Buffer.from(`${text.slice(0, at)}ftp:${text.slice(at + 5)}`);
    const ms = await longestHoldMs(async () => {
      await writeFile(file, broken);
      await waitFor(() => store.problems[0] !== undefined, { what: 'the refusal', timeoutMs: 60_000, intervalMs: 50 });
    }, 1);
    expect(ms).toBeLessThan(maxHoldMs);
    expect(store.state).toBe(before);
    expect(control.node.problems[0]?.message).toContain('cameras.camera-09999.pushes.p-3.url');
  }, 120_000);

  it('with changes by the API at the same time: both count, in their order', async () => {
    const { store, control, file, api } = await start();
    const add = async (name: string) => control.cameras.add({ name }, undefined);
    await writeFile(file, largeState(count, 'moved.example.org'));
    const names = Array.from({ length: 30 }, (_, index) => `new-${index}`);
    for (const name of names) await add(name);
    await waitFor(() => store.state.cameras.get('camera-00007')?.pushes['p-1']?.url?.includes('moved'), {
      ...{ what: 'the edit', timeoutMs: 60_000 },
    });
    for (const name of names) expect(store.state.cameras.has(name)).toBe(true);
    expect((await rawGet(api.port, '/v1/cameras/new-7'))().status).toBe(200);
    expect(store.problems[0]).toBeUndefined();
  }, 120_000);
});
