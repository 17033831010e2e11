import { CodedError, type ErrorCode, messageOf, SourceError } from '../errors.js';
import { targetErrorOf } from '../rtmp/target-error.js';

/** What failures of any peer are called with a source. */
const sourceCodes: Readonly<Partial<Record<ErrorCode, ErrorCode>>> = {
  FLV_INVALID: 'SOURCE_PROTOCOL',
  INVALID_ADDRESS: 'SOURCE_PROTOCOL',
  OPEN_FILES_LIMIT: 'OPEN_FILES_LIMIT',
  TARGET_AUTH: 'SOURCE_AUTH',
  TARGET_CLOSED: 'SOURCE_CLOSED',
  TARGET_DNS: 'SOURCE_DNS',
  TARGET_FLOOD: 'SOURCE_PROTOCOL',
  TARGET_FORBIDDEN: 'SOURCE_FORBIDDEN',
  TARGET_HANDSHAKE: 'SOURCE_PROTOCOL',
  TARGET_PROTOCOL: 'SOURCE_PROTOCOL',
  TARGET_REFUSED: 'SOURCE_REFUSED',
  TARGET_TIMEOUT: 'SOURCE_TIMEOUT',
  TARGET_TLS: 'SOURCE_TLS',
  TARGET_TLS_CERTIFICATE: 'SOURCE_TLS',
  TARGET_UNREACHABLE: 'SOURCE_UNREACHABLE',
};

/**
 * What a failure on the way to a source means to an operator.
 * @param endpoint `host:port`, for the message
 */
export function sourceErrorOf(error: unknown, endpoint: string): SourceError {
  if (error instanceof SourceError) return error;
  if (error instanceof CodedError) {
    const { code } = error;
    const known =
      sourceCodes[code] ?? (code.startsWith('TARGET_') || code.startsWith('RTMP_') ? 'SOURCE_PROTOCOL' : code);
    return new SourceError(known, error.message, { cause: error });
  }
  const found = targetErrorOf(error, endpoint);
  return new SourceError(sourceCodes[found.code] ?? 'SOURCE_UNREACHABLE', messageOf(found), { cause: error });
}
