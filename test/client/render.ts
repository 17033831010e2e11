/** Makes the types of src/client/operations.ts of the OpenAPI document. */

interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly description?: string;
}

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly parameters?: readonly {
    readonly in: string;
    readonly name: string;
    readonly required?: boolean;
    readonly description?: string;
    readonly schema: Schema;
  }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> };
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: Schema }>> }>
  >;
}

export interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

/** The calls of the content manager are none of a client's: they have bodies with GET, which `fetch` does not send. */
function isClientPath(path: string): boolean {
  return /^\/(v1\/|healthz|readyz)/.test(path);
}

/** The text of src/client/operations.ts. */
export function renderOperations({ paths, components }: OpenApi): string {
  const lines = [
    '// Made of the OpenAPI document by `npx vitest run --project unit test/client -u`; not to be edited.',
    '',
  ];
  for (const [name, schema] of Object.entries(components.schemas)) {
    lines.push(...comment(schema.description, ''));
    if (schema.properties === undefined) lines.push(`export type ${name} = ${typeOf(schema, '')};`, '');
    else lines.push(`export interface ${name} ${typeOf(schema, '')}`, '');
  }
  const operations = Object.entries(paths)
    .filter(([path]) => isClientPath(path))
    .flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => ({ path, method, operation })))
    .sort((left, right) => (left.operation.operationId < right.operation.operationId ? -1 : 1));
  lines.push('/** What each operation takes and answers, by its id. */', 'export interface Operations {');
  for (const { operation } of operations) lines.push(...operationLines(operation));
  lines.push('}', '', '/** Method and path of each operation. */', 'export const routes = {');
  for (const { path, method, operation } of operations) {
    lines.push(`  ${operation.operationId}: ['${method.toUpperCase()}', '${path}'],`);
  }
  lines.push('} as const satisfies Record<keyof Operations, readonly [method: string, path: string]>;', '');
  return lines.join('\n');
}

function operationLines({ operationId, summary, parameters = [], requestBody, responses }: Operation): string[] {
  const lines = [...comment(summary, '  '), `  readonly ${operationId}: {`];
  for (const where of ['path', 'query'] as const) {
    const own = parameters.filter((parameter) => parameter.in === where);
    if (own.length === 0) continue;
    const optional = own.every(({ required }) => required !== true) ? '?' : '';
    lines.push(`    readonly ${where}${optional}: {`);
    for (const { name, required, description, schema } of own) {
      lines.push(...comment(description, '      '));
      const undef = required === true ? '' : ' | undefined';
      lines.push(`      readonly ${keyOf(name)}${required === true ? '' : '?'}: ${typeOf(schema, '      ')}${undef};`);
    }
    lines.push('    };');
  }
  const body = requestBody?.content['application/json']?.schema;
  if (body !== undefined) lines.push(`    readonly body: ${typeOf(body, '    ')};`);
  const answers = Object.entries(responses)
    .filter(([status]) => status.startsWith('2'))
    .map(([, { content = {} }]) => Object.values(content)[0]?.schema)
    .map((schema) => (schema === undefined ? 'undefined' : typeOf(schema, '    ')));
  lines.push(`    readonly answer: ${[...new Set(answers)].join(' | ')};`, '  };');
  return lines;
}

function typeOf(schema: Schema, indent: string): string {
  if (schema.$ref !== undefined) return schema.$ref.split('/').at(-1) ?? 'unknown';
  if (schema.const !== undefined) return literal(schema.const);
  if (schema.enum !== undefined) return schema.enum.map(literal).join(' | ');
  if (schema.anyOf !== undefined) return [...new Set(schema.anyOf.map((one) => typeOf(one, indent)))].join(' | ');
  switch (schema.type) {
    case 'string':
    case 'boolean':
    case 'null':
      return schema.type;
    case 'integer':
    case 'number':
      return 'number';
    case 'array': {
      const item = schema.items === undefined ? 'unknown' : typeOf(schema.items, indent);
      return `readonly ${/[ |]/.test(item) && !item.startsWith('{') ? `(${item})` : item}[]`;
    }
    case 'object':
      return objectType(schema, indent);
    default:
      return 'unknown';
  }
}

function objectType(schema: Schema, indent: string): string {
  const { properties, required = [], patternProperties, additionalProperties } = schema;
  const value =
    Object.values(patternProperties ?? {})[0] ??
    (typeof additionalProperties === 'object' ? additionalProperties : undefined);
  if (properties === undefined || Object.keys(properties).length === 0) {
    return value === undefined
      ? 'Readonly<Record<string, unknown>>'
      : `Readonly<Record<string, ${typeOf(value, indent)}>>`;
  }
  const lines = Object.entries(properties).flatMap(([key, property]) => [
    ...comment(property.description, `${indent}  `),
    `${indent}  readonly ${keyOf(key)}${required.includes(key) ? '' : '?'}: ${typeOf(property, `${indent}  `)}${required.includes(key) ? '' : ' | undefined'};`,
  ]);
  return `{\n${lines.join('\n')}\n${indent}}`;
}

function comment(text: string | undefined, indent: string): string[] {
  return text === undefined ? [] : [`${indent}/** ${text.replaceAll('*/', '* /').replaceAll('\n', ' ')} */`];
}

function keyOf(name: string): string {
  return /^[A-Za-z_]\w*$/.test(name) ? name : literal(name);
}

function literal(value: unknown): string {
  return typeof value === 'string' ? `'${value.replace(/['\\]/g, '\\$&')}'` : JSON.stringify(value);
}
