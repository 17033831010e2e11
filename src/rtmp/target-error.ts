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
  EMFILE: 'OPEN_FILES_LIMIT',
  ENFILE: 'OPEN_FILES_LIMIT',
};

/** Failures of any peer by what they are called with a target. */
const targetCodes: Readonly<Partial<Record<ErrorCode, ErrorCode>>> = {
  RTMP_HANDSHAKE: 'TARGET_HANDSHAKE',
  RTMP_FLOOD: 'TARGET_FLOOD',
};

/** What is wrong with a target's certificate, by OpenSSL's and Node's codes. */
const certificateProblems: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'it has expired',
  CERT_NOT_YET_VALID: 'it is not valid yet; do the clocks agree?',
  CERT_REVOKED: 'it was revoked',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'it is signed by itself; push-tls-ca can name it as trusted',
  SELF_SIGNED_CERT_IN_CHAIN: 'it comes from an authority that is not trusted; push-tls-ca can name that one',
  UNABLE_TO_GET_ISSUER_CERT: 'it comes from an authority that is not known; push-tls-ca can name that one',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'it comes from an authority that is not known; push-tls-ca can name that one',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'it comes from an authority that is not known; push-tls-ca can name that one',
  CERT_SIGNATURE_FAILURE: 'its signature is wrong',
  INVALID_CA: 'it was signed by a certificate that may sign none',
  INVALID_PURPOSE: 'it is not for servers',
  PATH_LENGTH_EXCEEDED: 'its chain is longer than its authority allows',
};

/**
 * What a failure on the way to a target means to an operator.
 * @param endpoint `host:port`, for the message
 * @param step where it happened, when that says more
 */
export function targetErrorOf(error: unknown, endpoint: string, step?: string): TargetError {
  if (error instanceof TargetError) return error;
  if (error instanceof CodedError) {
    const code = targetCodes[error.code] ?? 'TARGET_PROTOCOL';
    return new TargetError(code, `${endpoint}: ${error.message}`, { cause: error });
  }
  const tls = tlsErrorOf(error, endpoint, step);
  if (tls !== undefined) return tls;
  const code = codesOfSystem[systemCode(error)] ?? 'TARGET_UNREACHABLE';
  const cause = code === 'TARGET_CLOSED' && step !== undefined ? likelyCause(step) : '';
  return new TargetError(code, describe(code, error, endpoint) + cause, { cause: error });
}

/** What it usually means that a target closes the connection during a step, to be put behind the message; or nothing. */
export function likelyCause(step: string): string {
  switch (step) {
    case 'handshake':
      return ': usually this port is not that of an RTMP server, or it expects TLS (rtmps://)';
    case 'connect':
      return ': usually it has no application of this name (the part of the path before the stream name)';
    case 'createStream':
    case 'publish':
      return ': usually it refuses the stream name or key, or has this stream from somebody else';
    default:
      return '';
  }
}

function tlsErrorOf(error: unknown, endpoint: string, step: string | undefined): TargetError | undefined {
  const code = systemCode(error);
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const names =
      typeof error === 'object' && error !== null && 'reason' in error ? String(error.reason) : 'another host';
    return new TargetError(
      'TARGET_TLS_CERTIFICATE',
      `the certificate of ${endpoint} is for another host: ${printable(names)}`,
    );
  }
  if (Object.hasOwn(certificateProblems, code)) {
    const message = `the certificate of ${endpoint} is refused: ${certificateProblems[code]} (${code})`;
    return new TargetError('TARGET_TLS_CERTIFICATE', message, { cause: error });
  }
  const isOfTls = /^ERR_(?:SSL|TLS|OSSL)_/.test(code) || code === 'EPROTO';
  if (!isOfTls && step !== 'tls') return undefined;
  const reason = typeof error === 'object' && error !== null && 'reason' in error ? String(error.reason) : code;
  const message = `${endpoint} refuses the TLS handshake (${printable(reason)}); does it speak TLS 1.2 or 1.3 on this port?`;
  return new TargetError('TARGET_TLS', message, { cause: error });
}

/** What a certificate says is anybody's word. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 300);
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
    case 'OPEN_FILES_LIMIT':
      return `no descriptor is left for ${endpoint} (${systemCode(error)}): the limit of this process or machine is reached`;
    default:
      if (['ENOMEM', 'ENOBUFS'].includes(systemCode(error)))
        return `this machine has no memory for a connection to ${endpoint} now (${systemCode(error)})`;
      return `${endpoint} cannot be reached (${systemCode(error) || messageOf(error)})`;
  }
}
