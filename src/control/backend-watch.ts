import type {
  BackendObserver,
  BackendProblem,
  IngestChange,
  PublisherRefusal,
  PushSnapshot,
} from '../backend/backend.js';
import type { EventFeed } from '../events/event-feed.js';
import { reasonCode } from './reason-code.js';
import { RefusedPublishers } from './refused-publishers.js';

/** Follows what becomes of registered cameras. */
export interface CameraFollower {
  cameraLive(camera: string, facts: Parameters<BackendObserver['cameraLive']>[1]): void;
  cameraStopped(camera: string, reason: string | null): void;
  publisherRefused?(camera: string, refusal: PublisherRefusal): void;
}

/** What the last event said of a push. */
interface Told {
  readonly state: string;
  readonly code: string | null;
}

/**
 * Turns what the media backend observes into events. A target that stays away causes one event, not one for each
 * attempt: the push's `attempt` and `nextRetryAt` show the rest.
 */
export class BackendWatch implements BackendObserver {
  readonly #feed: EventFeed;
  #followers: readonly CameraFollower[];
  /** All that are registered; an idle one is nothing but its name here. */
  readonly #cameras = new Set<string>();
  /** By camera and push, where anything was told of one. */
  readonly #told = new Map<string, Map<string, Told>>();
  readonly #live = new Set<string>();
  /** Who was refused as a publisher. */
  readonly refused: RefusedPublishers;

  /** @param followers told what becomes of cameras, after the event */
  constructor(feed: EventFeed, followers: readonly CameraFollower[] = []) {
    this.#feed = feed;
    this.#followers = followers;
    this.refused = new RefusedPublishers((event) => feed.publish(event));
  }

  /** Whoever follows from now on, too. */
  addFollower(follower: CameraFollower): void {
    this.#followers = [...this.#followers, follower];
  }

  /** The names of the cameras that are live. */
  get live(): ReadonlySet<string> {
    return this.#live;
  }

  /** A camera is registered. Only registered ones cause events. */
  register(camera: string): void {
    if (this.#cameras.has(camera)) return;
    this.refused.forgetName(camera);
    this.#cameras.add(camera);
  }

  /** A camera is gone for good. */
  forget(camera: string): void {
    this.#cameras.delete(camera);
    this.#told.delete(camera);
    this.#live.delete(camera);
  }

  /** A push is gone for good. */
  forgetPush(camera: string, push: string): void {
    this.#told.get(camera)?.delete(push);
  }

  cameraLive(camera: string, facts: Parameters<BackendObserver['cameraLive']>[1]): void {
    if (!this.#cameras.has(camera)) return;
    this.#live.add(camera);
    this.#feed.publish({ type: 'camera.live', camera, facts: { ...facts } });
    for (const follower of this.#followers) follower.cameraLive(camera, facts);
  }

  cameraStopped(camera: string, reason: string | null): void {
    if (!this.#live.delete(camera)) return;
    this.#feed.publish({ type: 'camera.stopped', camera, code: reasonCode(reason), facts: { reason } });
    for (const follower of this.#followers) follower.cameraStopped(camera, reason);
  }

  cameraCondition(camera: string, condition: BackendProblem, isRaised: boolean): void {
    if (!this.#cameras.has(camera)) return;
    const type = isRaised ? 'problem.raised' : 'problem.cleared';
    const { code, message, since, label, advice } = condition;
    const words = label === undefined || advice === undefined ? {} : { label, advice };
    this.#feed.publish({ type, camera, code, facts: { message, since, ...words } });
  }

  ingestChanged(camera: string, { type, ...facts }: IngestChange): void {
    if (!this.#cameras.has(camera)) return;
    this.#feed.publish({ type: type === 'switched' ? 'camera.switched' : `ingest.${type}`, camera, facts });
  }

  publisherRefused(refusal: PublisherRefusal): void {
    const { camera } = refusal;
    const isRegistered = camera !== null && this.#cameras.has(camera);
    this.refused.note(refusal, isRegistered);
    if (!isRegistered) return;
    for (const follower of this.#followers) follower.publisherRefused?.(camera, refusal);
  }

  pushState(camera: string, push: PushSnapshot): void {
    if (!this.#cameras.has(camera)) return;
    const { id, state, since, attempt, nextRetryAt, downSince, firstError } = push;
    let pushes = this.#told.get(camera);
    const told = pushes?.get(id);
    // One of many attempts: the target was away at the previous one, and still is.
    if (state === 'connecting' && told?.state === 'waiting' && attempt !== 0) return;
    const failed = state === 'waiting' ? push.lastError : null;
    const code = failed?.code ?? null;
    if (told?.state === state && told.code === code) return;
    if (pushes === undefined) {
      pushes = new Map();
      this.#told.set(camera, pushes);
    }
    pushes.set(id, { state, code });
    const reason = failed?.message ?? push.reason ?? null;
    const first = { downSince, firstCode: firstError?.code ?? null, firstReason: firstError?.message ?? null };
    const facts = { state, since, from: told?.state ?? null, reason, attempt, nextRetryAt, ...first };
    this.#feed.publish({ type: 'push.state', camera, push: id, code, facts });
  }
}
