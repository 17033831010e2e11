import type { TLocalizedValidationError } from 'typebox/error';
import { quoted } from '../address/host.js';
import { maskTarget } from '../address/rtmp-url.js';
import { nearest } from './nearest.js';

/** The part of a compiled typebox schema that explaining needs. */
export interface ExplainableValidator {
  Check(value: unknown): boolean;
  Errors(value: unknown): TLocalizedValidationError[];
}

/** One broken rule, in words for the person who wrote the value. */
export interface BrokenRule {
  /** `cameras.cam1.pushes.p-1.url`; empty for the whole document. */
  readonly path: string;
  /** The same, key by key. */
  readonly keys: readonly string[];
  /** What is wrong, with which value, and what would be right. */
  readonly rule: string;
  /** What is wrong, with which value, and what would be right; begins with the path. */
  readonly message: string;
  /** True when the value has the right type and its content is wrong. */
  readonly content: boolean;
}

/** The first rule that the value breaks; undefined when it breaks none. */
export function explainValue(validator: ExplainableValidator, schema: object, value: unknown): BrokenRule | undefined {
  if (validator.Check(value)) return undefined;
  const errors = validator.Errors(value);
  // "schema is false" comes with every unknown key, beside the error that names it. Where a key is unknown and another
  // is missing, the unknown one is the mistake.
  const error =
    errors.find((one) => one.keyword === 'additionalProperties') ??
    errors.find((one) => one.keyword !== 'boolean') ??
    errors[0];
  if (error === undefined)
    return { path: '', keys: [], rule: 'is not valid', message: 'the value is not valid', content: false };
  const keys = error.instancePath.split('/').slice(1).map(unescapePointer);
  return describe(error, keys, valueAt(value, keys), schema);
}

function describe(error: TLocalizedValidationError, keys: string[], value: unknown, schema: object): BrokenRule {
  const say = (path: string[], rule: string, content = false): BrokenRule => {
    const name = path.join('.');
    return { path: name, keys: path, rule, message: `${name === '' ? 'the document' : name}: ${rule}`, content };
  };
  switch (error.keyword) {
    case 'additionalProperties': {
      const key = error.params.additionalProperties[0] ?? '';
      const known = knownKeys(schema, error.schemaPath);
      const near = nearest(key, known);
      const advice = near === undefined ? `known are ${known.join(', ') || 'none'}` : `did you mean "${near}"?`;
      return say([...keys, key], `unknown key; ${advice}`);
    }
    case 'required':
      return say([...keys, error.params.requiredProperties[0] ?? ''], 'is missing');
    case 'type':
      return say(keys, `must be ${oneOf(error.params.type)}, not ${kindOf(value)}`);
    case 'const':
      return say(keys, `must be ${JSON.stringify(error.params.allowedValue)}, not ${shownValue(value)}`);
    case 'pattern':
      return say(keys, `${shownValue(value)} must match ${String(error.params.pattern)}`, true);
    case 'minLength':
      return say(keys, `must have at least ${error.params.limit} characters, not ${lengthOf(value)}`, true);
    case 'maxLength':
      return say(keys, `must have at most ${error.params.limit} characters, not ${lengthOf(value)}`, true);
    case 'minimum':
    case 'maximum':
      return say(keys, `must be ${error.params.comparison} ${error.params.limit}, not ${shownValue(value)}`, true);
    default:
      return say(keys, `${shownValue(value)} ${error.message}`);
  }
}

function knownKeys(schema: object, pointer: string): string[] {
  const parent = valueAt(schema, splitSchemaPath(pointer));
  const properties = valueAt(parent, ['properties']);
  return typeof properties === 'object' && properties !== null ? Object.keys(properties) : [];
}

/** Typebox does not escape the keys of a schema path. Our keys contain no slash, except in the pattern of a record. */
function splitSchemaPath(pointer: string): string[] {
  return pointer.split('/').slice(1);
}

function valueAt(value: unknown, keys: readonly string[]): unknown {
  let at = value;
  for (const key of keys) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return undefined;
    at = Reflect.get(at, key);
  }
  return at;
}

function unescapePointer(key: string): string {
  return key.replaceAll('~1', '/').replaceAll('~0', '~');
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'an array' : withArticle(typeof value);
}

function oneOf(types: string | string[]): string {
  return (Array.isArray(types) ? types : [types]).map(withArticle).join(' or ');
}

function withArticle(type: string): string {
  return `${/^[aeiou]/.test(type) ? 'an' : 'a'} ${type}`;
}

/** Shows only the length of a text that may be a secret. */
function lengthOf(value: unknown): number {
  return typeof value === 'string' ? value.length : 0;
}

function shownValue(value: unknown): string {
  // A URL in the wrong place may contain a secret too.
  if (typeof value === 'string') return quoted(value.includes('://') ? maskTarget(value, '') : value);
  return typeof value === 'object' && value !== null ? kindOf(value) : String(value);
}
