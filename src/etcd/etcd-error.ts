import { type ServiceError, status } from '@grpc/grpc-js';
import { CodedError } from '../errors.js';

/** What etcd answers when a call was surely not carried out. */
const refusals: ReadonlySet<number> = new Set([
  status.INVALID_ARGUMENT,
  status.NOT_FOUND,
  status.ALREADY_EXISTS,
  status.PERMISSION_DENIED,
  status.RESOURCE_EXHAUSTED,
  status.FAILED_PRECONDITION,
  status.OUT_OF_RANGE,
  status.UNIMPLEMENTED,
  status.UNAUTHENTICATED,
]);

/** What @grpc/grpc-js says of a call that never left, since there was no connection. */
const unsent = 'No connection established';
/** In the words for an etcd that is full. */
const noSpace = 'alarm NOSPACE';

/** A call to etcd that failed. */
export class EtcdError extends CodedError {
  /** gRPC's status code. */
  readonly status: number;
  /** True when another member may answer better: no answer came, or none that is about the call. */
  readonly isUnanswered: boolean;
  /** True when it is not known whether the call was carried out. */
  readonly isUncertain: boolean;
  /** True when etcd takes no writes until somebody makes room (alarm NOSPACE). */
  readonly isFull: boolean;
  /** True when etcd does not take the user, or the user may not do this. */
  readonly isDenied: boolean;

  constructor(message: string, grpcStatus: number, wasUnsent: boolean, cause?: unknown) {
    super('CLUSTER_UNAVAILABLE', message, { cause });
    this.status = grpcStatus;
    this.isUnanswered = !refusals.has(grpcStatus);
    this.isUncertain = this.isUnanswered && !wasUnsent;
    this.isFull = grpcStatus === status.RESOURCE_EXHAUSTED && message.includes(noSpace);
    this.isDenied =
      grpcStatus === status.UNAUTHENTICATED ||
      grpcStatus === status.PERMISSION_DENIED ||
      (grpcStatus === status.INVALID_ARGUMENT && /authentication failed|user name is empty/.test(message));
  }

  /** The same, in the words of another failure that says why. @param telling undefined: as it is */
  saying(telling: EtcdError | undefined): EtcdError {
    if (telling === undefined || telling === this) return this;
    return new EtcdError(telling.message, this.status, this.isUnanswered && !this.isUncertain, this.cause);
  }

  /** @param endpoint HOST:PORT of the member that was asked */
  static of(error: Error | ServiceError, endpoint: string): EtcdError {
    const code = 'code' in error && typeof error.code === 'number' ? error.code : status.UNKNOWN;
    const details = 'details' in error && error.details !== '' ? error.details : error.message;
    return new EtcdError(`etcd at ${endpoint}: ${wordsFor(code, details)}`, code, details.startsWith(unsent), error);
  }
}

function wordsFor(code: number, details: string): string {
  if (code === status.DEADLINE_EXCEEDED) return 'no answer in time';
  if (code === status.RESOURCE_EXHAUSTED && details.includes('space exceeded')) {
    return 'its database has reached its quota, and takes no writes (alarm NOSPACE): compact and defragment it, then `etcdctl alarm disarm`';
  }
  if (details.startsWith(unsent)) {
    const reason = /Last error: (?:Error: )?(?:Error )?(?:\[[A-Z_]+\]: )?(.*?)\.? Resolution note/.exec(details)?.[1];
    return reason === undefined ? details : `${reason}${adviceOn(reason)}`;
  }
  if (details.includes('user name is empty')) {
    return `asks for a user: give one with --cluster-user-file (${details})`;
  }
  if (code === status.UNAUTHENTICATED || details.includes('authentication failed')) {
    return `refuses the user or the password (${details})`;
  }
  if (code === status.PERMISSION_DENIED) return `the user may not do this (${details})`;
  return details;
}

/** What is mostly meant by it, where the words of TLS do not say. */
function adviceOn(reason: string): string {
  if (/first certificate|issuer certificate|self.signed/.test(reason)) {
    return '; --cluster-ca is to be the authority that signed the certificate of this member';
  }
  if (reason.startsWith('Failed to connect')) {
    return ': it ends each connection at once; a member with TLS is etcds:// in --cluster';
  }
  if (reason.includes('before secure TLS connection')) return '; a member without TLS is etcd:// in --cluster';
  if (/alert (?:bad certificate|certificate required|handshake failure|unknown ca)/i.test(reason)) {
    return '; it asks for a client certificate of an authority that it trusts: --cluster-cert and --cluster-key';
  }
  return '';
}
