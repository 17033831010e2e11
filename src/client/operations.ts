// Made of the OpenAPI document by `npx vitest run --project unit test/client -u`; not to be edited.

export interface AddCameraChange {
  readonly operation: 'addCamera';
  /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
  readonly camera: string;
  readonly body: AddedCamera;
  /** Only if it has one of these entity tags. */
  readonly ifMatch?: string | undefined;
  /** `*`: only if it does not exist. */
  readonly ifNoneMatch?: string | undefined;
}

export interface AddEngineChange {
  readonly operation: 'addEngine';
  /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
  readonly engine: string;
  readonly body: EngineFacts;
  /** Only if it has one of these entity tags. */
  readonly ifMatch?: string | undefined;
  /** `*`: only if it does not exist. */
  readonly ifNoneMatch?: string | undefined;
}

export interface AddPushChange {
  readonly operation: 'addPush';
  /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
  readonly camera: string;
  readonly body: NewPush;
  /** Only if it has one of these entity tags. */
  readonly ifMatch?: string | undefined;
  /** `*`: only if it does not exist. */
  readonly ifNoneMatch?: string | undefined;
}

/** A camera with pushes to add to it. */
export interface AddedCamera {
  /** What kind of camera it is, for the templates of engines: `360`, `plane` ... Same rule as names. */
  readonly type?: string | undefined;
  /** What the stream may come from, in the order in which it is preferred: `["main", "backup"]`. Each is a publisher, who names it as `?ingest=NAME`, or is fetched from its `source`. Without it: one, `main`. */
  readonly ingests?: readonly (string | NewIngest)[] | undefined;
  /** Where its stream is fetched from, as a URL, or with how and when. Without it, the camera publishes. */
  readonly source?: string | CameraSource | undefined;
  /** Go back to an ingest that stands earlier in the list when it has been well for so many seconds; without it, never. */
  readonly switchBackSeconds?: number | undefined;
  /** What is shown when no ingest is left: `built-in`, or a file of the folder `slate-dir`. Without it, nothing. */
  readonly slate?: string | undefined;
  /** For how long the slate is shown at most; 60. */
  readonly slateSeconds?: number | undefined;
  /** Pushes of the camera. */
  readonly pushes?: readonly NewPush[] | undefined;
}

/** How the content manager took the announcement of this aggregator. */
export interface Announcement {
  readonly url: string;
  readonly state: 'announcing' | 'accepted' | 'waiting';
  /** Since when it is accepted, or is not. */
  readonly since: string;
  /** What is announced as the API of this aggregator. */
  readonly address: string;
  /** How many tries in a row failed. */
  readonly attempt: number;
  readonly lastError: {
    readonly code: string;
    readonly message: string;
    readonly at: string;
  } | null;
  readonly nextRetryAt: string | null;
}

export interface Batch {
  /** `all` (default): if one change cannot be made, none is. `each`: those that can be made are made; the answer has the others with their errors. */
  readonly mode?: 'all' | 'each' | undefined;
  /** true: nothing is changed; the answer says what would be. */
  readonly dryRun?: boolean | undefined;
  /** In their order. Each has the name of the operation that makes it alone, and the body of that operation. declarePush without an `id` means the push that goes to the target. */
  readonly changes: readonly (AddCameraChange | DeclareCameraChange | ChangeCameraChange | RemoveCameraChange | AddPushChange | DeclarePushChange | ChangePushChange | RemovePushChange | AddEngineChange | DeclareEngineChange | ChangeEngineChange | RemoveEngineChange)[];
}

export interface BatchError {
  /** What the operation alone would answer. */
  readonly status: number;
  readonly code: ErrorCode;
  readonly detail: string;
  readonly field?: string | undefined;
}

export interface BatchPushResult {
  readonly id: string;
  readonly outcome: 'created' | 'changed' | 'unchanged' | 'removed' | 'failed';
  /** Which fields are not as they were. */
  readonly fields?: readonly string[] | undefined;
}

export interface BatchResult {
  /** Changes that changed something. */
  readonly changed: number;
  /** Changes whose outcome was there already. */
  readonly unchanged: number;
  /** Changes that were not made. */
  readonly failed: number;
  readonly dryRun: boolean;
  /** What became of each change, in their order. */
  readonly results: readonly ChangeResult[];
}

/** A camera as it is desired and as it is observed. */
export interface Camera {
  /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
  readonly name: string;
  /** What cannot be told of it, and why. */
  readonly notice?: string | undefined;
  /** What is wrong with the camera, such as CAMERA_NO_VIDEO, the gravest first; missing: nothing. */
  readonly conditions?: readonly Condition[] | undefined;
  readonly srt?: SrtConnection | undefined;
  /** In the order in which they are preferred; missing: one, `main`. */
  readonly ingests?: readonly Ingest[] | undefined;
  readonly source?: Source | undefined;
  /** How often the stream went on with another ingest, ever. */
  readonly switches?: number | undefined;
  readonly lastSwitch?: IngestSwitch | undefined;
  /** The node that sends its stream here, and the node that has its publisher; missing: it is this one. */
  readonly relayedFrom?: {
    readonly node: string;
    readonly owner: string;
  } | undefined;
  /** The nodes that get its stream from this one. */
  readonly hops?: readonly Hop[] | undefined;
  readonly live: boolean;
  readonly liveSince: string | null;
  readonly publisher: string | null;
  readonly encoder: string | null;
  readonly videoCodec: string | null;
  readonly audioCodec: string | null;
  /** Video first, by their ids; empty when not live, or when the backend cannot tell. */
  readonly tracks: readonly Track[];
  readonly width: number | null;
  readonly height: number | null;
  readonly bytesIn: number | null;
  readonly bitrateInBps: number | null;
  readonly frameRate: number | null;
  readonly keyFrameIntervalMs: number | null;
  readonly timestampJumps: number | null;
  readonly ignoredMessages: number | null;
  readonly jitterMs: number | null;
  readonly lastFrameAt: string | null;
  readonly graceUntil: string | null;
  readonly viewers: number | null;
  readonly pushes: readonly Push[];
  readonly type?: string | undefined;
  /** ISO 8601, UTC. */
  readonly createdAt: string;
  /** Where the camera publishes to, and viewers play it. */
  readonly endpoint: string;
  /** The same with TLS, where there is a listener for it. */
  readonly rtmpsEndpoint?: string | undefined;
  /** The same by SRT, where there is a listener for it. */
  readonly srtEndpoint?: string | undefined;
  /** In a cluster: where the camera may publish to, the best first, which is `endpoint`; 8 at most, and one of them in another place, if there is any. */
  readonly endpoints?: readonly string[] | undefined;
  /** In a cluster: the node that has it, whose figures these are; null: it is live at none. */
  readonly node?: string | null | undefined;
  /** In a cluster: why what is observed of it is not known; what was declared is right all the same. */
  readonly unknown?: string | undefined;
  /** Go back to an ingest that stands earlier in the list when it has been well for so many seconds; without it, never. */
  readonly switchBackSeconds?: number | undefined;
  /** What is shown when no ingest is left: `built-in`, or a file of the folder `slate-dir`. Without it, nothing. */
  readonly slate?: string | undefined;
  /** For how long the slate is shown at most; 60. */
  readonly slateSeconds?: number | undefined;
  readonly lastLive: LastLive | null;
}

export interface CameraSource {
  /** rtmp[s]://, http[s]:// (FLV, HLS, MPEG-TS), rtsp[s]:// or srt://, with user name and password where they are needed. */
  readonly url: string;
  /** `on-demand`: only while an enabled push, or a viewer, wants it. Without it: always. */
  readonly mode?: 'always' | 'on-demand' | undefined;
  /** How the media of RTSP comes. Without it: tcp. */
  readonly transport?: 'tcp' | 'udp' | undefined;
  readonly device?: SourceDevice | undefined;
}

export interface ChangeCameraChange {
  readonly operation: 'changeCamera';
  /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
  readonly camera: string;
  readonly body: ChangedCamera;
  /** Only if it has one of these entity tags. */
  readonly ifMatch?: string | undefined;
  /** `*`: only if it does not exist. */
  readonly ifNoneMatch?: string | undefined;
}

export interface ChangeEngineChange {
  readonly operation: 'changeEngine';
  /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
  readonly engine: string;
  readonly body: ChangedEngine;
  /** Only if it has one of these entity tags. */
  readonly ifMatch?: string | undefined;
  /** `*`: only if it does not exist. */
  readonly ifNoneMatch?: string | undefined;
}

export interface ChangeError {
  /** Which one of `changes`. */
  readonly index: number;
  readonly code: ErrorCode;
  readonly detail: string;
  readonly field?: string | undefined;
}

export interface ChangePushChange {
  readonly operation: 'changePush';
  /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
  readonly camera: string;
  /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
  readonly push: string;
  readonly body: ChangedPush;
  /** Only if it has one of these entity tags. */
  readonly ifMatch?: string | undefined;
  /** `*`: only if it does not exist. */
  readonly ifNoneMatch?: string | undefined;
}

