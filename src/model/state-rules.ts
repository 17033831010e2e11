import { StateError } from '../errors.js';
import { differingIn } from './changes.js';
import { type Camera, type DesiredState, emptyPushes, type Push } from './model.js';
import { maskedPlaceIn } from './rules.js';
import { newlyShared } from './targets.js';

/** The limits of the settings. */
export interface StateLimits {
  readonly maxCameras: number;
  readonly maxPushesPerCamera: number;
  readonly maxEngines: number;
}

/**
 * The rules that hold whoever changes the state: the API, an edit by hand, a restored backup. The API asks for them one
 * change at a time; this is for whole states. Only what a change makes worse is refused: a limit that was lowered, or a
 * file that broke a rule at the start, keeps nobody from changing something else, or from making it better.
 * @throws StateError LIMIT_REACHED or STATE_INVALID, whose field is the place
 */
export function checkChange(before: DesiredState, after: DesiredState, limits: StateLimits): void {
  checkCount('cameras', before.cameras.size, after.cameras.size, limits.maxCameras, 'max-cameras');
  checkCount('engines', before.engines.size, after.engines.size, limits.maxEngines, 'max-engines');
  const differing = differingIn(before, after);
  for (const name of differing.engines) {
    const [was, is] = [before.engines.get(name), after.engines.get(name)];
    for (const field of ['pushUrl', 'playbackUrl'] as const) {
      if (is !== undefined && is[field] !== was?.[field]) checkUnmasked(`engines.${name}.${field}`, is[field]);
    }
  }
  for (const name of differing.cameras) {
    const [was, is] = [before.cameras.get(name), after.cameras.get(name)];
    if (is !== undefined) checkPushes(was, is, limits);
  }
  // A template that changed may send two pushes of a camera to one target, also of one that did not change itself.
  for (const camera of after.cameras.values()) {
    const was = before.cameras.get(camera.name);
    if (was === camera && !goesBy(camera, differing.engines)) continue;
    const known = was ?? { ...camera, pushes: emptyPushes };
    const shared = newlyShared({ camera: known, engines: before.engines }, { camera, engines: after.engines });
    if (shared === undefined) continue;
    const path = `cameras.${camera.name}.pushes`;
    refuse('STATE_INVALID', path, `"${shared.join('" and "')}" go to the same target; remove one of them`);
  }
}

/** What of a state is over a limit, for people; empty when nothing is. */
export function overLimits(state: DesiredState, limits: StateLimits): readonly string[] {
  const over: string[] = [];
  const { cameras, engines } = state;
  if (cameras.size > limits.maxCameras) over.push(`${cameras.size} cameras (max-cameras: ${limits.maxCameras})`);
  if (engines.size > limits.maxEngines) over.push(`${engines.size} engines (max-engines: ${limits.maxEngines})`);
  let crowded = 0;
  for (const camera of cameras.values()) {
    if (Object.keys(camera.pushes).length > limits.maxPushesPerCamera) crowded += 1;
  }
  if (crowded > 0) {
    over.push(`${crowded} cameras with too many pushes (max-pushes-per-camera: ${limits.maxPushesPerCamera})`);
  }
  return over;
}

function checkCount(path: string, before: number, after: number, max: number, setting: string): void {
  if (after <= max || after <= before) return;
  refuse('LIMIT_REACHED', path, `there would be ${after}, and ${max} is the limit (${setting})`);
}

function checkPushes(was: Camera | undefined, is: Camera, limits: StateLimits): void {
  const path = `cameras.${is.name}.pushes`;
  const count = (camera: Camera | undefined) => Object.keys(camera?.pushes ?? {}).length;
  checkCount(path, count(was), count(is), limits.maxPushesPerCamera, 'max-pushes-per-camera');
  for (const push of Object.values(is.pushes)) {
    const known: Push | undefined =
      was !== undefined && Object.hasOwn(was.pushes, push.id) ? was.pushes[push.id] : undefined;
    if (push.url !== undefined && push.url !== known?.url) checkUnmasked(`${path}.${push.id}.url`, push.url);
  }
}

function goesBy(camera: Camera, engines: ReadonlySet<string>): boolean {
  if (engines.size === 0) return false;
  return Object.values(camera.pushes).some(({ engine }) => engine !== undefined && engines.has(engine));
}

function checkUnmasked(path: string, text: string): void {
  const found = maskedPlaceIn(text);
  if (found !== undefined) refuse('STATE_INVALID', path, found);
}

function refuse(code: 'LIMIT_REACHED' | 'STATE_INVALID', path: string, why: string): never {
  throw new StateError(code, `${path}: ${why}`, { field: path });
}
