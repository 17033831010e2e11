import { parseRtmpUrl } from '../../address/rtmp-url.js';
import { CodedError } from '../../errors.js';
import { RelaySource } from '../../ingest/relay-source.js';
import type { Source } from '../../ingest/source.js';
import { probeHandshake } from '../../rtmp/probe.js';
import type { CameraRelaying, HopState, RelayOrigin, RelayPartner } from '../backend.js';

/** How long a stream is still fetched after its last viewer has left: they come back, and pages ask for pictures. */
const lingerMs = 10_000;
/** How long a viewer over HTTP waits for a stream that is being fetched. */
const fetchLimitMs = 5000;

/** A camera as this part sees it. */
interface RelayedCamera {
  readonly name: string;
  /** Null: nothing feeds it. */
  readonly stream: object | null;
  readonly viewers: number;
  /** For how long what another node sends has been silent, milliseconds; 0: none sends it. */
  readonly silentRelayMs: number;
  /** Ends what another node sends. */
  endRelay(reason: CodedError): void;
}

/** The cameras that something happened to. */
interface RelayedCameras {
  touched(name: string): RelayedCamera | undefined;
}

/** Takes cameras from other nodes and sends them there, as far as a partner says. Without one it does nothing. */
export class NativeRelaying implements CameraRelaying {
  readonly #cameras: RelayedCameras;
  #partner: RelayPartner | undefined;
  /** By camera that somebody wants to see: the end of the time after the last one left. */
  readonly #wanted = new Map<string, NodeJS.Timeout | null>();
  /** Viewers over HTTP that wait for a stream. */
  readonly #waiting = new Map<string, Set<() => void>>();

  readonly #isInCluster: boolean;

  /** @param isInCluster a partner will come: until then nothing of other nodes is taken for anything else */
  constructor(cameras: RelayedCameras, isInCluster = false) {
    this.#isInCluster = isInCluster;
    this.#cameras = cameras;
  }

  relayWith(partner: RelayPartner): void {
    this.#partner = partner;
  }

  async probeNode(url: string, deadlineMs: number): Promise<boolean> {
    try {
      const { host, port } = parseRtmpUrl(`${url}/probe/probe`);
      return await probeHandshake(host, port, deadlineMs);
    } catch {
      return false; // an address that somebody wrote into etcd by hand
    }
  }

  silentRelayMs(camera: string): number {
    return this.#cameras.touched(camera)?.silentRelayMs ?? 0;
  }

  endRelay(camera: string, reason: CodedError): void {
    this.#cameras.touched(camera)?.endRelay(reason);
  }

  /** Undefined: there are no other nodes, and a ticket means nothing. @throws CodedError RELAY_REFUSED */
  admit(camera: string, ticket: string): RelayOrigin | undefined {
    if (this.#partner !== undefined) return this.#partner.admit(camera, ticket);
    if (!this.#isInCluster) return undefined;
    throw new CodedError(
      'RELAY_REFUSED',
      `a stream of another node is refused for camera ${camera}: this one has not joined yet`,
    );
  }

  ticketFor(camera: string, to: string): string {
    return this.#partner?.ticketFor(camera, to) ?? '';
  }

  /** Another source feeds the camera now; null: none, and none is waited for. */
  sourceChanged(camera: string, source: Source | null): void {
    for (const wake of this.#waiting.get(camera) ?? []) setImmediate(wake);
    if (this.#partner === undefined) return;
    const origin = source instanceof RelaySource ? source.origin : null;
    this.#partner.relayChanged(camera, origin);
    this.#partner.ownChanged(camera, source !== null && origin === null);
  }

  hopChanged(camera: string, to: string, state: HopState): void {
    this.#partner?.hopChanged(camera, to, state);
  }

  /** @param isWatched somebody watches it, or just wanted to */
  viewersChanged(camera: string, isWatched: boolean): void {
    if (this.#partner === undefined) return;
    const timer = this.#wanted.get(camera);
    if (timer != null) clearTimeout(timer);
    if (isWatched) {
      this.#wanted.set(camera, null);
      if (timer === undefined) this.#partner.viewersChanged(camera, true);
      return;
    }
    if (timer === undefined) return;
    const over = setTimeout(() => {
      this.#wanted.delete(camera);
      this.#partner?.viewersChanged(camera, false);
    }, lingerMs).unref();
    this.#wanted.set(camera, over);
  }

  /** Somebody wanted a picture of a camera: it is fetched for a while longer, where it is fetched. */
  looked(camera: string): void {
    if (!this.#wanted.has(camera)) return;
    this.viewersChanged(camera, true);
    this.viewersChanged(camera, false);
  }

  /** True where another node has the camera, as far as is known. */
  mayFetch(camera: string): boolean {
    return this.#partner?.mayFetch(camera) === true;
  }

  /** Resolves when the camera has a stream here, which may have to be fetched; or after a few seconds. */
  async fetched(camera: RelayedCamera): Promise<void> {
    if (camera.stream !== null || !this.mayFetch(camera.name)) return;
    const { name } = camera;
    this.viewersChanged(name, true);
    const waiting = this.#waiting.get(name) ?? new Set();
    this.#waiting.set(name, waiting);
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        waiting.delete(wake);
        if (waiting.size === 0) this.#waiting.delete(name);
        resolve();
      };
      const timer = setTimeout(wake, fetchLimitMs).unref();
      waiting.add(wake);
    });
    if (camera.viewers === 0) this.viewersChanged(name, false);
  }
}
