import { STATUS_CODES } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { RateLimitedError } from '../access/access.js';
import { BatchRefused } from '../control/batch-control.js';
import {
  CodedError,
  ConflictError,
  type ErrorCode,
  errorCodes,
  InputError,
  messageOf,
  NotFoundError,
} from '../errors.js';
import type { Logger } from '../log/log.js';
import { cleanText } from '../log/pino.js';

/** What an answer says of a failure, in either style. */
export interface Refusal {
  readonly status: number;
  readonly code: ErrorCode;
  readonly message: string;
  readonly field?: string | undefined;
  /** Of changes that were refused together: how many cannot be made, and the first of them. */
  readonly failed?: { readonly count: number; readonly errors: readonly object[] };
}

/** By code. What is missing has the status of its kind of error, and is else a failure of the aggregator. */
const statuses: Partial<Record<ErrorCode, number>> = {
  INVALID_JSON: 400,
  INVALID_REQUEST: 400,
  INVALID_NAME: 400,
  INVALID_ADDRESS: 400,
  PAYLOAD_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  NOT_FOUND: 404,
  CAMERA_NOT_FOUND: 404,
  CAMERA_CONFLICT: 409,
  KEYS_NOT_USED: 409,
  CAMERA_NOT_LIVE: 404,
  NO_PICTURE: 404,
  VIEW_UNSUPPORTED: 501,
  PLAY_NOT_FOUND: 404,
  INGEST_NOT_FOUND: 404,
  INGEST_NOT_READY: 409,
  STANDBY_UNSUPPORTED: 400,
  PUSH_NOT_FOUND: 404,
  PUSH_CONFLICT: 409,
  ENGINE_NOT_FOUND: 404,
  ENGINE_CONFLICT: 409,
  ENGINE_IN_USE: 409,
  NO_ENGINE: 409,
  LIMIT_REACHED: 409,
  PUBLISH_ALREADY_LIVE: 409,
  // Of a test pattern: why the camera cannot be fed, in this process or by way of nginx.
  PUBLISH_NOT_REGISTERED: 404,
  PUBLISH_FORBIDDEN: 409,
  TARGET_PUBLISH_REJECTED: 503,
  TARGET_CONNECT_REJECTED: 503,
  TARGET_REFUSED: 503,
  TARGET_UNREACHABLE: 503,
  TARGET_TIMEOUT: 503,
  TARGET_CLOSED: 503,
  TARGET_UNSUPPORTED: 400,
  TARGET_FORBIDDEN: 400,
  SOURCE_FORBIDDEN: 400,
  DISCOVERY_BUSY: 429,
  SOURCE_NOT_FOUND: 404,
  SOURCE_DNS: 502,
  SOURCE_REFUSED: 502,
  SOURCE_UNREACHABLE: 502,
  SOURCE_TIMEOUT: 502,
  SOURCE_CLOSED: 502,
  SOURCE_AUTH: 502,
  SOURCE_STALLED: 502,
  SOURCE_PROTOCOL: 502,
  SOURCE_TLS: 502,
  SOURCE_CODEC: 502,
  SOURCE_PROGRAM: 502,
  SOURCE_UNSUPPORTED: 400,
  STATE_WRITE_FAILED: 503,
  CLUSTER_UNAVAILABLE: 503,
  CLUSTER_UNCERTAIN: 503,
  CLUSTER_CONTENDED: 503,
  CLUSTER_ENTRY_REFUSED: 409,
  CLUSTER_REPLACED: 503,
  NOT_IN_CLUSTER: 409,
  NO_SEAL_KEY: 409,
  NODE_UNAVAILABLE: 503,
  DRAIN_NOWHERE_TO_GO: 409,
  NODE_DRAINING: 503,
  NODE_FULL: 503,
  NODE_NOT_FOUND: 404,
  WORKER_DOWN: 503,
  OPEN_FILES_LIMIT: 503,
  PRECONDITION_FAILED: 412,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  CROSS_SITE: 403,
  RATE_LIMITED: 429,
  TOKEN_NOT_FOUND: 404,
  TOKEN_CONFLICT: 409,
  IDENTITY_PROVIDER: 503,
  ACCESS_UNREADABLE: 503,
};

/** Undefined: it is a failure of the aggregator, of which no more than that is told. */
function statusOf(error: CodedError): number | undefined {
  const status = statuses[error.code];
  if (status !== undefined) return status;
  if (error instanceof InputError) return 400;
  if (error instanceof NotFoundError) return 404;
  return error instanceof ConflictError ? 409 : undefined;
}

