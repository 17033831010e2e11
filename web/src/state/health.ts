import type { CameraView, PushState, PushView } from '../api/types.js';
import { plural } from '../ui/format.js';

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
  elsewhere: { tone: 'off', label: 'at another node', shape: 'diamond' },
};

/** In the midst of an outage, a try is no better than the pause before it. */
const retrying: Look = { tone: 'bad', label: 'retrying', shape: 'triangle' };

export function pushLook(push: Pick<PushView, 'state' | 'downSince'>): Look {
  if (push.state === 'connecting' && push.downSince !== null) return retrying;
  return pushLooks[push.state] ?? { tone: 'warn', label: push.state, shape: 'diamond' };
}

export type CameraHealth = 'live' | 'trouble' | 'returning' | 'offline';

export function cameraHealth(camera: CameraView): CameraHealth {
  if (camera.conditions?.some(({ level }) => level !== 'notice')) return 'trouble';
  if (!camera.live) return camera.graceUntil === null ? 'offline' : 'returning';
  return camera.pushes.some(isInTrouble) ? 'trouble' : 'live';
}

/** How a camera is, with what is wrong in words: `no picture`, `1 push down`. */
export function cameraLook(camera: CameraView): Look {
  const health = cameraHealth(camera);
  const look = cameraLooks[health];
  return health === 'trouble' ? { ...look, label: troubleOf(camera) } : look;
}

/** What is wrong with a camera or its pushes, in a few words; the gravest first. */
function troubleOf({ conditions = [], pushes }: CameraView): string {
  const gravest = conditions.find(({ level }) => level !== 'notice');
  if (gravest !== undefined) return gravest.label ?? gravest.code;
  const down = pushes.filter((push) => pushLook(push).tone === 'bad').length;
  if (down > 0) return `${plural(down, 'push', 'pushes')} down`;
  const troubled = pushes.filter(isInTrouble);
  const [first] = troubled;
  return troubled.length === 1 && first !== undefined
    ? `1 push ${pushLook(first).label}`
    : `${troubled.length} pushes in trouble`;
}

export const cameraLooks: Readonly<Record<CameraHealth, Look>> = {
  live: { tone: 'ok', label: 'live', shape: 'disc' },
  trouble: { tone: 'bad', label: 'in trouble', shape: 'triangle' },
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
  return `${plural(pushes.length, 'push', 'pushes')}: ${parts.join(', ')}`;
}
