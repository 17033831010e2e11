import { CodedError, type ErrorCode, messageOf, TargetError } from '../errors.js';

const codesOfSystem: Readonly<Record<string, ErrorCode>> = {
  ENOTFOUND: 'TARGET_DNS',
  EAI_AGAIN: 'TARGET_DNS',
  EAI_FAIL: 'TARGET_DNS',
  EAI_NODATA: 'TARGET_DNS',
  ECONNREFUSED: 'TARGET_REFUSED',
  EHOSTUNREACH: 'TARGET_UNREACHABLE',
  ENETUNREACH: 'TARGET_UNREACHABLE',
  EADDRNOTAVAIL: 'TARGET_UNREACHABLE',
  EACCES: 'TARGET_UNREACHABLE',
  EPERM: 'TARGET_UNREACHABLE',
  ETIMEDOUT: 'TARGET_UNREACHABLE',
  ECONNRESET: 'TARGET_CLOSED',
  EPIPE: 'TARGET_CLOSED',
};

/**
 * What a failure on the way to a target means to an operator.
 * @param endpoint `host:port`, for the message
 */
export function targetErrorOf(error: unknown, endpoint: string): TargetError {
  if (error instanceof TargetError) return error;
  if (error instanceof CodedError) {
    const code = error.code === 'RTMP_HANDSHAKE' ? 'TARGET_HANDSHAKE' : 'TARGET_PROTOCOL';
    return new TargetError(code, `${endpoint}: ${error.message}`, { cause: error });
  }
  const code = codesOfSystem[systemCode(error)] ?? 'TARGET_UNREACHABLE';
  return new TargetError(code, describe(code, error, endpoint), { cause: error });
}

/** The system's code of a socket error; of the first one where several addresses were tried. */
function systemCode(error: unknown): string {
  if (typeof error !== 'object' || error === null) return '';
  if ('code' in error && typeof error.code === 'string') return error.code;
  return error instanceof AggregateError ? systemCode(error.errors[0]) : '';
}

function describe(code: ErrorCode, error: unknown, endpoint: string): string {
  switch (code) {
    case 'TARGET_DNS':
      return `the host of ${endpoint} does not resolve (${systemCode(error)})`;
    case 'TARGET_REFUSED':
      return `${endpoint} refuses TCP connections: nothing listens there`;
    case 'TARGET_CLOSED':
      return `${endpoint} closed the connection (${systemCode(error)})`;
    default:
      return `${endpoint} cannot be reached (${systemCode(error) || messageOf(error)})`;
  }
}
