import { FlightRecorder, type RecordedEvent } from '../../events/flight-recorder.js';
import type { CameraEvidence } from '../../health/evidence.js';
import { type CameraSnapshot, type PushSnapshot, unseenCamera } from '../backend.js';

/** Number of ends of workers that are remembered for a camera. */
const rememberedEnds = 10;

interface Seen {
  readonly camera: Omit<CameraSnapshot, 'pushes'>;
  readonly pushes: Map<string, PushSnapshot>;
  readonly evidence: CameraEvidence | null;
  /** When the evidence was reported, on the monotonic clock. */
  readonly atMs: number;
}

/** Evidence that is older says nothing about now: its worker hangs, or is gone. */
const staleMs = 5_000;

/** What the workers last said about their cameras, and what became of cameras whose worker ended. */
export class LastSeen {
  readonly #cameras = new Map<string, Seen>();
  /** Why cameras were cut off last, until they are live again. */
  readonly #notices = new Map<string, string>();
  /** Events that the camera's worker cannot remember, since it ended. */
  readonly #records = new Map<string, FlightRecorder>();

  /** @param evidence undefined: the report says nothing new about it */
  note({ pushes, ...camera }: CameraSnapshot, evidence: CameraEvidence | null | undefined): void {
    const byId = new Map(pushes.map((push) => [push.id, push]));
    const before = evidence === undefined ? this.#cameras.get(camera.name) : undefined;
    const atMs = before?.atMs ?? performance.now();
    this.#cameras.set(camera.name, { camera, pushes: byId, evidence: evidence ?? before?.evidence ?? null, atMs });
  }

  /** What was reported last, while it is recent. */
  evidence(name: string): CameraEvidence | null {
    const seen = this.#cameras.get(name);
    return seen === undefined || performance.now() - seen.atMs > staleMs ? null : seen.evidence;
  }

  /** One push changed. A push that is not known yet comes with the next snapshot of its camera. */
  notePush(camera: string, push: PushSnapshot): void {
    const pushes = this.#cameras.get(camera)?.pushes;
    if (pushes?.has(push.id) === true) pushes.set(push.id, push);
  }

  noteLive(name: string): void {
    this.#notices.delete(name);
  }

  /** The worker of a camera ended. @param reason in words @returns whether the camera was live */
  lose(name: string, reason: string): boolean {
    const wasLive = this.#cameras.get(name)?.camera.live === true;
    this.#cameras.delete(name);
    if (!wasLive) return false;
    this.#notices.set(name, `${reason} while the camera was live; it has to publish again`);
    const record = this.#records.get(name) ?? new FlightRecorder({ capacity: rememberedEnds });
    record.note('worker', reason);
    this.#records.set(name, record);
    return true;
  }

  /** The camera was removed. */
  forget(name: string): void {
    this.#cameras.delete(name);
    this.#notices.delete(name);
    this.#records.delete(name);
  }

  camera(name: string): CameraSnapshot | undefined {
    const known = this.#cameras.get(name);
    const seen = known === undefined ? undefined : { ...known.camera, pushes: [...known.pushes.values()] };
    const notice = this.#notices.get(name);
    if (notice === undefined) return seen;
    return { ...(seen ?? { name, ...unseenCamera, pushes: [] }), notice };
  }

  push(camera: string, id: string): PushSnapshot | undefined {
    return this.#cameras.get(camera)?.pushes.get(id);
  }

  /** Events from before the camera's worker was started, oldest first. */
  events(camera: string): readonly RecordedEvent[] {
    return this.#records.get(camera)?.events() ?? [];
  }

  /** Number of live cameras and of viewers, of all cameras together. */
  count(): { liveCameras: number; viewers: number } {
    let liveCameras = 0;
    let viewers = 0;
    for (const { camera } of this.#cameras.values()) {
      if (camera.live) liveCameras++;
      viewers += camera.viewers ?? 0;
    }
    return { liveCameras, viewers };
  }
}
