import type { Scope } from '../../access/scopes.js';
import type { Control } from '../../control/control.js';
import type { CameraView, PushView } from '../../control/views.js';
import { messageOf } from '../../errors.js';
import type { OtherNodes } from './other-nodes.js';

/** Characters of names that are asked for at once: a path has no room for many more. */
const namesAtOnce = 5000;
const portion = 200;

/** What some nodes say of some cameras. */
export interface AskedCameras {
  /** By node and camera. */
  readonly views: ReadonlyMap<string, ReadonlyMap<string, CameraView>>;
  /** By node: why it did not answer. */
  readonly unknown: ReadonlyMap<string, string>;
}

/** Asks nodes for cameras by their names, each of itself alone. Never rejects: who does not answer is named. */
export async function camerasByName(
  nodes: OtherNodes,
  wanted: ReadonlyMap<string, ReadonlySet<string>>,
  scope: Scope,
): Promise<AskedCameras> {
  const unknown = new Map<string, string>();
  const views = new Map<string, ReadonlyMap<string, CameraView>>();
  await Promise.all(
    [...wanted].map(async ([node, names]) => {
      try {
        const found = new Map<string, CameraView>();
        for (const some of portions(names)) {
          const query = new URLSearchParams({ node: 'self', limit: String(portion), names: some.join(',') });
          const answer = await nodes.ask(node, { method: 'GET', path: `/v1/cameras?${query}`, scope });
          if (answer.status !== 200) throw new Error(`node ${node} answers ${answer.status} to a list of its cameras`);
          for (const view of cameraPageIn(node, answer.bytes).items) found.set(view.name, view);
        }
        views.set(node, found);
      } catch (error) {
        unknown.set(node, messageOf(error));
      }
    }),
  );
  return { views, unknown };
}

/** A page of cameras that another node answers. @throws Error for what is none */
export function cameraPageIn(node: string, bytes: Buffer): { items: CameraView[]; next: string | null } {
  const { items, next }: { items?: unknown; next?: unknown } = Object(JSON.parse(bytes.toString()));
  if (!Array.isArray(items) || !items.every(isCameraView)) {
    throw new Error(`node ${node} answers what is no list of cameras`);
  }
  return { items, next: typeof next === 'string' ? next : null };
}

/** A camera that another node answers. @throws Error for what is none */
export function cameraIn(node: string, bytes: Buffer): CameraView {
  const view: unknown = JSON.parse(bytes.toString());
  if (!isCameraView(view)) throw new Error(`node ${node} answers what is no camera`);
  return view;
}

/** What is read here of an answer is there. */
function isCameraView(view: unknown): view is CameraView {
  const { name, pushes } = Object(view) as Partial<Record<keyof CameraView, unknown>>;
  return typeof name === 'string' && Array.isArray(pushes) && pushes.every((push) => Object(push) === push);
}

function* portions(names: ReadonlySet<string>): Generator<string[], void> {
  let some: string[] = [];
  let characters = 0;
  for (const name of names) {
    if (some.length === portion || characters + name.length > namesAtOnce) {
      yield some;
      some = [];
      characters = 0;
    }
    some.push(name);
    characters += name.length + 1;
  }
  if (some.length > 0) yield some;
}

/** The node that runs a push, where that is another one than the camera's; undefined: it is that one. */
export function runnerOf({ state, node }: PushView): string | undefined {
  return state === 'elsewhere' ? node : undefined;
}

/** Shows each push that another node runs as that node shows it. */
export class Runners {
  readonly #control: Control;
  readonly #nodes: OtherNodes;
  readonly #scope: Scope;

  constructor(control: Control, nodes: OtherNodes, scope: Scope) {
    this.#control = control;
    this.#nodes = nodes;
    this.#scope = scope;
  }

  /**
   * @param known what some nodes have said already; the others are asked
   * @param silent nodes that have not answered just now, and why: they are not waited for once more
   * @returns the views in their order, and who did not answer. Never rejects.
   */
  async complete(
    views: readonly CameraView[],
    known: ReadonlyMap<string, ReadonlyMap<string, CameraView>> = new Map(),
    silent: ReadonlyMap<string, string> = new Map(),
  ): Promise<{ readonly views: readonly CameraView[]; readonly unknown: ReadonlyMap<string, string> }> {
    const self = this.#control.places.neighbours?.selfId;
    const wanted = new Map<string, Set<string>>();
    for (const { name, pushes } of views) {
      for (const push of pushes) {
        const node = runnerOf(push);
        if (node === undefined || node === self || known.get(name)?.has(node) === true) continue;
        if (silent.has(node)) continue;
        const names = wanted.get(node) ?? new Set();
        wanted.set(node, names.add(name));
      }
    }
    const asked = await camerasByName(this.#nodes, wanted, this.#scope);
    const seenAt = (node: string, camera: string): readonly PushView[] => {
      if (node === self) return this.#control.pushes.list(camera, { limit: 1000 }).items;
      return (known.get(camera)?.get(node) ?? asked.views.get(node)?.get(camera))?.pushes ?? [];
    };
    const completed = views.map((view) => {
      if (!view.pushes.some((push) => runnerOf(push) !== undefined)) return view;
      const byNode = new Map<string, ReadonlyMap<string, PushView>>();
      const pushes = view.pushes.map((push) => {
        const node = runnerOf(push);
        if (node === undefined) return push;
        const seen = byNode.get(node) ?? new Map(seenAt(node, view.name).map((each) => [each.id, each]));
        byNode.set(node, seen);
        return atRunner(push, node, seen.get(push.id), asked.unknown.get(node) ?? silent.get(node));
      });
      return { ...view, pushes };
    });
    return { views: completed, unknown: asked.unknown };
  }
}

/** @param theirs as the node shows it that runs it @param why that did not answer */
function atRunner(push: PushView, node: string, theirs: PushView | undefined, why: string | undefined): PushView {
  // It does not know yet that it runs it, or does not any more.
  if (theirs !== undefined && theirs.state !== 'elsewhere') return { ...theirs, node };
  return why === undefined ? push : { ...push, reason: `node ${node} runs it, and its state is unknown: ${why}` };
}
