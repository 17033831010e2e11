import { type ErrorCode, errorCodes } from '../errors.js';

/** The code that stands before a reason in words (`RTMP_LIMIT: ...`); null: there is none. */
export function reasonCode(reason: string | null): ErrorCode | null {
  const code = reason === null ? undefined : /^([A-Z][A-Z0-9_]*): /.exec(reason)?.[1];
  return code !== undefined && Object.hasOwn(errorCodes, code) ? (code as ErrorCode) : null;
}