export interface ChangeResult {
  readonly outcome: 'created' | 'changed' | 'unchanged' | 'removed' | 'failed';
  /** Which fields are not as they were. */
  readonly fields?: readonly string[] | undefined;
  readonly camera?: string | undefined;
  /** The id of the push. */
  readonly push?: string | undefined;
  readonly engine?: string | undefined;
  /** Where the camera publishes to, with its key. */
  readonly endpoint?: string | undefined;
  /** The same with TLS. */
  readonly rtmpsEndpoint?: string | undefined;
  /** The same by SRT. */
  readonly srtEndpoint?: string | undefined;
  /** The pushes that came with the camera. */
  readonly pushes?: readonly BatchPushResult[] | undefined;
  readonly error?: BatchError | undefined;
}

/** What is left out stays as it is; null takes it away. */
export interface ChangedCamera {
  readonly type?: string | null | undefined;
  readonly ingests?: readonly (string | NewIngest)[] | null | undefined;
  readonly source?: string | CameraSource | null | undefined;
  readonly switchBackSeconds?: number | null | undefined;
  readonly slate?: string | null | undefined;
  readonly slateSeconds?: number | null | undefined;
}

/** What is left out stays as it is. */
export interface ChangedEngine {
  /** Host name or IP address, without a port. */
  readonly host?: string | undefined;
  /** null gives it its default. */
  readonly pushUrl?: string | null | undefined;
  /** null gives it its default. */
  readonly playbackUrl?: string | null | undefined;
  /** null takes it away. */
  readonly location?: string | null | undefined;
}

export interface ChangedLog {
  /** The least important lines that are logged. */
  readonly level: 'debug' | 'info' | 'warn' | 'error';
}

/** What is left out stays as it is; null gives a budget back to the settings, and the way to the engine. */
export interface ChangedPush {
  readonly enabled?: boolean | undefined;
  readonly queueMaxBytes?: number | null | undefined;
  readonly queueMaxAgeMs?: number | null | undefined;
  /** `auto` (without it): the target is told which codecs and tracks the stream has. `off`: it is told nothing, and gets one track of each kind, without wrapping and prefixes. */
  readonly enhanced?: 'auto' | 'off' | undefined;
  /** The id of the only video track that the target gets; `all`, as without it: every one. */
  readonly videoTrack?: number | 'all' | undefined;
  /** The id of the only audio track that the target gets; `all`, as without it: every one. */
  readonly audioTrack?: number | 'all' | undefined;
  /** What the target gets of the sound. `as-is` (without it): as the camera sends it. `none`: no sound. `silence`: a silent AAC track. `aac`: the default audio track as AAC, transcoded by one ffmpeg a camera where it is of another codec. */
  readonly audio?: 'as-is' | 'none' | 'silence' | 'aac' | undefined;
  readonly via?: string | null | undefined;
}

/** The nodes that share one state. */
export interface Cluster {
  readonly id: string | null;
  /** The members of etcd in the settings. */
  readonly etcd: readonly string[];
  readonly prefix: string | null;
  /** The nodes that live, by id. */
  readonly nodes: readonly ClusterNode[];
}

export interface ClusterNode {
  readonly id: string;
  /** True for the node that answers. */
  readonly self: boolean;
  readonly location: string | null;
  /** Where cameras publish, without a path. */
  readonly rtmp: string;
  readonly rtmps: string | null;
  readonly srt: string | null;
  /** Where its API is, without a path. */
  readonly api: string;
  readonly version: string;
  readonly startedAt: string;
  /** It stops, or is drained: it takes no new cameras. */
  readonly isDraining: boolean;
  /** It has as much as its capacity allows: it takes no new cameras. */
  readonly isFull: boolean;
  /** What it may send, Mbit/s, and how many cameras may be live there; null: no limit. */
  readonly capacity: {
    readonly outMbps: number | null;
    readonly cameras: number | null;
  };
  readonly load: {
    readonly outMbps: number;
    readonly cameras: number;
  } | null;
  /** Cameras that are live there, as all nodes know it. */
  readonly liveCameras: number;
}

/** Something that is wrong with what a camera sends. */
export interface Condition {
  readonly code: string;
  readonly message: string;
  readonly since: string;
  /** Two or three words, for a mark: `no picture`. */
  readonly label?: string | undefined;
  /** What to do about it. */
  readonly advice?: string | undefined;
  /** Worth to know, and no trouble; missing: the camera is in trouble. */
  readonly level?: 'notice' | undefined;
}

export interface Config {
  /** By key (`rtmpPort`, `media.queueMaxBytes`): the value, and where it comes from. */
  readonly settings: Readonly<Record<string, {
    readonly value: unknown;
    readonly source: string;
    /** What else it is called: its key in files and flags, its variables. */
    readonly names?: readonly string[] | undefined;
  }>>;
  readonly problems: readonly {
    readonly code: string;
    readonly message: string;
    readonly since: string;
  }[];
  readonly contentManager: Announcement | null;
  readonly webhooks: readonly Webhook[];
}

/** A camera of which every line is logged, whatever the level. */
export interface DebuggedCamera {
  /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
  readonly camera: string;
  /** When it ends by itself. */
  readonly endsAt: string;
  /** What the log cannot tell of it, and why. */
  readonly notice: string | null;
}

export interface DeclareCameraChange {
  readonly operation: 'declareCamera';
  /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
  readonly camera: string;
  readonly body: AddedCamera;
  /** Only if it has one of these entity tags. */
  readonly ifMatch?: string | undefined;
  /** `*`: only if it does not exist. */
  readonly ifNoneMatch?: string | undefined;
}

export interface DeclareEngineChange {
  readonly operation: 'declareEngine';
  /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
  readonly engine: string;
  readonly body: EngineFacts;
  /** Only if it has one of these entity tags. */
  readonly ifMatch?: string | undefined;
  /** `*`: only if it does not exist. */
  readonly ifNoneMatch?: string | undefined;
}

export interface DeclarePushChange {
  readonly operation: 'declarePush';
  /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
  readonly camera: string;
  readonly body: NewPush;
  /** Only if it has one of these entity tags. */
  readonly ifMatch?: string | undefined;
  /** `*`: only if it does not exist. */
  readonly ifNoneMatch?: string | undefined;
}

export interface DeclaredCamera {
  /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
  readonly name?: string | undefined;
  /** What kind of camera it is, for the templates of engines: `360`, `plane` ... Same rule as names. */
  readonly type?: string | undefined;
  /** What the stream may come from, in the order in which it is preferred: `["main", "backup"]`. Each is a publisher, who names it as `?ingest=NAME`, or is fetched from its `source`. Without it: one, `main`. */
  readonly ingests?: readonly (string | NewIngest)[] | undefined;
  /** Where its stream is fetched from, as a URL, or with how and when. Without it, the camera publishes. */
  readonly source?: string | CameraSource | undefined;
  /** Go back to an ingest that stands earlier in the list when it has been well for so many seconds; without it, never. */
  readonly switchBackSeconds?: number | undefined;
  /** What is shown when no ingest is left: `built-in`, or a file of the folder `slate-dir`. Without it, nothing. */
  readonly slate?: string | undefined;
  /** For how long the slate is shown at most; 60. */
  readonly slateSeconds?: number | undefined;
}

export interface DeclaredEngine {
  /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
  readonly name?: string | undefined;
  /** Host name or IP address, without a port. */
  readonly host: string;
  /** `{host}`, `{name}`, `{type}`, `{location}` are replaced. */
  readonly pushUrl?: string | undefined;
  /** `{host}`, `{name}`, `{type}`, `{location}` are replaced. */
  readonly playbackUrl?: string | undefined;
  /** Where it is, in the words of the operator; at most 128 characters. */
  readonly location?: string | undefined;
}

/** Exactly one of `url` and `engine`. What is left out gets its default. */
export interface DeclaredPush {
  /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
  readonly id?: string | undefined;
  /** rtmp[s]://HOST[:PORT]/APP[/INSTANCE][/STREAM][?QUERY]; what is in it is sent as it is written. */
  readonly url?: string | undefined;
  /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
  readonly engine?: string | undefined;
  readonly enabled?: boolean | undefined;
  /** Bytes that may wait for this target; without it, the setting `queue-max-bytes`. */
  readonly queueMaxBytes?: number | undefined;
  /** Milliseconds that the oldest waiting byte may be old; without it, the setting `queue-max-age`. */
  readonly queueMaxAgeMs?: number | undefined;
  /** `auto` (without it): the target is told which codecs and tracks the stream has. `off`: it is told nothing, and gets one track of each kind, without wrapping and prefixes. */
  readonly enhanced?: 'auto' | 'off' | undefined;
  /** The id of the only video track that the target gets; `all`, as without it: every one. */
  readonly videoTrack?: number | 'all' | undefined;
  /** The id of the only audio track that the target gets; `all`, as without it: every one. */
  readonly audioTrack?: number | 'all' | undefined;
  /** What the target gets of the sound. `as-is` (without it): as the camera sends it. `none`: no sound. `silence`: a silent AAC track. `aac`: the default audio track as AAC, transcoded by one ffmpeg a camera where it is of another codec. */
  readonly audio?: 'as-is' | 'none' | 'silence' | 'aac' | undefined;
  /** In a cluster: the location that the stream goes through on its way to the target, or `direct`; without it, that of the engine. */
  readonly via?: string | undefined;
}

