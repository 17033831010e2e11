import type { CameraView, NodeView, PushView } from '../api/types.js';
import { cameras, entryOf, node, notePoint } from './store.js';

type PushFigures = Partial<PushView>;
type CameraFigures = Partial<Omit<CameraView, 'pushes'>> & {
  readonly pushes?: Readonly<Record<string, PushFigures | null>>;
};

/** The event `stats` (docs/events.md): of live cameras, only what changed. */
export interface Figures {
  readonly totals: Partial<NodeView>;
  readonly cameras: Readonly<Record<string, CameraFigures | null>>;
}

/** Merges figures into what is known, and adds a point to every sparkline. */
export function takeFigures({ totals, cameras: changed }: Figures): void {
  const self = node.peek();
  if (self !== null) node.value = { ...self, ...totals };
  for (const [name, figures] of Object.entries(changed)) {
    const entry = entryOf(name);
    // What a camera is that left, or a push that went, an event of its own tells.
    if (entry === undefined || figures === null) continue;
    const before = entry.view.peek();
    const { pushes, ...own } = figures;
    entry.view.value = {
      ...before,
      ...own,
      pushes: pushes === undefined ? before.pushes : merge(before.pushes, pushes),
    };
  }
  for (const entry of cameras.peek().values()) notePoint(entry);
}

function merge(
  before: readonly PushView[],
  changes: Readonly<Record<string, PushFigures | null>>,
): readonly PushView[] {
  return before.map((push) => {
    const change = Object.hasOwn(changes, push.id) ? changes[push.id] : undefined;
    return change === undefined || change === null ? push : { ...push, ...change };
  });
}
