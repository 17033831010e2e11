import { hostname } from 'node:os';
import { everyAddress } from '../address/every-address.js';
import { eventTypes } from '../events/event.js';
import { logLevels } from '../log/levels.js';
import { hookUrlType, targetRulesType } from './lists.js';
import type { MediaSettings, Settings } from './settings.js';
import {
  booleanType,
  choiceType,
  durationType,
  formatDuration,
  formatSize,
  hostType,
  httpUrlType,
  integerType,
  nameListType,
  networkListType,
  originListType,
  sizeType,
  textType,
  urlListType,
  type ValueType,
  wordListType,
} from './values.js';

/** One setting: everything that flags, variables, the file, help and docs/settings.md are derived from. */
export interface Setting<T> {
  /** Its name in `media-aggregator.yaml`, and with `--` before it the flag. */
  readonly key: string;
  readonly type: ValueType<T>;
  /** The value when none is given; undefined: the setting is then not set, or `fallback` gives the value. */
  readonly default: T | undefined;
  /** A default that depends on the machine, and its wording in help. */
  readonly fallback?: { readonly words: string; value(): T };
  /** One line, no full stop. */
  readonly description: string;
  /** Names of the original system, looked up after `MEDIA_AGGREGATOR_...`. `{x}` stands for the value of variable x. */
  readonly seedEnvironment?: readonly string[];
}

type Table<T> = { readonly [K in keyof T]-?: Setting<NonNullable<T[K]>> };

const port = (): ValueType<number> => integerType(0, 65_535, '<port>');
const KB = 1 << 10;
const MB = 1 << 20;

/** Words that select events: their types, and the first words of the types. */
const eventWords = [...new Set(eventTypes.map((type) => type.split('.', 1)[0] ?? '')), ...eventTypes];