export interface DevicePicture {
  readonly type: 'image/jpeg';
  readonly width: number;
  readonly height: number;
  readonly bytes: number;
  /** Given by the device, or decoded out of its stream. */
  readonly from: 'snapshot' | 'stream';
  /** The picture, in base64. */
  readonly data: string;
}

export interface Discovery {
  readonly scan: DiscoveryScan | null;
}

export interface DiscoveryScan {
  /** When it began. */
  readonly at: string;
  readonly durationMs: number;
  readonly devices: readonly FoundDevice[];
  /** The addresses of this machine that it looked from. */
  readonly interfaces: readonly string[];
  /** What an operator should know, such as why nothing was found. */
  readonly hints: readonly string[];
}

export interface DrainRequest {
  /** false: it takes cameras again; true. */
  readonly on?: boolean | undefined;
  /** Over how long its cameras are asked to go; 30. */
  readonly seconds?: number | undefined;
  /** true: also when no other node takes the cameras that are live there, so that they are closed. */
  readonly force?: boolean | undefined;
}

/** A streaming engine: where viewers play what is pushed to it. */
export interface Engine {
  /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
  readonly name: string;
  readonly host: string;
  /** With secrets masked by `***`; such a value is not taken back. */
  readonly pushUrl: string;
  /** The same. */
  readonly playbackUrl: string;
  readonly location?: string | undefined;
  /** ISO 8601, UTC. */
  readonly createdAt: string;
  readonly pushes?: EnginePushes | undefined;
}

export interface EngineFacts {
  /** Host name or IP address, without a port. */
  readonly host: string;
  /** `{host}`, `{name}`, `{type}`, `{location}` are replaced. */
  readonly pushUrl?: string | undefined;
  /** `{host}`, `{name}`, `{type}`, `{location}` are replaced. */
  readonly playbackUrl?: string | undefined;
  /** Where it is, in the words of the operator; at most 128 characters. */
  readonly location?: string | undefined;
}

/** How the pushes to it fare; in answers to GET. */
export interface EnginePushes {
  readonly total: number;
  /** Those whose target takes media. */
  readonly active: number;
  /** Those whose target takes none although it should. */
  readonly down: number;
}

/** Stable; see docs/errors.md. */
export type ErrorCode = 'INVALID_JSON' | 'INVALID_REQUEST' | 'INVALID_NAME' | 'INVALID_ADDRESS' | 'PAYLOAD_TOO_LARGE' | 'UNSUPPORTED_MEDIA_TYPE' | 'NOT_FOUND' | 'CAMERA_NOT_FOUND' | 'CAMERA_CONFLICT' | 'KEYS_NOT_USED' | 'INGEST_NOT_FOUND' | 'INGEST_NOT_READY' | 'STANDBY_UNSUPPORTED' | 'PUSH_NOT_FOUND' | 'PUSH_CONFLICT' | 'ENGINE_NOT_FOUND' | 'ENGINE_CONFLICT' | 'ENGINE_IN_USE' | 'NO_ENGINE' | 'LIMIT_REACHED' | 'PRECONDITION_FAILED' | 'UNAUTHENTICATED' | 'FORBIDDEN' | 'CROSS_SITE' | 'RATE_LIMITED' | 'TOKEN_NOT_FOUND' | 'TOKEN_CONFLICT' | 'DRAINING' | 'INTERNAL' | 'CONFIG_UNKNOWN_KEY' | 'CONFIG_INVALID_VALUE' | 'CONFIG_UNREADABLE' | 'STATE_UNREADABLE' | 'STATE_INVALID' | 'STATE_SEALED' | 'NO_SEAL_KEY' | 'STATE_CONFLICT' | 'STATE_WRITE_FAILED' | 'START_WAITING' | 'LOG_UNWRITABLE' | 'OPEN_FILES_LIMIT' | 'BACKUP_SEALED' | 'STATE_LOCKED' | 'CLUSTER_UNAVAILABLE' | 'CLUSTER_UNCERTAIN' | 'CLUSTER_CONTENDED' | 'CLUSTER_ENTRY_REFUSED' | 'CLUSTER_NODE_REFUSED' | 'NODE_NOT_FOUND' | 'DRAIN_NOWHERE_TO_GO' | 'NODE_DRAINING' | 'NODE_FULL' | 'NODE_CLOCK_DIFFERS' | 'NODE_OVERLOADED' | 'NODE_UNAVAILABLE' | 'NODE_ID_TAKEN' | 'NOT_IN_CLUSTER' | 'CLUSTER_REPLACED' | 'CAMERA_NOT_APPLIED' | 'ADDRESS_IN_USE' | 'ACCESS_UNREADABLE' | 'IDENTITY_PROVIDER' | 'TLS_CERTIFICATE' | 'CONTENT_MANAGER_UNREACHABLE' | 'CONTENT_MANAGER_REFUSED' | 'RTMP_HANDSHAKE' | 'RTMP_CHUNK' | 'RTMP_AMF' | 'RTMP_MESSAGE' | 'RTMP_COMMAND' | 'RTMP_TIMEOUT' | 'RTMP_FLOOD' | 'RTMP_LIMIT' | 'PUBLISH_NOT_REGISTERED' | 'PUBLISH_ALREADY_LIVE' | 'RELAY_REFUSED' | 'PUBLISH_LOOP' | 'SRT_UNSUPPORTED' | 'PUBLISH_FORBIDDEN' | 'PLAY_FORBIDDEN' | 'HOOK_BUSY' | 'PLAY_NOT_FOUND' | 'NO_KEY_FRAME' | 'CAMERA_SILENT' | 'CAMERA_NO_VIDEO' | 'CAMERA_NO_AUDIO' | 'CAMERA_BITRATE_LOW' | 'CAMERA_BITRATE_HIGH' | 'CAMERA_FEW_FRAMES' | 'CAMERA_KEY_FRAMES_RARE' | 'CAMERA_TIMESTAMPS_JUMP' | 'CAMERA_TIMESTAMPS_DRIFT' | 'CAMERA_AUDIO_VIDEO_APART' | 'CAMERA_CODEC' | 'CAMERA_STILL' | 'CAMERA_FLAPPING' | 'CAMERA_PUBLISHER_REFUSED' | 'PUSH_KEY_FRAME_AWAITED' | 'CAMERA_NOT_LIVE' | 'NO_PICTURE' | 'VIEW_UNSUPPORTED' | 'TARGET_DNS' | 'TARGET_REFUSED' | 'TARGET_UNREACHABLE' | 'TARGET_TIMEOUT' | 'TARGET_CLOSED' | 'TARGET_HANDSHAKE' | 'TARGET_CONNECT_REJECTED' | 'TARGET_PUBLISH_REJECTED' | 'TARGET_REDIRECT' | 'TARGET_AUTH' | 'TARGET_STALLED' | 'TARGET_FLOOD' | 'TARGET_PROTOCOL' | 'TARGET_TLS' | 'TARGET_TLS_CERTIFICATE' | 'TARGET_FORBIDDEN' | 'TARGET_CODEC' | 'TARGET_UNSUPPORTED' | 'SOURCE_DNS' | 'SOURCE_REFUSED' | 'SOURCE_UNREACHABLE' | 'SOURCE_TIMEOUT' | 'SOURCE_CLOSED' | 'SOURCE_AUTH' | 'SOURCE_NOT_FOUND' | 'SOURCE_STALLED' | 'SOURCE_PROTOCOL' | 'SOURCE_TLS' | 'SOURCE_FORBIDDEN' | 'SOURCE_CODEC' | 'SOURCE_PROGRAM' | 'SOURCE_UNSUPPORTED' | 'DISCOVERY_BUSY' | 'SOURCE_DOWN' | 'TRANSCODER_DOWN' | 'WORKER_DOWN' | 'NGINX_NOT_FOUND' | 'NGINX_UNUSABLE' | 'NGINX_TEMPLATE' | 'NGINX_CONFIG_REFUSED' | 'NGINX_WRITE_FAILED' | 'NGINX_DOWN' | 'USAGE' | 'OUTPUT_FAILED' | 'FLV_INVALID' | 'IMPORT_UNREADABLE' | 'IMPORT_CONFLICT' | 'IMPORT_INVALID' | 'NOT_RUNNING' | 'API_UNREACHABLE';

/** A failure in the style of the content manager. */
export interface Failure {
  /** What was wrong, with which value, and what would be right. */
  readonly error: string;
  readonly code: ErrorCode;
}

