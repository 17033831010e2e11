/** By part: what it may import. */
export const layers: Readonly<
  Record<string, { readonly may: readonly string[]; pure?: boolean; basic?: boolean; alone?: boolean }>
>;

/** The parts with a rule, and `cli`. */
export const parts: readonly string[];

/** All that a part may import, itself included. */
export function allowedFor(part: string): Set<string>;

/** biome.json with the rules of the table. */
export function withRules<T extends object>(biome: T): T;

/** Cycles of imports among the files below `folder`, each as a list of paths. */
export function findCycles(folder: string): string[][];

/** Cycles of a graph that is given as a map from each node to those it leads to. */
export function cyclesOf(graph: ReadonlyMap<string, readonly string[]>): string[][];
