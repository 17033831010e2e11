import type { BackendTotals } from '../backend/backend.js';

export type { CameraView, PushView } from '../control/views.js';

/** A streaming engine as v1 shows it. */
export interface EngineView {
  readonly name: string;
  readonly host: string;
  readonly pushUrl: string;
  readonly playbackUrl: string;
  readonly location?: string;
}

/** A node as v1 shows it. */
export interface NodeView extends BackendTotals {
  readonly name: string;
  readonly self: boolean;
  readonly version: string;
  readonly location?: string | null;
  readonly backend: string;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly status: 'ok' | 'down';
  readonly rtmp: { readonly host: string; readonly port: number };
  /** Registered cameras. */
  readonly cameras: number;
}

/** Something that is wrong with the state, and since when. */
export interface ProblemView {
  readonly code: string;
  readonly message: string;
  readonly since: string;
}
