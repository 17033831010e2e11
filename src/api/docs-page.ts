import { createHash } from 'node:crypto';
import type { App } from './app.js';

interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly description?: string;
}

type Content = Readonly<Record<string, { readonly schema: Schema }>>;

interface Operation {
  readonly operationId?: string;
  readonly summary?: string;
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly security?: readonly Readonly<Record<string, readonly string[]>>[];
  readonly parameters?: readonly {
    readonly in: string;
    readonly name: string;
    readonly required?: boolean;
    readonly description?: string;
    readonly schema: Schema;
  }[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly description?: string; readonly content?: Content }>>;
}

/** The parts of an OpenAPI document that the page shows. */
export interface DescribedApi {
  readonly info: { readonly title: string; readonly version: string; readonly description?: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

const style = `
:root{color-scheme:light dark;--line:#8884;--soft:#8881}
body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:0 auto;padding:1rem}
code,pre{font:14px/1.45 ui-monospace,monospace}code{overflow-wrap:anywhere}
pre{background:var(--soft);padding:.6rem;overflow-x:auto;white-space:pre-wrap;overflow-wrap:anywhere}
details{border:1px solid var(--line);border-radius:6px;margin:.4rem 0;padding:.3rem .7rem}
summary{cursor:pointer;overflow-wrap:anywhere}
summary b{display:inline-block;min-width:4.2rem}
table{border-collapse:collapse;width:100%}
@media(max-width:600px){table{display:block;overflow-x:auto}summary{padding:.6rem 0}}
th,td{border-bottom:1px solid var(--line);padding:.25rem .6rem .25rem 0;text-align:left;vertical-align:top}
nav{display:flex;flex-wrap:wrap;gap:.3rem 1rem}
`;

/** The page runs no script and loads nothing: it is text, with the style above. */
const docsPolicy = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/** `GET /docs`: the OpenAPI document for people. It needs nothing from elsewhere, and no script. */
export function addDocsPage(app: App, document: () => object): void {
  let page: string | undefined;
  app.get('/docs', { config: { scope: 'public' }, schema: { hide: true } }, async (_, reply) => {
    page ??= renderDocs(document() as DescribedApi);
    reply.headers({ 'content-security-policy': docsPolicy, 'cache-control': 'no-cache' });
    return reply.type('text/html; charset=utf-8').serializer(String).send(page);
  });
}

/** The page for a document whose schemas have names. */
export function renderDocs({ info, paths, components }: DescribedApi): string {
  const byTag = new Map<string, string[]>();
  for (const [path, methods] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const tag = operation.tags?.[0] ?? 'other';
      const list = byTag.get(tag) ?? [];
      list.push(operationBlock(method.toUpperCase(), path, operation));
      byTag.set(tag, list);
    }
  }
  const tags = [...byTag.keys()];
  const links = tags.map((tag) => `<a href="#${idOf(tag)}">${escapeText(tag)}</a>`).join('');
  const sections = tags.map((tag) => `<h2 id="${idOf(tag)}">${escapeText(tag)}</h2>${byTag.get(tag)?.join('')}`);
  const schemas = Object.entries(components.schemas).map(
    ([name, schema]) =>
      `<details id="schema-${idOf(name)}"><summary><code>${escapeText(name)}</code> ${escapeText(schema.description ?? '')}</summary><pre>${typeText(schema, '')}</pre></details>`,
  );
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeText(info.title)}: API ${escapeText(info.version)}</title><style>${style}</style></head>
<body><h1>${escapeText(info.title)} <small>${escapeText(info.version)}</small></h1>
<p>${escapeText(info.description ?? '')}</p>
<p>Programs of the aggregator’s own user on the same machine need no token to read and operate, unless <code>api-auth</code> is on. Others send
<code>authorization: Bearer TOKEN</code>, or <code>?token=TICKET</code> where no header can be sent. For programs:
<a href="/openapi.json">/openapi.json</a>.</p>
<nav aria-label="Sections">${links}<a href="#schemas">schemas</a></nav>
<main>${sections.join('\n')}<h2 id="schemas">schemas</h2>${schemas.join('\n')}</main></body></html>
`;
}

function operationBlock(method: string, path: string, operation: Operation): string {
  const { summary = '', description, security = [], parameters = [], requestBody, responses, operationId } = operation;
  const scope = security.flatMap((one) => Object.values(one).flat())[0];
  const body = Object.values(requestBody?.content ?? {})[0]?.schema;
  const rows = parameters.map(
    ({ in: where, name, required, schema, description: text = '' }) =>
      `<tr><td><code>${escapeText(name)}</code></td><td>${escapeText(where)}${required === true ? '' : ', optional'}</td><td><code>${typeText(schema, '')}</code></td><td>${escapeText(text)}</td></tr>`,
  );
  const answers = Object.entries(responses).map(([status, { description: text = '', content = {} }]) => {
    const [type, entry] = Object.entries(content)[0] ?? [];
    const shown = entry === undefined ? '' : `<code>${typeText(entry.schema, '')}</code>`;
    const media = type === undefined || type.endsWith('json') ? '' : ` (${escapeText(type)})`;
    return `<tr><td>${escapeText(status)}</td><td>${shown}${media}</td><td>${escapeText(text)}</td></tr>`;
  });
  return [
    `<details id="${idOf(operationId ?? `${method}-${path}`)}"><summary><b>${escapeText(method)}</b> <code>${escapeText(path)}</code> ${escapeText(summary)}</summary>`,
    `<p>${scope === undefined ? 'Needs no token.' : `Scope: <code>${escapeText(scope)}</code>.`} ${escapeText(description ?? '')}</p>`,
    rows.length === 0
      ? ''
      : `<table><tr><th>parameter</th><th>where</th><th>type</th><th></th></tr>${rows.join('')}</table>`,
    body === undefined ? '' : `<p>Body:</p><pre>${typeText(body, '')}</pre>`,
    `<table><tr><th>status</th><th>body</th><th></th></tr>${answers.join('')}</table>`,
    `<pre>${escapeText(curlLine(method, path, body !== undefined))}</pre></details>`,
  ].join('');
}

function curlLine(method: string, path: string, hasBody: boolean): string {
  const url = `http://localhost:5000${path.replace(/\{(\w+)\}/g, (_, name: string) => name.toUpperCase())}`;
  return `curl${method === 'GET' ? '' : ` -X ${method}`}${hasBody ? " -H 'content-type: application/json' -d '{...}'" : ''} ${url}`;
}

