import { CodedError } from '../../errors.js';

/** What nginx reads as one word without quotes: no white space, `;`, braces, quotes, `#`, `$` and backslash. */
const plain = /^[A-Za-z0-9_.:/@%+,=?&~[\]-]+$/;

/**
 * A value as one word of nginx's configuration language, in quotes where it needs them. Within double quotes only the
 * backslash and the quote itself mean something to nginx (ngx_conf_read_token, ngx_conf_file.c), so that no value can
 * end its directive or begin another.
 * @throws CodedError NGINX_TEMPLATE for control characters and halves of surrogate pairs, which have no place there
 */
export function quoteValue(value: unknown): string {
  if (typeof value !== 'string' && typeof value !== 'number') {
    throw new CodedError(
      'NGINX_TEMPLATE',
      `the template outputs ${describe(value)}; only text and numbers are allowed`,
    );
  }
  const text = String(value);
  if (/[\p{Cc}\p{Cs}]/u.test(text)) {
    throw new CodedError('NGINX_TEMPLATE', 'a value for nginx contains a control character');
  }
  return plain.test(text) ? text : `"${text.replace(/[\\"]/g, '\\$&')}"`;
}

function describe(value: unknown): string {
  return value === undefined || value === null ? String(value) : `a value of type ${typeof value}`;
}
