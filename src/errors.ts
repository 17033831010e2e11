/**
 * Every failure that the aggregator names has one stable code, listed here and explained in docs/errors.md
 * (a test holds the two together). Codes are part of the API: they are never renamed or reused.
 */
export const errorCodes = {
  // Input of people and programs: nothing was changed.
  INVALID_JSON: 'The request body is not JSON.',
  INVALID_REQUEST: 'A field of the request is missing, unknown, of the wrong type or out of range.',
  INVALID_NAME: 'A name of a camera, an engine or a push breaks the rule for names.',
  INVALID_ADDRESS: 'A host, a port or a URL of a target cannot be used.',
  PAYLOAD_TOO_LARGE: 'The request body is larger than the limit.',
  UNSUPPORTED_MEDIA_TYPE: 'The request body is not declared as JSON.',
  NOT_FOUND: 'There is no such path, or not with this method.',
  CAMERA_NOT_FOUND: 'No camera of this name is registered.',
  CAMERA_CONFLICT: 'A camera of this name is registered with other settings.',
  KEYS_NOT_USED: 'The settings ask publishers for no key, or viewers for no token.',
  PUSH_NOT_FOUND: 'The camera has no push with this id.',
  PUSH_CONFLICT: 'The camera has a push with this id and other settings.',
  ENGINE_NOT_FOUND: 'No streaming engine of this name is registered.',
  ENGINE_CONFLICT: 'A streaming engine of this name is registered with other settings.',
  ENGINE_IN_USE: 'Pushes go to this streaming engine; remove them first.',
  NO_ENGINE: 'No streaming engine is registered, and the request names none.',
  LIMIT_REACHED: 'A configured limit would be exceeded.',
  PRECONDITION_FAILED: 'What the request wants to change is not as it says in If-Match or If-None-Match.',
  UNAUTHENTICATED: 'The call needs a token, or the token that it has is not valid.',
  FORBIDDEN: 'The token is valid, but its scope does not allow this call.',
  CROSS_SITE: 'The call has no token and comes from a web page of another site, or to a name that is not ours.',
  RATE_LIMITED: 'Too many calls, or too many wrong tokens, came from this address.',
  TOKEN_NOT_FOUND: 'There is no token of this name or id.',
  TOKEN_CONFLICT: 'There is a token of this name already.',
  DRAINING: 'The aggregator is about to stop.',
  INTERNAL: 'The aggregator failed; its log says why.',

  // Settings and state.
  CONFIG_UNKNOWN_KEY: 'A setting of this name does not exist.',
  CONFIG_INVALID_VALUE: 'A setting has a value of the wrong type or out of range.',
  CONFIG_UNREADABLE: 'The settings file cannot be read or is not YAML.',
  STATE_UNREADABLE: 'The state file cannot be read.',
  STATE_INVALID: 'The state file is not valid; the running state stays.',
  STATE_CONFLICT: 'The state file was edited by hand where the API changed it too; the edit is not applied.',
  STATE_WRITE_FAILED: 'A change could not be written to disk, so it was not made.',
  LOG_UNWRITABLE: 'The log takes no lines; those that do not fit in memory are lost.',
  STATE_LOCKED: 'Another aggregator runs on this data folder.',
  CAMERA_NOT_APPLIED:
    'The media backend failed on a camera, so what was declared of it is not in force; it is tried again.',
  ADDRESS_IN_USE: 'The port is taken by another program.',
  ACCESS_UNREADABLE: 'The file of the tokens, or that of the admin token, cannot be read or used.',
  IDENTITY_PROVIDER: 'The keys of the identity provider cannot be had, so that its tokens cannot be judged.',
  TLS_CERTIFICATE: 'The certificate of a server, or its key, cannot be used.',

  // Telling the content manager of this aggregator.
  CONTENT_MANAGER_UNREACHABLE: 'The content manager does not answer; it is tried again.',
  CONTENT_MANAGER_REFUSED: 'The content manager answers the announcement with something other than success.',

  // Bytes of an RTMP peer.
  RTMP_HANDSHAKE: 'The peer does not speak the RTMP handshake.',
  RTMP_CHUNK: 'The chunk stream of the peer breaks the specification or a limit.',
  RTMP_AMF: 'An AMF value of the peer is malformed or exceeds a limit.',
  RTMP_MESSAGE: 'A message of the peer is malformed.',
  RTMP_COMMAND: 'A command of the peer is malformed or not allowed in this state.',
  RTMP_TIMEOUT: 'The peer did not do the next step in time.',
  RTMP_FLOOD:
    'The peer sends useless messages, or asks to play and publish, more often than any encoder or player does.',
  RTMP_LIMIT: 'The peer exceeds a limit of connections, streams, guesses or unfinished messages.',

  // Publishing and playing here.
  PUBLISH_NOT_REGISTERED: 'The application or stream name is not that of a registered camera.',
  PUBLISH_ALREADY_LIVE: 'The camera is live from another publisher.',
  PUBLISH_LOOP: 'What is published came from this very aggregator, by a ring of pushes.',
  PUBLISH_FORBIDDEN: 'The publisher has not the right key, or a back end refuses it.',
  PLAY_FORBIDDEN: 'The viewer has no valid token, or a back end refuses it.',
  HOOK_BUSY: 'Too many publishers or viewers wait for the answer of a back end.',
  PLAY_NOT_FOUND: 'The stream to play is not that of a registered camera.',
  NO_KEY_FRAME: 'The camera sends no key frames, so that nobody can join its video at a whole picture.',
  CAMERA_NOT_LIVE: 'The camera does not publish, so there is nothing to see.',
  NO_PICTURE: 'The camera publishes, but there is no picture of it to show.',
  VIEW_UNSUPPORTED: 'The media backend shows no camera over HTTP.',

  // A push and its target.
  TARGET_DNS: 'The host of the target does not resolve.',
  TARGET_REFUSED: 'The target refuses TCP connections.',
  TARGET_UNREACHABLE: 'There is no route to the target, or it does not answer.',
  TARGET_TIMEOUT: 'The target did not do the next step in time.',
  TARGET_CLOSED: 'The target closed the connection.',
  TARGET_HANDSHAKE: 'The target does not speak RTMP.',
  TARGET_CONNECT_REJECTED: 'The target refuses the RTMP application.',
  TARGET_PUBLISH_REJECTED: 'The target refuses the stream name or key.',
  TARGET_REDIRECT: 'The target sends its publishers to where nothing can be sent.',
  TARGET_AUTH: 'The target wants another user name and password, or any at all.',
  TARGET_STALLED: 'The target takes no data.',
  TARGET_FLOOD: 'The target sends useless messages on and on.',
  TARGET_PROTOCOL: 'The target breaks the RTMP protocol.',
  TARGET_TLS: 'The target does not agree on TLS.',
  TARGET_TLS_CERTIFICATE: 'The certificate of the target is not trusted.',
  TARGET_FORBIDDEN: 'Pushes may not go to this address.',
  TARGET_UNSUPPORTED: 'The media backend cannot make this kind of push.',

  // Media workers.
  WORKER_DOWN: 'A media worker ended or hangs; its cameras wait until it is back.',

  // The nginx backend.
  NGINX_NOT_FOUND: 'There is no nginx to run.',
  NGINX_UNUSABLE: 'This nginx does not run, or has no RTMP module.',
  NGINX_TEMPLATE: 'The template of nginx.conf cannot be used.',
  NGINX_CONFIG_REFUSED: 'The configuration of nginx is refused; the one before it stays in force.',
  NGINX_WRITE_FAILED: 'The configuration of nginx cannot be read or written; the one before it stays in force.',
  NGINX_DOWN: 'nginx does not run, or does not answer.',

  // Files and programs of the command line.
  USAGE: 'The command line is not understood.',
  FLV_INVALID: 'The file is not a valid FLV file.',
  IMPORT_UNREADABLE: 'A file of the configuration to import cannot be read.',
  IMPORT_INVALID: 'The configuration to import breaks its grammar or a limit; nothing was changed.',
  NOT_RUNNING: 'No running aggregator was found.',
  API_UNREACHABLE: 'The API of the aggregator does not answer.',
} as const;

