import type { PublishKeyRule } from '../../admission/stream-keys.js';
import type { IngestSelector } from '../../ingest/ingest-selector.js';
import { PublisherSource } from '../../ingest/publisher-source.js';
import { type RelayOrigin, RelaySource } from '../../ingest/relay-source.js';
import { type Ingest, mainIngest, type Source } from '../../ingest/source.js';
import type { Publisher } from '../../rtmp/stream-host.js';
import type { DesiredCamera } from '../backend.js';
import type { CameraPulls } from './camera-pulls.js';
import type { CameraRoom } from './camera-room.js';
import type { CameraViewers } from './camera-viewers.js';
import { publishKeysOf } from './ingests.js';

export interface CameraDoorOptions {
  readonly selector: IngestSelector;
  /** As `CameraPulls.refusalOf`. */
  readonly refusalOf: CameraPulls['refusalOf'];
  readonly room: CameraRoom;
  readonly viewers: CameraViewers;
  readonly declared: () => DesiredCamera;
}

/** Lets in what feeds one camera: publishers, what other nodes send, and other sources. */
export class CameraDoor {
  readonly #options: CameraDoorOptions;

  constructor(options: CameraDoorOptions) {
    this.#options = options;
  }

  /**
   * The keys that publishers of an ingest may show, where they need one. @param ingest undefined: the first
   * @throws CodedError PUBLISH_NOT_REGISTERED; PUBLISH_FORBIDDEN for one that is pulled from its source
   */
  publishKeysOf(ingest: string | undefined): readonly PublishKeyRule[] {
    this.#checkPublished(ingest);
    return publishKeysOf(this.#options.declared(), ingest);
  }

  /**
   * Lets a publisher in. @param ingest the one that it names; undefined: the first
   * @throws CodedError PUBLISH_ALREADY_LIVE while another one sends by the same ingest, PUBLISH_LOOP, PUBLISH_NOT_REGISTERED,
   *   PUBLISH_FORBIDDEN, NODE_FULL
   */
  publish(publisher: Publisher, ingest?: string): Ingest {
    // Again: the source may be newer than the question whether it may publish.
    this.#checkPublished(ingest);
    return this.open(new PublisherSource(publisher), ingest);
  }

  /** True while somebody publishes by this ingest. @param ingest undefined: the first */
  isTaken(ingest: string | undefined): boolean {
    const { connected, desired } = this.#options.selector;
    return connected.get(ingest ?? desired.names[0] ?? mainIngest)?.source.kind === 'publisher';
  }

  /** Lets in what another node sends. @throws CodedError PUBLISH_ALREADY_LIVE, PUBLISH_LOOP, NODE_FULL */
  publishRelay(publisher: Publisher, origin: RelayOrigin): Ingest {
    const { room, viewers, selector } = this.#options;
    const refusal = room.refusal(Math.max(origin.copies ?? 0, viewers.count), true);
    if (refusal !== undefined) throw refusal;
    return selector.open(new RelaySource(publisher, origin));
  }

  /** As `publish`, for any kind of source. */
  open(source: Source, ingest?: string): Ingest {
    this.#options.room.check();
    return this.#options.selector.open(source, ingest);
  }

  /** @throws CodedError NODE_FULL where the camera is not live and there is no room for it */
  checkRoom(): void {
    this.#options.room.check();
  }

  /** @throws CodedError PUBLISH_FORBIDDEN */
  #checkPublished(ingest: string | undefined): void {
    const { refusalOf, declared } = this.#options;
    const refusal = refusalOf(ingest ?? declared().ingests?.[0]?.name ?? mainIngest);
    if (refusal !== undefined) throw refusal;
  }
}
