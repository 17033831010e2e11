import { quoted } from '../address/host.js';
import { type CodedError, ConflictError, type ErrorCode, InputError } from '../errors.js';

/*
 * The rules for single values, each written once. All ways to change the state use them: the API (and with it the
 * command line and imports), an edit of state.json by hand, a restored backup. `field` is the name of the value there.
 */

/** The rule for the names of cameras, engines and pushes. */
export const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** True for what may be the name of a camera, an engine or a push. */
export function isName(text: string): boolean {
  return namePattern.test(text);
}

/**
 * Returns a valid name.
 * @throws InputError INVALID_NAME
 */
export function checkName(field: string, name: string): string {
  if (isName(name)) return name;
  const rule =
    'a name begins with a letter or digit, has letters, digits, ".", "_" and "-" only, and at most 64 characters';
  throw new InputError('INVALID_NAME', `${field}: ${quoted(name)} is no name: ${rule}`, { field });
}

/** What stands in answers in place of secrets, as `maskUrl` and `maskTarget` put it. */
const mask = '***';

/**
 * Refuses a URL or template that an answer masked: stored, it would replace the secret.
 * @throws InputError INVALID_ADDRESS
 */
export function checkUnmasked(field: string, text: string): string {
  if (!text.includes(mask)) return text;
  const rule = `it contains "${mask}", which stands in answers for what is kept secret; give the whole of it, with its secrets`;
  throw new InputError('INVALID_ADDRESS', `${field}: ${rule}`, { field });
}

/**
 * Returns a valid type of a camera; the rule is that for names.
 * @throws InputError INVALID_REQUEST
 */
export function checkType(type: string | undefined): string | undefined {
  if (type === undefined || namePattern.test(type)) return type;
  const message = `type: ${quoted(type)} must match ${namePattern.source}`;
  throw new InputError('INVALID_REQUEST', message, { field: 'type' });
}

/**
 * The location of an engine or a viewer, when it is text: half of a surrogate pair cannot be written as UTF-8.
 * @throws InputError INVALID_REQUEST
 */
export function checkLocation(location: string | undefined, field = 'location'): string | undefined {
  if (location === undefined || !/[\ud800-\udfff]/u.test(location)) return location;
  const message = `${field}: contains half of a character (a lone surrogate), which is not valid text`;
  throw new InputError('INVALID_REQUEST', message, { field });
}

/** Something that a setting limits. */
export interface Limit {
  /** Of what: `cameras`. */
  readonly what: string;
  readonly max: number;
  /** The name of the setting: `max-cameras`. */
  readonly setting: string;
}

/**
 * Refuses a count that exceeds a limit, unless it was exceeded before and does not grow.
 * @throws ConflictError LIMIT_REACHED
 */
export function checkRoom(before: number, after: number, { what, max, setting }: Limit): void {
  if (after <= max || after <= before) return;
  throw new ConflictError(
    'LIMIT_REACHED',
    `there would be ${after} ${what}, and ${max} is the limit; remove some, or raise ${setting}`,
  );
}

/** Why nothing can or may be pushed to a URL, or not with this sound, as far as is known without looking up its host; undefined when it may. */
export type RefuseTarget = (url: string, audio?: 'none' | 'silence' | 'aac') => CodedError | undefined;

/**
 * Nothing is accepted that could never work: a target that the settings forbid, or the media backend cannot serve.
 * @throws InputError TARGET_UNSUPPORTED or TARGET_FORBIDDEN
 */
export function checkTarget(
  said: string,
  url: string,
  refuses: RefuseTarget,
  audio?: Parameters<RefuseTarget>[1],
): void {
  const refusal = refuses(url, audio);
  if (refusal === undefined) return;
  const { field = said } = refusal;
  throw new InputError(refusal.code, `${field}: ${refusal.message}`, { field, cause: refusal });
}

/** Fields whose content has a code of its own when it is wrong. */
const codesByField: ReadonlyMap<string, ErrorCode> = new Map([
  ['name', 'INVALID_NAME'],
  ['id', 'INVALID_NAME'],
  ['camera', 'INVALID_NAME'],
  ['push', 'INVALID_NAME'],
  ['engine', 'INVALID_NAME'],
  ['host', 'INVALID_ADDRESS'],
  ['se_ip', 'INVALID_ADDRESS'],
  ['url', 'INVALID_ADDRESS'],
  ['pushUrl', 'INVALID_ADDRESS'],
  ['playbackUrl', 'INVALID_ADDRESS'],
] as const);

/** The code for a value that has the right type and breaks the schema of its field. @param field with its path */
export function codeOfField(field: string): ErrorCode {
  return codesByField.get(field.slice(field.lastIndexOf('.') + 1)) ?? 'INVALID_REQUEST';
}
