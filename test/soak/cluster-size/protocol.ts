/** What a process of nodes is told at its start. */
export interface ChildPlan {
  /** HOST:PORT of etcd. */
  readonly endpoint: string;
  readonly prefix: string;
  readonly nodes: readonly { readonly id: string; readonly location: string }[];
  /** How many of them, the first ones, follow all that is live and plan; the others are there, and claim cameras. */
  readonly whole: number;
  /** Full copies of the state. */
  readonly stores: number;
}

/** What it is asked. */
export type Ask =
  | { readonly kind: 'start' | 'plan' | 'look' }
  /** Cameras that publish, by node. */
  | { readonly kind: 'publish'; readonly cameras: Readonly<Record<string, readonly string[]>> }
  | { readonly kind: 'leave'; readonly nodes: readonly string[] }
  | { readonly kind: 'die'; readonly node: string };

/** What it answers; which of it, follows from what was asked. */
export interface Reply {
  readonly failed?: string;
  /** For each camera or node; negative: let in without a claim. */
  readonly tookMs?: readonly number[];
  /** For a thousand cameras. */
  readonly rankMs?: number;
  /** Of each node: how many nodes and live cameras it knows. */
  readonly known?: readonly number[];
  readonly live?: readonly number[];
  readonly owned?: number;
  readonly unclaimed?: number;
  readonly redeclared?: number;
  readonly letGo?: number;
  readonly cameras?: number;
  readonly rssBytes?: number;
  readonly heapBytes?: number;
  readonly cpuMs?: number;
}
