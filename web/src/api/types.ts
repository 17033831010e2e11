/** What v1 answers, as far as the dashboard looks at it; /openapi.json describes all of it. */

export type PushState = 'idle' | 'connecting' | 'active' | 'stalled' | 'waiting' | 'waiting-for-publish' | 'disabled';

export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly at: string;
}

export interface PushView {
  readonly id: string;
  readonly url: string;
  readonly engine?: string;
  readonly enabled: boolean;
  readonly createdAt: string;
  readonly state: PushState;
  readonly reason?: string;
  readonly since: string;
  readonly attempt: number | null;
  readonly lastError: Failure | null;
  readonly nextRetryAt: string | null;
  readonly connects: number | null;
  readonly bytesOut: number | null;
  readonly framesOut: number | null;
  readonly roundTripMs: number | null;
  readonly bitrateBps: number | null;
  readonly queueBytes: number | null;
  readonly queueAgeMs: number | null;
  readonly droppedFrames: number | null;
}

export interface CameraView {
  readonly name: string;
  readonly type?: string;
  readonly createdAt: string;
  readonly endpoint: string;
  readonly live: boolean;
  readonly liveSince: string | null;
  readonly notice?: string;
  readonly publisher: string | null;
  readonly encoder: string | null;
  readonly videoCodec: string | null;
  readonly audioCodec: string | null;
  readonly width: number | null;
  readonly height: number | null;
  readonly bytesIn: number | null;
  readonly bitrateInBps: number | null;
  readonly frameRate: number | null;
  readonly keyFrameIntervalMs: number | null;
  readonly timestampJumps: number | null;
  readonly jitterMs: number | null;
  readonly lastFrameAt: string | null;
  readonly graceUntil: string | null;
  readonly viewers: number | null;
  readonly pushes: readonly PushView[];
}

export interface EngineView {
  readonly name: string;
  readonly host: string;
  readonly pushUrl: string;
  readonly playbackUrl: string;
  readonly location?: string;
  readonly createdAt: string;
}

export interface NodeView {
  readonly name: string;
  readonly self: boolean;
  readonly version: string;
  readonly location: string | null;
  readonly backend: string;
  readonly startedAt: string;
  readonly status: 'ok' | 'down';
  readonly rtmp: { readonly host: string; readonly port: number };
  readonly cameras: number;
  readonly bitrateInBps: number;
  readonly bitrateOutBps: number;
  readonly liveCameras: number;
  readonly viewers: number;
  readonly connections: number;
  readonly backendFacts: Readonly<Record<string, string | number | boolean | null>>;
}

export interface ConfigView {
  readonly settings: Readonly<Record<string, { readonly value: unknown; readonly source: string }>>;
  readonly problems: readonly { readonly code: string; readonly message: string; readonly since: string }[];
  readonly contentManager: {
    readonly url: string;
    readonly state: string;
    readonly since: string;
    readonly address: string;
    readonly attempt: number;
    readonly lastError: Failure | null;
    readonly nextRetryAt: string | null;
  } | null;
}

export interface RecordedEvent {
  readonly at: string;
  readonly kind: string;
  readonly text: string;
}

export interface TargetTest {
  readonly ok: boolean;
  readonly steps: readonly {
    readonly step: string;
    readonly ok: boolean;
    readonly durationMs: number;
    readonly error: { readonly code: string; readonly message: string } | null;
  }[];
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}

export type Scope = 'read' | 'operate' | 'admin';

export interface Session {
  readonly caller: string;
  readonly name: string | null;
  readonly scope: Scope;
  readonly expiresAt: string | null;
}

export interface TokenView {
  readonly name: string;
  readonly id: string;
  readonly scope: Scope;
  readonly createdAt: string;
  readonly expiresAt: string | null;
  readonly lastUsedAt: string | null;
}
