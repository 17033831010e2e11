/** The settings that the API needs; the program's `Settings` has them all, and all of them are shown in /v1/config. */
export interface ApiSettings {
  /** The address to listen on. */
  readonly host: string;
  /** 0: any free port. */
  readonly apiPort: number;
  /** The port that RTMP is really taken on. */
  readonly rtmpPort: number;
  /** Of the listener with TLS; undefined: there is none. */
  readonly rtmpsPort?: number;
  /** Of the listener for SRT; undefined: there is none. */
  readonly srtPort?: number;
  readonly resourceId: string;
  readonly location?: string | undefined;
  /** Calls a second from one address on another machine; 0 or undefined: no limit. */
  readonly apiRateLimit?: number | undefined;
  /** PEM files; both or neither. */
  readonly apiTlsCert?: string | undefined;
  readonly apiTlsKey?: string | undefined;
  /** Series of cameras and pushes in /metrics; undefined: 50,000. */
  readonly metricsMaxSeries?: number | undefined;
  /** Viewers over HTTP and WebSocket at once, of all cameras; undefined: 1,000. */
  readonly maxHttpViewers?: number | undefined;
  /** Of these, from one address, or with one token from it; undefined: 250. */
  readonly maxHttpViewersPerAddress?: number | undefined;
  /** Readers of events at once, in all and of one address; undefined: 64 and 16. */
  readonly maxEventReaders?: number | undefined;
  readonly maxEventReadersPerAddress?: number | undefined;
}

/** Where each setting comes from, by its key. */
export type SettingSources = Readonly<Record<string, string>>;
