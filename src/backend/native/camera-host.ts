import { setTimeout } from 'node:timers/promises';
import {
  cameraIn,
  cameraInApplication,
  howToPublish,
  parameterIn,
  type StreamPlace,
} from '../../address/stream-place.js';
import type { Admission } from '../../admission/admission.js';
import { CodedError } from '../../errors.js';
import type { ConnectInfo, StreamRequest } from '../../rtmp/server-session.js';
import type { Decision, Peer, PlayGrant, PublisherRefusal, PublishGrant, StreamHost } from '../../rtmp/stream-host.js';
import type { RelayOrigin } from '../backend.js';
import type { NativeCamera } from './camera.js';
import type { CameraTable } from './cameras.js';

/**
 * In so many turns of the event loop the end of a connection is known that came before them: by io_uring it is a turn until
 * it is told, one until Node.js reads on, and one until Node.js has read it.
 */
const turnsUntilHeard = 8;

/** Finds the camera that a peer means, and asks those who decide whether it may publish or play it. */
export class CameraHost implements StreamHost {
  readonly #cameras: CameraTable;
  readonly #admission: Admission;
  /** Told of publishers that were refused. */
  readonly refused: (refusal: PublisherRefusal) => void;

  readonly #claim: (camera: string) => Promise<void> | undefined;
  readonly #admitRelay: (camera: string, ticket: string) => RelayOrigin | undefined;
  readonly #readEveryMs: () => number;

  /**
   * @param ask.claim asks whether the camera may be had here, once its publisher is admitted
   * @param ask.admitRelay judges what comes from another node; undefined: there are none, and it is a publisher as any
   * @param ask.refused told of publishers that were refused
   * @param ask.readEveryMs in which intervals publishers are read, milliseconds; 0: whenever something comes
   */
  constructor(
    cameras: CameraTable,
    admission: Admission,
    ask: {
      readonly claim?: (camera: string) => Promise<void> | undefined;
      readonly admitRelay?: (camera: string, ticket: string) => RelayOrigin | undefined;
      readonly refused?: (refusal: PublisherRefusal) => void;
      readonly readEveryMs?: () => number;
    } = {},
  ) {
    this.refused = ask.refused ?? (() => {});
    this.#cameras = cameras;
    this.#admission = admission;
    this.#claim = ask.claim ?? (() => undefined);
    this.#admitRelay = ask.admitRelay ?? (() => undefined);
    this.#readEveryMs = ask.readEveryMs ?? (() => 0);
  }

  connect(info: ConnectInfo): void {
    const name = cameraInApplication(info.app);
    if (name !== '') this.#registered(name, info.app);
  }

  cameraOf(place: StreamPlace): string | undefined {
    const name = cameraIn(place);
    return name === null || !this.#cameras.has(name) ? undefined : name;
  }

  admitPublisher(request: StreamRequest, peer: Peer): Decision<PublishGrant> {
    // Until it is admitted, nothing happens to the camera: who is refused shall leave nothing behind.
    const name = this.#nameIn(request);
    const ticket = parameterIn(request, 'relay');
    if (ticket !== '') {
      const origin = this.#admitRelay(name, ticket);
      if (origin !== undefined) {
        return (publisher) => this.#require(request).door.publishRelay(publisher, origin);
      }
    }
    const ingest = parameterIn({ ...request, tcUrl: peer.connect.tcUrl }, 'ingest') || undefined;
    const asked = { name, publishKeys: this.#cameras.publishKeysOf(name, ingest) };
    const admitted = this.#admission.publish(asked, request, peer);
    const claim = (): Promise<void> | undefined => {
      // Before: a node without room takes it from no other.
      this.#require(request).door.checkRoom();
      return this.#claim(name);
    };
    const later = admitted === undefined ? claim() : admitted.then(claim);
    // Looked for anew: it may be removed until the grant is used.
    const grant: PublishGrant = (publisher) => this.#require(request).door.publish(publisher, ingest);
    const isTaken = (): boolean => this.#cameras.touched(name)?.door.isTaken(ingest) === true;
    if (later === undefined && !isTaken()) return grant;
    return (later ?? Promise.resolve()).then(() => hearOut(isTaken, this.#readEveryMs())).then(() => grant);
  }

  admitViewer(request: StreamRequest, peer: Peer): Decision<PlayGrant> {
    const name = playable(() => this.#nameIn(request));
    const later = this.#admission.play({ name }, request, peer);
    const grant: PlayGrant = (viewer) => playable(() => this.#require(request)).viewing.play(viewer);
    return later === undefined ? grant : later.then(() => grant);
  }

  /** The name of the camera that is asked for. @throws CodedError PUBLISH_NOT_REGISTERED */
  #nameIn(request: StreamRequest): string {
    const name = cameraIn(request);
    const inApp = cameraInApplication(request.app);
    if (name === null && inApp !== null && this.#cameras.has(inApp)) {
      throw new CodedError(
        'PUBLISH_NOT_REGISTERED',
        `the stream name of camera ${inApp} is ${inApp} too, rtmp://HOST:PORT/${inApp}/${inApp}: ${howToPublish(inApp)}`,
      );
    }
    return this.#registered(name, request.app);
  }

  #require(request: StreamRequest): NativeCamera {
    return this.#cameras.get(this.#nameIn(request)) as NativeCamera;
  }

  /** @param app what is told of an unknown one, since a stream name may be a key */
  #registered(name: string | null, app: string): string {
    if (name !== null && this.#cameras.has(name)) return name;
    const shown = JSON.stringify((app.split(/[?&]/)[0] ?? '').slice(0, 80));
    throw new CodedError('PUBLISH_NOT_REGISTERED', `no camera is registered as ${shown}; ${howToPublish('NAME')}`);
  }
}

/** What is asked for to be played, and not to be published. @throws CodedError PLAY_NOT_FOUND */
function playable<T>(find: () => T): T {
  try {
    return find();
  } catch (error) {
    if (!(error instanceof CodedError) || error.code !== 'PUBLISH_NOT_REGISTERED') throw error;
    throw new CodedError('PLAY_NOT_FOUND', error.message);
  }
}

/**
 * Who publishes may have gone, and nobody has heard of it yet: a newcomer that says everything in one packet may be read
 * before the end of the connection that it replaces.
 */
async function hearOut(isTaken: () => boolean, readEveryMs: number): Promise<void> {
  // Newcomers are read at once, until they publish; who publishes already is read at the end of the interval.
  if (readEveryMs > 0 && isTaken()) await setTimeout(readEveryMs);
  for (let turn = 0; turn < turnsUntilHeard && isTaken(); turn++) await new Promise((resolve) => setImmediate(resolve));
}
