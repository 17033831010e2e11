import fc from 'fast-check';
import { Compile } from 'typebox/compile';
import { ask } from './ask.js';

/** A JSON schema as the API's own document has it: no references. */
export interface Schema {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
}

interface Parameter {
  readonly in: string;
  readonly name: string;
  readonly required?: boolean;
  readonly schema: Schema;
}

type Content = Readonly<Record<string, { readonly schema: Schema }>>;

export interface FuzzedOperation {
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly Parameter[];
  readonly body: Schema | undefined;
  readonly responses: Readonly<Record<string, { readonly content?: Content }>>;
}

/** What a fuzzed call sends. */
export interface FuzzedCall {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

/** All operations of a document, but those that answer without an end. */
export function operationsOf(document: object): FuzzedOperation[] {
  const { paths } = document as { paths: Record<string, Record<string, Record<string, unknown>>> };
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, operation]): FuzzedOperation[] => {
      const responses = operation.responses as FuzzedOperation['responses'];
      const types = Object.values(responses).flatMap(({ content = {} }) => Object.keys(content));
      if (types.some((type) => /event-stream|x-flv/.test(type))) return [];
      const requestBody = operation.requestBody as { content: Content } | undefined;
      const parameters = (operation.parameters ?? []) as readonly Parameter[];
      const body = requestBody?.content['application/json']?.schema;
      return [{ method: method.toUpperCase(), path, parameters, body, responses }];
    }),
  );
}

/** Values by the name of their field, where the schema alone would hardly hit what exists, or must not hit any host. */
export type Hints = Readonly<Record<string, fc.Arbitrary<unknown>>>;

/** Calls of one operation: most of them nearly right, some anything at all. */
export function callsOf(operation: FuzzedOperation, hints: Hints): fc.Arbitrary<FuzzedCall> {
  const { parameters, path, body } = operation;
  const text = (parameter: Parameter): fc.Arbitrary<string> =>
    valueFor(parameter.schema, hints, parameter.name).map((value) =>
      typeof value === 'string' ? value : JSON.stringify(value),
    );
  const named = (where: string, present: (parameter: Parameter) => boolean) =>
    fc.record(
      Object.fromEntries(
        parameters.filter((parameter) => parameter.in === where).map((parameter) => [parameter.name, text(parameter)]),
      ),
      { requiredKeys: parameters.filter((one) => one.in === where && present(one)).map(({ name }) => name) },
    );
  const bodies: fc.Arbitrary<string | undefined> =
    body === undefined
      ? fc.option(junkBody, { nil: undefined, freq: 10 })
      : fc.oneof(
          { arbitrary: valueFor(body, hints, '').map((value) => JSON.stringify(value)), weight: 8 },
          { arbitrary: junkBody, weight: 1 },
          { arbitrary: fc.constant(undefined), weight: 1 },
        );
  return fc
    .record({
      inPath: named('path', () => true),
      inQuery: named('query', ({ required }) => required === true),
      inHeaders: named('header', () => false),
      body: bodies,
    })
    .map(({ inPath, inQuery, inHeaders, body: sent }) => {
      const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encode(String(inPath[name]) || '-'));
      const query = Object.entries(inQuery).map(([key, value]) => `${encode(key)}=${encode(String(value))}`);
      const headers = Object.entries(inHeaders).map(([key, value]) => [key, printable(String(value))]);
      return {
        path: query.length === 0 ? filled : `${filled}?${query.join('&')}`,
        headers: Object.fromEntries(headers),
        body: sent,
      };
    });
}

const junkBody = fc.oneof(fc.json(), fc.string(), fc.constantFrom('', '{', 'null', '[]', '"x"', '{"__proto__":{}}'));

/** Lone surrogates cannot be written as UTF-8. */
function encode(text: string): string {
  return encodeURIComponent(text.replace(/[\ud800-\udfff]/g, '?'));
}

function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?');
}

function valueFor(schema: Schema, hints: Hints, name: string): fc.Arbitrary<unknown> {
  const hint = hints[name];
  const right = hint ?? rightValue(schema, hints);
  if (hint !== undefined && name in unsafeFields) return hint;
  return fc.oneof({ arbitrary: right, weight: 12 }, { arbitrary: fc.jsonValue({ maxDepth: 2 }), weight: 1 });
}

/** Fields that name hosts: nothing but what the hints have for them is ever sent. */
const unsafeFields = {
  ...{ url: true, host: true, se_ip: true, pushUrl: true, playbackUrl: true },
  ...{ address: true, addresses: true },
};

function rightValue(schema: Schema, hints: Hints): fc.Arbitrary<unknown> {
  const { anyOf, properties, items, pattern } = schema;
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  if (anyOf !== undefined) return fc.oneof(...anyOf.map((one) => rightValue(one, hints)));
  switch (schema.type) {
    case 'object': {
      const fields = Object.entries(properties ?? {}).map(([key, one]) => [key, valueFor(one, hints, key)] as const);
      return fc.record(Object.fromEntries(fields), { requiredKeys: [...(schema.required ?? [])] });
    }
    case 'array':
      return fc.array(valueFor(items ?? {}, hints, ''), { maxLength: 3 });
    case 'integer':
      return fc.integer({ min: schema.minimum ?? -1000, max: schema.maximum ?? 1_000_000 });
    case 'number':
      return fc.double();
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    default:
      if (pattern !== undefined) return fc.stringMatching(new RegExp(pattern));
      return fc.string({ minLength: schema.minLength ?? 0, maxLength: Math.min(schema.maxLength ?? 40, 200) });
  }
}

const validators = new Map<Schema, ReturnType<typeof Compile>>();

/**
 * Makes the call and holds the answer against the document.
 * @returns what is wrong with it; undefined: nothing
 */
export async function faultOf(port: number, operation: FuzzedOperation, call: FuzzedCall): Promise<string | undefined> {
  const answer = await ask(port, { method: operation.method, path: call.path, headers: call.headers, body: call.body });
  const { status, text, headers } = answer;
  const said = `${operation.method} ${call.path} ${call.body ?? ''}: ${status} ${text.slice(0, 500)}`;
  if (status === 500) return `a failure: ${said}`;
  const documented = operation.responses[String(status)];
  if (documented === undefined) return `an undocumented status: ${said}`;
  const type = String(headers['content-type'] ?? '').split(';', 1)[0] ?? '';
  const { content } = documented;
  if (content === undefined) return text === '' ? undefined : `a body where none is documented: ${said}`;
  const schema = content[type]?.schema;
  if (schema === undefined) return `an undocumented content type ${type}: ${said}`;
  if (type.startsWith('video/')) return undefined;
  const value: unknown = type.endsWith('json') ? answer.json : text;
  let validator = validators.get(schema);
  if (validator === undefined) {
    validator = Compile(schema);
    validators.set(schema, validator);
  }
  if (validator.Check(value)) return undefined;
  return `a body against its schema (${JSON.stringify(validator.Errors(value)[0])}): ${said}`;
}
