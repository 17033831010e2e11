import type { NodeLink } from '../../api/types.js';
import type { Look, Tone } from '../../state/health.js';
import type { NodeEntry } from '../../state/nodes.js';

/** How a node is, in a word and a shape. */
export function nodeLook({ isGone, silentSinceMs, view, member }: NodeEntry): Look {
  if (isGone) return { tone: 'off', label: 'gone', shape: 'bar' };
  if (silentSinceMs !== null) return { tone: 'off', label: 'unknown', shape: 'diamond' };
  if (view === null) return { tone: 'busy', label: 'asked', shape: 'ring' };
  if (view.status !== 'ok') return { tone: 'bad', label: 'down', shape: 'triangle' };
  if (member.isDraining) return { tone: 'warn', label: 'draining', shape: 'diamond' };
  if (view.problems.length > 0) return { tone: 'bad', label: 'in trouble', shape: 'triangle' };
  if (member.isFull) return { tone: 'warn', label: 'full', shape: 'square' };
  return { tone: 'ok', label: 'up', shape: 'disc' };
}

/** How a link is: by whether its streams flow, and not by how much. */
export function linkLook({ isDown, cameras, active }: NodeLink): Look {
  if (isDown) return { tone: 'bad', label: 'broken', shape: 'triangle' };
  if (active < cameras) return { tone: 'warn', label: `${active} of ${cameras} flow`, shape: 'square' };
  return { tone: 'ok', label: 'flows', shape: 'disc' };
}

/** A link from one node to another. */
export interface Edge {
  readonly from: string;
  readonly to: string;
  readonly link: NodeLink;
  /** What it was when its node still answered. */
  readonly isOld: boolean;
}

export function edgesOf(nodes: Iterable<NodeEntry>): Edge[] {
  return [...nodes].flatMap(({ id, view, silentSinceMs }) =>
    (view?.links ?? []).map((link) => ({ from: id, to: link.to, link, isOld: silentSinceMs !== null })),
  );
}

export function edgeTone({ link, isOld }: Edge): Tone {
  return isOld ? 'off' : linkLook(link).tone;
}
