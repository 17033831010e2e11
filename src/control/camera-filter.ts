import type { Camera } from '../model/model.js';
import type { PageRequest } from './paging.js';
import type { CameraView } from './views.js';

/** Which cameras are wanted. */
export interface CameraPageRequest extends PageRequest {
  readonly live?: boolean | undefined;
  /** With a push in this state. */
  readonly pushState?: string | undefined;
  /** In trouble itself, or with a push that is down; false: neither. */
  readonly trouble?: boolean | undefined;
  /** In a cluster: live at this node, or with pushes that it runs. */
  readonly held?: boolean | undefined;
  /** Only these, with commas between. */
  readonly names?: string | undefined;
}

/** States of a push that need attention. */
const isBad: ReadonlySet<string> = new Set(['waiting', 'stalled']);

/** True for a push that needs attention. */
export function isDown({ state, downSince }: { readonly state: string; readonly downSince: string | null }): boolean {
  return downSince !== null || isBad.has(state);
}

/** The cameras that a request names, or all when it names none. */
export function named(cameras: ReadonlyMap<string, Camera>, { names }: CameraPageRequest): ReadonlyMap<string, Camera> {
  if (names === undefined) return cameras;
  const found = new Map<string, Camera>();
  for (const name of names.split(',')) {
    const camera = cameras.get(name);
    if (camera !== undefined) found.set(name, camera);
  }
  return found;
}

/** Whether a camera is wanted by what all nodes together see of it. */
export function isWantedView(
  { trouble, pushState }: CameraPageRequest,
  { conditions = [], pushes }: CameraView,
): boolean {
  const isInTrouble = conditions.length > 0 || pushes.some(isDown);
  if (trouble !== undefined && isInTrouble !== trouble) return false;
  return pushState === undefined || pushes.some((push) => push.state === pushState);
}
