import type { PushOptions } from './push-options.js';

/**
 * The desired state: what should be, as people and programs declared it. Plain JSON values; what is observed (who is
 * live, how a push fares) is never stored here.
 */

/** A camera that may publish to `rtmp://HOST:PORT/NAME/NAME`. */
export interface Camera {
  readonly name: string;
  /** What the content manager said it is: `360`, `plane` ...; undefined when it said nothing. */
  readonly type?: string;
  /** ISO 8601, UTC. */
  readonly createdAt: string;
  /** The publish keys, if keys are required; the first is the one in use. Undefined: `firstKey`. */
  readonly keys?: readonly CameraKey[];
  /** What its stream may come from, in the order in which it is preferred. Undefined: one publisher, `main`. */
  readonly ingests?: readonly CameraIngest[];
  /** Where its stream is fetched from; undefined: it publishes. Of a camera with several ingests, each has its own. */
  readonly source?: CameraSource;
  /** For how long a preferred ingest has to be well until the stream goes back to it; undefined: it never does by itself. */
  readonly switchBackSeconds?: number;
  /** What is shown when no ingest is left: `built-in`, or a file of the folder for slates. Undefined: nothing. */
  readonly slate?: string;
  /** For how long at most; undefined: a minute. */
  readonly slateSeconds?: number;
  /** By push id. Without a prototype, because a push may be called "constructor". */
  readonly pushes: Readonly<Record<string, Push>>;
}

/** Where a stream is fetched from, and when. */
export interface CameraSource {
  /** In the form of `parseSourceUrl`. */
  readonly url: string;
  /** Undefined: always. */
  readonly mode?: 'on-demand';
  /** How the media of RTSP comes; undefined: in the connection itself (TCP). */
  readonly transport?: 'udp';
  /** The device that it is, where it was found in the network: by that it is found again at another address. */
  readonly device?: SourceDevice;
}

/** By what a device is known. */
export interface SourceDevice {
  readonly serial: string;
  /** What it calls itself in WS-Discovery (`urn:uuid:...`). Undefined: it did not say. */
  readonly reference?: string;
}

/**
 * One of the things that a camera's stream may come from: a publisher, who names it as `?ingest=NAME`, or what is fetched
 * from its source.
 */
export interface CameraIngest {
  readonly name: string;
  /** As those of a camera. The keys of the ingest `main` are the camera's own, and stand there. */
  readonly keys?: readonly CameraKey[];
  /** Undefined: it is published. */
  readonly source?: CameraSource;
}

/** A publish key. It does not contain the key, nor anything from which the key could be guessed: see `StreamKeys`. */
export interface CameraKey {
  /** What a generated key is made from; `given` for one that somebody else chose. */
  readonly id: string;
  /** Of a key that somebody else chose: what it is compared by. */
  readonly tag?: string;
  /** ISO 8601, UTC: when it expires. Undefined: never. */
  readonly until?: string;
}

/** A camera's redirection to one target: exactly one of `url` and `engine` is set. */
export interface Push extends PushOptions {
  readonly id: string;
  /** `rtmp://HOST[:PORT]/APP[/...]/STREAM`. */
  readonly url?: string;
  /** The name of a registered streaming engine, whose push template gives the URL. */
  readonly engine?: string;
  /** False: kept, but not connected. */
  readonly enabled: boolean;
  /** ISO 8601, UTC. */
  readonly createdAt: string;
}

/** A media streaming engine: where viewers play what is pushed to it. */
export interface StreamingEngine {
  readonly name: string;
  /** Host name or IP address, without brackets and without a port. */
  readonly host: string;
  /** Template of the push URL: `{host}`, `{name}`, `{type}`, `{location}` are replaced. */
  readonly pushUrl: string;
  /** Template of the playback URL that `getStream` answers. */
  readonly playbackUrl: string;
  /** Where it is, in the operator's words; compared with the viewer's and the node's location. */
  readonly location?: string;
  /** ISO 8601, UTC. */
  readonly createdAt: string;
}

/** The whole desired state of one aggregator. Never mutated: a change makes a new value that shares what is the same. */
export interface DesiredState {
  readonly cameras: ReadonlyMap<string, Camera>;
  readonly engines: ReadonlyMap<string, StreamingEngine>;
}

/** The pushes of a camera that has none. */
export const emptyPushes: Readonly<Record<string, Push>> = Object.freeze(Object.create(null));

export const emptyState: DesiredState = { cameras: new Map(), engines: new Map() };

/** The ingest of a camera that names none, and of a publisher that names none where there is no other. */
export const mainIngest = 'main';

/** Most ingests of one camera. */
export const maxIngests = 8;

/** The maximum number of keys of one camera or ingest. Beyond it, those that expire first are dropped. */
export const maxKeys = 8;

export const defaultPushUrl = 'rtmp://{host}:1935/live/{name}';
export const defaultPlaybackUrl = 'http://{host}:80/hls/{name}.m3u8';
