import type { Figures, StatsListener } from '../../control/live-stats.js';
import type { EventFeed } from '../../events/event-feed.js';

/** The figures of live cameras for readers. */
export interface FiguresSource {
  /** The names of the cameras that figures were told of. */
  readonly names: Iterable<string>;
  /** All figures of some cameras as they were last told. */
  figuresOf(names: Iterable<string>): Figures;
  /** Calls with what changed, every two seconds. Returns the way to end it. */
  subscribe(listener: StatsListener): () => void;
}

/** What readers of events are told: by this node, or by all nodes of a cluster. */
export interface EventSource {
  readonly feed: EventFeed;
  readonly stats: FiguresSource;
  /** Nodes whose events are missing. */
  readonly unknown: readonly string[];
  /** Events were lost behind this id, and before the newest one: who read only so far begins anew. 0: none were. */
  readonly lostBefore: number;
  /** Called when events were lost. */
  onLoss(listener: () => void): void;
  /** A reader comes: resolves when the feed has what there is. */
  enter(): Promise<void>;
  /** A reader is gone. */
  leave(): void;
}

/** The events of this node alone. */
export function ownEvents({ feed, stats }: Pick<EventSource, 'feed' | 'stats'>): EventSource {
  const nothing = () => undefined;
  return { feed, stats, unknown: [], lostBefore: 0, onLoss: nothing, enter: async () => undefined, leave: nothing };
}
