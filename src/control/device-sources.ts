import { parseSourceUrl } from '../address/source-url.js';
import type { SourceSnapshot } from '../backend/backend.js';
import type { EventFeed } from '../events/event-feed.js';
import { moveSource } from '../model/cameras.js';
import { type Camera, type CameraSource, mainIngest, type SourceDevice } from '../model/model.js';
import { sortedNames } from '../model/persistent-map.js';
import { urlAtHost } from '../model/sources.js';
import type { CameraControl } from './camera-control.js';
import type { ControlContext } from './context.js';

/** The source of an ingest that is a device of the network. */
export interface DeviceSource {
  readonly camera: string;
  readonly ingest: string;
  /** With the login. */
  readonly url: string;
  readonly device: SourceDevice;
  readonly state: SourceSnapshot['state'];
  /** Why it failed last; null: it did not. */
  readonly code: string | null;
}

/** Cameras that were found in the network: which device they are, and how the source follows it to another address. */
export class DeviceSources {
  readonly #context: ControlContext;
  readonly #cameras: CameraControl;
  readonly #feed: EventFeed;

  constructor(context: ControlContext, cameras: CameraControl, feed: EventFeed) {
    this.#context = context;
    this.#cameras = cameras;
    this.#feed = feed;
  }

  /**
   * Which camera a device is: by its serial number; where it does not say that, as without a login, by what it calls itself;
   * else by the host of a source of which neither is known. Made once for many questions.
   */
  finder(): (device: SourceDevice & { readonly host: string }) => string | undefined {
    const bySerial = new Map<string, string>();
    const byReference = new Map<string, string>();
    const byHost = new Map<string, string>();
    const { cameras } = this.#context.store.state;
    // The table has another order in each process: of several cameras of one device, all name the first by name.
    for (const name of [...sortedNames(cameras)].reverse()) {
      for (const { source } of sourcesWithNames(cameras.get(name)!)) {
        const { device, url } = source;
        if (device === undefined) byHost.set(parseSourceUrl(url).host, name);
        else bySerial.set(device.serial, name);
        if (device?.reference !== undefined) byReference.set(device.reference, name);
      }
    }
    return ({ serial, reference = '', host }) =>
      (serial === '' ? byReference.get(reference) : bySerial.get(serial)) ?? byHost.get(host);
  }

  /** What is known of a device as a source of this camera. Its answer to a probe may be lost when it is added again. */
  known(camera: string, serial: string): SourceDevice | undefined {
    const registered = this.#context.store.state.cameras.get(camera);
    const sources = registered === undefined ? [] : [...sourcesWithNames(registered)];
    return sources.find(({ source }) => source.device?.serial === serial)?.source.device;
  }

  /** Those that are devices, as they are seen now. */
  *list(): Generator<DeviceSource> {
    const { store, backend } = this.#context;
    for (const camera of store.state.cameras.values()) {
      for (const { ingest, source } of sourcesWithNames(camera)) {
        if (source.device === undefined) continue;
        const seen = backend.camera(camera.name);
        const snapshot =
          camera.ingests === undefined ? seen?.source : seen?.ingests?.find(({ name }) => name === ingest)?.source;
        const { url, device } = source;
        const code = snapshot?.lastError?.code ?? null;
        yield { ...{ camera: camera.name, ingest, url, device }, state: snapshot?.state ?? 'off', code };
      }
    }
  }

  /**
   * Has the source be at another host, unless it was changed meanwhile.
   * @returns whether it is there now
   * @throws InputError SOURCE_FORBIDDEN, NotFoundError CAMERA_NOT_FOUND, StateError
   */
  async move({ camera, ingest, url, device }: DeviceSource, host: string): Promise<boolean> {
    const to = urlAtHost(url, host);
    let isMoved = false;
    await this.#context.commit((before) => {
      const after = moveSource(before, { camera, ingest, from: url, to });
      isMoved = after !== before;
      return this.#cameras.keyed(before, after, camera);
    });
    if (!isMoved) return false;
    const from = parseSourceUrl(url).host;
    const { serial } = device;
    this.#feed.publish({ type: 'source.moved', camera, facts: { ingest, from, to: host, serial } });
    await this.#context.reconciler.inForce(camera);
    return true;
  }
}

function* sourcesWithNames({ ingests, source }: Camera): Generator<{ ingest: string; source: CameraSource }> {
  if (source !== undefined) yield { ingest: mainIngest, source };
  for (const { name, source: own } of ingests ?? []) if (own !== undefined) yield { ingest: name, source: own };
}
