import type { BackendObserver } from '../backend/backend.js';
import type { ErrorCode } from '../errors.js';
import type { CameraFollower } from './backend-watch.js';
import { reasonCode } from './reason-code.js';

/** When a camera was last live, and why it is not any more. Times are ISO 8601, UTC. */
export interface LastLive {
  readonly since: string;
  /** Null: it is live. */
  readonly until: string | null;
  /** Why it stopped, in words; null when nobody knows, or while it is live. */
  readonly reason: string | null;
  readonly code: ErrorCode | null;
  /** `host:port`, as far as the backend knows. */
  readonly publisher: string | null;
  /** What the publisher called itself. */
  readonly encoder: string | null;
  /** When its last frame came; null: none was seen. */
  readonly lastFrameAt: string | null;
}

/** Texts that peers choose are cut: ten thousand of them are kept. */
const maxText = 200;

/** What is known of cameras from when they were live, also from earlier runs. Only registered ones are remembered. */
export class LastLives implements CameraFollower {
  readonly #cameras = new Map<string, LastLive>();
  /** Counts changes, for whoever keeps them. */
  #changes = 0;

  get changes(): number {
    return this.#changes;
  }

  get size(): number {
    return this.#cameras.size;
  }

  /** Undefined: it was never live, as far as is known. */
  of(name: string): LastLive | undefined {
    return this.#cameras.get(name);
  }

  entries(): IterableIterator<[string, LastLive]> {
    return this.#cameras.entries();
  }

  /** Takes what an earlier run knew; what this one knows already goes before it. */
  restore(name: string, known: LastLive): void {
    if (!this.#cameras.has(name)) this.#cameras.set(name, known);
  }

  cameraLive(name: string, { publisher, encoder }: Parameters<BackendObserver['cameraLive']>[1]): void {
    const since = new Date().toISOString();
    const who = { publisher: cut(publisher), encoder: cut(encoder) };
    this.#set(name, { since, until: null, reason: null, code: null, ...who, lastFrameAt: null });
  }

  cameraStopped(name: string, reason: string | null): void {
    const known = this.#cameras.get(name);
    if (known === undefined || known.until !== null) return;
    const until = new Date().toISOString();
    this.#set(name, { ...known, until, reason: cut(reason), code: reasonCode(reason) });
  }

  /** Its last frame came then. */
  noteFrame(name: string, atMs: number): void {
    const known = this.#cameras.get(name);
    if (known === undefined || known.until !== null) return;
    this.#cameras.set(name, { ...known, lastFrameAt: new Date(atMs).toISOString() });
  }

  forget(name: string): void {
    if (this.#cameras.delete(name)) this.#changes++;
  }

  #set(name: string, known: LastLive): void {
    this.#cameras.set(name, known);
    this.#changes++;
  }
}

function cut(text: string | null): string | null {
  return text === null ? null : text.slice(0, maxText);
}
