import { quoted } from '../address/host.js';
import { InputError } from '../errors.js';
import { namePattern } from './model.js';

/**
 * The name, when it keeps the rule for names.
 * @throws InputError INVALID_NAME
 */
export function checkName(field: string, name: string): string {
  if (namePattern.test(name)) return name;
  const rule =
    'a name begins with a letter or digit, has letters, digits, ".", "_" and "-" only, and at most 64 characters';
  throw new InputError('INVALID_NAME', `${field}: ${quoted(name)} is no name: ${rule}`, { field });
}

/** What stands in answers in place of secrets, as `maskUrl` and `maskTarget` put it. */
const mask = '***';

/** Why a URL or template cannot be meant, when it is one that an answer masked. */
export function maskedPlaceIn(text: string): string | undefined {
  if (!text.includes(mask)) return undefined;
  return `it contains "${mask}", which stands in answers for what is kept secret; give the whole of it, with its secrets`;
}

/**
 * The URL or template, when it is none that an answer masked: stored, it would take the place of the secret.
 * @throws InputError INVALID_ADDRESS
 */
export function checkUnmasked(field: string, text: string): string {
  const masked = maskedPlaceIn(text);
  if (masked === undefined) return text;
  throw new InputError('INVALID_ADDRESS', `${field}: ${masked}`, { field });
}

/**
 * The type of a camera, when it keeps the rule for names too.
 * @throws InputError INVALID_REQUEST
 */
export function checkType(type: string | undefined): string | undefined {
  if (type === undefined || namePattern.test(type)) return type;
  const message = `type: ${quoted(type)} must match ${namePattern.source}`;
  throw new InputError('INVALID_REQUEST', message, { field: 'type' });
}
