import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Control } from '../../src/control/control.js';
import type { ControlSettings } from '../../src/control/settings.js';
import { silentLogger } from '../../src/log/log.js';
import { openFileStore } from '../../src/store/file/file-store.js';
import type { Store } from '../../src/store/store.js';
import { FakeBackend } from './fake-backend.js';

export const testSettings = {
  host: '127.0.0.1',
  apiPort: 0,
  rtmpPort: 1935,
  resourceId: 'node-1',
  maxCameras: 50,
  maxPushesPerCamera: 5,
  maxEngines: 5,
} satisfies ControlSettings & { apiPort: number };

export interface TestControl {
  readonly folder: string;
  readonly store: Store;
  readonly backend: FakeBackend;
  readonly control: Control;
  close(): Promise<void>;
}

/** A control over a real file store and a backend that moves nothing. */
export async function startControl(
  settings: Partial<ControlSettings> = {},
  /** What is put into the data folder before it is opened. */
  prepare: (folder: string) => Promise<void> = async () => {},
): Promise<TestControl> {
  const folder = await mkdtemp(join(tmpdir(), 'aggregator-control-'));
  await prepare(folder);
  const store = await openFileStore({ dataDir: folder, log: silentLogger });
  const backend = new FakeBackend();
  const control = new Control({ store, backend, settings: { ...testSettings, ...settings }, log: silentLogger });
  await control.start();
  const close = async () => {
    control.close();
    await backend.stop();
    await store.close();
    await rm(folder, { recursive: true, force: true });
  };
  return { folder, store, backend, control, close };
}
