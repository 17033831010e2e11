import type { FastifyRequest } from 'fastify';
import type { Control } from '../../control/control.js';
import type { CameraHistory, HistorySteps, PushColumns } from '../../control/history.js';
import { CodedError } from '../../errors.js';
import type { ClusterCameras } from './cluster-cameras.js';
import { type OtherNodes, scopeOf } from './other-nodes.js';

interface Wanted {
  readonly control: Control;
  readonly all: ClusterCameras;
  readonly nodes: OtherNodes;
  readonly name: string;
  readonly seconds: number;
}

/**
 * What was seen of a camera by the node that has it, with what the nodes saw that run its pushes. Null: nothing is remembered.
 * @throws NotFoundError CAMERA_NOT_FOUND; CodedError NODE_UNAVAILABLE when the camera's node does not answer
 */
export async function clusterHistory(request: FastifyRequest, wanted: Wanted): Promise<HistorySteps | null> {
  const { control, all, name } = wanted;
  const { pushes } = await all.camera(request, name);
  const main = await historyAt(request, wanted, control.places.elsewhere(name));
  if (main === null) return null;
  const runners = new Set(pushes.flatMap(({ node }) => (node === undefined ? [] : [node])));
  const joined = new Map(Object.entries(main.pushes));
  await Promise.all(
    [...runners].map(async (node) => {
      const isSelf = node === control.places.neighbours?.selfId;
      // What it saw stays away when it does not answer; the rest is told.
      const theirs = await historyAt(request, wanted, isSelf ? undefined : node).catch(() => null);
      if (theirs === null) return;
      for (const [id, columns] of Object.entries(theirs.pushes)) {
        const known = joined.get(id);
        if (known !== undefined) joined.set(id, joinColumns(known, columns, stepsBetween(theirs, main)));
      }
    }),
  );
  return { ...main, pushes: joined };
}

/** @param node undefined: this one. @throws CodedError NODE_UNAVAILABLE */
async function historyAt(
  request: FastifyRequest,
  { control, nodes, name, seconds }: Wanted,
  node: string | undefined,
): Promise<CameraHistory | null> {
  if (node === undefined) return control.viewing.history(name, seconds);
  const path = `/v1/cameras/${name}/history?node=self&seconds=${seconds}`;
  const { status, bytes } = await nodes.ask(node, { method: 'GET', path, scope: scopeOf(request.caller) });
  if (status !== 200) throw new CodedError('NODE_UNAVAILABLE', `node ${node} answers ${status} to a history`);
  try {
    const history = JSON.parse(bytes.toString()) as CameraHistory | (CameraHistory & { readonly from: null });
    if (history.from === null) return null;
    if (typeof history.from === 'string' && Object(history.pushes) === history.pushes) return history;
  } catch {
    // As what is JSON and no history.
  }
  throw new CodedError('NODE_UNAVAILABLE', `node ${node} answers what is no history`);
}

/** How many steps the first history begins later than the second. */
function stepsBetween(left: CameraHistory, right: CameraHistory): number {
  return Math.round((Date.parse(left.from) - Date.parse(right.from)) / (right.stepSeconds * 1000));
}

/**
 * The points of one node with those of another one, for the times at which that one sent the push.
 * @param offset how many steps later theirs begin
 */
export function joinColumns(own: PushColumns, theirs: PushColumns, offset: number): PushColumns {
  const isTheirs = own.bitrateBps.map((_, index) => (theirs.bitrateBps[index - offset] ?? 0) > 0);
  const columns = Object.entries(own).map(([fact, points]) => {
    const others = theirs[fact as keyof PushColumns] ?? [];
    return [fact, points.map((point, index) => (isTheirs[index] ? (others[index - offset] ?? null) : point))];
  });
  return Object.fromEntries(columns) as PushColumns;
}
