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
  /** The value when nobody says one; undefined: the setting is then not set, or `fallback` gives it. */
  readonly default: T | undefined;
  /** A default that depends on the machine, and how it is called in help. */
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

/** What events are chosen by: their types, and the first words of these. */
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
    description: 'Certificate for rtmps-port with its chain (PEM); a new one is taken without a restart',
  },
  rtmpsKey: {
    key: 'rtmps-key',
    type: textType(1024, '<file>'),
    default: undefined,
    description: 'Private key of the certificate (PEM, without a password)',
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
    description: 'Address that all ports listen on; `::` hears IPv6 and IPv4, `0.0.0.0` IPv4 alone',
  },
  dataDir: {
    key: 'data-dir',
    type: textType(1024, '<folder>'),
    default: './data',
    description: 'Folder of state.json and runtime.json; `none` keeps nothing, to try the program out',
  },
  advertiseHost: {
    key: 'advertise-host',
    type: hostType(),
    default: undefined,
    seedEnvironment: ['{name}_{vendor}_{version}_rtmp_ip'],
    description: 'Host that cameras are told to publish to; without it, the address of this machine',
  },
  location: {
    key: 'location',
    type: textType(128),
    default: undefined,
    seedEnvironment: ['event'],
    description: 'Where this aggregator is; engines of the same location are chosen first',
  },
  contentManager: {
    key: 'content-manager',
    type: httpUrlType(50_000),
    default: undefined,
    seedEnvironment: ['CMS_IP'],
    description: 'Content manager that is told of this aggregator, by POST to /configure; a bare host has port 50000',
  },
  apiAuth: {
    key: 'api-auth',
    type: choiceType('auto', 'on', 'off'),
    default: 'auto',
    description: "Who needs a token for the API: auto: all but this user's programs here; on: everybody; off: nobody",
  },
  apiNames: {
    key: 'api-names',
    type: nameListType(),
    default: undefined,
    description: 'Further names in the addresses by which the API is called without a token',
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
    description: 'Origins of web pages elsewhere that may use the API',
  },
  apiRateLimit: {
    key: 'api-rate-limit',
    type: integerType(0, 1_000_000),
    default: 100,
    description: 'Most API calls a second from one other machine, ten times as many at once; 0: no limit',
  },
  apiTlsCert: {
    key: 'api-tls-cert',
    type: textType(1024, '<file>'),
    default: undefined,
    description: 'Certificate of the API (PEM, with those between it and the root); with it the API is served by HTTPS',
  },
  apiTlsKey: {
    key: 'api-tls-key',
    type: textType(1024, '<file>'),
    default: undefined,
    description:
      'Private key of that certificate (PEM, without a password); both files are read again when they change',
  },
  adminTokenFile: {
    key: 'admin-token-file',
    type: textType(1024, '<file>'),
    default: undefined,
    description: 'Where the admin token is kept, and made when it is not there; without it, in the data folder',
  },
  jwtJwksUrl: {
    key: 'jwt-jwks-url',
    type: httpUrlType(443),
    default: undefined,
    description: 'Keys of an identity provider (JWKS, https), whose tokens (JWT) the API then takes',
  },
  jwtJwksFile: {
    key: 'jwt-jwks-file',
    type: textType(1024, '<file>'),
    default: undefined,
    description: 'The same keys as a file, where the provider is not to be asked',
  },
  jwtIssuer: {
    key: 'jwt-issuer',
    type: textType(512),
    default: undefined,
    description: 'What tokens of the identity provider must have as iss',
  },
  jwtAudience: {
    key: 'jwt-audience',
    type: textType(512),
    default: undefined,
    description: 'What tokens of the identity provider must have as aud',
  },
  jwtScopeClaim: {
    key: 'jwt-scope-claim',
    type: textType(256),
    default: 'scope',
    description: 'Claim that holds read, operate or admin: a text or a list; dots lead into it (realm_access.roles)',
  },
  backend: {
    key: 'backend',
    type: choiceType('native', 'nginx'),
    default: 'native',
    description: 'What moves the media: this program itself, or an nginx with the RTMP module that it runs',
  },
  workers: {
    key: 'workers',
    type: integerType(0, 256, '<n>'),
    default: 0,
    description: 'With --backend native: media in so many processes of their own; 0: all in one process',
  },
  nginxBinary: {
    key: 'nginx-binary',
    type: textType(1024, '<file>'),
    default: undefined,
    description: 'With --backend nginx: the nginx to run; without it, the one on PATH',
  },
  nginxTemplate: {
    key: 'nginx-template',
    type: textType(1024, '<file>'),
    default: undefined,
    description: 'With --backend nginx: a template of nginx.conf in place of the built-in one',
  },
  nginxConf: {
    key: 'nginx-conf',
    type: textType(1024, '<file>'),
    default: undefined,
    description: 'With --backend nginx: where nginx.conf is kept; without it, in the data folder',
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
    description: 'With --backend nginx: only write nginx.conf and read the statistics; somebody else runs nginx',
  },
  resourceId: {
    key: 'resource-id',
    type: textType(253),
    default: undefined,
    fallback: { words: 'the host name', value: hostname },
    seedEnvironment: ['container_name'],
    description: 'What the content manager knows this aggregator by',
  },
  logLevel: {
    key: 'log-level',
    type: choiceType(...logLevels),
    default: 'info',
    description: 'The least important lines that are logged',
  },
  logFormat: {
    key: 'log-format',
    type: choiceType('auto', 'human', 'json'),
    default: 'auto',
    description: 'Form of the log; auto is human on a terminal and json elsewhere',
  },
  logFile: {
    key: 'log-file',
    type: textType(1024, '<file>'),
    default: undefined,
    description: 'File that the log is appended to, instead of standard error; SIGHUP opens it anew',
  },
  drainDelayMs: {
    key: 'drain-delay',
    type: durationType('0ms', '10m'),
    default: 0,
    description: 'After SIGTERM, /readyz says 503 for so long before anything is closed; for load balancers',
  },
  maxCameras: {
    key: 'max-cameras',
    type: integerType(1, 1_000_000),
    default: 10_000,
    description: 'Most cameras that can be registered',
  },
  maxPushesPerCamera: {
    key: 'max-pushes-per-camera',
    type: integerType(1, 10_000),
    default: 100,
    description: 'Most pushes of one camera',
  },
  maxEngines: {
    key: 'max-engines',
    type: integerType(1, 100_000),
    default: 1_000,
    description: 'Most streaming engines that can be registered',
  },
  webhookUrl: {
    key: 'webhook-url',
    type: urlListType(),
    default: undefined,
    description: 'Where events are sent, signed with the key in DATA_DIR/webhook-key (docs/webhooks.md)',
  },
  webhookTypes: {
    key: 'webhook-types',
    type: wordListType(eventWords),
    default: undefined,
    description: 'Which events are sent there; without it, all',
  },
  metricsMaxSeries: {
    key: 'metrics-max-series',
    type: integerType(0, 10_000_000),
    default: 50_000,
    description:
      'Most series of cameras (11 each) and pushes (19 each) in /metrics; those beyond are only in the totals',
  },
  historyMaxBytes: {
    key: 'history-max-bytes',
    type: sizeType('0', '16GB'),
    default: 64 * MB,
    description: 'Most that the last hour of live cameras, for plots, takes in memory; 0: it is not kept',
  },
  maxHttpViewers: {
    key: 'max-http-viewers',
    type: integerType(0, 1_000_000),
    default: 1_000,
    description: 'Most viewers over HTTP and WebSocket at once, of all cameras',
  },
  maxHttpViewersPerAddress: {
    key: 'max-http-viewers-per-address',
    type: integerType(1, 1_000_000),
    default: 250,
    description: 'Most of them from one address, or one IPv6 network of 64 bits; tokens are counted apart',
  },
  maxEventReaders: {
    key: 'max-event-readers',
    type: integerType(0, 10_000),
    default: 64,
    description: 'Most readers of /v1/events at once',
  },
  maxEventReadersPerAddress: {
    key: 'max-event-readers-per-address',
    type: integerType(1, 10_000),
    default: 16,
    description: 'Most of them from one address, or one IPv6 network of 64 bits; tokens are counted apart',
  },
};

