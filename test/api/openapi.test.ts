import { Validator } from '@seriousme/openapi-schema-validator';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { nameSchemas } from '../../src/api/openapi-document.js';
import { startTestApi, type TestApi } from './harness.js';

let test: TestApi;
let text: string;
beforeAll(async () => {
  test = await startTestApi();
  text = await (await fetch(`${test.base}/openapi.json`)).text();
});
afterAll(() => test.close());

it('the document is valid OpenAPI 3.1', async () => {
  const validator = new Validator();
  const result = await validator.validate(JSON.parse(text));
  expect(result.errors ?? []).toEqual([]);
  expect([result.valid, validator.version]).toEqual([true, '3.1']);
});

it('every operation says what callers need, and no two have one id', () => {
  const { paths, components } = JSON.parse(text) as {
    paths: Record<string, Record<string, { operationId?: string; security?: object[] }>>;
    components: { securitySchemes: object; schemas: object };
  };
  const operations = Object.values(paths).flatMap((methods) => Object.values(methods));
  const ids = operations.map(({ operationId }) => operationId);
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids).not.toContain(undefined);
  expect(operations.filter(({ security }) => security === undefined)).toEqual([]);
  expect(Object.keys(components.securitySchemes)).toEqual(['bearer', 'query']);
  expect(Object.keys(components.schemas)).toEqual(expect.arrayContaining(['Camera', 'Push', 'Engine', 'Problem']));
});

it('schemas of one title are the same, so that each stands once', () => {
  const document = test.api.describe();
  expect(nameSchemas(document).conflicts).toEqual([]);
  expect(text.length).toBeLessThan(JSON.stringify(document).length / 4);
});
