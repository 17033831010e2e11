/** The OpenAPI document, and schemas that have one title but differ: the names of types that clients make of it. */
export interface NamedDocument {
  readonly document: Record<string, unknown>;
  readonly conflicts: readonly string[];
}

/**
 * Puts every schema that has a title into `components.schemas` under it, once, and refers to it from where it stood. The
 * document is a tenth as long then, and programs that make clients of it find names.
 */
export function nameSchemas(document: object): NamedDocument {
  const schemas: Record<string, unknown> = {};
  const texts = new Map<string, string>();
  const conflicts = new Set<string>();

  const visit = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(visit);
    if (typeof value !== 'object' || value === null) return value;
    const copy = Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, visit(entry)]));
    const { title, type } = copy;
    // Only schemas have a type; the document itself has a title as well.
    if (typeof title !== 'string' || typeof type !== 'string' || !/^[A-Za-z]+$/.test(title)) return copy;
    const text = JSON.stringify(copy);
    const known = texts.get(title);
    if (known === undefined) {
      texts.set(title, text);
      schemas[title] = copy;
    } else if (known !== text) {
      conflicts.add(title);
      return copy;
    }
    return { $ref: `#/components/schemas/${title}` };
  };

  const named = Object.fromEntries(Object.entries(document).map(([key, entry]) => [key, visit(entry)]));
  const { components } = named;
  const known = typeof components === 'object' && components !== null ? components : {};
  const sorted = Object.fromEntries(Object.entries(schemas).sort(([left], [right]) => (left < right ? -1 : 1)));
  return { document: { ...named, components: { ...known, schemas: sorted } }, conflicts: [...conflicts] };
}