/** All settings but those of the media backend, by their field of `Settings`, in the order of help. */
export const nodeTable: Table<Omit<Settings, 'media'>> = {
  rtmpPort: {
    key: 'rtmp-port',
    type: port(),
    default: 1935,
    description: 'Port for cameras and viewers (RTMP); 0 takes any free port',
  },
  rtmpsPort: {
    key: 'rtmps-port',
    type: port(),
    default: undefined,
    description: 'Port for cameras and viewers with TLS (RTMPS), beside rtmp-port; 0 takes any free port',
  },
  rtmpsCert: {
    key: 'rtmps-cert',
    type: textType(1024, '<file>'),
    default: undefined,
    description: 'Certificate for rtmps-port with its chain (PEM); the file is read again when it changes',
  },
  rtmpsKey: {
    key: 'rtmps-key',
    type: textType(1024, '<file>'),
    default: undefined,
    description: 'Private key of rtmps-cert (PEM, without a password)',
  },
  apiPort: {
    key: 'api-port',
    type: port(),
    default: 5000,
    description: 'Port of the HTTP API; 0 takes any free port',
  },
  host: {
    key: 'host',
    type: hostType(),
    default: undefined,
    fallback: { words: '`::`, or `0.0.0.0` without IPv6', value: everyAddress },
    description: 'Address that all ports listen on; `::` is IPv6 and IPv4, `0.0.0.0` IPv4 only',
  },
  dataDir: {
    key: 'data-dir',
    type: textType(1024, '<folder>'),
    default: './data',
    description: 'Folder for state.json and runtime.json; `none` stores nothing on disk, for trying the program out',
  },
  advertiseHost: {
    key: 'advertise-host',
    type: hostType(),
    default: undefined,
    seedEnvironment: ['{name}_{vendor}_{version}_rtmp_ip'],
    description: 'Host in the URLs that cameras publish to; if not set, the address of this machine',
  },
  location: {
    key: 'location',
    type: textType(128),
    default: undefined,
    seedEnvironment: ['event'],
    description: 'Where this aggregator is; engines at the same location are chosen first',
  },
  contentManager: {
    key: 'content-manager',
    type: httpUrlType(50_000),
    default: undefined,
    seedEnvironment: ['CMS_IP'],
    description: 'Content manager to announce this aggregator to, by POST to /configure; the default port is 50000',
  },
  apiAuth: {
    key: 'api-auth',
    type: choiceType('auto', 'on', 'off'),
    default: 'auto',
    description:
      'Who needs a token for the API: auto: everybody but programs of the same user on this machine; on: everybody; off: nobody',
  },
  apiNames: {
    key: 'api-names',
    type: nameListType(),
    default: undefined,
    description: 'Additional host names by which the API may be called without a token',
  },
  apiAllow: {
    key: 'api-allow',
    type: networkListType(),
    default: undefined,
    description: "Networks that need no token for the content manager's four calls",
  },
  apiCorsOrigin: {
    key: 'api-cors-origin',
    type: originListType(),
    default: undefined,
    description: 'Origins of other web pages that may call the API (CORS)',
  },
  apiRateLimit: {
    key: 'api-rate-limit',
    type: integerType(0, 1_000_000),
    default: 100,
    description: 'API calls per second allowed from one other machine, with bursts of ten times as many; 0: no limit',
  },
  apiTlsCert: {
    key: 'api-tls-cert',
    type: textType(1024, '<file>'),
    default: undefined,
    description: 'Certificate of the API with its chain (PEM); if set, the API is served over HTTPS',
  },
  apiTlsKey: {
    key: 'api-tls-key',
    type: textType(1024, '<file>'),
    default: undefined,
    description: 'Private key of api-tls-cert (PEM, without a password); both files are read again when they change',
  },
  adminTokenFile: {
    key: 'admin-token-file',
    type: textType(1024, '<file>'),
    default: undefined,
    description: 'File of the admin token, created if it does not exist; if not set, it is in the data folder',
  },
  jwtJwksUrl: {
    key: 'jwt-jwks-url',
    type: httpUrlType(443),
    default: undefined,
    description: 'Public keys of an identity provider (JWKS over https); the API then accepts its tokens (JWT)',
  },
  jwtJwksFile: {
    key: 'jwt-jwks-file',
    type: textType(1024, '<file>'),
    default: undefined,
    description: 'The same keys in a file, so that the provider is not contacted',
  },
  jwtIssuer: {
    key: 'jwt-issuer',
    type: textType(512),
    default: undefined,
    description: 'Issuer (iss) that tokens of the identity provider must have',
  },
  jwtAudience: {
    key: 'jwt-audience',
    type: textType(512),
    default: undefined,
    description: 'Audience (aud) that tokens of the identity provider must have',
  },
  jwtScopeClaim: {
    key: 'jwt-scope-claim',
    type: textType(256),
    default: 'scope',
    description:
      'Claim that holds read, operate or admin, as text or a list; dots separate levels (realm_access.roles)',
  },
  backend: {
    key: 'backend',
    type: choiceType('native', 'nginx'),
    default: 'native',
    description:
      'What moves the media: native: this program; nginx: an nginx with the RTMP module that this program runs',
  },
  workers: {
    key: 'workers',
    type: integerType(0, 256, '<n>'),
    default: 0,
    description:
      'With --backend native: number of separate processes that move the media; 0: everything in one process',
  },
  nginxBinary: {
    key: 'nginx-binary',
    type: textType(1024, '<file>'),
    default: undefined,
    description: 'With --backend nginx: the nginx to run; if not set, the one on PATH',
  },
  nginxTemplate: {
    key: 'nginx-template',
    type: textType(1024, '<file>'),
    default: undefined,
    description: 'With --backend nginx: template of nginx.conf to use instead of the built-in one',
  },
  nginxConf: {
    key: 'nginx-conf',
    type: textType(1024, '<file>'),
    default: undefined,
    description: 'With --backend nginx: path of nginx.conf; if not set, it is in the data folder',
  },
  nginxStatPort: {
    key: 'nginx-stat-port',
    type: port(),
    default: 0,
    description: "With --backend nginx: port of nginx's statistics on 127.0.0.1; 0 takes any free port",
  },
  nginxExternal: {
    key: 'nginx-external',
    type: booleanType(),
    default: false,
    description: 'With --backend nginx: only write nginx.conf and read the statistics; nginx is run by something else',
  },
  resourceId: {
    key: 'resource-id',
    type: textType(253),
    default: undefined,
    fallback: { words: 'the host name', value: hostname },
    seedEnvironment: ['container_name'],
    description: 'Id of this aggregator in the answers to the content manager',
  },
  logLevel: {
    key: 'log-level',
    type: choiceType(...logLevels),
    default: 'info',
    description: 'Lowest level that is logged',
  },
  logFormat: {
    key: 'log-format',
    type: choiceType('auto', 'human', 'json'),
    default: 'auto',
    description: 'Format of the log; auto is human on a terminal and json elsewhere',
  },
  logFile: {
    key: 'log-file',
    type: textType(1024, '<file>'),
    default: undefined,
    description: 'File that the log is appended to, instead of standard error; SIGHUP reopens it',
  },
  drainDelayMs: {
    key: 'drain-delay',
    type: durationType('0ms', '10m'),
    default: 0,
    description: 'After SIGTERM, how long /readyz answers 503 before anything is closed, for load balancers',
  },
  maxCameras: {
    key: 'max-cameras',
    type: integerType(1, 1_000_000),
    default: 10_000,
    description: 'Maximum number of registered cameras',
  },
  maxPushesPerCamera: {
    key: 'max-pushes-per-camera',
    type: integerType(1, 10_000),
    default: 100,
    description: 'Maximum number of pushes per camera',
  },
  maxEngines: {
    key: 'max-engines',
    type: integerType(1, 100_000),
    default: 1_000,
    description: 'Maximum number of registered streaming engines',
  },
  webhookUrl: {
    key: 'webhook-url',
    type: urlListType(),
    default: undefined,
    description: 'URLs that events are sent to, signed with the key in DATA_DIR/webhook-key (docs/webhooks.md)',
  },
  webhookTypes: {
    key: 'webhook-types',
    type: wordListType(eventWords),
    default: undefined,
    description: 'Types of the events that are sent to webhook-url; if not set, all',
  },
  metricsMaxSeries: {
    key: 'metrics-max-series',
    type: integerType(0, 10_000_000),
    default: 50_000,
    description:
      'Maximum number of series of cameras (11 each) and pushes (19 each) in /metrics; the others count in the totals only',
  },
  historyMaxBytes: {
    key: 'history-max-bytes',
    type: sizeType('0', '16GB'),
    default: 64 * MB,
    description: 'Maximum memory for the last hour of figures of live cameras, for plots; 0: none are kept',
  },
  maxHttpViewers: {
    key: 'max-http-viewers',
    type: integerType(0, 1_000_000),
    default: 1_000,
    description: 'Maximum number of viewers over HTTP and WebSocket, of all cameras together',
  },
  maxHttpViewersPerAddress: {
    key: 'max-http-viewers-per-address',
    type: integerType(1, 1_000_000),
    default: 250,
    description: 'Maximum number of HTTP viewers from one address or IPv6 /64, counted separately for each token',
  },
  maxEventReaders: {
    key: 'max-event-readers',
    type: integerType(0, 10_000),
    default: 64,
    description: 'Maximum number of connections to /v1/events',
  },
  maxEventReadersPerAddress: {
    key: 'max-event-readers-per-address',
    type: integerType(1, 10_000),
    default: 16,
    description:
      'Maximum number of readers of /v1/events from one address or IPv6 /64, counted separately for each token',
  },
};