/** An ONVIF device of the network, in its own words. */
export interface FoundDevice {
  /** By which it is tried and added. */
  readonly address: string;
  /** What it calls itself in WS-Discovery; empty: it did not say. */
  readonly reference: string;
  readonly name: string;
  readonly maker: string;
  readonly model: string;
  readonly firmware: string;
  /** Empty: not known, as without a login. */
  readonly serial: string;
  readonly clockAheadSeconds: number | null;
  readonly streams: readonly FoundStream[];
  readonly sameSerialAs: string | null;
  readonly problem: {
    readonly code: string;
    readonly message: string;
  } | null;
  readonly camera: string | null;
}

export interface FoundStream {
  /** `main`: the largest picture; `sub`: the next smaller one. */
  readonly stream: 'main' | 'sub' | 'other';
  /** The token of its ONVIF profile. */
  readonly profile: string;
  readonly name: string;
  /** As the device says it: `H264`, `H265`; empty: it does not. */
  readonly codec: string;
  readonly width: number;
  readonly height: number;
  readonly framesPerSecond: number | null;
  readonly kbps: number | null;
}

/** Columns of figures, a point for each step; null where nothing was seen. */
export interface History {
  readonly stepSeconds: number;
  /** When the first point was taken; null: nothing is remembered. */
  readonly from: string | null;
  readonly camera: {
    readonly bitrateInBps: Points;
    readonly frameRate: Points;
    readonly viewers: Points;
    readonly jitterMs: Points;
  };
  /** By id. Dropped frames are those of each step. */
  readonly pushes: Readonly<Record<string, {
    readonly bitrateBps: Points;
    readonly queueBytes: Points;
    readonly queueAgeMs: Points;
    readonly roundTripMs: Points;
    readonly droppedFrames: Points;
  }>>;
}

export interface Holders {
  /** The node that answers. */
  readonly id: string;
  /** What it says of other nodes is true now, not only what it knew last. */
  readonly reachesEtcd: boolean;
  readonly cameras: readonly {
    readonly camera: string;
    /** Which node has it. */
    readonly node: string;
    /** Of its claim: the newer one is larger; 0: it has none. */
    readonly epoch: number;
    /** Its publisher has sent nothing for publish-takeover. Of another node than the one that answers: false. */
    readonly isSilent: boolean;
  }[];
}

export interface HoldersRequest {
  /** Names. */
  readonly cameras: readonly string[];
}

export interface Hop {
  /** The node that gets it. */
  readonly to: string;
  /** As that of a push. */
  readonly state: 'idle' | 'connecting' | 'active' | 'stalled' | 'waiting' | 'waiting-for-publish' | 'disabled' | 'elsewhere';
  /** ISO 8601, UTC. */
  readonly since: string;
  readonly roundTripMs: number | null;
  /** Bits per second, averaged over about 10 s. */
  readonly bitrateBps: number;
  /** Bytes handed to the network. */
  readonly bytesOut: number;
  readonly droppedFrames: number;
  /** Why it failed last. */
  readonly error?: string | undefined;
}

/** One of the things that a camera has its stream from, as desired and as observed. */
export interface Ingest {
  /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
  readonly name: string;
  /** It feeds the stream; the others stand by. */
  readonly live: boolean;
  /** How it does: `offline` (not connected), `starting` (no frame yet), `ready`, `stalled` (no frames any more), `no-picture` (sound alone goes on). */
  readonly state: 'offline' | 'starting' | 'ready' | 'stalled' | 'no-picture';
  readonly connectedSince: string | null;
  readonly publisher: string | null;
  readonly encoder: string | null;
  readonly videoCodec: string | null;
  readonly audioCodec: string | null;
  readonly width: number | null;
  readonly height: number | null;
  /** Bits per second, averaged over about 10 s. */
  readonly bitrateInBps: number;
  readonly frameRate: number | null;
  readonly keyFrameIntervalMs: number | null;
  readonly lastFrameAt: string | null;
  /** What is kept of it while it stands by. */
  readonly keptBytes: number;
  readonly source?: Source | undefined;
  readonly srt?: SrtConnection | undefined;
  /** Where it is published to. */
  readonly endpoint: string;
  /** The same with TLS, where there is a listener for it. */
  readonly rtmpsEndpoint?: string | undefined;
  /** The same by SRT, where there is a listener for it. */
  readonly srtEndpoint?: string | undefined;
}

export interface IngestSwitch {
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly from: string;
  readonly to: string;
  readonly reason: string;
}

/** When a camera was last live, also before a restart; null: never. */
export interface LastLive {
  /** ISO 8601, UTC. */
  readonly since: string;
  /** Null: it is live. */
  readonly until: string | null;
  /** Why it stopped; null: not known, or it is live. */
  readonly reason: string | null;
  readonly code: ErrorCode | null;
  readonly publisher: string | null;
  readonly encoder: string | null;
  readonly lastFrameAt: string | null;
}

/** What is logged now. */
export interface Log {
  /** The least important lines that are logged. */
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  /** The level of the settings, which holds after a restart. */
  readonly configured: 'debug' | 'info' | 'warn' | 'error';
  readonly cameras: readonly DebuggedCamera[];
}

