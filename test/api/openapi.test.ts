import { createHash } from 'node:crypto';
import { Validator } from '@seriousme/openapi-schema-validator';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { renderDocs } from '../../src/api/docs-page.js';
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

it('/docs shows every operation, runs no script and loads nothing', async () => {
  const answer = await fetch(`${test.base}/docs`);
  const page = await answer.text();
  expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
  const policy = answer.headers.get('content-security-policy') ?? '';
  const style = /<style>([\s\S]*)<\/style>/.exec(page)?.[1] ?? '';
  expect(policy).toContain(`style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'`);
  expect(policy).toMatch(/^default-src 'none'; /);
  expect(page).not.toMatch(/<script|<img|<link|@import|url\(|\son\w+=|style=|https?:\/\/(?!localhost:5000)/i);
  const { paths } = JSON.parse(text) as { paths: Record<string, Record<string, { summary: string }>> };
  for (const [path, methods] of Object.entries(paths)) {
    for (const [method, { summary }] of Object.entries(methods)) {
      expect(page).toContain(`<b>${method.toUpperCase()}</b> <code>${path}</code>`);
      expect(page).toContain(summary.split(/[<>"'&]/)[0] ?? '');
    }
  }
  // Every link leads somewhere.
  const ids = new Set([...page.matchAll(/ id="([^"]+)"/g)].map((match) => match[1]));
  const links = [...page.matchAll(/href="#([^"]+)"/g)].map((match) => match[1]);
  expect(links.filter((link) => !ids.has(link))).toEqual([]);
  expect([...page.matchAll(/ id="([^"]+)"/g)].length).toBe(ids.size);
});

it('/docs escapes what it shows', () => {
  const nasty = '<script>alert("1")</script>';
  const schema = { type: 'object', properties: { [nasty]: { type: 'string', description: nasty, enum: [nasty] } } };
  const operation = {
    ...{ operationId: nasty, summary: nasty, description: nasty, tags: [nasty] },
    parameters: [{ in: 'query', name: nasty, description: nasty, schema }],
    requestBody: { content: { [nasty]: { schema } } },
    responses: { [nasty]: { description: nasty, content: { [nasty]: { schema } } } },
  };
  const info = { title: nasty, version: nasty, description: nasty };
  const page = renderDocs({
    info,
    paths: { [nasty]: { [nasty]: operation } },
    components: { schemas: { [nasty]: schema } },
  });
  expect(page).not.toMatch(/<script|"1"/i);
});
