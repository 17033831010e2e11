import { splitHostPort } from '../address/host.js';
import { defaultPlaybackUrl, defaultPushUrl } from '../model/model.js';
import { checkName } from '../model/rules.js';
import { resolvePlaybackUrl, resolvePushUrl } from '../model/template.js';
import { type EngineFacts, pickEngine } from './choose-engine.js';
import type { Places } from './neighbours.js';
import type { PushControl } from './push-control.js';
import type { PushView } from './views.js';

/** What the content manager asks for when a user wants to see a camera. */
export interface StreamRequest {
  readonly name: string;
  /** `host` or `host:port` of the engine's own API; the port is not that of RTMP and is ignored. */
  readonly engineAddress?: string | undefined;
  /** Where the viewer is, in the operator's words. */
  readonly location?: string | undefined;
  /** Addresses by which it is found out where the viewer is, the best first. */
  readonly addresses?: readonly (string | undefined)[] | undefined;
}

export interface StreamAnswer {
  /** Where the viewer plays it. */
  readonly url: string;
  readonly name: string;
  readonly push: PushView;
}

/** Sends cameras to the engines that correspond to who wants to see them. */
export class Redirector {
  readonly #pushes: PushControl;
  readonly #places: Places;
  readonly #facts: EngineFacts;

  constructor(options: {
    pushes: PushControl;
    places: Places;
    facts: EngineFacts;
  }) {
    this.#pushes = options.pushes;
    this.#places = options.places;
    this.#facts = options.facts;
  }

  /**
   * Redirects a camera to the engine that corresponds, and says where the viewer plays it. Again: changes nothing.
   * @throws InputError INVALID_NAME or INVALID_ADDRESS, NotFoundError CAMERA_NOT_FOUND, ConflictError NO_ENGINE
   */
  async getStream(request: StreamRequest): Promise<StreamAnswer> {
    const name = checkName('name', request.name);
    const address = request.engineAddress;
    const host = address === undefined ? undefined : splitHostPort(address, 'se_ip').host;
    const viewerLocation = this.#places.locationOf(request.location, ...(request.addresses ?? []));
    const { view, chosen: url } = await this.#pushes.addChosen(name, (before, camera) => {
      const picked = pickEngine(before, {
        camera,
        host,
        viewerLocation,
        nodeLocation: this.#places.locationOfCamera(name),
        facts: this.#facts,
      });
      if (picked.kind === 'registered') {
        return { input: { engine: picked.engine.name }, chosen: resolvePlaybackUrl(picked.engine, camera) };
      }
      const engine = { host: picked.host, pushUrl: defaultPushUrl, playbackUrl: defaultPlaybackUrl };
      return { input: { url: resolvePushUrl(engine, camera) }, chosen: resolvePlaybackUrl(engine, camera) };
    });
    return { url, name, push: view };
  }
}