export interface LogLine {
  readonly id: number;
  /** ISO 8601, UTC. */
  readonly at: string;
  /** The least important lines that are logged. */
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
  /** `camera`, `push` and what else it has. */
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface LogLines {
  /** Oldest first. */
  readonly items: readonly LogLine[];
  /** For `after`, to have the lines that follow. */
  readonly next: number;
  /** True if lines after `after` are not kept any more. */
  readonly missed: boolean;
}

/** A token that was just made. */
export interface MadeToken {
  /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
  readonly name: string;
  /** A part of the token that is no secret. */
  readonly id: string;
  readonly scope: Scope;
  /** ISO 8601, UTC. */
  readonly createdAt: string;
  readonly expiresAt: string | null;
  /** Since this aggregator runs; null: not yet. */
  readonly lastUsedAt: string | null;
  /** The token itself. It is shown here, and never again. */
  readonly token: string;
}

export interface NewCamera {
  /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
  readonly name: string;
  /** What kind of camera it is, for the templates of engines: `360`, `plane` ... Same rule as names. */
  readonly type?: string | undefined;
  /** What the stream may come from, in the order in which it is preferred: `["main", "backup"]`. Each is a publisher, who names it as `?ingest=NAME`, or is fetched from its `source`. Without it: one, `main`. */
  readonly ingests?: readonly (string | NewIngest)[] | undefined;
  /** Where its stream is fetched from, as a URL, or with how and when. Without it, the camera publishes. */
  readonly source?: string | CameraSource | undefined;
  /** Go back to an ingest that stands earlier in the list when it has been well for so many seconds; without it, never. */
  readonly switchBackSeconds?: number | undefined;
  /** What is shown when no ingest is left: `built-in`, or a file of the folder `slate-dir`. Without it, nothing. */
  readonly slate?: string | undefined;
  /** For how long the slate is shown at most; 60. */
  readonly slateSeconds?: number | undefined;
}

export interface NewDebug {
  /** For how long; 900. */
  readonly seconds?: number | undefined;
}

export interface NewDeviceCamera {
  /** HOST or HOST:PORT of a device, or the URL of its device service. */
  readonly address: string;
  /** Which stream; `main`. */
  readonly stream?: 'main' | 'sub' | undefined;
  readonly username?: string | undefined;
  /** Only a digest of it is sent, and it is not kept. With `username`. */
  readonly password?: string | undefined;
  /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
  readonly name: string;
  /** What kind of camera it is, for the templates of engines: `360`, `plane` ... Same rule as names. */
  readonly type?: string | undefined;
  /** As that of a source; `always`. */
  readonly mode?: 'always' | 'on-demand' | undefined;
  /** As that of a source; `tcp`. */
  readonly transport?: 'tcp' | 'udp' | undefined;
}

export interface NewDiscoveryScan {
  /** Ask these in place of the whole network. */
  readonly addresses?: readonly string[] | undefined;
  /** How long answers are waited for; 3000. */
  readonly waitMs?: number | undefined;
  readonly username?: string | undefined;
  /** Only a digest of it is sent, and it is not kept. With `username`. */
  readonly password?: string | undefined;
}

export interface NewEngine {
  /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
  readonly name: string;
  /** Host name or IP address, without a port. */
  readonly host: string;
  /** `{host}`, `{name}`, `{type}`, `{location}` are replaced. */
  readonly pushUrl?: string | undefined;
  /** `{host}`, `{name}`, `{type}`, `{location}` are replaced. */
  readonly playbackUrl?: string | undefined;
  /** Where it is, in the words of the operator; at most 128 characters. */
  readonly location?: string | undefined;
}

export interface NewIngest {
  /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
  readonly name: string;
  readonly source?: string | CameraSource | null | undefined;
}

export interface NewPlayToken {
  /** How long it is valid; 3600. */
  readonly seconds?: number | undefined;
}

/** Exactly one of `url` and `engine`. Without `id` it is derived from the target. */
export interface NewPush {
  /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
  readonly id?: string | undefined;
  /** rtmp[s]://HOST[:PORT]/APP[/INSTANCE][/STREAM][?QUERY]; what is in it is sent as it is written. */
  readonly url?: string | undefined;
  /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
  readonly engine?: string | undefined;
  readonly enabled?: boolean | undefined;
  /** Bytes that may wait for this target; without it, the setting `queue-max-bytes`. */
  readonly queueMaxBytes?: number | undefined;
  /** Milliseconds that the oldest waiting byte may be old; without it, the setting `queue-max-age`. */
  readonly queueMaxAgeMs?: number | undefined;
  /** `auto` (without it): the target is told which codecs and tracks the stream has. `off`: it is told nothing, and gets one track of each kind, without wrapping and prefixes. */
  readonly enhanced?: 'auto' | 'off' | undefined;
  /** The id of the only video track that the target gets; `all`, as without it: every one. */
  readonly videoTrack?: number | 'all' | undefined;
  /** The id of the only audio track that the target gets; `all`, as without it: every one. */
  readonly audioTrack?: number | 'all' | undefined;
  /** What the target gets of the sound. `as-is` (without it): as the camera sends it. `none`: no sound. `silence`: a silent AAC track. `aac`: the default audio track as AAC, transcoded by one ffmpeg a camera where it is of another codec. */
  readonly audio?: 'as-is' | 'none' | 'silence' | 'aac' | undefined;
  /** In a cluster: the location that the stream goes through on its way to the target, or `direct`; without it, that of the engine. */
  readonly via?: string | undefined;
}

export interface NewTestPattern {
  /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
  readonly camera: string;
}

export interface NewToken {
  /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
  readonly name: string;
  readonly scope: Scope;
  /** ISO 8601, UTC, in the future; without it, it does not end. */
  readonly expiresAt?: string | undefined;
}

export interface Node {
  /** The streams that it sends to other nodes of its cluster, by node; none of one that is alone. */
  readonly links: readonly NodeLink[];
  readonly name: string;
  readonly id: string | null;
  /** True for the node that answers. */
  readonly self: boolean;
  /** It takes no new cameras. */
  readonly isDraining: boolean;
  /** What is wrong with it; as in /v1/config. */
  readonly problems: readonly {
    readonly code: string;
    readonly message: string;
    readonly since: string;
  }[];
  readonly version: string;
  readonly location: string | null;
  readonly backend: string;
  readonly startedAt: string;
  readonly status: 'ok' | 'down';
  readonly rtmp: {
    readonly host: string;
    readonly port: number;
  };
  readonly rtmps: {
    readonly host: string;
    readonly port: number;
  } | null;
  readonly srt?: {
    readonly host: string;
    readonly port: number;
  } | null | undefined;
  readonly cameras: number;
  /** Bits per second, averaged over about 10 s. */
  readonly bitrateInBps: number;
  /** Bits per second, averaged over about 10 s. */
  readonly bitrateOutBps: number;
  readonly liveCameras: number;
  readonly viewers: number;
  readonly connections: number;
  readonly load: NodeLoad;
  readonly capacity: NodeCapacity | null;
  /** What there is to tell of this media backend only. */
  readonly backendFacts: Readonly<Record<string, string | number | boolean | null>>;
  /** The processes that move media, where they are others than the one that answers. */
  readonly workers: readonly {
    readonly number: number;
    readonly pid: number | null;
    readonly up: boolean;
    readonly cameras: number;
    readonly restarts: number;
    readonly cpuSeconds: number | null;
    readonly residentBytes: number | null;
    readonly loopDelayMs: number | null;
    readonly socketMode: string | null;
    readonly socketModeWhy: string | null;
  }[];
}

/** What it may carry; null: this media backend keeps to no limit. */
export interface NodeCapacity {
  readonly outBps: number | null;
  readonly cameras: number | null;
  /** What takes room, bits per second, what is about to begin included; 0 without a limit. */
  readonly committedBps: number;
  /** It takes no new cameras. */
  readonly isFull: boolean;
}

export interface NodeDrain {
  readonly id: string;
  readonly isDraining: boolean;
  /** Cameras that are live there still; 0: it is empty. */
  readonly camerasLeft: number;
}

export interface NodeLink {
  /** The node that gets them. */
  readonly to: string;
  readonly cameras: number;
  /** Of the cameras, those whose stream flows. */
  readonly active: number;
  /** It cannot be reached from this node, and streams go past it. */
  readonly isDown: boolean;
  /** Bits per second, averaged over about 10 s. */
  readonly bitrateBps: number;
  readonly roundTripMs: number | null;
}

/** How the process that answers is loaded, and what it showed it can do. */
export interface NodeLoad {
  /** Of one core, over the last 5 s. */
  readonly cpuPercent: number;
  /** How late its event loop was in the last 5 s, at worst. */
  readonly loopDelayMs: number;
  /** The most that it sent, bits per second, while its event loop was less than 100 ms late. */
  readonly peakBitrateOutBps: number;
  /** The most cameras that were live while it was so. */
  readonly peakLiveCameras: number;
}

export interface PlayToken {
  readonly token: string;
  readonly expiresAt: string;
  /** Where the camera is played with it. */
  readonly url: string;
  /** The same with TLS, where there is a listener for it. */
  readonly rtmpsUrl?: string | undefined;
  /** As FLV over HTTP (WebSocket: ws), where the media backend gives that; not with on-play. */
  readonly httpUrl?: string | undefined;
}

export type Points = readonly (number | null)[];

/** A problem document (RFC 9457). */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: ErrorCode;
  /** What was wrong, with which value, and what would be right. */
  readonly detail: string;
  /** The path of the field that is wrong. */
  readonly field?: string | undefined;
  /** Of a batch: how many of its changes cannot be made. */
  readonly failed?: number | undefined;
  /** Of a batch: the first 100 changes that cannot be made. */
  readonly errors?: readonly ChangeError[] | undefined;
}

/** A push as it is desired and as it is observed. */
export interface Push {
  /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
  readonly id: string;
  /** With user info, query values and stream key masked. */
  readonly url: string;
  readonly state: 'idle' | 'connecting' | 'active' | 'stalled' | 'waiting' | 'waiting-for-publish' | 'disabled' | 'elsewhere';
  /** Since when it is in this state. */
  readonly since: string;
  /** Why, where the state alone does not say. */
  readonly reason?: string | undefined;
  /** The node that runs it, where that is another one than the camera's; in the state `elsewhere` its own figures are not known. */
  readonly node?: string | undefined;
  /** What is wrong with the camera, such as CAMERA_NO_VIDEO, the gravest first; missing: nothing. */
  readonly conditions?: readonly Condition[] | undefined;
  readonly attempt: number | null;
  readonly lastError: {
    readonly code: string;
    readonly message: string;
    readonly at: string;
  } | null;
  readonly downSince: string | null;
  readonly firstError: {
    readonly code: string;
    readonly message: string;
    readonly at: string;
  } | null;
  readonly nextRetryAt: string | null;
  readonly connects: number | null;
  readonly bytesOut: number | null;
  readonly framesOut: number | null;
  readonly bytesAcknowledged: number | null;
  readonly roundTripMs: number | null;
  readonly bitrateBps: number | null;
  readonly queueBytes: number | null;
  readonly queueAgeMs: number | null;
  readonly droppedFrames: number | null;
  readonly droppedBy: {
    readonly bytes: number;
    readonly age: number;
    readonly total: number;
  } | null;
  readonly lastKeyFrameAt: string | null;
  /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
  readonly engine?: string | undefined;
  readonly enabled: boolean;
  readonly queueMaxBytes?: number | undefined;
  readonly queueMaxAgeMs?: number | undefined;
  /** `auto` (without it): the target is told which codecs and tracks the stream has. `off`: it is told nothing, and gets one track of each kind, without wrapping and prefixes. */
  readonly enhanced?: 'auto' | 'off' | undefined;
  /** The id of the only video track that the target gets; `all`, as without it: every one. */
  readonly videoTrack?: number | 'all' | undefined;
  /** The id of the only audio track that the target gets; `all`, as without it: every one. */
  readonly audioTrack?: number | 'all' | undefined;
  /** What the target gets of the sound. `as-is` (without it): as the camera sends it. `none`: no sound. `silence`: a silent AAC track. `aac`: the default audio track as AAC, transcoded by one ffmpeg a camera where it is of another codec. */
  readonly audio?: 'as-is' | 'none' | 'silence' | 'aac' | undefined;
  /** The location that it goes through, or `direct`. */
  readonly via?: string | undefined;
  /** ISO 8601, UTC. */
  readonly createdAt: string;
}

export interface RecordedEvent {
  /** ISO 8601, UTC. */
  readonly at: string;
  /** `state`, `error`, `command`, `drop` ... */
  readonly kind: string;
  readonly text: string;
}

