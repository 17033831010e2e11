/**
 * The stable codes of all failures, each with its meaning. docs/errors.md explains them, and a test compares the two.
 * Codes are part of the API: they are never renamed or reused.
 */
export const errorCodes = {
  // Requests. Nothing was changed.
  INVALID_JSON: 'The request body is not JSON.',
  INVALID_REQUEST: 'A field of the request is missing, unknown, of the wrong type or out of range.',
  INVALID_NAME: 'A name of a camera, an engine or a push is not allowed.',
  INVALID_ADDRESS: 'A host, a port or a URL of a target cannot be used.',
  PAYLOAD_TOO_LARGE: 'The request body is larger than the limit.',
  UNSUPPORTED_MEDIA_TYPE: 'The request body is not declared as JSON.',
  NOT_FOUND: 'The path does not exist, or does not allow this method.',
  CAMERA_NOT_FOUND: 'No camera of this name is registered.',
  CAMERA_CONFLICT: 'A camera of this name is registered with other settings.',
  KEYS_NOT_USED: 'The settings do not turn on publish keys or play tokens.',
  INGEST_NOT_FOUND: 'The camera has no ingest of this name.',
  INGEST_NOT_READY: 'The ingest cannot take over now: it is not connected, or sends nothing.',
  STANDBY_UNSUPPORTED: 'The media backend serves cameras with one ingest only.',
  PUSH_NOT_FOUND: 'The camera has no push with this id.',
  PUSH_CONFLICT: 'The camera has a push with this id and other settings.',
  ENGINE_NOT_FOUND: 'No streaming engine of this name is registered.',
  ENGINE_CONFLICT: 'A streaming engine of this name is registered with other settings.',
  ENGINE_IN_USE: 'Pushes go to this streaming engine; remove them first.',
  NO_ENGINE: 'No streaming engine is registered, and the request names none.',
  LIMIT_REACHED: 'A configured limit would be exceeded.',
  PRECONDITION_FAILED: 'The entry does not match If-Match or If-None-Match of the request.',
  UNAUTHENTICATED: 'The call needs a token, or its token is not valid.',
  FORBIDDEN: 'The token is valid, but its scope does not allow this call.',
  CROSS_SITE: 'The call has no token, and comes from a web page of another site or uses an unknown host name.',
  RATE_LIMITED: 'Too many calls, or too many wrong tokens, came from this address.',
  TOKEN_NOT_FOUND: 'No token has this name or id.',
  TOKEN_CONFLICT: 'A token of this name already exists.',
  DRAINING: 'The aggregator is stopping.',
  INTERNAL: 'The aggregator failed; the reason is in its log.',

  // Settings and state.
  CONFIG_UNKNOWN_KEY: 'A setting of this name does not exist.',
  CONFIG_INVALID_VALUE: 'A setting has a value of the wrong type or out of range.',
  CONFIG_UNREADABLE: 'The settings file cannot be read or is not YAML.',
  STATE_UNREADABLE: 'The state file cannot be read.',
  STATE_INVALID: 'The state file is not valid; the running state stays.',
  STATE_SEALED: 'A text in the state file is sealed, and its key is missing or another one.',
  NO_SEAL_KEY: 'The aggregator was started without a key that seals its state file.',
  STATE_CONFLICT:
    'The state file was edited by hand in an entry that the API has also changed; the edit is not applied.',
  STATE_WRITE_FAILED: 'A change could not be written to disk, so it was not made.',
  START_WAITING: 'The start is waiting for a disk, etcd or nginx that does not answer; it continues when that answers.',
  LOG_UNWRITABLE: 'The log cannot be written; lines that do not fit in memory are lost.',
  OPEN_FILES_LIMIT: 'Few file descriptors are left; they are reserved for the API and for files.',
  BACKUP_SEALED: 'The backup is sealed, and its passphrase is missing or wrong, or the file was changed.',
  STATE_LOCKED: 'Another aggregator uses this data folder.',
  CLUSTER_UNAVAILABLE: 'The etcd of the cluster does not answer; changes are refused until it does.',
  CLUSTER_UNCERTAIN:
    'The etcd of the cluster stopped answering in the middle of a change, which may or may not have been made.',
  CLUSTER_CONTENDED: 'Other nodes kept changing the state while a change was tried; the change was not made.',
  CLUSTER_ENTRY_REFUSED:
    'etcd has a value of this camera or engine that this node refuses; a change here would overwrite it, and was not made.',
  CLUSTER_NODE_REFUSED:
    'An entry in the list of nodes in etcd was not written by a node of this cluster; it is ignored.',
  NODE_NOT_FOUND: 'No node of the cluster has this id.',
  DRAIN_NOWHERE_TO_GO: 'No other node takes the cameras of the node that is to be drained.',
  NODE_DRAINING: 'The node is draining or stopping: it takes no new cameras.',
  NODE_FULL: 'The node carries as much as its capacity allows; what it carries goes on.',
  NODE_CLOCK_DIFFERS: 'The clocks of two nodes of the cluster differ by 5 s or more.',
  NODE_OVERLOADED: 'The node carries about as much as its machine can; what it carries may be late.',
  NODE_UNAVAILABLE: 'The node that has the camera does not answer.',
  NODE_ID_TAKEN: 'Another node of the cluster has this id.',
  NOT_IN_CLUSTER: 'The node was started without a cluster, so there is nothing to accept.',
  CLUSTER_REPLACED:
    'The etcd of the cluster is not the one that this node knew, or has an older state; the node ignores it until an operator accepts it.',
  CAMERA_NOT_APPLIED: 'The media backend could not apply the settings of a camera; it is retried.',
  ADDRESS_IN_USE: 'The port is in use by another program.',
  ACCESS_UNREADABLE:
    'A file of secrets (the tokens, the admin token, a key) cannot be read or used, is damaged, or has disappeared.',
  IDENTITY_PROVIDER: 'The keys of the identity provider cannot be loaded, so its tokens cannot be verified.',
  TLS_CERTIFICATE: 'A certificate of the aggregator, or its key, cannot be used.',

  // Announcing this aggregator to the content manager.
  CONTENT_MANAGER_UNREACHABLE: 'The content manager does not answer; it is retried.',
  CONTENT_MANAGER_REFUSED: 'The content manager does not accept the announcement.',

  // Bytes of an RTMP peer.
  RTMP_HANDSHAKE: 'The peer did not complete the RTMP handshake.',
  RTMP_CHUNK: 'The chunk stream of the peer violates the specification or a limit.',
  RTMP_AMF: 'An AMF value of the peer is malformed or exceeds a limit.',
  RTMP_MESSAGE: 'A message of the peer is malformed.',
  RTMP_COMMAND: 'A command of the peer is malformed or not allowed in this state.',
  RTMP_TIMEOUT: 'The peer did not take the next step in time.',
  RTMP_FLOOD:
    'The peer sends useless messages, or play and publish commands, more often than any encoder or player does.',
  RTMP_LIMIT: 'The peer exceeds a limit on connections, streams, wrong keys or incomplete messages.',

  // Publishing and playing here.
  PUBLISH_NOT_REGISTERED: 'The application or stream name is not the name of a registered camera.',
  PUBLISH_ALREADY_LIVE: 'The camera is already live from another publisher.',
  RELAY_REFUSED:
    'A stream that claims to come from another node of the cluster is refused: its signature is not valid for it.',
  PUBLISH_LOOP: 'The published stream comes from this aggregator itself, through a loop of pushes.',
  SRT_UNSUPPORTED: 'The SRT encoder asks for a mode that is not served.',
  PUBLISH_FORBIDDEN: 'The publisher does not have the right key, or the auth hook refuses it.',
  PLAY_FORBIDDEN: 'The viewer has no valid token, or the auth hook refuses it.',
  HOOK_BUSY: 'Too many publishers or viewers are waiting for the auth hook.',
  PLAY_NOT_FOUND: 'The stream to play is not a registered camera.',
  NO_KEY_FRAME: 'The camera sends no key frames, so pushes and viewers cannot start with a whole picture.',
  // What is wrong with a camera, from what it sends.
  CAMERA_SILENT: 'The camera is connected, but sends nothing.',
  CAMERA_NO_VIDEO: 'The camera has stopped sending video.',
  CAMERA_NO_AUDIO: 'The camera sends no audio, although it did before or declares it.',
  CAMERA_BITRATE_LOW: 'The camera sends almost no data.',
  CAMERA_BITRATE_HIGH: 'The camera sends nearly as much as its limit allows, or was disconnected for exceeding it.',
  CAMERA_FEW_FRAMES: 'The frame rate is far below what the camera declares or usually has.',
  CAMERA_KEY_FRAMES_RARE: 'The key frames of the camera are too far apart.',
  CAMERA_TIMESTAMPS_JUMP: 'Timestamps of the camera go back, or jump ahead.',
  CAMERA_TIMESTAMPS_DRIFT: 'Timestamps of the camera run faster or slower than the clock.',
  CAMERA_AUDIO_VIDEO_APART: 'The timestamps of the audio and the video of the camera are far apart.',
  CAMERA_CODEC: 'The camera sends a codec that a target, most engines or the page cannot take.',
  CAMERA_STILL: 'The camera sends the same picture again and again, bit for bit; a notice.',
  CAMERA_FLAPPING: 'The camera connects and disconnects again and again.',
  CAMERA_PUBLISHER_REFUSED: 'A publisher of the camera is refused.',
  PUSH_KEY_FRAME_AWAITED: 'The push is connected, but has been waiting for a key frame for a long time.',
  CAMERA_NOT_LIVE: 'The camera is not publishing, so there is nothing to show.',
  NO_PICTURE: 'The camera is publishing, but no picture of it can be shown.',
  VIEW_UNSUPPORTED: 'The media backend cannot show cameras over HTTP.',

  // A push and its target.
  TARGET_DNS: 'The host of the target does not resolve.',
  TARGET_REFUSED: 'The target refuses TCP connections.',
  TARGET_UNREACHABLE: 'There is no route to the target, or it does not answer.',
  TARGET_TIMEOUT: 'The target did not take the next step in time.',
  TARGET_CLOSED: 'The target closed the connection.',
  TARGET_HANDSHAKE: 'The target does not speak RTMP.',
  TARGET_CONNECT_REJECTED: 'The target refuses the RTMP application.',
  TARGET_PUBLISH_REJECTED: 'The target refuses the stream name or key.',
  TARGET_REDIRECT: 'The target redirects to a place that cannot be used.',
  TARGET_AUTH: 'The target requires a user name and password, or rejects those in the URL.',
  TARGET_STALLED: 'The target stopped taking data, or its program shows no sign of life.',
  TARGET_FLOOD: 'The target floods the connection with useless messages.',
  TARGET_PROTOCOL: 'The target violates the RTMP protocol.',
  TARGET_TLS: 'The TLS handshake with the target failed.',
  TARGET_TLS_CERTIFICATE: 'The certificate of the target is not trusted.',
  TARGET_FORBIDDEN: 'Pushes may not go to this address.',
  TARGET_CODEC:
    'The target does not take a codec of the camera, by its own word, or since the push is without Enhanced RTMP.',
  TARGET_UNSUPPORTED: 'The media backend cannot make this kind of push.',

  // A source that is pulled.
  SOURCE_DNS: 'The host of the source does not resolve.',
  SOURCE_REFUSED: 'The source refuses TCP connections.',
  SOURCE_UNREACHABLE: 'There is no route to the source, or it does not answer.',
  SOURCE_TIMEOUT: 'The source did not take the next step in time.',
  SOURCE_CLOSED: 'The source closed the connection, or its stream ended.',
  SOURCE_AUTH: 'The source requires a user name and password, or rejects those in the URL.',
  SOURCE_NOT_FOUND: 'The source has no stream at this path.',
  SOURCE_STALLED: 'The source is connected, but sends no media.',
  SOURCE_PROTOCOL: 'The source sends data that cannot be understood.',
  SOURCE_TLS: 'The TLS handshake with the source failed, or its certificate is not trusted.',
  SOURCE_FORBIDDEN: 'Sources may not be pulled from this address.',
  SOURCE_CODEC: 'The source sends a codec that RTMP cannot carry.',
  SOURCE_PROGRAM: 'The program that fetches this kind of source is missing, or failed.',
  SOURCE_UNSUPPORTED: 'The media backend cannot pull sources.',
  DISCOVERY_BUSY: 'This node is already looking for cameras, or is asking as many as it may at once.',
  SOURCE_DOWN: 'A source of the camera delivers nothing; it is retried.',
  TRANSCODER_DOWN: 'The sound of the camera cannot be made AAC for the pushes that ask for it; their pictures go on.',

  // Media workers.
  WORKER_DOWN: 'A media worker has ended or hangs; its cameras are offline until it is back.',

  // The nginx backend.
  NGINX_NOT_FOUND: 'nginx was not found.',
  NGINX_UNUSABLE: 'This nginx cannot run, or has no RTMP module.',
  NGINX_TEMPLATE: 'The template of nginx.conf cannot be used.',
  NGINX_CONFIG_REFUSED: 'nginx refuses the configuration; the previous one stays in force.',
  NGINX_WRITE_FAILED: 'The configuration of nginx cannot be read or written; the previous one stays in force.',
  NGINX_DOWN: 'nginx is not running, or does not answer.',

  // Files and programs of the command line.
  USAGE: 'The command line is not understood.',
  OUTPUT_FAILED: 'The output of a command could not be written to standard output.',
  FLV_INVALID: 'The file is not a valid FLV file.',
  IMPORT_UNREADABLE: 'A file of the configuration to import cannot be read.',
  IMPORT_CONFLICT: 'Something to import is in the cluster already, and is different there; nothing was changed.',
  IMPORT_INVALID: 'The configuration to import is not valid or exceeds a limit; nothing was changed.',
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

/** Bytes from a peer that violate a rule or a limit. The connection is closed. */
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

/** The target ended, by its own word, a stream that it had taken: it is there, and answers. */
export class TargetEndedError extends TargetError {}

/** Why nothing comes from a source that is pulled. */
export class SourceError extends CodedError {}

/** The code of any thrown value; INTERNAL if it is not a coded error. */
export function codeOf(error: unknown): ErrorCode {
  return error instanceof CodedError ? error.code : 'INTERNAL';
}

/** The message of any thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
