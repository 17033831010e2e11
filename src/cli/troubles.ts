import { cleanText } from '../log/pino.js';
import { formatAge, secondsUntil } from './format.js';
import type { CameraView, PushView } from './views.js';

type Down = Pick<PushView, 'state' | 'lastError' | 'firstError' | 'downSince' | 'nextRetryAt'>;

/**
 * Why a push does not send: the error that its outage began with, and the last one, where that is another; and when it is
 * tried again.
 */
export function whyDown({ state, lastError, firstError, downSince, nextRetryAt }: Down): string | null {
  if (downSince === null && (state === 'active' || state === 'idle' || lastError === null)) return null;
  const first = firstError ?? lastError;
  if (first === null) return 'the target takes nothing';
  const words = `${first.code}: ${first.message}`;
  const last = lastError === null || lastError.code === first.code ? '' : `; last: ${lastError.code}`;
  return words + last + (nextRetryAt === null ? '' : `; next try in ${secondsUntil(nextRetryAt)} s`);
}

/** One line for each thing that is wrong with cameras and pushes; each names its camera, for whoever filters lines. */
export function troublesOf(cameras: readonly CameraView[]): string[] {
  return cameras.flatMap(({ name, conditions = [], pushes }) => [
    ...conditions.map(({ code, message, since, label, level }) => {
      const known = label === undefined ? code : `${label} (${code})`;
      const what = level === undefined ? known : `${level}: ${known}`;
      return cleanText(`camera ${name}: ${what} for ${formatAge(since)}: ${message}`);
    }),
    ...pushes.filter(isDown).map((push) => {
      const tries = push.attempt === null || push.attempt === 0 ? '' : `, ${push.attempt} failed tries`;
      const since = push.downSince ?? push.since;
      return cleanText(
        `camera ${name}: push ${push.id} down for ${formatAge(since)}${tries}: ${whyDown(push) ?? push.state}`,
      );
    }),
  ]);
}

/** Cameras with what is no trouble left out. */
export function withoutNotices(cameras: readonly CameraView[]): CameraView[] {
  return cameras.map((camera) => ({
    ...camera,
    conditions: (camera.conditions ?? []).filter(({ level }) => level !== 'notice'),
  }));
}

/** True while its target takes no media, as far as that is known. */
export function isDown({ state, downSince }: Pick<PushView, 'state' | 'downSince'>): boolean {
  return downSince !== null || state === 'waiting' || state === 'stalled';
}
