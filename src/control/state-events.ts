import { maskTarget } from '../address/rtmp-url.js';
import type { NewEvent } from '../events/event.js';
import type { Camera, DesiredState, Push } from '../model/model.js';
import type { StateChange } from '../store/store.js';

/** What a commit, or an edit by hand, changed, as events: cameras first, then engines. */
export function* stateEvents(before: DesiredState, { state, cameras, engines }: StateChange): Generator<NewEvent> {
  for (const name of cameras) yield* cameraEvents(before.cameras.get(name), state.cameras.get(name));
  for (const engine of engines) {
    const known = before.engines.has(engine);
    if (!state.engines.has(engine)) yield { type: 'engine.removed', engine };
    else yield { type: known ? 'engine.changed' : 'engine.registered', engine };
  }
}

function* cameraEvents(before: Camera | undefined, after: Camera | undefined): Generator<NewEvent> {
  if (after === undefined) {
    if (before !== undefined) yield { type: 'camera.removed', camera: before.name };
    return;
  }
  const camera = after.name;
  if (before === undefined) yield { type: 'camera.registered', camera };
  else if (!hasSameFacts(before, after)) yield { type: 'camera.changed', camera };
  for (const push of Object.values(before?.pushes ?? {})) {
    if (!Object.hasOwn(after.pushes, push.id)) yield { type: 'push.removed', camera, push: push.id };
  }
  for (const push of Object.values(after.pushes)) {
    const known = before === undefined ? undefined : ownPush(before, push.id);
    if (known === push) continue;
    if (known === undefined) yield { type: 'push.added', camera, push: push.id, ...targetOf(camera, push) };
    else if (!hasSameFacts(known, push))
      yield { type: 'push.changed', camera, push: push.id, ...targetOf(camera, push) };
  }
}

function ownPush(camera: Camera, id: string): Push | undefined {
  return Object.hasOwn(camera.pushes, id) ? camera.pushes[id] : undefined;
}

function targetOf(camera: string, push: Push): Pick<NewEvent, 'engine' | 'facts'> {
  return {
    ...(push.engine === undefined ? {} : { engine: push.engine }),
    facts: { enabled: push.enabled, ...(push.url === undefined ? {} : { url: maskTarget(push.url, camera) }) },
  };
}

/** An edit by hand reads everything anew, also what is as it was. The pushes of a camera have events of their own. */
function hasSameFacts(left: Camera | Push, right: Camera | Push): boolean {
  const keys = new Set([...Object.keys(left), ...Object.keys(right)]);
  keys.delete('pushes');
  for (const key of keys) {
    if (JSON.stringify(Reflect.get(left, key)) !== JSON.stringify(Reflect.get(right, key))) return false;
  }
  return true;
}
