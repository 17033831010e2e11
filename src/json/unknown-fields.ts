/** The part of a JSON schema that tells which fields an object may have. */
interface FieldSchema {
  readonly properties?: Readonly<Record<string, FieldSchema>>;
  readonly patternProperties?: Readonly<Record<string, FieldSchema>>;
  readonly items?: FieldSchema;
  readonly anyOf?: readonly FieldSchema[];
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * A value without the fields that its schema does not know, at any depth of objects and lists. What is no object where one is
 * expected stays as it is, for whoever checks it.
 * @param unknown gets the paths of what was left out: `pushes.p-1.colour`, `ingests.0.colour`
 */
export function withoutUnknown(schema: object, value: unknown, unknown: string[] = [], path = ''): unknown {
  if (Array.isArray(value)) {
    const items = itemsOf(schema);
    if (items === undefined) return value;
    return value.map((item: unknown, index) => withoutUnknown(items, item, unknown, `${path}${index}.`));
  }
  const fields = fieldsOf(schema);
  if (!isFields(value) || fields === undefined) return value;
  const known: Record<string, unknown> = Object.create(null);
  for (const [name, field] of Object.entries(value)) {
    const inner = schemaOf(fields, name);
    if (inner === undefined) unknown.push(`${path}${name}`);
    else known[name] = withoutUnknown(inner, field, unknown, `${path}${name}.`);
  }
  return known;
}

/**
 * `after`, with the fields of `before` that the schema does not know, where the object that has them still is. Objects of a list
 * are the same when they have the same `name`, or `id`.
 */
export function withUnknownOf(schema: object, before: unknown, after: unknown): unknown {
  if (Array.isArray(before) && Array.isArray(after)) {
    const items = itemsOf(schema);
    if (items === undefined) return after;
    const known = new Map(before.map((item: unknown) => [nameOf(item), item]));
    return after.map((item: unknown) => withUnknownOf(items, known.get(nameOf(item)), item));
  }
  const fields = fieldsOf(schema);
  if (!isFields(before) || !isFields(after) || fields === undefined) return after;
  const merged: Record<string, unknown> = Object.assign(Object.create(null), after);
  for (const [name, field] of Object.entries(before)) {
    const inner = schemaOf(fields, name);
    if (inner === undefined) merged[name] = field;
    else if (Object.hasOwn(merged, name)) merged[name] = withUnknownOf(inner, field, merged[name]);
  }
  return merged;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What tells one object of a list from the others. */
function nameOf(item: unknown): unknown {
  return isFields(item) ? (item.name ?? item.id) : undefined;
}

/** The schema by which an object is taken; of several alternatives, the one that is for objects. */
function fieldsOf(schema: FieldSchema): FieldSchema | undefined {
  if (schema.anyOf !== undefined) return schema.anyOf.map(fieldsOf).find((each) => each !== undefined);
  return schema.properties === undefined && schema.patternProperties === undefined ? undefined : schema;
}

/** The schema of what stands in a list. */
function itemsOf(schema: FieldSchema): FieldSchema | undefined {
  if (schema.anyOf !== undefined) return schema.anyOf.map(itemsOf).find((each) => each !== undefined);
  return schema.items;
}

/** The schema of a field; undefined for one that is not known. */
function schemaOf({ properties, patternProperties }: FieldSchema, name: string): FieldSchema | undefined {
  if (properties !== undefined && Object.hasOwn(properties, name)) return properties[name];
  // The names of a record are data: whatever they are, they are known.
  return patternProperties === undefined ? undefined : Object.values(patternProperties)[0];
}
