import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyRequest } from 'fastify';
import type { Scope } from '../../access/scopes.js';
import type { CamerasElsewhere } from '../../control/camera-control.js';
import { type CameraPageRequest, isWantedView } from '../../control/camera-filter.js';
import type { Control } from '../../control/control.js';
import type { Page } from '../../control/paging.js';
import { type CameraView, type PushView, withEndpointsOf } from '../../control/views.js';
import { messageOf, NotFoundError } from '../../errors.js';
import { inStretches } from '../../fairness/stretch.js';
import { mayPublish } from './may-publish.js';
import { type NodeAnswer, type OtherNodes, scopeOf } from './other-nodes.js';
import { cameraIn, cameraPageIn, camerasByName, Runners, runnerOf } from './runners.js';

/** So many are asked for at once: the text of more would be long to read in one go. */
const portion = 200;
const defaultLimit = 100;
/** How long an answer to a change waits until the node that has the camera has made it, too. */
const changedWithinMs = 1500;
const lookAgainMs = 50;

/** A page of the cameras of all nodes. */
export interface ClusterPage extends Page<CameraView> {
  /** Nodes that did not answer. */
  readonly unknown: readonly string[];
}

/**
 * Cameras as all nodes together see them: each as the node shows it that has it, with its pushes as the nodes show them that
 * run them. Every node that is asked answers of itself alone, so that no question goes round.
 */
export class ClusterCameras {
  readonly #control: Control;
  readonly #others: () => OtherNodes | undefined;

  constructor(control: Control, others: () => OtherNodes | undefined) {
    this.#control = control;
    this.#others = others;
  }

  /** The other nodes, where they are to be asked for this request. */
  nodesFor(request: FastifyRequest): OtherNodes | undefined {
    return request.isForSelf ? undefined : this.#others();
  }

  /** @throws InputError INVALID_REQUEST */
  async page(nodes: OtherNodes, request: FastifyRequest, query: CameraPageRequest): Promise<ClusterPage> {
    const scope = scopeOf(request.caller);
    const { cameras, places } = this.#control;
    const others = await camerasOfOthers(nodes, nodes.ids, query, scope);
    const found: CameraView[] = [];
    const steps = cameras.clusterSteps(query, request.headers.host, others);
    const next = await inStretches(gathered(steps, found));
    // Found by what a node sees that runs its pushes: the one that has it was not asked for it.
    const wanted = new Map<string, Set<string>>();
    for (const { name, unknown } of found) {
      const node = places.elsewhere(name);
      if (node === undefined || unknown !== undefined || others.views.has(name) || others.unknown.has(node)) continue;
      wanted.set(node, (wanted.get(node) ?? new Set()).add(name));
    }
    const asked = await camerasByName(nodes, wanted, scope);
    const whole = found.map((own): CameraView => {
      const node = wanted.size === 0 ? undefined : places.elsewhere(own.name);
      const theirs = node === undefined ? undefined : asked.views.get(node)?.get(own.name);
      if (node === undefined || theirs === undefined) return own;
      return withEndpointsOf(own, theirs, node);
    });
    const { views, unknown } = await new Runners(this.#control, nodes, scope).complete(
      whole,
      others.parts,
      new Map([...others.unknown, ...asked.unknown]),
    );
    const silent = new Set([...others.unknown.keys(), ...asked.unknown.keys(), ...unknown.keys()]);
    return { items: views.filter((view) => isWantedView(query, view)), next, unknown: [...silent].sort() };
  }

