import { api } from '../api/http.js';
import { observe } from './action.js';
import { refreshCamera } from './store.js';

/** Has the aggregator publish its sample clip as this camera, and waits until it is live. @throws ApiProblem */
export async function startTestPattern(camera: string): Promise<void> {
  await api.call('startTestPattern', { body: { camera } });
  await observe(`the test pattern of ${camera}`, async () => (await refreshCamera(camera))?.live === true);
}

/** Ends it, and waits until it is gone; the camera itself may have taken its place. @throws ApiProblem */
export async function stopTestPattern(camera: string): Promise<void> {
  await api.call('stopTestPattern', { path: { name: camera } });
  await observe(`the end of the test pattern of ${camera}`, async () => !(await hasTestPattern(camera)));
  await refreshCamera(camera);
}

/** Whether a test pattern is published as this camera. @throws ApiProblem */
export async function hasTestPattern(camera: string): Promise<boolean> {
  const { body } = await api.call('listTestPatterns');
  return body.items.some((pattern) => pattern.camera === camera);
}
