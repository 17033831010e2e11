import type { LogLevel } from '../log/levels.js';
import type { LogLineFormat } from '../log/pino.js';

export type { LogLevel } from '../log/levels.js';
export type LogFormat = LogLineFormat;

/** What one aggregator runs with. `src/config/table.ts` says for each field its names, default and range. */
export interface Settings {
  /** 0: any free port. */
  readonly rtmpPort: number;
  /** Port for RTMP inside TLS; 0: any free port; undefined: there is none. */
  readonly rtmpsPort?: number;
  /** PEM files, set together with the port. */
  readonly rtmpsCert?: string;
  readonly rtmpsKey?: string;
  /** 0: any free port. */
  readonly apiPort: number;
  /** The address that both ports listen on; IPv6 without brackets. */
  readonly host: string;
  /** As the user wrote it: relative paths start at the working folder. */
  readonly dataDir: string;
  /** The host that cameras are told to publish to; undefined when nobody said it. IPv6 without brackets. */
  readonly advertiseHost?: string;
  /** Where this aggregator is, in the operator's words. */
  readonly location?: string;
  /** The content manager's URL, without a slash at its end: `http://HOST:50000`; undefined: there is none to tell. */
  readonly contentManager?: string;
  /** Who needs a token: `auto`: all but programs of this user on this machine; `on`: everybody; `off`: nobody. */
  readonly apiAuth: 'auto' | 'on' | 'off';
  /** Names besides those of this machine by which the API is called without a token. */
  readonly apiNames?: readonly string[];
  /** IP networks whose calls of the content manager need no token. */
  readonly apiAllow?: readonly string[];
  /** Origins of web pages elsewhere that may use the API. */
  readonly apiCorsOrigin?: readonly string[];
  /** Calls a second from one address on another machine, ten times as many at once; 0: no limit. */
  readonly apiRateLimit: number;
  /** PEM files; both or neither. With them the API is served by HTTPS only. */
  readonly apiTlsCert?: string;
  readonly apiTlsKey?: string;
  /** Where the admin token is kept; undefined: `admin-token` in the data folder. */
  readonly adminTokenFile?: string;
  /** Where the keys of an identity provider are; at most one of the two. */
  readonly jwtJwksUrl?: string;
  readonly jwtJwksFile?: string;
  readonly jwtIssuer?: string;
  readonly jwtAudience?: string;
  /** The claim that holds the scopes, or a path of claims with dots. */
  readonly jwtScopeClaim: string;
  readonly backend: 'native' | 'nginx';
  /** Processes that move media apart from this one; 0: this one does. Only for the backend native. */
  readonly workers: number;
  /** The nginx to run; undefined: the first on PATH. As are the four below, only for the backend nginx. */
  readonly nginxBinary?: string;
  /** A template of nginx.conf; undefined: the built-in one. */
  readonly nginxTemplate?: string;
  /** Where nginx.conf is kept; undefined: in the data folder. */
  readonly nginxConf?: string;
  /** Of 127.0.0.1; 0: any free port. */
  readonly nginxStatPort: number;
  /** True: nginx.conf is written and the statistics are read, but somebody else runs nginx. */
  readonly nginxExternal: boolean;
  /** What the content manager knows this aggregator by. */
  readonly resourceId: string;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  /** As the user wrote it; undefined: standard error. */
  readonly logFile?: string;
  /** Between the signal to stop and the closing of listeners, milliseconds. */
  readonly drainDelayMs: number;
  readonly maxCameras: number;
  readonly maxPushesPerCamera: number;
  readonly maxEngines: number;
  /** Who is told of events; undefined: nobody. */
  readonly webhookUrl?: readonly string[];
  /** Types of events, or their first words; undefined: all. */
  readonly webhookTypes?: readonly string[];
  /** Series of cameras and pushes in /metrics. */
  readonly metricsMaxSeries: number;
  /** What the history of live cameras, for plots, may take in memory; 0: there is none. */
  readonly historyMaxBytes: number;
  /** Viewers over HTTP and WebSocket at once, of all cameras. */
  readonly maxHttpViewers: number;
  readonly maxHttpViewersPerAddress: number;
  readonly maxEventReaders: number;
  readonly maxEventReadersPerAddress: number;
  readonly media: MediaSettings;
}

/** How the media backend behaves, and what it bears. */
export interface MediaSettings {
  readonly outChunkBytes: number;
  readonly gopMaxBytes: number;
  readonly withoutKeyFrames: 'drop' | 'pass';
  /** How long messages may be gathered under load, so that each target gets many in one write. */
  readonly flushWindowMs: number;
  /** `auto`: with internals of Node's where they are as expected; `plain`: with its documented streams alone. */
  readonly socketMode: 'auto' | 'plain';
  readonly queueMaxBytes: number;
  readonly queueMaxAgeMs: number;
  readonly pushRetryMinMs: number;
  readonly pushRetryMaxMs: number;
  /** Each step of a push: TCP, handshake, connect, publish. */
  readonly connectTimeoutMs: number;
  readonly stallTimeoutMs: number;
  /** From the accepted connection until publish or play. */
  readonly handshakeTimeoutMs: number;
  /** How long a publisher may send nothing. */
  readonly idleTimeoutMs: number;
  /** A publisher that was silent for so long gives way to a new one. */
  readonly publishTakeoverMs: number;
  /** How long targets are kept connected for a camera that left and may return; 0: not at all. */
  readonly publishGraceMs: number;
  /** Networks and hosts that pushes may go to, as `src/address/target-rule.ts` reads them; undefined: all but denied ones. */
  readonly pushAllow?: readonly string[];
  readonly pushDeny?: readonly string[];
  /** A file of certificates (PEM) that targets of rtmps:// may have or be signed by, besides those that Node trusts. */
  readonly pushTlsCa?: string;
  /** Who may publish: `name`: anybody who knows the name of the camera; `key`: only with its publish key. */
  readonly publishAuth: 'name' | 'key';
  /** Who may play: `off`: anybody; `token`: only with a play token; `local`: this machine, and others with a play token. */
  readonly playAuth: 'off' | 'token' | 'local';
  /** URLs of the auth hooks for publishers and viewers; undefined: none. */
  readonly onPublish?: string;
  readonly onPlay?: string;
  /** How they are asked: form fields as by nginx-rtmp, or JSON. */
  readonly onPublishFormat: 'form' | 'json';
  readonly onPlayFormat: 'form' | 'json';
  readonly hookTimeoutMs: number;
  readonly hookQueueTimeoutMs: number;
  readonly hookFailure: 'closed' | 'open';
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  readonly maxMessageBytes: number;
  readonly unfinishedMaxBytes: number;
  readonly maxChunkStreams: number;
  readonly maxViewersPerCamera: number;
  readonly maxViewersPerAddress: number;
  /** What GOPs and the queues of slow targets and viewers may take in all. */
  readonly mediaMaxBytes: number;
  /** Thousands of bits per second that one camera may send, averaged over about 10 s. */
  readonly maxBitrateKbps: number;
  readonly maxAmfDepth: number;
  /** The largest command message. */
  readonly maxCommandBytes: number;
  readonly shutdownTimeoutMs: number;
}

/** Where each setting's value came from, by key: `default`, `file PATH`, `environment NAME` or `flag --NAME`. */
export type SettingSources = Readonly<Record<string, string>>;

export interface LoadedSettings {
  readonly settings: Settings;
  readonly sources: SettingSources;
}
