/** What a caller may do: each scope includes those before it. */
export const scopes = ['read', 'operate', 'admin'] as const;

/**
 * - `read`: see cameras, pushes, engines, settings, events and metrics;
 * - `operate`: change cameras, pushes and engines, and what else runs the live video;
 * - `admin`: decide who may do what, and what the aggregator itself does.
 */
export type Scope = (typeof scopes)[number];

export function isScope(value: unknown): value is Scope {
  return typeof value === 'string' && (scopes as readonly string[]).includes(value);
}

/** True when who has `held` may do what needs `needed`. */
export function includesScope(held: Scope, needed: Scope): boolean {
  return scopes.indexOf(held) >= scopes.indexOf(needed);
}

/** The weaker one of two. */
export function weakerScope(left: Scope, right: Scope): Scope {
  return includesScope(left, right) ? right : left;
}
