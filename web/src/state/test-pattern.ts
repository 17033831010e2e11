import { request } from '../api/http.js';
import { observe } from './action.js';
import { refreshCamera } from './store.js';

/** Has the aggregator publish its sample clip as this camera, and waits until it is live. @throws ApiError */
export async function startTestPattern(camera: string): Promise<void> {
  await request('POST', '/v1/test-pattern', { body: { camera } });
  await observe(`the test pattern of ${camera}`, async () => (await refreshCamera(camera))?.live === true);
}

/** Ends it, and waits until the camera is not live any more. @throws ApiError */
export async function stopTestPattern(camera: string): Promise<void> {
  await request('DELETE', `/v1/test-pattern/${encodeURIComponent(camera)}`);
  await observe(`the end of the test pattern of ${camera}`, async () => (await refreshCamera(camera))?.live !== true);
}

/** Whether a test pattern is published as this camera. @throws ApiError */
export async function hasTestPattern(camera: string): Promise<boolean> {
  const { items } = await request<{ items: readonly { camera: string }[] }>('GET', '/v1/test-pattern');
  return items.some((pattern) => pattern.camera === camera);
}