export interface RefusedPublisher {
  readonly address: string;
  /** What it wanted to publish as: the application of its URL. */
  readonly name: string;
  /** The registered camera that it meant, if any. */
  readonly camera: string | null;
  /** `connect`: it was refused before it said more. */
  readonly asked: 'connect' | 'publish';
  readonly code: ErrorCode;
  readonly message: string;
  /** What it calls itself; empty when it does not. */
  readonly encoder: string;
  readonly count: number;
  /** ISO 8601, UTC. */
  readonly firstAt: string;
  /** ISO 8601, UTC. */
  readonly lastAt: string;
  /** A camera of this name could be registered. */
  readonly registerable: boolean;
}

export interface RemoveCameraChange {
  readonly operation: 'removeCamera';
  /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
  readonly camera: string;
  /** Only if it has one of these entity tags. */
  readonly ifMatch?: string | undefined;
  /** `*`: only if it does not exist. */
  readonly ifNoneMatch?: string | undefined;
}

export interface RemoveEngineChange {
  readonly operation: 'removeEngine';
  /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
  readonly engine: string;
  /** Only if it has one of these entity tags. */
  readonly ifMatch?: string | undefined;
  /** `*`: only if it does not exist. */
  readonly ifNoneMatch?: string | undefined;
}

export interface RemovePushChange {
  readonly operation: 'removePush';
  /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
  readonly camera: string;
  /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
  readonly push: string;
  /** Only if it has one of these entity tags. */
  readonly ifMatch?: string | undefined;
  /** `*`: only if it does not exist. */
  readonly ifNoneMatch?: string | undefined;
}

export interface RotatedKeys {
  /** The new key; without it, one is made. */
  readonly key?: string | undefined;
  /** For how long the old keys are taken too; 0. */
  readonly overlapSeconds?: number | undefined;
  /** The ingest whose key it is, of a camera with several; `main`. */
  readonly ingest?: string | undefined;
}

/** `read` sees, `operate` changes cameras, pushes and engines as well, `admin` everything. */
export type Scope = 'read' | 'operate' | 'admin';

export interface Sealed {
  /** Says which secret it is, and nothing of it. */
  readonly secretId: string;
  /** Keys that were sealed with another one, or not at all. */
  readonly written: number;
}

export interface SealedState {
  /** Says which key it is, and nothing of it. */
  readonly keyId: string;
}

export interface Session {
  /** What the caller is known by; `open`: the API asks nobody (api-auth off). */
  readonly caller: 'local' | 'allowed' | 'open' | 'admin-token' | 'token' | 'jwt' | 'ticket' | 'node';
  readonly name: string | null;
  readonly scope: Scope;
  readonly expiresAt: string | null;
}

/** Where a stream is fetched from, as desired and as observed. */
export interface Source {
  /** With user info and query values masked. */
  readonly url: string;
  /** `off` (on demand, and nobody wants it), `queued` (its turn to be dialled comes), `connecting`, `live`, `waiting` (it failed, and is tried again). */
  readonly state: 'off' | 'queued' | 'connecting' | 'live' | 'waiting';
  /** Since when it is in this state. */
  readonly since: string;
  /** How many tries in a row failed. */
  readonly attempt: number;
  /** How often media came of it, ever. */
  readonly connects: number;
  readonly lastError: {
    readonly code: string;
    readonly message: string;
    readonly at: string;
  } | null;
  readonly nextRetryAt: string | null;
  readonly mode: 'always' | 'on-demand';
  /** Of RTSP. */
  readonly transport?: 'tcp' | 'udp' | undefined;
  readonly device?: SourceDevice | undefined;
}

/** The ONVIF device that it is: when it cannot be reached, it is looked for at other addresses. */
export interface SourceDevice {
  /** Its serial number, as it says it by ONVIF. */
  readonly serial: string;
  /** What it calls itself in WS-Discovery: `urn:uuid:...`. */
  readonly reference?: string | undefined;
}

/** Of an encoder that publishes by SRT, since it connected. */
export interface SrtConnection {
  readonly rttMs: number | null;
  /** How long a packet that is missing is waited for. */
  readonly latencyMs: number;
  readonly isEncrypted: boolean;
  readonly packets: number;
  /** That did not come at first. */
  readonly packetsLost: number;
  /** That never came, or too late. */
  readonly packetsDropped: number;
}

export interface SwitchedIngest {
  /** The ingest to go on with; without it, the one that would follow if the live one failed. */
  readonly ingest?: string | undefined;
}

export interface TargetTest {
  /** The target would take the stream. */
  readonly ok: boolean;
  /** The steps that were reached; the last one is the one that failed, if any. */
  readonly steps: readonly {
    readonly step: 'dns' | 'tcp' | 'tls' | 'handshake' | 'connect' | 'publish';
    readonly ok: boolean;
    readonly durationMs: number;
    readonly error: {
      readonly code: string;
      readonly message: string;
    } | null;
  }[];
}

/** The sample clip, published as a camera over and over. */
export interface TestPattern {
  /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
  readonly camera: string;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  /** When it ends by itself. */
  readonly endsAt: string;
}

/** Exactly one of `url` and `engine`. */
export interface TestedPush {
  /** rtmp[s]://HOST[:PORT]/APP[/INSTANCE][/STREAM][?QUERY]; what is in it is sent as it is written. */
  readonly url?: string | undefined;
  /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
  readonly engine?: string | undefined;
}

export interface TestedTarget {
  /** rtmp[s]://HOST[:PORT]/APP[/INSTANCE][/STREAM][?QUERY]; what is in it is sent as it is written. */
  readonly url: string;
}

export interface Ticket {
  /** For `?token=` in addresses that can have no header. */
  readonly token: string;
  readonly scope: Scope;
  /** ISO 8601, UTC. */
  readonly expiresAt: string;
}

/** A token, without its secret. */
export interface Token {
  /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
  readonly name: string;
  /** A part of the token that is no secret. */
  readonly id: string;
  readonly scope: Scope;
  /** ISO 8601, UTC. */
  readonly createdAt: string;
  readonly expiresAt: string | null;
  /** Since this aggregator runs; null: not yet. */
  readonly lastUsedAt: string | null;
}

/** One track of what a camera sends. */
export interface Track {
  readonly kind: 'video' | 'audio';
  /** Of Enhanced RTMP; 0 where a camera has one. */
  readonly id: number;
  /** Track 0, else the lowest of its kind: what players show that know no tracks, and what `videoCodec`, `width` and others are about. */
  readonly isDefault: boolean;
  readonly codec: string | null;
  readonly profile: string | null;
  readonly width: number | null;
  readonly height: number | null;
  readonly hdr: 'pq' | 'hlg' | null;
  readonly frameRate: number | null;
  readonly keyFrameIntervalMs: number | null;
  readonly channels: number | null;
}

export interface WantedPicture {
  /** HOST or HOST:PORT of a device, or the URL of its device service. */
  readonly address: string;
  /** Which stream; `main`. */
  readonly stream?: 'main' | 'sub' | undefined;
  readonly username?: string | undefined;
  /** Only a digest of it is sent, and it is not kept. With `username`. */
  readonly password?: string | undefined;
  /** True: decode one out of the stream, also where the device gives a picture itself. */
  readonly fromStream?: boolean | undefined;
}

/** A receiver of events, and how it takes them. */
export interface Webhook {
  readonly url: string;
  readonly state: 'ready' | 'waiting';
  /** Since when it is in this state. */
  readonly since: string;
  /** Events that wait for it. */
  readonly waiting: number;
  readonly delivered: number;
  /** Tries that failed, ever. */
  readonly failures: number;
  /** Events that it never got: more than may wait, too old, or refused by it. */
  readonly dropped: {
    readonly full: number;
    readonly expired: number;
    readonly refused: number;
  };
  readonly lastError: {
    readonly message: string;
    readonly at: string;
  } | null;
  readonly nextRetryAt: string | null;
}

