import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { InputError } from '../errors.js';
import { type BrokenRule, type ExplainableValidator, explainValue } from '../json/explain.js';
import { codeOfField } from '../model/rules.js';

const optionalBodyMark = 'x-optional';

/** Marks the schema of a body that may be left out. */
export function optionalBody<T extends TSchema>(schema: T): T {
  return Object.assign(schema, { [optionalBodyMark]: true });
}

const checkedByRouteMark = 'x-checked-by-route';

/**
 * Marks the schema of a list whose items the route checks by itself: one by one, since they are so many, or since each may
 * be wrong for itself. Before the route, it is a list of the right length.
 */
export function checkedByRoute<T extends TSchema>(schema: T): T {
  return Object.assign(schema, { [checkedByRouteMark]: true });
}

/** The schema as far as it is checked before the route. */
function checkedBefore(schema: TSchema): TSchema {
  const properties: unknown = Reflect.get(schema, 'properties');
  if (typeof properties !== 'object' || properties === null) return schema;
  const entries = Object.entries(properties).map(([key, property]) => {
    if (typeof property !== 'object' || property === null || !(checkedByRouteMark in property)) return [key, property];
    const { items: _, ...list } = property as { items?: unknown };
    return [key, list];
  });
  return { ...schema, properties: Object.fromEntries(entries) };
}

/** Checks one part of a request: gives it back, or the error that names field and rule. */
export type PartValidator = (value: unknown) => { value: unknown } | { error: Error };

/**
 * Compiles the schema of a part of a request. Values are not converted; only query parameters become numbers and
 * booleans.
 */
export function compilePart(schema: TSchema, part: string): PartValidator {
  const branches = branchesOf(schema).map((branch) => {
    const checked = checkedBefore(branch);
    return { schema: checked, validator: Compile(checked) };
  });
  const mayBeAbsent = part === 'body' && optionalBodyMark in schema;
  return (given) => {
    // Fastify gives null for no body.
    if (mayBeAbsent && given === null) return { value: undefined };
    const value = part === 'querystring' ? withValues(schema, given) : given;
    // Of a choice between an object and a string, the one that the value tries to be explains what is wrong with it.
    const wanted = typeof value === 'string' ? 'string' : 'object';
    const branch = branches.find((one) => Reflect.get(one.schema, 'type') === wanted) ?? branches[0]!;
    const broken = explain(branch.validator, branch.schema, value);
    return broken === undefined ? { value } : { error: toError(broken, part) };
  };
}

function explain(validator: ExplainableValidator, schema: object, value: unknown): BrokenRule | undefined {
  return explainValue(validator, schema, value);
}

function branchesOf(schema: TSchema): TSchema[] {
  return 'anyOf' in schema && Array.isArray(schema.anyOf) ? schema.anyOf : [schema];
}

function toError(broken: BrokenRule, part: string): InputError {
  const field = broken.path;
  // A bare string as body is the name.
  const rule = broken.message.replace(/^the document: /, part === 'body' ? 'the body: ' : `the ${part}: `);
  const bareName = field === '' && part === 'body' && broken.content;
  const code = broken.content ? codeOfField(bareName ? 'name' : field) : 'INVALID_REQUEST';
  return new InputError(code, rule, field === '' ? {} : { field });
}

/** Query parameters are text: digits of one that is to be a whole number, and true and false, become what they are. */
function withValues(schema: TSchema, query: unknown): unknown {
  if (typeof query !== 'object' || query === null) return query;
  const properties: unknown = Reflect.get(schema, 'properties');
  const entries = Object.entries(query).map(([key, value]): [string, unknown] => {
    const property: unknown =
      typeof properties === 'object' && properties !== null && Object.hasOwn(properties, key)
        ? Reflect.get(properties, key)
        : undefined;
    const type: unknown = typeof property === 'object' && property !== null ? Reflect.get(property, 'type') : undefined;
    if (type === 'integer' && typeof value === 'string' && /^[0-9]{1,9}$/.test(value)) return [key, Number(value)];
    if (type === 'boolean' && (value === 'true' || value === 'false')) return [key, value === 'true'];
    return [key, value];
  });
  return Object.fromEntries(entries);
}
