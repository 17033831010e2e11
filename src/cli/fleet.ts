import type { Document } from 'yaml';
import { CodedError, messageOf } from '../errors.js';
import { nearest } from '../json/nearest.js';
import { parseYaml } from '../json/yaml.js';
import { isRecord } from './backup/record.js';

/** The desired state of a node, as `apply` reads it; the values are checked by the API. */
export interface Fleet {
  readonly engines: ReadonlyMap<string, Readonly<Record<string, unknown>>>;
  readonly cameras: ReadonlyMap<string, FleetCamera>;
}

export interface FleetCamera {
  /** Type, ingests and so on. */
  readonly facts: Readonly<Record<string, unknown>>;
  readonly pushes: readonly Readonly<Record<string, unknown>>[];
}

/** Ten thousand cameras take a few megabytes. */
export const maxFleetBytes = 32 << 20;

/**
 * Reads a fleet file: YAML, of which JSON is a part.
 * @throws CodedError IMPORT_INVALID, with the place
 */
export function readFleet(file: string, text: string): Fleet {
  const wrong = (what: string): CodedError => new CodedError('IMPORT_INVALID', `${file}: ${what}`);
  let document: Document.Parsed;
  try {
    document = parseYaml(text, { uniqueKeys: true, prettyErrors: true });
  } catch (cause) {
    throw wrong(messageOf(cause));
  }
  const [error] = document.errors;
  if (error !== undefined) throw wrong(error.message.split('\n', 1)[0] ?? 'it is not YAML');
  let value: unknown;
  try {
    // An alias of an alias of an alias makes gigabytes of a few lines.
    value = document.toJS({ maxAliasCount: 100 });
  } catch (cause) {
    throw wrong(messageOf(cause));
  }
  const known = ['cameras', 'engines'];
  if (!isRecord(value)) throw wrong('it must have "cameras" and "engines"');
  for (const key of Object.keys(value)) {
    if (known.includes(key)) continue;
    const near = nearest(key, known);
    throw wrong(
      `unknown key "${key}"; ${near === undefined ? `known are ${known.join(' and ')}` : `did you mean "${near}"?`}`,
    );
  }
  const engines = new Map<string, Record<string, unknown>>();
  for (const [name, entry] of entriesOf(value.engines, 'engines', wrong)) engines.set(name, entry);
  const cameras = new Map<string, FleetCamera>();
  for (const [name, entry] of entriesOf(value.cameras, 'cameras', wrong)) {
    const { pushes, type, ...rest } = entry;
    const facts = type == null ? rest : { ...rest, type: typeof type === 'number' ? String(type) : type };
    cameras.set(name, { facts, pushes: pushesOf(pushes, name, wrong) });
  }
  return { engines, cameras };
}

/** Entries by name, or a list of names and of objects with a name. */
function* entriesOf(
  value: unknown,
  what: string,
  wrong: (what: string) => CodedError,
): Generator<[string, Record<string, unknown>]> {
  if (value == null) return;
  const seen = new Set<string>();
  const pairs = Array.isArray(value)
    ? value.map((one): [unknown, unknown] => (isRecord(one) ? [one.name, withoutName(one)] : [one, null]))
    : isRecord(value)
      ? Object.entries(value)
      : undefined;
  if (pairs === undefined) throw wrong(`"${what}" must be entries by name, or a list`);
  for (const [key, entry] of pairs) {
    const name = typeof key === 'number' ? String(key) : key;
    if (typeof name !== 'string') throw wrong(`"${what}" has an entry without a name`);
    if (seen.has(name)) throw wrong(`"${what}" has "${name}" twice`);
    seen.add(name);
    if (entry != null && !isRecord(entry)) throw wrong(`${what}.${name} must have keys, or be empty`);
    yield [name, entry ?? {}];
  }
}

function withoutName({ name: _, ...rest }: Record<string, unknown>): Record<string, unknown> {
  return rest;
}

/** A push may be a text alone: a URL, or the name of an engine. */
function pushesOf(
  value: unknown,
  camera: string,
  wrong: (what: string) => CodedError,
): Readonly<Record<string, unknown>>[] {
  if (value == null) return [];
  const list = Array.isArray(value)
    ? value
    : isRecord(value)
      ? Object.entries(value).map(([id, push]) => (isRecord(push) ? { id, ...push } : { id, ...targetOf(push) }))
      : undefined;
  if (list === undefined) throw wrong(`cameras.${camera}.pushes must be a list, or entries by id`);
  return list.map((push) => {
    const full = isRecord(push) ? push : targetOf(push);
    if (full === undefined) throw wrong(`cameras.${camera}.pushes has an entry that is no push`);
    return typeof full.url === 'string' ? { ...full, url: full.url.replaceAll('{name}', camera) } : full;
  });
}

function targetOf(value: unknown): Record<string, unknown> | undefined {
  if (typeof value !== 'string') return undefined;
  return value.includes('://') ? { url: value } : { engine: value };
}