/** The settings of the media backend, by their field of `MediaSettings`, in the order of help. */
export const mediaTable: Table<MediaSettings> = {
  outChunkBytes: {
    key: 'out-chunk-bytes',
    type: sizeType('128', '16777215'),
    default: 64 * KB,
    description: 'Size of outgoing RTMP chunks',
  },
  gopMaxBytes: {
    key: 'gop-max-bytes',
    type: sizeType('0', '256MB'),
    default: 16 * MB,
    description:
      'Maximum size of the GOP that is kept of each camera, so that pushes and viewers start with a picture at once',
  },
  withoutKeyFrames: {
    key: 'without-key-frames',
    type: choiceType('drop', 'pass'),
    default: 'pass',
    description:
      'Video without a key frame for 5 s: pass: is forwarded from any frame on, which encoders with intra refresh need; drop: is left out until a key frame comes',
  },
  flushWindowMs: {
    key: 'flush-window',
    type: durationType('0ms', '10ms'),
    default: 0,
    description: 'How long messages are collected under load to be sent together; 0ms: only those that arrive together',
  },
  socketMode: {
    key: 'socket-mode',
    type: choiceType('auto', 'plain'),
    default: 'auto',
    description:
      'RTMP without TLS: auto: bypasses the streams of Node.js where possible, which costs less; plain: uses its documented interface only',
  },
  queueMaxBytes: {
    key: 'queue-max-bytes',
    type: sizeType('64KB', '1GB'),
    default: 8 * MB,
    description: 'Maximum queue of one slow target or viewer; above it frames are dropped',
  },
  queueMaxAgeMs: {
    key: 'queue-max-age',
    type: durationType('100ms', '10m'),
    default: 5_000,
    description: 'Maximum age of the queue of a slow target or viewer; above it frames are dropped',
  },
  pushRetryMinMs: {
    key: 'push-retry-min',
    type: durationType('10ms', '1h'),
    default: 250,
    description: 'Delay before a failed push is retried; it doubles with each failure',
  },
  pushRetryMaxMs: {
    key: 'push-retry-max',
    type: durationType('10ms', '1h'),
    default: 15_000,
    description: 'Maximum delay between two attempts of a push',
  },
  connectTimeoutMs: {
    key: 'connect-timeout',
    type: durationType('100ms', '10m'),
    default: 5_000,
    description: 'Time limit for each step of a push: TCP, handshake, connect, publish',
  },
  pushAllow: {
    key: 'push-allow',
    type: targetRulesType(),
    default: undefined,
    description: 'Networks and hosts that pushes may go to; if not set, all that are not denied',
  },
  pushDeny: {
    key: 'push-deny',
    type: targetRulesType(),
    default: undefined,
    description: 'Networks and hosts that pushes must not go to, whatever push-allow says',
  },
  pushTlsCa: {
    key: 'push-tls-ca',
    type: textType(1024, '<file>'),
    default: undefined,
    description: 'Certificates (PEM) to trust for rtmps:// targets, besides the public authorities',
  },
  stallTimeoutMs: {
    key: 'stall-timeout',
    type: durationType('1s', '1h'),
    default: 10_000,
    description: 'How long a target may take no data before it is reconnected',
  },
  handshakeTimeoutMs: {
    key: 'handshake-timeout',
    type: durationType('100ms', '10m'),
    default: 10_000,
    description: 'Time limit from accepting a connection until it publishes or plays',
  },
  idleTimeoutMs: {
    key: 'idle-timeout',
    type: durationType('1s', '1h'),
    default: 30_000,
    description: 'How long a publisher may send nothing before it is closed',
  },
  publishTakeoverMs: {
    key: 'publish-takeover',
    type: durationType('100ms', '1h'),
    default: 3_000,
    description: 'How long a publisher must be silent before another one of the same camera may replace it',
  },
  publishGraceMs: {
    key: 'publish-grace',
    type: durationType('0ms', '1h'),
    default: 10_000,
    description: 'How long targets and viewers stay connected after a camera has left; 0s disconnects them at once',
  },
  publishAuth: {
    key: 'publish-auth',
    type: choiceType('name', 'key'),
    default: 'name',
    description:
      'Who may publish: name: everybody who knows the name of the camera; key: only with the publish key (?key=KEY)',
  },
  playAuth: {
    key: 'play-auth',
    type: choiceType('off', 'token', 'local'),
    default: 'off',
    description:
      'Who may play: off: everybody; token: only with a play token (?token=TOKEN); local: this machine, and others with a token',
  },
  onPublish: {
    key: 'on-publish',
    type: hookUrlType(),
    default: undefined,
    description: 'Auth hook: URL that is called for every publisher, like on_publish of nginx-rtmp; 2xx accepts it',
  },
  onPlay: {
    key: 'on-play',
    type: hookUrlType(),
    default: undefined,
    description: 'Auth hook: URL that is called for every viewer, like on_play of nginx-rtmp; 2xx accepts it',
  },
  onPublishFormat: {
    key: 'on-publish-format',
    type: choiceType('form', 'json'),
    default: 'form',
    description:
      'Body of the call to on-publish: form: fields as in nginx-rtmp; json: JSON that keeps what the publisher says separate',
  },
  onPlayFormat: {
    key: 'on-play-format',
    type: choiceType('form', 'json'),
    default: 'form',
    description: 'Body of the call to on-play, as for on-publish',
  },
  hookTimeoutMs: {
    key: 'hook-timeout',
    type: durationType('100ms', '1m'),
    default: 3_000,
    description: 'Time limit for an answer of on-publish and on-play',
  },
  hookQueueTimeoutMs: {
    key: 'hook-queue-timeout',
    type: durationType('100ms', '1m'),
    default: 5_000,
    description: 'How long a publisher or viewer waits until its auth hook can be called',
  },
  hookFailure: {
    key: 'hook-failure',
    type: choiceType('closed', 'open'),
    default: 'closed',
    description: 'When an auth hook does not answer, or answers 5xx: closed: nobody is accepted; open: everybody is',
  },
  maxConnections: {
    key: 'max-connections',
    type: integerType(1, 1_000_000),
    default: 4_000,
    description: 'Maximum number of RTMP connections',
  },
  maxConnectionsPerAddress: {
    key: 'max-connections-per-address',
    type: integerType(1, 1_000_000),
    default: 1_000,
    description: 'Maximum number of RTMP connections from one address or IPv6 /64',
  },
  maxMessageBytes: {
    key: 'max-message-bytes',
    type: sizeType('64KB', '16777215'),
    default: 8 * MB,
    description: 'Maximum size of a received RTMP message, which is one frame',
  },
  unfinishedMaxBytes: {
    key: 'unfinished-max-bytes',
    type: sizeType('32MB', '64GB'),
    default: 128 * MB,
    description:
      'Maximum memory for all incomplete RTMP messages; above it, the peer that holds the most for the longest is disconnected',
  },
  maxChunkStreams: {
    key: 'max-chunk-streams',
    type: integerType(8, 65_597),
    default: 64,
    description: 'Maximum number of chunk streams per connection',
  },
  maxViewersPerCamera: {
    key: 'max-viewers-per-camera',
    type: integerType(0, 1_000_000),
    default: 1_000,
    description: 'Maximum number of viewers per camera, over RTMP and HTTP together',
  },
  maxViewersPerAddress: {
    key: 'max-viewers-per-address',
    type: integerType(1, 1_000_000),
    default: 250,
    description: 'Maximum number of RTMP viewers of one camera from one address or IPv6 /64',
  },
  mediaMaxBytes: {
    key: 'media-max-bytes',
    type: sizeType('1MB', '1024GB'),
    default: 1024 * MB,
    description: 'Maximum memory for kept GOPs and for the queues of slow targets and viewers, all together',
  },
  maxBitrateKbps: {
    key: 'max-bitrate-kbps',
    type: integerType(1, 100_000_000, '<kbit/s>'),
    default: 200_000,
    description: 'Maximum bitrate of one camera, averaged over about 10 s; a camera that sends more is disconnected',
  },
  maxAmfDepth: {
    key: 'max-amf-depth',
    type: integerType(1, 256),
    default: 32,
    description: 'Maximum nesting of AMF values in an RTMP command',
  },
  maxCommandBytes: {
    key: 'max-command-bytes',
    type: sizeType('1KB', '1MB'),
    default: 64 * KB,
    description: 'Maximum size of a command, and of any message from a peer that does not publish yet',
  },
  shutdownTimeoutMs: {
    key: 'shutdown-timeout',
    type: durationType('0ms', '10m'),
    default: 3_000,
    description: 'How long to wait for targets and viewers to finish when the aggregator stops',
  },
};