/** The answer for anything that was thrown. Of an unexpected error, only the code is sent. */
export function refusalOf(error: unknown, limitBytes = bodyLimitBytes): Refusal {
  if (error instanceof BatchRefused) {
    const errors = error.failed.map(({ index, error: { code, message, field } }) => ({
      index,
      code,
      detail: cleanText(message),
      ...(field === undefined ? {} : { field }),
    }));
    const { code, message, field, count } = error;
    return {
      status: statusOf(error.failed[0]?.error ?? error) ?? 500,
      code,
      message,
      field,
      failed: { count, errors },
    };
  }
  if (error instanceof CodedError) {
    const status = statusOf(error);
    if (status !== undefined) return { status, code: error.code, message: error.message, field: error.field };
  } else if (error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number') {
    const { statusCode, message } = error;
    if (statusCode === 413) {
      return { status: 413, code: 'PAYLOAD_TOO_LARGE', message: `the body is larger than ${limitBytes} bytes` };
    }
    if (statusCode === 415) {
      const rule = 'the body must be JSON, declared with the header "content-type: application/json"';
      return { status: 415, code: 'UNSUPPORTED_MEDIA_TYPE', message: rule };
    }
    if (statusCode >= 400 && statusCode < 500) return { status: statusCode, code: 'INVALID_REQUEST', message };
  }
  return { status: 500, code: 'INTERNAL', message: errorCodes.INTERNAL };
}

export const bodyLimitBytes = 64 * 1024;

/** True for paths that answer with problem documents; the content manager's have a style of their own. */
export function usesProblems(url: string): boolean {
  return /^\/(?:v1|live|healthz|readyz|metrics|openapi\.json|docs)(?:[/?]|$)/.test(url);
}

/** The body of a failure: a problem document (RFC 9457), or the content manager's `{error, code}`. */
export function failureBody(url: string, refusal: Refusal): { type: string; text: string } {
  const { status, code, field, failed } = refusal;
  // The message quotes input and is read on terminals: it must not contain control or bidirectional characters.
  const message = cleanText(refusal.message);
  if (!usesProblems(url))
    return { type: 'application/json; charset=utf-8', text: JSON.stringify({ error: message, code }) };
  const problem = {
    // The codes are explained in the project's docs/errors.md; RFC 9457 section 4.2.1 has no better type to offer.
    type: 'about:blank',
    title: STATUS_CODES[status] ?? 'Error',
    status,
    code,
    detail: message,
    ...(field === undefined ? {} : { field }),
    ...(failed === undefined ? {} : { failed: failed.count, errors: failed.errors }),
  };
  return { type: 'application/problem+json; charset=utf-8', text: JSON.stringify(problem) };
}

export function sendRefusal(request: FastifyRequest, reply: FastifyReply, refusal: Refusal): FastifyReply {
  const { type, text } = failureBody(request.raw.url ?? '/', refusal);
  return reply.code(refusal.status).header('content-type', type).send(text);
}

/** What fails elsewhere. */
const outside = new Set<string>(['NODE_UNAVAILABLE', 'STATE_WRITE_FAILED']);

export function errorHandler(log: Logger): (error: unknown, request: FastifyRequest, reply: FastifyReply) => void {
  return (error, request, reply) => {
    const refusal = refusalOf(error, request.routeOptions.bodyLimit);
    // A camera that refuses (502) is no failure of this process.
    if (refusal.status >= 500 && refusal.status !== 502) {
      // That etcd or another node does not answer, or a disk is full, is no fault of this program: where it noticed says nothing.
      const isExpected = refusal.code.startsWith('CLUSTER_') || outside.has(refusal.code);
      const stack = error instanceof Error && !isExpected ? error.stack : undefined;
      const { method } = request;
      const path = request.routeOptions.url ?? 'an unknown path';
      const address = request.socket.remoteAddress ?? 'unknown';
      const facts = { address, method, path, code: refusal.code, error: messageOf(error) };
      if (isExpected) log.warn('a request failed', facts);
      else log.error('a request failed', { ...facts, stack });
    }
    if (refusal.status === 503) reply.header('retry-after', '5');
    if (error instanceof RateLimitedError) reply.header('retry-after', String(Math.ceil(error.retryAfterMs / 1000)));
    sendRefusal(request, reply, refusal);
  };
}