export type ErrorCode = keyof typeof errorCodes;

export interface CodedErrorOptions {
  cause?: unknown;
  /** The path of the field that is wrong, as the user wrote it: `name`, `engines[2].host`, `--rtmp-port`. */
  field?: string;
}

/** An error with a stable code. The message says what was wrong, with which value, and what would be right. */
export class CodedError extends Error {
  readonly code: ErrorCode;
  readonly field: string | undefined;

  constructor(code: ErrorCode, message: string, options: CodedErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.field = options.field;
  }
}

/** Bytes of a peer that break a rule or a limit. The connection that sent them is closed. */
export class WireError extends CodedError {}

/** Input of a person or a program that cannot be used; nothing was changed. */
export class InputError extends CodedError {}

/** What the request names does not exist. */
export class NotFoundError extends CodedError {}

/** The request contradicts what exists. */
export class ConflictError extends CodedError {}

/** A setting that cannot be used; the aggregator does not start. */
export class ConfigError extends CodedError {}

/** The state file cannot be read, written or trusted. */
export class StateError extends CodedError {}

/** Why a push has no connection to its target. */
export class TargetError extends CodedError {}

/** The code of any thrown value; INTERNAL for what is no coded error. */
export function codeOf(error: unknown): ErrorCode {
  return error instanceof CodedError ? error.code : 'INTERNAL';
}

/** The message of any thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