/** What each operation takes and answers, by its id. */
export interface Operations {
  /** Take the state of an etcd that was replaced or restored from a backup (CLUSTER_REPLACED), on all nodes */
  readonly acceptCluster: {
    readonly answer: Cluster;
  };
  /** Register a camera; the same again changes nothing */
  readonly addCamera: {
    readonly body: NewCamera;
    readonly answer: Camera;
  };
  /** Register a camera of the network, pulled from its main or sub stream; the same again changes nothing */
  readonly addDevice: {
    readonly body: NewDeviceCamera;
    readonly answer: Camera;
  };
  /** Register a streaming engine; the same again changes nothing */
  readonly addEngine: {
    readonly body: NewEngine;
    readonly answer: Engine;
  };
  /** Make a token that the camera can be played with until it ends; it cannot be taken back */
  readonly addPlayToken: {
    readonly path: {
      /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
      readonly name: string;
    };
    readonly body: NewPlayToken;
    readonly answer: PlayToken;
  };
  /** Redirect a camera to a URL or an engine, at once also while it is live; the same again changes nothing */
  readonly addPush: {
    readonly path: {
      /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
      readonly name: string;
    };
    readonly body: NewPush;
    readonly answer: Push;
  };
  /** Make many changes of cameras, pushes and engines in one commit */
  readonly batchChange: {
    readonly body: Batch;
    readonly answer: BatchResult;
  };
  /** Change what the body names of a camera; the rest stays */
  readonly changeCamera: {
    readonly path: {
      /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
      readonly name: string;
    };
    readonly body: ChangedCamera;
    readonly answer: Camera;
  };
  /** Change what the body names of an engine; the pushes to it follow */
  readonly changeEngine: {
    readonly path: {
      /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
      readonly name: string;
    };
    readonly body: ChangedEngine;
    readonly answer: Engine;
  };
  /** Log from another level on, until the aggregator ends */
  readonly changeLog: {
    readonly body: ChangedLog;
    readonly answer: Log;
  };
  /** Enable or disable a push, or change its budgets, without a break */
  readonly changePush: {
    readonly path: {
      /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
      readonly name: string;
      /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
      readonly id: string;
    };
    readonly body: ChangedPush;
    readonly answer: Push;
  };
  /** Make a token; the answer is the only one that has its secret */
  readonly createToken: {
    readonly body: NewToken;
    readonly answer: MadeToken;
  };
  /** Log every line of a camera for a time, whatever the level; 20 cameras at most */
  readonly debugCamera: {
    readonly path: {
      /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
      readonly name: string;
    };
    readonly body: NewDebug;
    readonly answer: DebuggedCamera;
  };
  /** Make a camera what the body says; its pushes stay */
  readonly declareCamera: {
    readonly path: {
      /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
      readonly name: string;
    };
    readonly body: DeclaredCamera;
    readonly answer: Camera;
  };
  /** Make an engine what the body says; the pushes to it follow */
  readonly declareEngine: {
    readonly path: {
      /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
      readonly name: string;
    };
    readonly body: DeclaredEngine;
    readonly answer: Engine;
  };
  /** Make a push what the body says, its target too; no other push notices */
  readonly declarePush: {
    readonly path: {
      /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
      readonly name: string;
      /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
      readonly id: string;
    };
    readonly body: DeclaredPush;
    readonly answer: Push;
  };
  /** Have a node take no new cameras, and those that it has go elsewhere; or end that */
  readonly drainNode: {
    readonly path: {
      readonly id: string;
    };
    readonly body: DrainRequest;
    readonly answer: NodeDrain;
  };
  /** Log of a camera what is logged of all; of one that is not debugged nothing changes */
  readonly endCameraDebug: {
    readonly path: {
      /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
      readonly name: string;
    };
    readonly answer: undefined;
  };
  /** What happens, on all nodes of a cluster, as server-sent events; resumes behind Last-Event-ID */
  readonly followEvents: {
    readonly query?: {
      /** `self`: in a cluster, what the node that is asked has itself; without it, what all nodes have. */
      readonly node?: 'self' | undefined;
      /** Names, separated by commas: only of these. */
      readonly camera?: string | undefined;
      /** Types or their first words, separated by commas: `push,camera.live`. */
      readonly types?: string | undefined;
      /** As the header Last-Event-ID, which goes before it. */
      readonly lastEventId?: string | undefined;
      /** Begin with this many of the events before, if no last event is named; `reset` follows them. */
      readonly recent?: string | undefined;
      /** 1: with figures of live cameras every two seconds, as `stats`. */
      readonly stats?: '0' | '1' | undefined;
    };
    readonly answer: string;
  };
  /** One camera */
  readonly getCamera: {
    readonly path: {
      /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
      readonly name: string;
    };
    readonly answer: Camera;
  };
  /** The nodes that share the state with this one, and the etcd that holds it */
  readonly getCluster: {
    readonly answer: Cluster;
  };
  /** The settings with where each comes from, what is wrong, and how the content manager took the announcement */
  readonly getConfig: {
    readonly answer: Config;
  };
  /** The last look for ONVIF cameras by this node; null: there was none since its start */
  readonly getDiscovery: {
    readonly answer: Discovery;
  };
  /** One streaming engine */
  readonly getEngine: {
    readonly path: {
      /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
      readonly name: string;
    };
    readonly answer: Engine;
  };
  /** What was seen of a camera in the last hour, every five seconds, for plots */
  readonly getHistory: {
    readonly path: {
      /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
      readonly name: string;
    };
    readonly query?: {
      /** How far back; 3600, which is all. */
      readonly seconds?: number | undefined;
    };
    readonly answer: History;
  };
  /** Which node has these cameras, by what the node that is asked knows */
  readonly getHolders: {
    readonly body: HoldersRequest;
    readonly answer: Holders;
  };
  /** What is logged: the level, and the cameras that are debugged */
  readonly getLog: {
    readonly answer: Log;
  };
  /** The newest key frame of a camera, as an MP4 file of one picture that browsers show */
  readonly getPicture: {
    readonly path: {
      /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
      readonly name: string;
    };
    readonly query?: {
      /** true: where there is no picture, the answer is 204 and not 404. */
      readonly optional?: 'true' | 'false' | undefined;
    };
    readonly answer: string | undefined;
  };
  /** One push */
  readonly getPush: {
    readonly path: {
      /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
      readonly name: string;
      /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
      readonly id: string;
    };
    readonly answer: Push;
  };
  /** Who the caller is, and what it may */
  readonly getSession: {
    readonly answer: Session;
  };
  /** One token, without its secret */
  readonly getToken: {
    readonly path: {
      /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
      readonly name: string;
    };
    readonly answer: Token;
  };
  /** The process answers */
  readonly isAlive: {
    readonly answer: {
      readonly status: 'ok';
    };
  };
  /** RTMP is really taken: a handshake with the own listener succeeds, and it is not about to stop */
  readonly isReady: {
    readonly answer: {
      readonly status: 'ok';
      /** What is wrong while media flows: see `problems` of `GET /v1/config`. */
      readonly problems: readonly {
        readonly code: string;
        readonly since: string;
      }[];
    };
  };
  /** What the camera did lately: publishers, viewers, pushes; in memory, oldest first */
  readonly listCameraEvents: {
    readonly path: {
      /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
      readonly name: string;
    };
    readonly answer: {
      readonly items: readonly RecordedEvent[];
    };
  };
  /** The registered cameras, by name */
  readonly listCameras: {
    readonly query?: {
      /** How many at most; 100. */
      readonly limit?: number | undefined;
      /** The name after which the page begins. */
      readonly after?: string | undefined;
      /** Only those whose name begins with it. */
      readonly prefix?: string | undefined;
      /** `self`: in a cluster, what the node that is asked has itself; without it, what all nodes have. */
      readonly node?: 'self' | undefined;
      /** Only those that publish now, or only those that do not. */
      readonly live?: boolean | undefined;
      /** Only those with a push in this state. */
      readonly pushState?: 'idle' | 'connecting' | 'active' | 'stalled' | 'waiting' | 'waiting-for-publish' | 'disabled' | 'elsewhere' | undefined;
      /** Only those that have conditions or a push that is down (true), or neither (false). */
      readonly trouble?: boolean | undefined;
      /** In a cluster, with `node=self`: only those that are live at the node that is asked, or have pushes that it runs. */
      readonly held?: boolean | undefined;
      /** Only these, with commas between; a name that nothing has is left out. */
      readonly names?: string | undefined;
    };
    readonly answer: {
      readonly items: readonly Camera[];
      /** Give it as `after` for the next page. */
      readonly next: string | null;
      /** In a cluster: nodes that did not answer; their parts are not known. */
      readonly unknown?: readonly string[] | undefined;
    };
  };
  /** The registered streaming engines, by name */
  readonly listEngines: {
    readonly query?: {
      /** How many at most; 100. */
      readonly limit?: number | undefined;
      /** The name after which the page begins. */
      readonly after?: string | undefined;
      /** Only those whose name begins with it. */
      readonly prefix?: string | undefined;
    };
    readonly answer: {
      readonly items: readonly Engine[];
      /** Give it as `after` for the next page. */
      readonly next: string | null;
    };
  };
  /** The newest lines of the log, as far as they are in memory: up to 2,000 lines or 1 MB */
  readonly listLogLines: {
    readonly query?: {
      /** Names, separated by commas: only of these. */
      readonly camera?: string | undefined;
      /** Only lines that are at least as important. */
      readonly level?: 'debug' | 'info' | 'warn' | 'error' | undefined;
      /** Only lines after this one, the oldest first. */
      readonly after?: string | undefined;
      /** How many at most; 100. Without `after`, the newest. */
      readonly limit?: string | undefined;
    };
    readonly answer: LogLines;
  };
  /** The aggregators: this one first, then the others of its cluster */
  readonly listNodes: {
    readonly query?: {
      /** `self`: in a cluster, what the node that is asked has itself; without it, what all nodes have. */
      readonly node?: 'self' | undefined;
    };
    readonly answer: {
      readonly items: readonly Node[];
      /** Give it as `after` for the next page. */
      readonly next: string | null;
      /** In a cluster: nodes that did not answer; their parts are not known. */
      readonly unknown?: readonly string[] | undefined;
    };
  };
  /** What the push did lately: states, errors, RTMP commands, drops; in memory, oldest first */
  readonly listPushEvents: {
    readonly path: {
      /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
      readonly name: string;
      /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
      readonly id: string;
    };
    readonly answer: {
      readonly items: readonly RecordedEvent[];
    };
  };
  /** The pushes of a camera, by id */
  readonly listPushes: {
    readonly path: {
      /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
      readonly name: string;
    };
    readonly query?: {
      /** How many at most; 100. */
      readonly limit?: number | undefined;
      /** The name after which the page begins. */
      readonly after?: string | undefined;
      /** Only those whose name begins with it. */
      readonly prefix?: string | undefined;
      /** Only those in this state. */
      readonly state?: 'idle' | 'connecting' | 'active' | 'stalled' | 'waiting' | 'waiting-for-publish' | 'disabled' | 'elsewhere' | undefined;
    };
    readonly answer: {
      readonly items: readonly Push[];
      /** Give it as `after` for the next page. */
      readonly next: string | null;
    };
  };
  /** Who was refused as a publisher since the start, newest first: at most 200, one for each address, name and reason */
  readonly listRefusedPublishers: {
    readonly answer: {
      readonly items: readonly RefusedPublisher[];
    };
  };
  /** The cameras that a test pattern is published as */
  readonly listTestPatterns: {
    readonly answer: {
      readonly items: readonly TestPattern[];
    };
  };
  /** The tokens, by name, without their secrets; all on one page */
  readonly listTokens: {
    readonly answer: {
      readonly items: readonly Token[];
      readonly next: null;
    };
  };
  /** A ticket for addresses that can have no header; it reads only, and holds for an hour */
  readonly makeTicket: {
    readonly answer: Ticket;
  };
  /** Forget a camera with its pushes; if it is live it is closed */
  readonly removeCamera: {
    readonly path: {
      /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
      readonly name: string;
    };
    readonly answer: undefined;
  };
  /** Forget an engine that no push goes to */
  readonly removeEngine: {
    readonly path: {
      /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
      readonly name: string;
    };
    readonly answer: undefined;
  };
  /** End a push; nothing else notices */
  readonly removePush: {
    readonly path: {
      /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
      readonly name: string;
      /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
      readonly id: string;
    };
    readonly answer: undefined;
  };
  /** Try a waiting push at once; any other is left as it is */
  readonly retryPush: {
    readonly path: {
      /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
      readonly name: string;
      /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
      readonly id: string;
    };
    readonly answer: Push;
  };
  /** Revoke a token; it stops working at once */
  readonly revokeToken: {
    readonly path: {
      /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
      readonly name: string;
    };
    readonly answer: undefined;
  };
  /** Give a camera another publish key, which its endpoint then has; who publishes goes on */
  readonly rotateKeys: {
    readonly path: {
      /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
      readonly name: string;
    };
    readonly body: RotatedKeys;
    readonly answer: Camera;
  };
  /** Look for ONVIF cameras in the networks of this node, or at addresses; answered when it is done */
  readonly scanNetwork: {
    readonly body: NewDiscoveryScan;
    readonly answer: DiscoveryScan;
  };
  /** Seal anew what stands in etcd, with the first secret of this node's cluster-secret-file */
  readonly sealCluster: {
    readonly answer: Sealed;
  };
  /** Write the state file anew, sealed with the first key of the seal-key file */
  readonly sealState: {
    readonly answer: SealedState;
  };
  /** Publish the sample clip as a registered camera that is not live; the same again changes nothing */
  readonly startTestPattern: {
    readonly body: NewTestPattern;
    readonly answer: TestPattern;
  };
  /** End the test pattern of a camera; without one nothing happens */
  readonly stopTestPattern: {
    readonly path: {
      /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
      readonly name: string;
    };
    readonly answer: undefined;
  };
  /** Have the stream of a camera go on with another of its ingests, at a key frame; answered when it does */
  readonly switchIngest: {
    readonly path: {
      /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
      readonly name: string;
    };
    readonly body: SwitchedIngest;
    readonly answer: Camera;
  };
  /** A picture of a camera of the network that need not be registered */
  readonly takeDevicePicture: {
    readonly body: WantedPicture;
    readonly answer: DevicePicture;
  };
  /** Go the way to a target step by step, up to the permission to publish; nothing is added or sent */
  readonly testPush: {
    readonly path: {
      /** Begins with a letter or digit; letters, digits, ".", "_" and "-"; at most 64 characters. */
      readonly name: string;
    };
    readonly body: TestedPush;
    readonly answer: TargetTest;
  };
  /** Go the way to a URL step by step as a push would, up to the permission to publish; nothing is sent */
  readonly testTarget: {
    readonly body: TestedTarget;
    readonly answer: TargetTest;
  };
}

