import { hostInUrl } from '../address/host.js';
import { maskTarget, maskUrl } from '../address/rtmp-url.js';
import {
  type BackendProblem,
  type CameraSnapshot,
  type IngestSnapshot,
  type PushSnapshot,
  type SourceSnapshot,
  unseenCamera,
  unseenIngest,
  unseenPush,
  unseenSource,
} from '../backend/backend.js';
import { standbyOf } from '../model/ingests.js';
import type { Camera, CameraIngest, CameraSource, Push, SourceDevice, StreamingEngine } from '../model/model.js';
import { type PushOptions, pushOptionsOf } from '../model/push-options.js';
import { maskTemplate } from '../model/template.js';
import type { EnginePushes } from './engine-pushes.js';
import type { LastLive } from './last-live.js';

/** A push as it is desired and as it is observed. */
export interface PushView extends PushSnapshot, PushOptions {
  readonly engine?: string;
  readonly enabled: boolean;
  readonly createdAt: string;
}

/** What there is to say of a camera where there are several nodes; empty of a node that is alone. */
export interface InCluster {
  /** Where the camera may publish to, 8 at most, the best first, which is `endpoint`; one is in another place, if there is any. */
  readonly endpoints?: readonly string[];
  /** The node that has it; null: it is live at none. */
  readonly node?: string | null;
  /** Why what is observed of it is not known. */
  readonly unknown?: string;
}

interface Known extends InCluster {
  readonly conditions?: readonly BackendProblem[];
  readonly lastLive?: LastLive | undefined;
}

/** An ingest as it is desired and as it is observed. */
export interface IngestView extends Omit<IngestSnapshot, 'source'>, Endpoints {
  /** Undefined: it is published. */
  readonly source?: SourceView;
}

/** A source as it is desired and as it is observed. */
export interface SourceView extends SourceSnapshot {
  readonly mode: 'always' | 'on-demand';
  /** Of RTSP. */
  readonly transport?: 'tcp' | 'udp';
  /** The device that it is; undefined: it was not found in the network. */
  readonly device?: SourceDevice;
}

/** A camera as it is desired and as it is observed. */
export interface CameraView extends Omit<CameraSnapshot, 'pushes' | 'ingests' | 'source'>, InCluster {
  /** Null: it was never live, as far as is known. */
  readonly lastLive: LastLive | null;
  /** In the order in which they are preferred; undefined: one, `main`. */
  readonly ingests?: readonly IngestView[];
  /** Undefined: it publishes. */
  readonly source?: SourceView;
  readonly switchBackSeconds?: number;
  readonly slate?: string;
  readonly slateSeconds?: number;
  readonly type?: string;
  readonly createdAt: string;
  /** Where the camera publishes to, and where viewers play it. */
  readonly endpoint: string;
  /** The same with TLS, where there is a listener for it. */
  readonly rtmpsEndpoint?: string;
  /** By SRT, where there is a listener for it: `srt://HOST:PORT?streamid=NAME`. */
  readonly srtEndpoint?: string;
  readonly pushes: readonly PushView[];
}

/** A token to play a camera with, and where. */
export interface PlayTokenView {
  readonly token: string;
  /** ISO 8601, UTC. */
  readonly expiresAt: string;
  readonly url: string;
  /** The same with TLS, where there is a listener for it. */
  readonly rtmpsUrl?: string;
  /** FLV over HTTP, where the media backend gives that and viewers may have it. */
  readonly httpUrl?: string;
}

/** A camera as another node shows it, with the endpoints that this one tells: for the place of the caller. */
export function withEndpointsOf(own: CameraView, theirs: CameraView, node: string): CameraView {
  const { endpoint: _, endpoints: _all, rtmpsEndpoint: _rtmps, srtEndpoint: _srt, ...rest } = theirs;
  const { endpoint, endpoints = [], rtmpsEndpoint, srtEndpoint } = own;
  return {
    ...{ ...rest, endpoint, endpoints, node },
    ...(rtmpsEndpoint === undefined ? {} : { rtmpsEndpoint }),
    ...(srtEndpoint === undefined ? {} : { srtEndpoint }),
  };
}

/** Where a camera publishes to. */
export interface Endpoints {
  /** `rtmp://HOST:PORT/NAME/NAME`. */
  readonly endpoint: string;
  /** `rtmps://HOST:PORT/NAME/NAME`. */
  readonly rtmpsEndpoint?: string;
  /** `srt://HOST:PORT?streamid=NAME`. */
  readonly srtEndpoint?: string;
}

/** @param ports undefined: there is no such listener @param query what stands behind the name, with its `?` */
export function endpointsOf(
  host: string,
  ports: { readonly rtmpPort: number; readonly rtmpsPort?: number | undefined; readonly srtPort?: number | undefined },
  name: string,
  query = '',
): Endpoints {
  const url = (scheme: string, port: number): string =>
    `${scheme}://${hostInUrl(host)}:${port}/${name}/${name}${query}`;
  const { rtmpPort, rtmpsPort, srtPort } = ports;
  return {
    endpoint: url('rtmp', rtmpPort),
    ...(rtmpsPort === undefined ? {} : { rtmpsEndpoint: url('rtmps', rtmpsPort) }),
    ...(srtPort === undefined
      ? {}
      : { srtEndpoint: srtEndpointOf(`srt://${hostInUrl(host)}:${srtPort}`, name, query) }),
  };
}

