import type { StreamKeys } from '../admission/stream-keys.js';
import { ingestNames } from '../model/ingests.js';
import { type Camera, mainIngest } from '../model/model.js';
import { advertisedHost } from './advertise.js';
import { currentKey } from './camera-keys.js';
import type { ClusterPeer } from './choose-node.js';
import type { ControlContext } from './context.js';
import { type Endpoints, endpointsOf, type InCluster } from './views.js';

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
    const [node] = this.#context.places.nodesFor(camera.name, undefined);
    return this.at(node, host, camera, true);
  }

  /** Of this very node, with the key. */
  atThisNode(camera: Camera): Endpoints {
    return this.at(undefined, this.hostFor(undefined), camera, true);
  }

  /**
   * @param node undefined: this one, under `host`
   * @param showsKey whether the key is in it, or `***`
   * @param ingest which one it is published by; undefined: the first, which who names none means
   */
  at(node: ClusterPeer | undefined, host: string, camera: Camera, showsKey: boolean, ingest?: string): Endpoints {
    return this.#withQuery(node, host, camera.name, this.#query(camera, showsKey, ingest));
  }

  #withQuery(node: ClusterPeer | undefined, host: string, name: string, query: string): Endpoints {
    if (node === undefined) return endpointsOf(host, this.#context.settings, name, query);
    const path = `/${name}/${name}${query}`;
    const rtmps = node.rtmps === undefined ? {} : { rtmpsEndpoint: `${node.rtmps}${path}` };
    return { endpoint: `${node.rtmp}${path}`, ...rtmps };
  }

  /** The facts of a camera that only a cluster has. @param nodes those that suit it, the best one first */
  inCluster(camera: Camera, nodes: readonly (ClusterPeer | undefined)[], host: string, showsKey: boolean): InCluster {
    const { neighbours } = this.#context.places;
    if (neighbours === undefined) return {};
    const query = this.#query(camera, showsKey);
    const endpoints = nodes.map((node) => this.#withQuery(node, host, camera.name, query).endpoint);
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
