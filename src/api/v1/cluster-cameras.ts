import type { Scope } from '../../access/scopes.js';
import type { CameraPageRequest } from '../../control/camera-control.js';
import type { Control } from '../../control/control.js';
import type { CameraView } from '../../control/views.js';
import type { OtherNodes } from './other-nodes.js';

/** So many are asked for at once: the text of more would be long to read in one go. */
const portion = 200;
const defaultLimit = 100;

/** What the other nodes say of their cameras, for one page. */
export interface OthersCameras {
  /** By name, as the node that has them shows them. */
  readonly views: ReadonlyMap<string, CameraView>;
  /** Nodes that did not answer, and why. */
  readonly unknown: ReadonlyMap<string, string>;
}

/** Asks all other nodes for the cameras of a page that they have. Never rejects: who does not answer is named. */
export async function camerasOfOthers(
  nodes: OtherNodes,
  ids: readonly string[],
  request: CameraPageRequest,
  scope: Scope,
): Promise<OthersCameras> {
  const unknown = new Map<string, string>();
  const found = await Promise.all(
    ids.map(async (id) => {
      try {
        return await camerasAt(nodes, id, request, scope);
      } catch (error) {
        unknown.set(id, error instanceof Error ? error.message : String(error));
        return [];
      }
    }),
  );
  return { views: new Map(found.flat().map((view) => [view.name, view])), unknown };
}

/**
 * As far as a page of all can reach: who looks from the same name on at its own list comes at least as far with as many looks.
 * @throws CodedError NODE_UNAVAILABLE; Error for an answer that is none
 */
async function camerasAt(
  nodes: OtherNodes,
  id: string,
  { limit = defaultLimit, after, prefix, live, pushState, trouble }: CameraPageRequest,
  scope: Scope,
): Promise<CameraView[]> {
  const items: CameraView[] = [];
  let next: string | null | undefined = after;
  for (;;) {
    const count = Math.min(portion, limit - items.length);
    const query = new URLSearchParams({ node: 'self', held: 'true', limit: String(count) });
    for (const [key, value] of Object.entries({ after: next, prefix, live, pushState, trouble })) {
      if (value !== undefined) query.set(key, String(value));
    }
    const answer = await nodes.ask(id, { method: 'GET', path: `/v1/cameras?${query}`, scope });
    if (answer.status !== 200) throw new Error(`node ${id} answers ${answer.status} to a list of its cameras`);
    const page = JSON.parse(answer.bytes.toString()) as { items: CameraView[]; next: string | null };
    items.push(...page.items);
    next = page.next;
    if (page.items.length < count || next === null || items.length >= limit) return items;
  }
}

/** A page of the cameras of all nodes, piece by piece. */
export function* clusterPagePieces(
  control: Control,
  request: CameraPageRequest,
  requestHost: string | undefined,
  others: OthersCameras,
): Generator<string, void> {
  yield '{"items":[';
  let separator = '';
  const steps = control.cameras.clusterSteps(request, requestHost, others);
  for (;;) {
    const step = steps.next();
    if (step.done === true) {
      const unknown =
        others.unknown.size === 0 ? '' : `,"unknown":${JSON.stringify([...others.unknown.keys()].sort())}`;
      yield `],"next":${JSON.stringify(step.value)}${unknown}}`;
      return;
    }
    if (step.value === null) yield '';
    else {
      yield separator + JSON.stringify(step.value);
      separator = ',';
    }
  }
}