/** The settings of the media backend, by their field of `MediaSettings`, in the order of help. */
export const mediaTable: Table<MediaSettings> = {
  outChunkBytes: {
    key: 'out-chunk-bytes',
    type: sizeType('128', '16777215'),
    default: 64 * KB,
    description: 'Size of the RTMP chunks that are sent',
  },
  gopMaxBytes: {
    key: 'gop-max-bytes',
    type: sizeType('0', '256MB'),
    default: 16 * MB,
    description: 'Most that is remembered of a camera, so that pushes and viewers start with a picture at once',
  },
  withoutKeyFrames: {
    key: 'without-key-frames',
    type: choiceType('drop', 'pass'),
    default: 'pass',
    description:
      'Video that has had no key frame for 5 s: pass: sent on from any frame, as encoders with intra refresh need it; drop: left out until a key frame comes',
  },
  flushWindowMs: {
    key: 'flush-window',
    type: durationType('0ms', '10ms'),
    default: 0,
    description: 'Longest that messages are gathered under load to be sent together; 0ms: those of one turn only',
  },
  socketMode: {
    key: 'socket-mode',
    type: choiceType('auto', 'plain'),
    default: 'auto',
    description:
      "RTMP without TLS: auto: past Node's streams where it can be, at less cost; plain: by its documented streams alone",
  },
  queueMaxBytes: {
    key: 'queue-max-bytes',
    type: sizeType('64KB', '1GB'),
    default: 8 * MB,
    description: 'Most that waits for one slow target or viewer before frames are dropped',
  },
  queueMaxAgeMs: {
    key: 'queue-max-age',
    type: durationType('100ms', '10m'),
    default: 5_000,
    description: 'Longest that a frame waits for a slow target or viewer before frames are dropped',
  },
  pushRetryMinMs: {
    key: 'push-retry-min',
    type: durationType('10ms', '1h'),
    default: 250,
    description: 'Wait before a failed push is tried again; doubles with each failure',
  },
  pushRetryMaxMs: {
    key: 'push-retry-max',
    type: durationType('10ms', '1h'),
    default: 15_000,
    description: 'Longest wait between two tries of a push',
  },
  connectTimeoutMs: {
    key: 'connect-timeout',
    type: durationType('100ms', '10m'),
    default: 5_000,
    description: 'Longest that each step of a push may take: TCP, handshake, connect, publish',
  },
  pushAllow: {
    key: 'push-allow',
    type: targetRulesType(),
    default: undefined,
    description: 'Networks and hosts that pushes may go to; without it, all that are not denied',
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
    description: 'A target that takes no data for so long is connected anew',
  },
  handshakeTimeoutMs: {
    key: 'handshake-timeout',
    type: durationType('100ms', '10m'),
    default: 10_000,
    description: 'Longest from an accepted connection until it publishes or plays',
  },
  idleTimeoutMs: {
    key: 'idle-timeout',
    type: durationType('1s', '1h'),
    default: 30_000,
    description: 'A publisher that sends nothing for so long is closed',
  },
  publishTakeoverMs: {
    key: 'publish-takeover',
    type: durationType('100ms', '1h'),
    default: 3_000,
    description: 'A publisher that was silent for so long gives way to a new one of the same camera',
  },
  publishGraceMs: {
    key: 'publish-grace',
    type: durationType('0ms', '1h'),
    default: 10_000,
    description: 'How long targets stay connected for a camera that left and may return; 0s lets them go at once',
  },
  publishAuth: {
    key: 'publish-auth',
    type: choiceType('name', 'key'),
    default: 'name',
    description: 'Who may publish: who knows the name of the camera, or only who has its key (?key=KEY)',
  },
  playAuth: {
    key: 'play-auth',
    type: choiceType('off', 'token', 'local'),
    default: 'off',
    description:
      'Who may play: off is anybody, token who has one (?token=TOKEN), local this machine and who has a token',
  },
  onPublish: {
    key: 'on-publish',
    type: hookUrlType(),
    default: undefined,
    description: 'URL that is asked for every publisher, as by on_publish of nginx-rtmp; 2xx lets it in',
  },
  onPlay: {
    key: 'on-play',
    type: hookUrlType(),
    default: undefined,
    description: 'URL that is asked for every viewer, as by on_play of nginx-rtmp; 2xx lets it in',
  },
  onPublishFormat: {
    key: 'on-publish-format',
    type: choiceType('form', 'json'),
    default: 'form',
    description: 'How on-publish is asked: form fields as by nginx-rtmp, or JSON with what the publisher says apart',
  },
  onPlayFormat: {
    key: 'on-play-format',
    type: choiceType('form', 'json'),
    default: 'form',
    description: 'The same for on-play',
  },
  hookTimeoutMs: {
    key: 'hook-timeout',
    type: durationType('100ms', '1m'),
    default: 3_000,
    description: 'Longest that on-publish and on-play are waited for',
  },
  hookQueueTimeoutMs: {
    key: 'hook-queue-timeout',
    type: durationType('100ms', '1m'),
    default: 5_000,
    description: 'Longest that a publisher or viewer waits for its turn to be asked about',
  },
  hookFailure: {
    key: 'hook-failure',
    type: choiceType('closed', 'open'),
    default: 'closed',
    description: 'When on-publish or on-play do not answer, or with 5xx: closed lets nobody in, open everybody',
  },
  maxConnections: {
    key: 'max-connections',
    type: integerType(1, 1_000_000),
    default: 4_000,
    description: 'Most RTMP connections at once',
  },
  maxConnectionsPerAddress: {
    key: 'max-connections-per-address',
    type: integerType(1, 1_000_000),
    default: 1_000,
    description: 'Most RTMP connections at once from one address, or one IPv6 network of 64 bits',
  },
  maxMessageBytes: {
    key: 'max-message-bytes',
    type: sizeType('64KB', '16777215'),
    default: 8 * MB,
    description: 'Largest RTMP message that is taken: the largest frame',
  },
  unfinishedMaxBytes: {
    key: 'unfinished-max-bytes',
    type: sizeType('32MB', '64GB'),
    default: 128 * MB,
    description: 'Most that frames which are not whole yet take in all; who holds most for longest is disconnected',
  },
  maxChunkStreams: {
    key: 'max-chunk-streams',
    type: integerType(8, 65_597),
    default: 64,
    description: 'Most chunk streams that one connection may use',
  },
  maxViewersPerCamera: {
    key: 'max-viewers-per-camera',
    type: integerType(0, 1_000_000),
    default: 1_000,
    description: 'Most viewers of one camera at once',
  },
  mediaMaxBytes: {
    key: 'media-max-bytes',
    type: sizeType('1MB', '1024GB'),
    default: 1024 * MB,
    description: 'Most that pictures kept for newcomers and queues of slow targets and viewers take in all',
  },
  maxBitrateKbps: {
    key: 'max-bitrate-kbps',
    type: integerType(1, 100_000_000, '<kbit/s>'),
    default: 200_000,
    description: 'Most that one camera may send, in kbit/s over about 10 s; one that sends more is closed',
  },
  maxAmfDepth: {
    key: 'max-amf-depth',
    type: integerType(1, 256),
    default: 32,
    description: 'Deepest nesting of values in an RTMP command',
  },
  maxCommandBytes: {
    key: 'max-command-bytes',
    type: sizeType('1KB', '1MB'),
    default: 64 * KB,
    description: 'Largest RTMP message from a peer that does not publish yet, and largest command',
  },
  shutdownTimeoutMs: {
    key: 'shutdown-timeout',
    type: durationType('0ms', '10m'),
    default: 3_000,
    description: 'Longest that targets and viewers are waited for when the aggregator stops',
  },
};

/** What lists of settings show: the table with its types' differences put away. */
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

/** The variable of our own: `rtmp-port` is `MEDIA_AGGREGATOR_RTMP_PORT`. */
export function ownEnvironmentName(key: string): string {
  return `MEDIA_AGGREGATOR_${key.replaceAll('-', '_').toUpperCase()}`;
}

/** Every variable that sets it, the strongest first. */
export function environmentNames<T>(setting: Setting<T>): readonly string[] {
  return [ownEnvironmentName(setting.key), ...(setting.seedEnvironment ?? [])];
}

/** All settings in the order of help and of docs/settings.md. */
export const settingRows: readonly SettingRow[] = [...rowsOf(nodeTable, 'node'), ...rowsOf(mediaTable, 'media')];

export { formatDuration, formatSize, type Table };
