/** The part of a JSON schema that tells which fields an object may have. */
interface ObjectSchema {
  readonly properties?: Readonly<Record<string, ObjectSchema>>;
  readonly patternProperties?: Readonly<Record<string, ObjectSchema>>;
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * A value without the fields that its schema does not know, at any depth of objects. What is no object where one is
 * expected stays as it is, for whoever checks it.
 * @param unknown gets the paths of what was left out: `pushes.p-1.colour`
 */
export function withoutUnknown(schema: object, value: unknown, unknown: string[] = [], path = ''): unknown {
  if (!isFields(value) || !namesFields(schema)) return value;
  const known: Record<string, unknown> = Object.create(null);
  for (const [name, field] of Object.entries(value)) {
    const inner = schemaOf(schema, name);
    if (inner === undefined) unknown.push(`${path}${name}`);
    else known[name] = withoutUnknown(inner, field, unknown, `${path}${name}.`);
  }
  return known;
}

/** `after`, with the fields of `before` that the schema does not know, where the object that has them still is. */
export function withUnknownOf(schema: object, before: unknown, after: unknown): unknown {
  if (!isFields(before) || !isFields(after) || !namesFields(schema)) return after;
  const merged: Record<string, unknown> = Object.assign(Object.create(null), after);
  for (const [name, field] of Object.entries(before)) {
    const inner = schemaOf(schema, name);
    if (inner === undefined) merged[name] = field;
    else if (Object.hasOwn(merged, name)) merged[name] = withUnknownOf(inner, field, merged[name]);
  }
  return merged;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function namesFields(schema: object): schema is ObjectSchema {
  return 'properties' in schema || 'patternProperties' in schema;
}

/** The schema of a field; undefined for one that is not known. */
function schemaOf({ properties, patternProperties }: ObjectSchema, name: string): ObjectSchema | undefined {
  if (properties !== undefined && Object.hasOwn(properties, name)) return properties[name];
  // The names of a record are data: whatever they are, they are known.
  return patternProperties === undefined ? undefined : Object.values(patternProperties)[0];
}
