import { messageOf } from '../errors.js';
import type { Change } from '../model/changes.js';
import { DocumentError } from '../model/document/document-error.js';
import type { EntryMap } from '../model/document/encode.js';
import type { Section } from '../model/document/entry.js';

/** Seals texts so that who reads the store reads no secrets; see `Sealer` of the cluster. */
export interface Sealing {
  seal(text: string, place: string): string;
  /** @throws Error */
  open(text: string, place: string): string;
  /** True for a text that is not sealed as it should be now. */
  isStale(text: string): boolean;
  /** Says which key seals, and nothing of it; undefined: none does. */
  readonly keyId?: string;
}

/** What every sealed text begins with. */
export const sealedPrefix = 'sealed:';

/** Of a file without a key: nothing is sealed, and what is sealed cannot be opened. */
export const withoutKey: Sealing = {
  seal: (text) => text,
  open: (text) => {
    if (!text.startsWith(sealedPrefix)) return text;
    throw new Error(
      'is sealed, and no key is set: give the file of the key that it was sealed with (serve --seal-key; MEDIA_AGGREGATOR_SEAL_KEY for other commands)',
    );
  },
  isStale: () => false,
};

/** Nothing is sealed: for tests, and stores that are nobody else's. */
export const unsealed: Sealing = { seal: (text) => text, open: (text) => text, isStale: () => false };

type Fields = Record<string, unknown>;
type Each = (text: string, keys: readonly string[]) => string;

/** An entry with its URLs sealed: stream keys and passwords stand in them. The value stays as it was. */
export function sealEntry(section: Section, name: string, value: unknown, sealing: Sealing): unknown {
  return mapUrls(section, name, value, (text, keys) => sealing.seal(text, keys.join('/')));
}

/** The reverse. @throws DocumentError for a URL that cannot be opened */
export function openEntry(section: Section, name: string, value: unknown, sealing: Sealing): unknown {
  return mapUrls(section, name, value, (text, keys) => {
    try {
      return sealing.open(text, keys.join('/'));
    } catch (error) {
      throw new DocumentError([...keys], messageOf(error), 'STATE_SEALED');
    }
  });
}

/** Seals the entries of a file that is written; undefined: they stay as they are. */
export function sealingMap(sealing: Sealing | undefined): EntryMap | undefined {
  return sealing === undefined ? undefined : (section, name, entry) => sealEntry(section, name, entry, sealing);
}

/** True when a URL of the entry is not sealed as it should be now. */
export function isStaleEntry(section: Section, name: string, value: unknown, sealing: Sealing): boolean {
  let isStale = false;
  mapUrls(section, name, value, (text) => {
    isStale ||= sealing.isStale(text);
    return text;
  });
  return isStale;
}

/** A line of a journal with its URLs sealed. */
export function sealChange(change: Change, sealing: Sealing): Change {
  return mapChange(change, (section, name, value) => sealEntry(section, name, value, sealing));
}

/** The reverse, of what was read: its form is checked later. @throws DocumentError for a URL that cannot be opened */
export function openChange(change: unknown, sealing: Sealing): unknown {
  if (!isFields(change)) return change;
  return mapChange(change, (section, name, value) => openEntry(section, name, value, sealing));
}

function mapChange<C extends object>(change: C, each: (section: Section, name: string, value: unknown) => unknown): C {
  const { engine, camera, push, is, was } = change as Fields;
  const map = (value: unknown): unknown => {
    if (!isFields(value)) return value;
    if (engine !== undefined) return each('engines', String(engine), value);
    if (push === undefined) return each('cameras', String(camera), value);
    const mapped = each('cameras', String(camera), { pushes: { [String(push)]: value } });
    const pushes = isFields(mapped) && isFields(mapped.pushes) ? mapped.pushes : {};
    return pushes[String(push)];
  };
  return { ...change, is: map(is), was: map(was) };
}

function mapUrls(section: Section, name: string, value: unknown, each: Each): unknown {
  if (!isFields(value)) return value;
  if (section === 'engines') return withText(value, ['pushUrl', 'playbackUrl'], [section, name], each);
  const keys = [section, name];
  const camera = withSource(value, keys, each);
  const { pushes, ingests } = camera;
  if (Array.isArray(ingests)) {
    camera.ingests = ingests.map((ingest: unknown) =>
      isFields(ingest) ? withSource(ingest, [...keys, 'ingests', String(ingest.name)], each) : ingest,
    );
  }
  if (!isFields(pushes)) return camera;
  const mapped: Fields = Object.create(null);
  for (const [id, push] of Object.entries(pushes)) {
    mapped[id] = isFields(push) ? withText(push, ['url'], [...keys, 'pushes', id], each) : push;
  }
  return { ...camera, pushes: mapped };
}

/** What a stream is fetched from: a URL, or an object with one. */
function withSource(value: Fields, keys: readonly string[], each: Each): Fields {
  const { source } = value;
  if (isFields(source)) return { ...value, source: withText(source, ['url'], [...keys, 'source'], each) };
  return withText(value, ['source'], keys, each);
}

function withText(value: Fields, fields: readonly string[], keys: readonly string[], each: Each): Fields {
  const result = { ...value };
  for (const field of fields) {
    const text = value[field];
    if (typeof text === 'string') result[field] = each(text, [...keys, field]);
  }
  return result;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