  /** One camera. @throws NotFoundError CAMERA_NOT_FOUND */
  async camera(request: FastifyRequest, name: string): Promise<CameraView> {
    const { cameras } = this.#control;
    const own = (unknown?: string) => cameras.get(name, request.headers.host, mayPublish(request.caller), unknown);
    const nodes = this.nodesFor(request);
    const found = own();
    if (nodes === undefined) return found;
    const silent = new Map<string, string>();
    const seen = await this.#atHolder(nodes, request, name, { found, own, silent });
    const runners = new Runners(this.#control, nodes, scopeOf(request.caller));
    const { views } = await runners.complete([seen], undefined, silent);
    return this.#control.tags.as(views[0] ?? seen, found);
  }

  async #atHolder(
    nodes: OtherNodes,
    request: FastifyRequest,
    name: string,
    { found, own, silent }: { found: CameraView; own: (unknown: string) => CameraView; silent: Map<string, string> },
  ): Promise<CameraView> {
    const node = this.#control.places.elsewhere(name);
    if (node === undefined) return found;
    try {
      const answer = await ask(nodes, node, request, `/v1/cameras/${name}`);
      return answer.status === 200 ? cameraIn(node, answer.bytes) : own(`node ${node} answers ${answer.status}`);
    } catch (error) {
      silent.set(node, messageOf(error));
      return own(messageOf(error));
    }
  }

  /** The pushes of a camera as the nodes show them that run them. @throws NotFoundError CAMERA_NOT_FOUND */
  async pushes(request: FastifyRequest, name: string): Promise<readonly PushView[]> {
    return (await this.camera(request, name)).pushes;
  }

  /** @throws NotFoundError CAMERA_NOT_FOUND or PUSH_NOT_FOUND */
  async push(request: FastifyRequest, name: string, id: string): Promise<PushView> {
    const own = this.#control.pushes.get(name, id);
    if (this.nodesFor(request) === undefined) return own;
    const found = (await this.pushes(request, name)).find((push) => push.id === id);
    return found === undefined ? own : this.#control.tags.as(found, own);
  }

  /**
   * A camera after a change, as the node shows it that has it: once it has made the change too, or with why that is not known.
   * @param own as this node shows it
   */
  async changedCamera(request: FastifyRequest, own: CameraView): Promise<CameraView> {
    const nodes = this.nodesFor(request);
    if (nodes === undefined) return own;
    const tag = this.#control.tags.ofView(own);
    const node = this.#control.places.elsewhere(own.name);
    let seen = own;
    if (node !== undefined) {
      const view = await this.#changed<CameraView>(nodes, request, { node, path: `/v1/cameras/${own.name}`, tag });
      // What this node answers has the key, too.
      seen = 'view' in view ? withEndpointsOf(own, view.view, node) : { ...own, unknown: view.unknown };
    }
    const { views } = await new Runners(this.#control, nodes, scopeOf(request.caller)).complete([seen]);
    return this.#control.tags.as(views[0] ?? seen, own);
  }

  /** As `changedCamera`, for a push. */
  async changedPush(request: FastifyRequest, camera: string, own: PushView): Promise<PushView> {
    const nodes = this.nodesFor(request);
    if (nodes === undefined) return own;
    const { places, tags } = this.#control;
    const tag = tags.ofView(own);
    const path = `/v1/cameras/${camera}/pushes/${own.id}`;
    let seen = own;
    for (const nodeOf of [() => places.elsewhere(camera), () => runnerOf(seen)]) {
      const node = nodeOf();
      if (node === undefined) continue;
      if (node === places.neighbours?.selfId) {
        const here = this.#control.pushes.get(camera, own.id);
        if (here.state !== 'elsewhere') seen = { ...here, node };
        continue;
      }
      const view = await this.#changed<PushView>(nodes, request, { node, path, tag });
      if (!('view' in view)) return tags.as({ ...seen, reason: view.unknown }, own);
      seen = node === runnerOf(seen) && view.view.state !== 'elsewhere' ? { ...view.view, node } : view.view;
    }
    return tags.as(seen, own);
  }

  /** The node that runs a push, where that is not this one; undefined: this one is to answer. */
  async runnerOf(request: FastifyRequest, name: string, id: string): Promise<string | undefined> {
    const nodes = this.nodesFor(request);
    if (nodes === undefined) return undefined;
    const { places, pushes } = this.#control;
    let seen = pushes.get(name, id);
    const holder = places.elsewhere(name);
    if (holder !== undefined) {
      const answer = await ask(nodes, holder, request, `/v1/cameras/${name}/pushes/${id}`);
      if (answer.status === 404) throw new NotFoundError('PUSH_NOT_FOUND', `node ${holder} does not know push "${id}"`);
      if (answer.status === 200) seen = JSON.parse(answer.bytes.toString());
    }
    const node = runnerOf(seen) ?? holder;
    return node === places.neighbours?.selfId ? undefined : node;
  }

  /** A node's view with the entity tag of the change; else why there is none. */
  async #changed<V>(
    nodes: OtherNodes,
    request: FastifyRequest,
    { node, path, tag }: { readonly node: string; readonly path: string; readonly tag: string | undefined },
  ): Promise<{ readonly view: V } | { readonly unknown: string }> {
    const untilMs = performance.now() + changedWithinMs;
    for (;;) {
      try {
        const { status, etag, bytes } = await ask(nodes, node, request, path);
        if (status === 200 && etag === tag) return { view: JSON.parse(bytes.toString()) };
      } catch (error) {
        return { unknown: messageOf(error) };
      }
      if (performance.now() > untilMs) {
        return { unknown: `node ${node} has the camera, and has not made the change within ${changedWithinMs} ms` };
      }
      await sleep(lookAgainMs);
    }
  }
}