/** A type in the manner of TypeScript, escaped; names lead to their schema. */
function typeText(schema: Schema, indent: string): string {
  const { $ref, anyOf, items, properties, required = [], patternProperties } = schema;
  if ($ref !== undefined) {
    const name = $ref.split('/').at(-1) ?? '';
    return `<a href="#schema-${idOf(name)}">${escapeText(name)}</a>`;
  }
  if (schema.const !== undefined) return escapeText(JSON.stringify(schema.const));
  if (schema.enum !== undefined) return schema.enum.map((value) => escapeText(JSON.stringify(value))).join(' | ');
  if (anyOf !== undefined) return anyOf.map((one) => typeText(one, indent)).join(' | ');
  if (schema.type === 'array') return `[${items === undefined ? '' : typeText(items, indent)}]`;
  if (properties !== undefined) {
    const lines = Object.entries(properties).map(([key, property]) => {
      const comment = property.description === undefined ? '' : `  // ${escapeText(property.description)}`;
      return `${indent}  ${escapeText(key)}${required.includes(key) ? '' : '?'}: ${typeText(property, `${indent}  `)}${comment}`;
    });
    return `{\n${lines.join('\n')}\n${indent}}`;
  }
  const value = Object.values(patternProperties ?? {})[0];
  if (value !== undefined) return `{ [name]: ${typeText(value, indent)} }`;
  return escapeText(schema.type ?? 'anything');
}

function idOf(text: string): string {
  return text.replace(/[^A-Za-z0-9-]+/g, '-');
}

function escapeText(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character);
}