/** @param address `srt://HOST:PORT` @param query what stands behind the name, with its `?` */
export function srtEndpointOf(address: string, name: string, query: string): string {
  return `${address}?streamid=${encodeURIComponent(`${name}${query}`)}`;
}

const processStartedAt = new Date(performance.timeOrigin).toISOString();

/** `url` is that of the push with templates filled in; it is masked here. */
export function pushView(camera: Camera, push: Push, url: string, seen: PushSnapshot | undefined): PushView {
  // Into one object: of objects that are spread one behind another, a list of a thousand cameras made thousands.
  const view: { -readonly [key in keyof PushView]: PushView[key] } = Object.assign(
    {
      id: push.id,
      enabled: push.enabled,
      createdAt: push.createdAt,
      url: seen?.url ?? maskTarget(url, camera.name),
      state: seen?.state ?? (push.enabled ? 'idle' : 'disabled'),
      since: seen?.since ?? sinceOfUnseen(push),
    },
    seen ?? unseenPush,
  );
  if (push.engine !== undefined) view.engine = push.engine;
  Object.assign(view, pushOptionsOf(push));
  return view;
}

/** Of what was before this process nothing is known. */
function sinceOfUnseen(push: Push): string {
  return Date.parse(push.createdAt) > performance.timeOrigin ? push.createdAt : processStartedAt;
}

/**
 * @param endpointsOf where an ingest of it is published to; undefined: the first
 * @param urlOf gives the URL of a push with templates filled in
 * @param known what is known of it beside what the backend says by itself: what is wrong, and when it was last live
 */
export function cameraView(
  camera: Camera,
  endpointsOf: (ingest?: string) => Endpoints,
  seen: CameraSnapshot | undefined,
  urlOf: (push: Push) => string,
  { conditions = [], lastLive, ...inCluster }: Known = {},
): CameraView {
  const seenPushes = new Map(seen?.pushes.map((push) => [push.id, push]));
  // By id, as the state file has them, whatever the order in which they were added.
  const pushes = Object.values(camera.pushes)
    .sort((left, right) => (left.id < right.id ? -1 : 1))
    .map((push) => pushView(camera, push, urlOf(push), seenPushes.get(push.id)));
  const {
    name: _name,
    pushes: _pushes,
    ingests: seenIngests,
    source: seenSource,
    ...facts
  } = seen ?? { ...unseenCamera, name: '', pushes: [] };
  const { ingests, source, ...standby } = standbyOf(camera);
  return {
    name: camera.name,
    ...(camera.type === undefined ? {} : { type: camera.type }),
    createdAt: camera.createdAt,
    ...endpointsOf(),
    ...inCluster,
    ...facts,
    ...(conditions.length === 0 ? {} : { conditions: [...conditions, ...(facts.conditions ?? [])] }),
    lastFrameAt: facts.lastFrameAt ?? lastLive?.lastFrameAt ?? null,
    lastLive: lastLive ?? null,
    ...standby,
    ...(source === undefined ? {} : { source: sourceView(source, seenSource) }),
    ...(ingests === undefined
      ? {}
      : { ingests: ingests.map((ingest) => ingestView(ingest, endpointsOf(ingest.name), seenIngests)) }),
    pushes,
  };
}

function ingestView(
  { name, source }: CameraIngest,
  endpoints: Endpoints,
  seen: readonly IngestSnapshot[] | undefined,
): IngestView {
  const { source: seenSource, ...facts } = seen?.find((ingest) => ingest.name === name) ?? { ...unseenIngest, name };
  return {
    ...{ ...facts, ...endpoints },
    ...(source === undefined ? {} : { source: sourceView(source, seenSource) }),
  };
}

/** Of one that was just declared nothing is seen yet. */
function sourceView({ url, mode, transport, device }: CameraSource, seen: SourceSnapshot | undefined): SourceView {
  const isRtsp = /^rtsps?:/i.test(url);
  return {
    ...(seen ?? { ...unseenSource, since: new Date().toISOString() }),
    url: maskUrl(url),
    mode: mode ?? 'always',
    ...(isRtsp ? { transport: transport ?? 'tcp' } : {}),
    ...(device === undefined ? {} : { device }),
  };
}

/** An engine as it is desired, with how the pushes to it fare. */
export interface EngineView extends StreamingEngine {
  readonly pushes: EnginePushes;
}

/** An engine as it may be shown: its templates without their secrets. */
export function engineView(engine: StreamingEngine): StreamingEngine {
  return { ...engine, pushUrl: maskTemplate(engine.pushUrl), playbackUrl: maskUrl(engine.playbackUrl) };
}
