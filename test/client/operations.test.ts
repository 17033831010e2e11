import { expect, test } from 'vitest';
import { startTestApi } from '../api/harness.js';
import { type OpenApi, renderOperations } from './render.js';

// `npx vitest run --project unit test/client -u` writes the file anew after a change of the API.

test('src/client/operations.ts says what the OpenAPI document says', async () => {
  const api = await startTestApi();
  try {
    const document = (await (await fetch(`${api.base}/openapi.json`)).json()) as OpenApi;
    await expect(renderOperations(document)).toMatchFileSnapshot('../../src/client/operations.ts');
  } finally {
    await api.close();
  }
});