/** Method and path of each operation. */
export const routes = {
  acceptCluster: ['POST', '/v1/cluster/accept'],
  addCamera: ['POST', '/v1/cameras'],
  addDevice: ['POST', '/v1/discovery/add'],
  addEngine: ['POST', '/v1/engines'],
  addPlayToken: ['POST', '/v1/cameras/{name}/play-tokens'],
  addPush: ['POST', '/v1/cameras/{name}/pushes'],
  batchChange: ['POST', '/v1/cameras:batch'],
  changeCamera: ['PATCH', '/v1/cameras/{name}'],
  changeEngine: ['PATCH', '/v1/engines/{name}'],
  changeLog: ['PATCH', '/v1/log'],
  changePush: ['PATCH', '/v1/cameras/{name}/pushes/{id}'],
  createToken: ['POST', '/v1/tokens'],
  debugCamera: ['PUT', '/v1/cameras/{name}/debug'],
  declareCamera: ['PUT', '/v1/cameras/{name}'],
  declareEngine: ['PUT', '/v1/engines/{name}'],
  declarePush: ['PUT', '/v1/cameras/{name}/pushes/{id}'],
  drainNode: ['POST', '/v1/nodes/{id}/drain'],
  endCameraDebug: ['DELETE', '/v1/cameras/{name}/debug'],
  followEvents: ['GET', '/v1/events'],
  getCamera: ['GET', '/v1/cameras/{name}'],
  getCluster: ['GET', '/v1/cluster'],
  getConfig: ['GET', '/v1/config'],
  getDiscovery: ['GET', '/v1/discovery'],
  getEngine: ['GET', '/v1/engines/{name}'],
  getHistory: ['GET', '/v1/cameras/{name}/history'],
  getHolders: ['POST', '/v1/cluster/holders'],
  getLog: ['GET', '/v1/log'],
  getPicture: ['GET', '/v1/cameras/{name}/picture'],
  getPush: ['GET', '/v1/cameras/{name}/pushes/{id}'],
  getSession: ['GET', '/v1/session'],
  getToken: ['GET', '/v1/tokens/{name}'],
  isAlive: ['GET', '/healthz'],
  isReady: ['GET', '/readyz'],
  listCameraEvents: ['GET', '/v1/cameras/{name}/events'],
  listCameras: ['GET', '/v1/cameras'],
  listEngines: ['GET', '/v1/engines'],
  listLogLines: ['GET', '/v1/log/lines'],
  listNodes: ['GET', '/v1/nodes'],
  listPushEvents: ['GET', '/v1/cameras/{name}/pushes/{id}/events'],
  listPushes: ['GET', '/v1/cameras/{name}/pushes'],
  listRefusedPublishers: ['GET', '/v1/refused-publishers'],
  listTestPatterns: ['GET', '/v1/test-pattern'],
  listTokens: ['GET', '/v1/tokens'],
  makeTicket: ['POST', '/v1/session'],
  removeCamera: ['DELETE', '/v1/cameras/{name}'],
  removeEngine: ['DELETE', '/v1/engines/{name}'],
  removePush: ['DELETE', '/v1/cameras/{name}/pushes/{id}'],
  retryPush: ['POST', '/v1/cameras/{name}/pushes/{id}/retry'],
  revokeToken: ['DELETE', '/v1/tokens/{name}'],
  rotateKeys: ['POST', '/v1/cameras/{name}/keys:rotate'],
  scanNetwork: ['POST', '/v1/discovery/scan'],
  sealCluster: ['POST', '/v1/cluster/seal'],
  sealState: ['POST', '/v1/state/seal'],
  startTestPattern: ['POST', '/v1/test-pattern'],
  stopTestPattern: ['DELETE', '/v1/test-pattern/{name}'],
  switchIngest: ['POST', '/v1/cameras/{name}/switch'],
  takeDevicePicture: ['POST', '/v1/discovery/picture'],
  testPush: ['POST', '/v1/cameras/{name}/pushes:test'],
  testTarget: ['POST', '/v1/targets:test'],
} as const satisfies Record<keyof Operations, readonly [method: string, path: string]>;