function ask(nodes: OtherNodes, node: string, { caller }: FastifyRequest, path: string): Promise<NodeAnswer> {
  return nodes.ask(node, { method: 'GET', path: `${path}?node=self`, scope: scopeOf(caller) });
}

function* gathered(
  steps: Generator<CameraView | null, string | null>,
  found: CameraView[],
): Generator<void, string | null> {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    if (step.value !== null) found.push(step.value);
    yield;
  }
}

/** Asks all other nodes for the cameras of a page that they have, or run pushes of. Never rejects: who does not answer is named. */
async function camerasOfOthers(
  nodes: OtherNodes,
  ids: readonly string[],
  request: CameraPageRequest,
  scope: Scope,
): Promise<CamerasElsewhere> {
  const unknown = new Map<string, string>();
  const views = new Map<string, CameraView>();
  const parts = new Map<string, Map<string, CameraView>>();
  await Promise.all(
    ids.map(async (id) => {
      try {
        for (const view of await camerasAt(nodes, id, request, scope)) {
          if (view.relayedFrom === undefined) views.set(view.name, view);
          else parts.set(view.name, (parts.get(view.name) ?? new Map()).set(id, view));
        }
      } catch (error) {
        unknown.set(id, messageOf(error));
      }
    }),
  );
  return { views, parts, unknown };
}

/**
 * As far as a page of all can reach: who looks from the same name on at its own list comes at least as far with as many looks.
 * @throws CodedError NODE_UNAVAILABLE; Error for an answer that is none
 */
async function camerasAt(
  nodes: OtherNodes,
  id: string,
  { limit = defaultLimit, after, prefix, names, live, pushState, trouble }: CameraPageRequest,
  scope: Scope,
): Promise<CameraView[]> {
  const items: CameraView[] = [];
  let next: string | null | undefined = after;
  for (;;) {
    const count = Math.min(portion, limit - items.length);
    const query = new URLSearchParams({ node: 'self', held: 'true', limit: String(count) });
    for (const [key, value] of Object.entries({ after: next, prefix, names, live, pushState, trouble })) {
      if (value !== undefined) query.set(key, String(value));
    }
    const answer = await nodes.ask(id, { method: 'GET', path: `/v1/cameras?${query}`, scope });
    if (answer.status !== 200) throw new Error(`node ${id} answers ${answer.status} to a list of its cameras`);
    const page = cameraPageIn(id, answer.bytes);
    items.push(...page.items);
    next = page.next;
    if (page.items.length < count || next === null || items.length >= limit) return items;
  }
}

/** A page of the cameras of all nodes, piece by piece. */
export function* clusterPagePieces({ items, next, unknown }: ClusterPage): Generator<string, void> {
  yield '{"items":[';
  let separator = '';
  for (const item of items) {
    yield separator + JSON.stringify(item);
    separator = ',';
  }
  yield `],"next":${JSON.stringify(next)}${unknown.length === 0 ? '' : `,"unknown":${JSON.stringify(unknown)}`}}`;
}