/** A setting as lists show it, whatever its type. */
export interface SettingRow {
  readonly key: string;
  readonly flag: string;
  /** `MEDIA_AGGREGATOR_...` first. */
  readonly environment: readonly string[];
  readonly placeholder: string;
  readonly rule: string;
  /** As a user would write it; undefined: not set. */
  readonly defaultText: string | undefined;
  /** False when the default is words, not a value. */
  readonly defaultIsValue: boolean;
  readonly description: string;
  readonly group: 'node' | 'media';
}

function describe<T>(setting: Setting<T>, group: SettingRow['group']): SettingRow {
  const text = setting.default === undefined ? setting.fallback?.words : setting.type.format(setting.default);
  return {
    key: setting.key,
    flag: `--${setting.key}`,
    environment: environmentNames(setting),
    placeholder: setting.type.placeholder,
    rule: setting.type.rule,
    defaultText: text,
    defaultIsValue: setting.default !== undefined,
    description: setting.description,
    group,
  };
}

function rowsOf<T>(table: Table<T>, group: SettingRow['group']): SettingRow[] {
  const rows: SettingRow[] = [];
  for (const field in table) {
    rows.push(describe(table[field], group));
  }
  return rows;
}

/** The product's own variable of a setting: `MEDIA_AGGREGATOR_RTMP_PORT` for `rtmp-port`. */
export function ownEnvironmentName(key: string): string {
  return `MEDIA_AGGREGATOR_${key.replaceAll('-', '_').toUpperCase()}`;
}

/** All variables that give the value of a setting; the first one that is set wins. */
export function environmentNames<T>(setting: Setting<T>): readonly string[] {
  return [ownEnvironmentName(setting.key), ...(setting.seedEnvironment ?? [])];
}

/** All settings in the order of help and of docs/settings.md. */
export const settingRows: readonly SettingRow[] = [...rowsOf(nodeTable, 'node'), ...rowsOf(mediaTable, 'media')];

export { formatDuration, formatSize, type Table };
