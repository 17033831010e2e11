import type { StreamKeys } from '../admission/stream-keys.js';
import { ingestNames } from '../model/ingests.js';
import { type Camera, mainIngest } from '../model/model.js';
import { advertisedHost } from './advertise.js';
import { currentKey } from './camera-keys.js';
import type { ClusterPeer } from './choose-node.js';
import type { ControlContext } from './context.js';
import type { SuitableNodes } from './neighbours.js';
import { type Endpoints, endpointsOf, type InCluster, srtEndpointOf } from './views.js';

/** Where cameras publish to: under which host, at which node, as which ingest, with which key. */
export class PublishEndpoints {
  readonly #context: Pick<ControlContext, 'settings' | 'places'>;
  readonly #streamKeys: StreamKeys;

  constructor(context: Pick<ControlContext, 'settings' | 'places'>, streamKeys: StreamKeys) {
    this.#context = context;
    this.#streamKeys = streamKeys;
  }

  /** True when publishers need a key. */
  get haveKeys(): boolean {
    return this.#context.settings.media?.publishAuth === 'key';
  }

  /** The host under which cameras reach this node; `requestHost` is the Host header of the request that asks. */
  hostFor(requestHost: string | undefined): string {
    const { advertiseHost, host: listenHost } = this.#context.settings;
    return advertisedHost({ advertiseHost, listenHost, requestHost });
  }

  /** Of the node that suits best, with the key. @param host as `hostFor` gives it */
  of(camera: Camera, host: string): Endpoints {
    return this.at(this.#context.places.nodesFor(camera.name, undefined), host, camera, true);
  }

  /** Of this very node, with the key. */
  atThisNode(camera: Camera): Endpoints {
    return this.at({ named: [undefined], srt: undefined }, this.hostFor(undefined), camera, true);
  }

  /**
   * At the best node, by SRT at the best one that takes it.
   * @param host of this node
   * @param showsKey whether the key is in it, or `***`
   * @param ingest which one it is published by; undefined: the first, which who names none means
   */
  at(
    { named: [node], srt }: SuitableNodes,
    host: string,
    camera: Camera,
    showsKey: boolean,
    ingest?: string,
  ): Endpoints {
    const query = this.#query(camera, showsKey, ingest);
    const endpoints = this.#byRtmp(node, host, camera.name, query);
    const own = endpointsOf(host, this.#context.settings, camera.name, query).srtEndpoint;
    const srtEndpoint = srt?.srt === undefined ? own : srtEndpointOf(srt.srt, camera.name, query);
    return srtEndpoint === undefined ? endpoints : { ...endpoints, srtEndpoint };
  }

  #byRtmp(node: ClusterPeer | undefined, host: string, name: string, query: string): Omit<Endpoints, 'srtEndpoint'> {
    if (node === undefined) {
      const { rtmpPort, rtmpsPort } = this.#context.settings;
      return endpointsOf(host, { rtmpPort, rtmpsPort }, name, query);
    }
    const path = `/${name}/${name}${query}`;
    const rtmps = node.rtmps === undefined ? {} : { rtmpsEndpoint: `${node.rtmps}${path}` };
    return { endpoint: `${node.rtmp}${path}`, ...rtmps };
  }

  /** The facts of a camera that only a cluster has. */
  inCluster(camera: Camera, { named }: SuitableNodes, host: string, showsKey: boolean): InCluster {
    const { neighbours } = this.#context.places;
    if (neighbours === undefined) return {};
    const query = this.#query(camera, showsKey);
    const endpoints = named.map((node) => this.#byRtmp(node, host, camera.name, query).endpoint);
    return { endpoints, node: neighbours.holderOf(camera.name) ?? null };
  }

  #query(camera: Camera, showsKey: boolean, ingest?: string): string {
    const [first = mainIngest] = ingestNames(camera);
    const key = this.haveKeys ? currentKey(camera, this.#streamKeys, ingest ?? first) : undefined;
    const parameters = [
      ...(ingest === undefined || ingest === first ? [] : [`ingest=${ingest}`]),
      ...(key === undefined ? [] : [`key=${showsKey ? key : '***'}`]),
    ];
    return parameters.length === 0 ? '' : `?${parameters.join('&')}`;
  }
}
