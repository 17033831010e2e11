import type { CameraView, PushState, PushView } from '../api/types.js';

/** What a state means to somebody who looks: `bad` wants help, `warn` a look, `busy` passes by itself, `off` is at rest. */
export type Tone = 'ok' | 'busy' | 'warn' | 'bad' | 'off';

export interface Look {
  readonly tone: Tone;
  readonly label: string;
  /** Each state has a shape of its own, so that colour never says it alone. */
  readonly shape: 'disc' | 'ring' | 'triangle' | 'square' | 'diamond' | 'bar';
}

const pushLooks: Readonly<Record<PushState, Look>> = {
  active: { tone: 'ok', label: 'active', shape: 'disc' },
  connecting: { tone: 'busy', label: 'connecting', shape: 'ring' },
  stalled: { tone: 'warn', label: 'stalled', shape: 'square' },
  waiting: { tone: 'bad', label: 'waiting', shape: 'triangle' },
  'waiting-for-publish': { tone: 'warn', label: 'waits for the next publish', shape: 'diamond' },
  idle: { tone: 'off', label: 'idle', shape: 'ring' },
  disabled: { tone: 'off', label: 'disabled', shape: 'bar' },
};

export function pushLook(push: Pick<PushView, 'state'>): Look {
  return pushLooks[push.state] ?? { tone: 'warn', label: push.state, shape: 'diamond' };
}

export type CameraHealth = 'live' | 'trouble' | 'returning' | 'offline';

export function cameraHealth(camera: CameraView): CameraHealth {
  if (!camera.live) return camera.graceUntil === null ? 'offline' : 'returning';
  return camera.pushes.some(isInTrouble) ? 'trouble' : 'live';
}

export const cameraLooks: Readonly<Record<CameraHealth, Look>> = {
  live: { tone: 'ok', label: 'live', shape: 'disc' },
  trouble: { tone: 'bad', label: 'live, with a push in trouble', shape: 'triangle' },
  returning: { tone: 'warn', label: 'lost; its targets are kept for its return', shape: 'diamond' },
  offline: { tone: 'off', label: 'not live', shape: 'ring' },
};

export function isInTrouble(push: PushView): boolean {
  const { tone } = pushLook(push);
  return tone === 'bad' || tone === 'warn';
}

/** `2 of 3 pushes active, 1 waiting` */
export function pushSummary(pushes: readonly PushView[]): string {
  if (pushes.length === 0) return 'no pushes';
  const counts = new Map<string, number>();
  for (const push of pushes) {
    const { label } = pushLook(push);
    counts.set(label, (counts.get(label) ?? 0) + 1);
  }
  const parts = [...counts].map(([label, number]) => `${number} ${label}`);
  return `${pushes.length === 1 ? '1 push' : `${pushes.length} pushes`}: ${parts.join(', ')}`;
}
